//! Serving what is published elsewhere: a newer snapshot of the index takes the place of the one that is read.

use std::sync::Arc;
use std::time::Duration;

use super::{Catalogue, Renderer};
use crate::index::{IndexError, Reader};
use crate::snapshots::{Replica, SnapshotError};

impl Renderer {
    /// Reads the index of `newer` from now on. Its catalogue is read first, so that one that cannot be served changes nothing.
    /// Requests in flight end on the one before.
    async fn adopt(&self, newer: &Reader) -> Result<(), IndexError> {
        let _alone = self.renewing.lock().await;
        let newer = newer.clone().within(self.catalogue().reader().time_limit());
        let index = newer.begin().await?;
        self.show(Catalogue::read(newer, &index).await?);
        Ok(())
    }

    /// Looks for a newer snapshot once.
    ///
    /// # Errors
    /// [`SnapshotError`]; what was served before stays.
    pub async fn refresh(&self, replica: &mut Replica) -> Result<(), SnapshotError> {
        if let Some(offer) = replica.newer(self.catalogue().reader()).await? {
            self.adopt(&offer.reader).await?;
            replica.take(offer);
        }
        Ok(())
    }
}

/// Looks for newer snapshots for as long as it runs.
pub async fn poll_snapshots(renderer: Arc<Renderer>, mut replica: Replica, every: Duration) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut said = None;
    loop {
        ticks.tick().await;
        let failure = renderer.refresh(&mut replica).await.err();
        let failure = failure.map(|error| (error.to_string(), error));
        // Said once, not every few seconds, as long as it is the same.
        if let Some((text, error)) = failure.as_ref().filter(|(text, _)| said.as_ref() != Some(text)) {
            let error: &dyn std::error::Error = error;
            tracing::error!(error, "{text}; serving the index as it was known before");
        }
        // Until a look succeeds, and that is only after the one that is at fault was put right.
        said = failure.map(|(text, _)| text).or(said.filter(|_| replica.is_put_off()));
    }
}
