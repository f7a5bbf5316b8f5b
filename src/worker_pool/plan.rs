//! How the memory of a server is shared out.

/// What a server takes before any request, roughly: the program, its threads, SQLite's caches.
const BASE: u64 = 96 << 20;

/// Less is not enough for one large image.
const LEAST: u64 = 256 << 20;

/// One number, in parts. What is made and not yet sent is counted byte by byte, caches are bounded, connections are limited in
/// number and size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryPlan {
    /// Renderings that were rendered before.
    pub renderer: u64,
    /// JSON that was sent before.
    pub documents: u64,
    /// Headers of images that were sent before.
    pub image_responses: u64,
    /// Tables as files that were made before.
    pub tables: u64,
    /// Zipped volumes that were made before.
    pub volumes: u64,
    /// What streams say of scans.
    pub samples: u64,
    /// Buffers of connections.
    pub connections: u64,
    /// What is being rendered, and what was and is not sent yet; bodies of requests.
    pub work: u64,
}

/// The memory is too little.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// For a server at all.
    #[error("{0} MiB are too little memory for a server; give --memory-mb at least {least}", least = LEAST >> 20)]
    TooLittle(u64),
    /// Beside the cache.
    #[error(
        "a cache of {renderer} MiB leaves too little of {memory} MiB of memory; give --memory-mb at least {needed}, or no \
         --cache-mb"
    )]
    CacheTooLarge {
        /// What the cache is to have.
        renderer: u64,
        /// What there is.
        memory: u64,
        /// What would do.
        needed: u64,
    },
}

impl Default for MemoryPlan {
    /// For tests and exports: no limit to work, and small caches.
    fn default() -> Self {
        let small = 32 << 20;
        Self {
            renderer: 2 * small,
            documents: small,
            image_responses: small,
            tables: small,
            volumes: small,
            samples: small,
            connections: 1 << 40,
            work: 1 << 48,
        }
    }
}

impl MemoryPlan {
    /// Shares out so many bytes, of which images that were rendered before get what is said, or three eighths.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn of(memory: u64, renderer: Option<u64>) -> Result<Self, PlanError> {
        if memory < LEAST {
            return Err(PlanError::TooLittle(memory >> 20));
        }
        let rest = memory - BASE;
        let share = rest / 32;
        let renderer = renderer.unwrap_or(12 * share);
        // One part of documents and headers of images, one of tables, one of samples, and two of volumes; four of connections.
        let kept = 5 * share;
        let connections = 4 * share;
        let work = rest.saturating_sub(renderer + kept + connections);
        if work < LEAST / 8 {
            let needed = (renderer + LEAST / 8).saturating_mul(32) / 23 + BASE;
            return Err(PlanError::CacheTooLarge {
                renderer: renderer >> 20,
                memory: memory >> 20,
                needed: (needed >> 20) + 1,
            });
        }
        Ok(Self {
            renderer,
            documents: share / 2,
            image_responses: share / 2,
            tables: share,
            volumes: 2 * share,
            samples: share,
            connections,
            work,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_never_more_than_the_whole() {
        for memory in [256u64, 300, 1024, 100_000].map(|mb| mb << 20) {
            for renderer in [None, Some(0), Some(32 << 20)] {
                let plan = MemoryPlan::of(memory, renderer).unwrap();
                let kept = plan.documents + plan.image_responses + plan.tables + plan.volumes + plan.samples;
                assert!(plan.renderer + kept + plan.connections + plan.work + BASE <= memory, "{plan:?}");
                assert!(plan.work >= LEAST / 8);
            }
        }
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_could() {
        assert_eq!(MemoryPlan::of(255 << 20, None), Err(PlanError::TooLittle(255)));
        let Err(PlanError::CacheTooLarge { needed, .. }) = MemoryPlan::of(512 << 20, Some(512 << 20)) else {
            panic!("a cache as large as everything was allowed");
        };
        assert!(MemoryPlan::of(needed << 20, Some(512 << 20)).is_ok());
    }
}
