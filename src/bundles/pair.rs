//! An image and its mask.

use std::sync::Arc;

use bytes::Bytes;

use super::bundle::Bundle;
use super::section::{Images, Section, Stack};
use crate::formats::npy;
use crate::imaging::PairQuery;
use crate::renderer::{Catalogue, Keep, RenderRequest, Renderer, RendererError, SliceName};
use crate::spider::ScanId;
use crate::volume::ElementType;
use crate::worker_pool::Flow;

/// The renderings of a pair: its image, its mask, and the slices that are the channels of the image.
pub struct Pair {
    image: RenderRequest,
    mask: RenderRequest,
    channels: Vec<usize>,
}

impl Pair {
    /// Bytes that one takes, roughly.
    pub const BYTES: u64 = 1200;

    /// Checks a pair. Costs no I/O.
    ///
    /// # Errors
    /// [`RendererError`] saying what does not exist or does not fit.
    pub fn new(
        renderer: &Renderer,
        catalogue: &Catalogue,
        scan: ScanId,
        slice: &SliceName,
        query: &PairQuery,
    ) -> Result<Self, RendererError> {
        let image = renderer.render_request(catalogue, scan, slice, &query.image)?;
        let mask = renderer.render_request(catalogue, scan, slice, &query.mask)?;
        let channels = query.channels(image.slice(), image.slices_of_view()).collect();
        Ok(Self { image, mask, channels })
    }

    /// Its image; with context, the channel in the middle.
    #[must_use]
    pub fn image(&self) -> &RenderRequest {
        &self.image
    }

    /// Number of channels of the image; one, unless there is context.
    pub(super) fn channels(&self) -> usize {
        self.channels.len()
    }

    /// A channel of the image.
    pub(super) fn channel(&self, n: usize) -> RenderRequest {
        self.channels.get(n).map_or_else(|| self.image.clone(), |&slice| self.image.at(slice))
    }

    /// Its mask.
    pub(super) fn mask(&self) -> &RenderRequest {
        &self.mask
    }

    /// The axis of the image's channels, which only an image with context has.
    pub(super) fn channel_axis(&self) -> Option<usize> {
        Some(self.channels.len()).filter(|&channels| channels > 1)
    }

    /// What stands before the elements of the image, and of the mask, in a `.npy` file.
    fn npy_headers(&self) -> [Vec<u8>; 2] {
        let image_shape: Vec<_> = self.channel_axis().into_iter().chain(self.image.canvas()).collect();
        [npy::header(self.image.element(), &image_shape), npy::header(self.mask.element(), &self.mask.canvas())]
    }

    /// Lengths of the `.npy` files of image and mask.
    pub(super) fn npy_lens(&self) -> [u64; 2] {
        let [image, mask] = self.npy_headers().map(|header| header.len() as u64);
        [image + self.channels.len() as u64 * self.image.elements_len(), mask + self.mask.elements_len()]
    }

    /// The `.npy` files of image and mask: header, and elements.
    pub(super) fn arrays(self, renderer: &Arc<Renderer>, flow: Flow) -> [(Vec<u8>, Stack); 2] {
        let [image_header, mask_header] = self.npy_headers();
        let stack = |first: &RenderRequest, count, image| {
            let (renderer, first) = (Arc::clone(renderer), first.clone());
            Stack { renderer, flow, keep: Keep::Yes, first, count, image }
        };
        let mask = self.mask.clone();
        let masks = stack(&self.mask, 1, Box::new(move |_| mask.clone()) as Images);
        let (first, count) = (self.image.clone(), self.channels());
        let images = stack(&first, count, Box::new(move |n| self.channel(n)));
        [(image_header, images), (mask_header, masks)]
    }

    /// `.npz` with `image`, `mask`, `spacing` (from slice to slice, row to row, column to column, millimetres) and `affine`:
    /// (slices from this one, row, column, 1) → millimetres, LPS. This slice is 0, whatever its number.
    #[must_use]
    pub fn bundle(self, renderer: &Arc<Renderer>) -> Bundle {
        let affine = self.image.affine_lps();
        let spacing = [0, 1, 2].map(|axis: usize| affine.iter().map(|row| row[axis] * row[axis]).sum::<f64>().sqrt());
        let version = vec!["pair".to_owned(), self.validator()];
        let arrays = self.arrays(renderer, Flow::interactive());
        let [images, masks] = arrays.map(|(header, stack)| stack.section(header));
        let members = vec![
            ("image.npy", images),
            ("mask.npy", masks),
            ("spacing.npy", numbers(&[3], &spacing)),
            ("affine.npy", numbers(&[4, 4], affine.as_flattened())),
        ];
        Bundle::npz(renderer, version, members)
    }

    /// A text that changes whenever the bytes of the pair do.
    fn validator(&self) -> String {
        let channels: Vec<_> = (0..self.channels()).map(|n| self.channel(n).validator()).collect();
        format!("{} {} {}", channels.len(), channels.join(" "), self.mask.validator())
    }
}

fn numbers(shape: &[usize], values: &[f64]) -> Section {
    let mut file = npy::header(ElementType::Float64, shape);
    file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    Section::ready(vec![Bytes::from(file)])
}
