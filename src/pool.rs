//! The one door from async to CPU: a fixed number of named threads behind a bounded queue that refuses when it is full,
//! so that an overload shows as quick refusals and never as a server that answers nobody.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Threads for work that would hold up the async ones.
#[derive(Debug)]
pub struct Pool {
    threads: Arc<rayon::ThreadPool>,
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    capacity: usize,
    refused: AtomicU64,
}

/// Every place of the pool is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("all {0} places of the drawing queue are taken; try again in a moment")]
pub struct Full(pub usize);

/// The work panicked, or the pool went away.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("drawing was broken off by a defect: {0}")]
pub struct Broken(pub String);

/// A place in the queue.
#[derive(Debug)]
pub struct Place {
    threads: Arc<rayon::ThreadPool>,
    turns: Arc<Semaphore>,
    permit: OwnedSemaphorePermit,
}

/// The head of the queue: the right to fetch what one piece of work needs and to run it.
#[derive(Debug)]
pub struct Turn {
    threads: Arc<rayon::ThreadPool>,
    permits: [OwnedSemaphorePermit; 2],
}

impl Pool {
    /// A pool of `threads` threads with room for `queue` more pieces of work that wait.
    ///
    /// # Errors
    /// When the operating system gives no threads.
    pub fn new(threads: usize, queue: usize) -> Result<Self, rayon::ThreadPoolBuildError> {
        // As many again as there are threads may fetch what they need, so that no thread waits for a disk.
        Self::fetching_ahead(threads, threads, queue)
    }

    /// The same with `ahead` pieces of work that may fetch what they need while the threads are busy.
    ///
    /// # Errors
    /// When the operating system gives no threads.
    pub fn fetching_ahead(threads: usize, ahead: usize, queue: usize) -> Result<Self, rayon::ThreadPoolBuildError> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|n| format!("draw-{n}")).build()?;
        let capacity = threads + queue;
        let turns = Arc::new(Semaphore::new(threads + ahead));
        Ok(Self {
            threads: Arc::new(pool),
            places: Arc::new(Semaphore::new(capacity)),
            turns,
            capacity,
            refused: AtomicU64::new(0),
        })
    }

    /// Takes a place, before anything else is done for the request.
    ///
    /// # Errors
    /// [`Full`] when none is left.
    pub fn admit(&self) -> Result<Place, Full> {
        let permit = Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            self.refused.fetch_add(1, Ordering::Relaxed);
            Full(self.capacity)
        })?;
        Ok(Place { threads: Arc::clone(&self.threads), turns: Arc::clone(&self.turns), permit })
    }
}

impl Pool {
    /// Places taken, places there are, and how many were refused for want of one.
    pub(crate) fn load(&self) -> (u64, u64, u64) {
        let taken = self.capacity.saturating_sub(self.places.available_permits());
        (taken as u64, self.capacity as u64, self.refused.load(Ordering::Relaxed))
    }
}

impl Place {
    /// Waits, in order of arrival. What a piece of work needs is fetched after this and not before: however long the
    /// queue, memory holds the input of a few pieces only.
    ///
    /// # Errors
    /// [`Broken`] when the pool is gone.
    pub async fn turn(self) -> Result<Turn, Broken> {
        let turn = self.turns.acquire_owned().await.map_err(|_| Broken(GONE.to_owned()))?;
        Ok(Turn { threads: self.threads, permits: [self.permit, turn] })
    }
}

impl Turn {
    /// Runs `work` on one of the pool's threads and gives the place back.
    ///
    /// # Errors
    /// [`Broken`] when `work` panics.
    pub async fn run<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Broken> {
        let (send, receive) = oneshot::channel();
        let permits = self.permits;
        self.threads.spawn_fifo(move || {
            let result = catch_unwind(AssertUnwindSafe(work)).map_err(|panic| Broken(panic_text(&*panic)));
            drop(permits);
            // Nobody waits any more: the result has no use.
            let _ = send.send(result);
        });
        receive.await.unwrap_or_else(|_| Err(Broken(GONE.to_owned())))
    }
}

const GONE: &str = "the pool is gone";

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn turn(pool: &Pool) -> Turn {
        pool.admit().unwrap().turn().await.unwrap()
    }

    #[tokio::test]
    async fn work_runs_on_named_threads() {
        let pool = Pool::new(1, 0).unwrap();
        let name = turn(&pool).await.run(|| std::thread::current().name().map(str::to_owned)).await.unwrap();
        assert_eq!(name.as_deref(), Some("draw-0"));
    }

    #[tokio::test]
    async fn a_full_pool_refuses_and_recovers() {
        let pool = Pool::new(1, 1).unwrap();
        let (running, waiting) = (pool.admit().unwrap(), pool.admit().unwrap());
        assert_eq!(pool.admit().unwrap_err(), Full(2));
        drop(waiting);
        running.turn().await.unwrap().run(|| ()).await.unwrap();
        assert!(pool.admit().is_ok());
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_the_place_comes_back() {
        let pool = Pool::new(1, 0).unwrap();
        let broken = turn(&pool).await.run(|| panic!("odd slice")).await.unwrap_err();
        assert_eq!(broken, Broken("odd slice".to_owned()));
        assert!(pool.admit().is_ok());
    }
}
