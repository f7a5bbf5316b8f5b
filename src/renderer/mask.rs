use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Catalogue, Renderer, RendererError};
use crate::spider::ScanId;
use crate::store::{Array, StoredSlice};

impl Renderer {
    /// The whole mask of a scan as it lies in the store: its canonical slices in order. Decoding them is work for the pool.
    ///
    /// # Errors
    /// [`RendererError`].
    pub async fn stored_mask(&self, catalogue: &Catalogue, scan: ScanId) -> Result<Vec<StoredSlice>, RendererError> {
        let found = catalogue.scan(scan).ok_or(RendererError::UnknownScan(scan))?;
        let [slices, ..] = found.facts.shape;
        let reads = (0..slices).map(|slice| self.store.read_slice(found.slice_key(Array::Mask, slice)));
        match stream::iter(reads).buffered(self.store.requests_at_once()).try_collect().await {
            Ok(slices) => Ok(slices),
            Err(error) => Err(self.explain(&found.group, error).await),
        }
    }
}
