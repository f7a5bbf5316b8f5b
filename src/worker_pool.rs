//! Threads and memory, and who gets them next: the one way from async to CPU. Work is cut into pieces of some milliseconds;
//! pieces wait in a queue that is fair to classes, clients and connections; what nobody waits for any more is not run.

mod budget;
mod fair_queue;
mod flow;
mod plan;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

pub use budget::{Budget, BudgetError, Reservation, hold};
pub use flow::{Class, Client, Flow};
pub use plan::{MemoryPlan, PlanError};

use fair_queue::FairQueue;

/// How much rendering threads yield to others, as `nice` counts: a third of the processor time of a thread at 0.
#[cfg(target_os = "linux")]
const RENDERING_NICENESS: i32 = 5;

/// Threads for work that would hold up the async ones.
#[derive(Debug)]
pub struct Pool {
    shared: Arc<Shared>,
    threads: usize,
    capacity: usize,
    taken: Arc<AtomicUsize>,
    refused: AtomicU64,
    budget: Budget,
    plan: MemoryPlan,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    more: Condvar,
    begun: AtomicU64,
}

#[derive(Debug)]
struct Queue {
    pieces: FairQueue<Piece>,
    is_closed: bool,
}

type Work = Box<dyn FnOnce() + Send>;

/// A piece of work that waits. Anyone who waits for it takes the work back when they give up.
struct Piece(Arc<Mutex<Option<Work>>>);

impl std::fmt::Debug for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Piece").finish_non_exhaustive()
    }
}

/// Every slot of the queue is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("all {0} slots of the rendering queue are taken; try again in a moment")]
pub struct QueueFull(pub usize);

/// The work panicked, or the pool went away.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rendering was ended by a defect: {0}")]
pub struct Panicked(pub String);

/// A slot of the queue, until this is dropped. Bulk work needs none: it waits in order, however much there is.
#[derive(Debug)]
pub struct QueueSlot {
    taken: Option<Arc<AtomicUsize>>,
}

impl Pool {
    /// A pool of `threads` threads with room for `queue` more renderings that wait.
    ///
    /// # Errors
    /// When the operating system gives no threads.
    pub fn new(threads: usize, queue: usize) -> std::io::Result<Self> {
        let queue_of_pieces = Queue { pieces: FairQueue::default(), is_closed: false };
        let shared =
            Arc::new(Shared { queue: Mutex::new(queue_of_pieces), more: Condvar::new(), begun: AtomicU64::new(0) });
        let threads = threads.max(1);
        let pool = Self {
            shared,
            threads,
            capacity: threads + queue,
            taken: Arc::new(AtomicUsize::new(0)),
            refused: AtomicU64::new(0),
            budget: Budget::new(MemoryPlan::default().work),
            plan: MemoryPlan::default(),
        };
        for n in 0..threads {
            let shared = Arc::clone(&pool.shared);
            let work = move || {
                yield_to_async_threads();
                shared.work();
            };
            std::thread::Builder::new().name(format!("render-{n}")).spawn(work)?;
        }
        Ok(pool)
    }

    /// The same within so much memory.
    #[must_use]
    pub fn within(mut self, plan: MemoryPlan) -> Self {
        self.budget = Budget::new(plan.work);
        self.plan = plan;
        self
    }

    /// How many threads there are.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// How the memory of the server is shared out.
    #[must_use]
    pub fn plan(&self) -> &MemoryPlan {
        &self.plan
    }

    /// The memory that work shares.
    #[must_use]
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Takes a slot, before anything else is done for the request.
    ///
    /// # Errors
    /// [`QueueFull`] when none is left.
    pub fn admit(&self, class: Class) -> Result<QueueSlot, QueueFull> {
        if class == Class::Bulk {
            return Ok(QueueSlot { taken: None });
        }
        let slot = QueueSlot { taken: Some(Arc::clone(&self.taken)) };
        if self.taken.fetch_add(1, Ordering::Relaxed) < self.capacity {
            return Ok(slot);
        }
        self.refused.fetch_add(1, Ordering::Relaxed);
        Err(QueueFull(self.capacity))
    }

    /// Pieces of work that were begun.
    #[must_use]
    pub fn pieces_begun(&self) -> u64 {
        self.shared.begun.load(Ordering::Relaxed)
    }

    /// Slots taken, slots there are, and how many were refused for want of one.
    pub(crate) fn load(&self) -> (u64, u64, u64) {
        let taken = self.taken.load(Ordering::Relaxed);
        (taken as u64, self.capacity as u64, self.refused.load(Ordering::Relaxed))
    }

    /// Runs a piece of work on one of the pool's threads when its turn has come. `cost` is what it will take, in
    /// nanoseconds, roughly. Dropping the future takes the work back, unless it has begun.
    ///
    /// # Errors
    /// [`Panicked`] when `work` panics.
    pub async fn run<T: Send + 'static>(
        &self,
        flow: Flow,
        cost: u64,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Panicked> {
        let (send, receive) = oneshot::channel();
        let work: Work = Box::new(move || {
            let result = catch_unwind(AssertUnwindSafe(work)).map_err(|panic| Panicked(panic_text(&*panic)));
            // Nobody waits any more: the result has no use.
            let _ = send.send(result);
        });
        let waits = Waits(Arc::new(Mutex::new(Some(work))));
        self.shared.queue().pieces.push(flow, cost, Piece(Arc::clone(&waits.0)));
        self.shared.more.notify_one();
        let result = receive.await.unwrap_or_else(|_| Err(Panicked("the pool is gone".to_owned())));
        drop(waits);
        result
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.queue().is_closed = true;
        self.shared.more.notify_all();
    }
}

