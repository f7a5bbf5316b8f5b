//! Recent zipped volumes: how long one is, is known only when it is whole.

use bytes::Bytes;

use super::single_flight::{Lookup, SingleFlightCache};
use crate::bundles::Bundle;
use crate::http::responses::entity_tag::EntityTag;
use crate::renderer::RendererError;
use crate::worker_pool::{Budget, Flow};

/// Volumes of more bytes than this are zipped while they are sent, without a length.
const LARGEST_KEPT: u64 = 256 << 20;

/// Recent zipped volumes.
#[derive(Debug)]
pub(in crate::http) struct ZippedVolumes(SingleFlightCache<EntityTag, Bytes>);

impl ZippedVolumes {
    /// Keeps at most `budget` bytes.
    pub(in crate::http) fn new(budget: u64) -> Self {
        Self(SingleFlightCache::new(budget, |_, bytes| bytes.len()))
    }

    /// Whether the volume with this tag is there.
    pub(in crate::http) fn has(&self, tag: &EntityTag) -> bool {
        self.0.contains(tag)
    }

    /// The zipped volume with this tag, with a length, unless it is too large for that. Its bytes hold what is reserved for
    /// it.
    pub(in crate::http) async fn whole(
        &self,
        budget: &Budget,
        tag: &EntityTag,
        volume: Bundle,
    ) -> Result<Bundle, RendererError> {
        let len = volume.uncompressed_len().unwrap_or(u64::MAX);
        if len > LARGEST_KEPT.min(budget.largest()) {
            return Ok(volume);
        }
        // Not of the memory that its slices take: it would wait for them while it holds what they wait for.
        let reserve = async |bytes| budget.reserve(Flow::interactive(), bytes).await;
        let (reservation, bytes) = match self.0.look_up(tag.clone()).await {
            Lookup::Kept(bytes) => (reserve(bytes.len() as u64).await?, bytes),
            Lookup::Turn(turn) => {
                let reservation = reserve(len).await?;
                let bytes = Bytes::from(volume.made().await?.concat());
                turn.keep(bytes.clone());
                (reservation, bytes)
            }
        };
        Ok(volume.with_bytes(vec![reservation.hold(bytes)]))
    }
}
