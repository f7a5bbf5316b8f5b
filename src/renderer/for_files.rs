//! Renderings for files that are sent while they are made.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::OnceCell;

use super::render::{Prepared, RenderedImage};
use super::{RenderRequest, Renderer, RendererError};
use crate::worker_pool::{Flow, Reservation, hold};

/// Whether an image is likely to be requested again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// It goes into the cache.
    Yes,
    /// It is used once; if it is in the cache already, all the better.
    No,
}

/// Bands of a large array image that may be in memory at once: those that are rendered ahead, and those that are being sent.
const BANDS_AT_ONCE: u64 = 4;

/// A large array image that is sent band by band, and never in memory as a whole. What it takes is reserved once, so that no
/// two of them wait for each other.
pub struct Bands {
    renderer: Arc<Renderer>,
    render_request: RenderRequest,
    flow: Flow,
    prepared: OnceCell<(Arc<Prepared>, Arc<Reservation>)>,
}

impl Bands {
    /// The bands of an image for which [`RenderRequest::is_large`] is true.
    #[must_use]
    pub fn new(renderer: &Arc<Renderer>, render_request: RenderRequest, flow: Flow) -> Self {
        Self { renderer: Arc::clone(renderer), render_request, flow, prepared: OnceCell::new() }
    }

    /// The rows of each band, and the bytes of their elements.
    pub fn rows(&self) -> impl Iterator<Item = (Range<usize>, u64)> + use<> {
        let [height, width] = self.render_request.canvas();
        let at_once = self.render_request.key.image_request.rows_at_once();
        let line = width * self.render_request.element().size();
        (0..height).step_by(at_once).map(move |first| {
            let rows = first..(first + at_once).min(height);
            let bytes = (rows.len() * line) as u64;
            (rows, bytes)
        })
    }

    /// The elements of some rows.
    ///
    /// # Errors
    /// [`RendererError`].
    pub async fn render(&self, rows: Range<usize>) -> Result<Bytes, RendererError> {
        let pool = &self.renderer.pool;
        let prepared = self.prepared.get_or_try_init(|| async {
            let bytes =
                self.render_request.slice_bytes() + BANDS_AT_ONCE * self.render_request.key.image_request.band_bytes();
            let reservation = pool.budget().reserve(self.flow, bytes).await?;
            let prepared = self.renderer.prepare(self.render_request.clone(), self.flow).await?;
            Ok::<_, RendererError>((Arc::new(prepared), Arc::new(reservation)))
        });
        let (prepared, reservation) = prepared.await?;
        let (prepared, reservation) = (Arc::clone(prepared), Arc::clone(reservation));
        let cost = self.render_request.key.image_request.band_nanoseconds();
        let bytes = pool.run(self.flow, cost, move || prepared.rows(rows)).await??;
        Ok(hold(reservation, bytes.into()))
    }
}

impl Renderer {
    /// An image for a file that is being sent.
    ///
    /// # Errors
    /// [`RendererError`].
    pub async fn render_for_file(
        self: &Arc<Self>,
        render_request: RenderRequest,
        keep: Keep,
        flow: Flow,
    ) -> Result<Arc<RenderedImage>, RendererError> {
        if keep == Keep::Yes {
            return self.render_as(render_request, flow).await.map(|(rendered, _)| rendered);
        }
        if let Some(rendered) = self.cache.kept(&render_request.key).await {
            return Ok(rendered);
        }
        let (rendered, reservation) = self.render_anew(render_request, flow).await?;
        Ok(Arc::new(RenderedImage { bytes: reservation.hold(rendered.bytes.clone()), ..rendered }))
    }
}