impl Drop for QueueSlot {
    fn drop(&mut self) {
        if let Some(taken) = &self.taken {
            taken.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Someone waits for a piece of work.
struct Waits(Arc<Mutex<Option<Work>>>);

impl Drop for Waits {
    fn drop(&mut self) {
        // Memory that the work holds is free at once, and not when its turn would have come.
        let work = take(&self.0);
        drop(work);
    }
}

fn take(slot: &Mutex<Option<Work>>) -> Option<Work> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a thread does until the pool is gone.
    fn work(&self) {
        while let Some(work) = self.next() {
            self.begun.fetch_add(1, Ordering::Relaxed);
            work();
        }
    }

    fn next(&self) -> Option<Work> {
        // What nobody waits for is not there any more, and costs its client nothing.
        let is_wanted = |piece: &Piece| piece.0.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        let mut queue = self.queue();
        loop {
            if queue.is_closed {
                return None;
            }
            queue.pieces.discard(&|piece| !is_wanted(piece));
            match queue.pieces.pop(&|_| true).map(|piece| take(&piece.0)) {
                Some(Some(work)) => return Some(work),
                Some(None) => {}
                None => queue = self.more.wait(queue).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

/// Where every core renders, the threads that read requests and send responses run first: they have little to do, and a
/// probe of `/healthz` waits for them. Linux gives each thread a priority of its own; elsewhere it is the process's.
fn yield_to_async_threads() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(RENDERING_NICENESS) {
        tracing::debug!(%error, "rendering threads keep their priority");
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures_util::FutureExt;

    use super::*;

    fn flow(class: Class, connection: u64) -> Flow {
        Flow { class, client: Client { principal: 0, connection } }
    }

    #[tokio::test]
    async fn work_runs_on_named_threads() {
        let pool = Pool::new(1, 0).unwrap();
        let name = pool.run(flow(Class::Bulk, 0), 1, || std::thread::current().name().map(str::to_owned)).await;
        assert_eq!(name.unwrap().as_deref(), Some("render-0"));
    }

    #[test]
    fn a_full_queue_refuses_and_recovers() {
        let pool = Pool::new(1, 1).unwrap();
        let slots = [pool.admit(Class::Interactive).unwrap(), pool.admit(Class::Interactive).unwrap()];
        assert_eq!(pool.admit(Class::Interactive).unwrap_err(), QueueFull(2));
        assert!(pool.admit(Class::Bulk).is_ok());
        drop(slots);
        assert!(pool.admit(Class::Interactive).is_ok());
        assert_eq!(pool.load(), (0, 2, 1));
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_the_thread_goes_on() {
        let pool = Pool::new(1, 0).unwrap();
        let broken = pool.run(flow(Class::Bulk, 0), 1, || panic!("odd slice")).await.unwrap_err();
        assert_eq!(broken, Panicked("odd slice".to_owned()));
        assert_eq!(pool.run(flow(Class::Bulk, 0), 1, || 7).await, Ok(7));
    }

    /// Holds the pool's one thread until the sender is dropped.
    async fn held(pool: &Pool) -> (mpsc::Sender<()>, impl Future<Output = Result<(), Panicked>>) {
        let (release, released) = mpsc::channel::<()>();
        let (begins, begun) = oneshot::channel();
        let mut running = Box::pin(pool.run(flow(Class::Bulk, 9), 1, move || {
            let _ = begins.send(());
            let _ = released.recv();
        }));
        assert!(running.as_mut().now_or_never().is_none());
        begun.await.unwrap();
        (release, running)
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_is_dropped_before_its_turn() {
        let pool = Pool::new(1, 0).unwrap();
        let (release, running) = held(&pool).await;
        let memory = Arc::new(());
        let of_work = Arc::clone(&memory);
        let mut gone =
            Box::pin(pool.run(flow(Class::Interactive, 1), 1, move || panic!("{of_work:?} was wanted by nobody")));
        assert!(gone.as_mut().now_or_never().is_none());
        assert_eq!(Arc::strong_count(&memory), 2);
        drop(gone);
        // While it would still have to wait, what it holds is free.
        assert_eq!(Arc::strong_count(&memory), 1);
        drop(release);
        running.await.unwrap();
        assert_eq!(pool.run(flow(Class::Interactive, 1), 1, || 7).await, Ok(7));
    }

    #[tokio::test]
    async fn a_light_client_passes_the_pieces_of_heavy_ones() {
        let pool = Pool::new(1, 0).unwrap();
        let (release, running) = held(&pool).await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let piece = |class, connection, cost| {
            let order = Arc::clone(&order);
            let name = (class, connection);
            let mut piece = Box::pin(pool.run(flow(class, connection), cost, move || order.lock().unwrap().push(name)));
            assert!(piece.as_mut().now_or_never().is_none());
            piece
        };
        let mut pieces = Vec::new();
        for _ in 0..20 {
            pieces.push(piece(Class::Bulk, 1, 20));
            pieces.push(piece(Class::Interactive, 2, 20));
        }
        pieces.push(piece(Class::Interactive, 3, 2));
        drop(release);
        running.await.unwrap();
        for piece in pieces {
            piece.await.unwrap();
        }
        let order = order.lock().unwrap();
        let light = order.iter().position(|name| *name == (Class::Interactive, 3)).unwrap();
        assert!(light <= 2, "{order:?}");
    }
}
