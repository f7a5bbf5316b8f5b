//! Sections of files: how long each is, and the parts that make it, as often as they are needed.

use std::sync::Arc;

use bytes::Bytes;

use super::assembly::Part;
use crate::formats::npy;
use crate::renderer::{Bands, Keep, RenderRequest, Renderer, SourceVolume};
use crate::worker_pool::Flow;

type Parts = Box<dyn Iterator<Item = Part> + Send>;

/// An image for each index.
pub type Images = Box<dyn Fn(usize) -> RenderRequest + Send + Sync>;

/// Some or all of a file. Its parts are made anew each time.
#[derive(Clone)]
pub struct Section {
    len: Option<u64>,
    parts: Arc<dyn Fn() -> Parts + Send + Sync>,
}

impl Section {
    /// What these parts make; `len` if it is known before they are made.
    pub fn new<I>(len: Option<u64>, parts: impl Fn() -> I + Send + Sync + 'static) -> Self
    where
        I: Iterator<Item = Part> + Send + 'static,
    {
        Self { len, parts: Arc::new(move || Box::new(parts())) }
    }

    /// Bytes that are there.
    #[must_use]
    pub fn ready(bytes: Vec<Bytes>) -> Self {
        let len = bytes.iter().map(|bytes| bytes.len() as u64).sum();
        Self::new(Some(len), move || bytes.clone().into_iter().map(Part::ready))
    }

    /// A header, and the voxels of a volume in the order of its file.
    #[must_use]
    pub fn source(renderer: &Arc<Renderer>, header: Vec<u8>, volume: SourceVolume, flow: Flow) -> Self {
        let renderer = Arc::clone(renderer);
        let voxels: u64 = volume.bands().map(|planes| volume.band_bytes(&planes)).sum();
        Self::new(Some(header.len() as u64 + voxels), move || {
            let (renderer, volume) = (Arc::clone(&renderer), volume.clone());
            let bands = volume.bands().map(move |planes| {
                let (renderer, volume, len) = (Arc::clone(&renderer), volume.clone(), volume.band_bytes(&planes));
                Part::later(Some(len), async move { renderer.source_band(volume, planes, flow).await })
            });
            std::iter::once(Part::ready(header.clone())).chain(bands)
        })
    }

    /// Its length, if it is known before it is made.
    #[must_use]
    pub fn len(&self) -> Option<u64> {
        self.len
    }

    /// Whether it is known to hold nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == Some(0)
    }

    /// What makes it.
    #[must_use]
    pub fn parts(&self) -> Box<dyn Iterator<Item = Part> + Send> {
        (self.parts)()
    }
}

/// Array images of one shape and one type, whose elements stand one after the other.
pub struct Stack {
    /// Renders them.
    pub renderer: Arc<Renderer>,
    /// As which work.
    pub flow: Flow,
    /// Whether the images are likely to be requested again.
    pub keep: Keep,
    /// The first of the images.
    pub first: RenderRequest,
    /// How many there are.
    pub count: usize,
    /// The image with this index.
    pub image: Images,
}

impl Stack {
    /// Length of the elements.
    #[must_use]
    pub fn elements_len(&self) -> u64 {
        self.count as u64 * self.first.elements_len()
    }

    /// The images as a `.npy` file; `axes` stand before those of rows and columns.
    #[must_use]
    pub fn npy(self, axes: &[usize]) -> Section {
        let header = npy::header(self.first.element(), &[axes, &self.first.canvas()].concat());
        self.section(header)
    }

    /// A header, and the elements of the images.
    #[must_use]
    pub fn section(self, header: Vec<u8>) -> Section {
        let len = header.len() as u64 + self.elements_len();
        let stack = Arc::new(self);
        Section::new(Some(len), move || {
            let stack = Arc::clone(&stack);
            let elements = (0..stack.count).flat_map(move |n| stack.elements((stack.image)(n)));
            std::iter::once(Part::ready(header.clone())).chain(elements)
        })
    }

    /// The elements of an image, without its header: one part, or one for each band of a large image.
    fn elements(&self, render_request: RenderRequest) -> Vec<Part> {
        let (renderer, flow, keep) = (Arc::clone(&self.renderer), self.flow, self.keep);
        if render_request.is_large() {
            let bands = Arc::new(Bands::new(&renderer, render_request, flow));
            let part = |(rows, len)| {
                let bands = Arc::clone(&bands);
                Part::later(Some(len), async move { bands.render(rows).await })
            };
            return bands.rows().map(part).collect();
        }
        let len = render_request.elements_len();
        let elements = async move {
            let rendered = renderer.render_for_file(render_request, keep, flow).await?;
            Ok(rendered.bytes.slice(npy::array_start(&rendered.bytes).unwrap_or(0)..))
        };
        vec![Part::later(Some(len), elements)]
    }
}
