//! Recent zipped volumes: how long one is, is known only when it is whole.

use bytes::Bytes;
use moka::sync::Cache;

use super::locks::Locks;
use crate::bundles::Bundle;
use crate::http::responses::entity_tag::EntityTag;
use crate::renderer::RendererError;
use crate::worker_pool::{Budget, Flow};

/// Volumes of more bytes than this are zipped while they are sent, without a length.
const LARGEST_KEPT: u64 = 256 << 20;

/// Recent zipped volumes.
#[derive(Debug)]
pub(in crate::http) struct ZippedVolumes {
    kept: Cache<EntityTag, Bytes>,
    /// Each is made once: anyone who waits for it finds it kept.
    making: Locks<EntityTag>,
}

impl ZippedVolumes {
    /// Keeps at most `budget` bytes.
    pub(in crate::http) fn new(budget: u64) -> Self {
        let weight = |_: &EntityTag, bytes: &Bytes| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Self { kept: Cache::builder().max_capacity(budget).weigher(weight).build(), making: Locks::default() }
    }

    /// Whether the volume with this tag is there.
    pub(in crate::http) fn has(&self, tag: &EntityTag) -> bool {
        self.kept.contains_key(tag)
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
        let _alone = self.making.lock(tag.clone()).await;
        let kept = self.kept.get(tag);
        // Not of the memory that its slices take: it would wait for them while it holds what they wait for.
        let needed = kept.as_ref().map_or(len, |bytes| bytes.len() as u64);
        let reservation = budget.reserve(Flow::interactive(), needed).await?;
        let bytes = match kept {
            Some(bytes) => bytes,
            None => {
                let bytes = Bytes::from(volume.made().await?.concat());
                self.kept.insert(tag.clone(), bytes.clone());
                bytes
            }
        };
        Ok(volume.with_bytes(vec![reservation.hold(bytes)]))
    }
}
