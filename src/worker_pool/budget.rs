//! Memory that work shares: bytes are reserved before they are used, and given back when they were sent or dropped.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::fair_queue::FairQueue;
use super::flow::{Class, Flow};

/// How long interactive work waits for memory before it is refused.
const WAIT: Duration = Duration::from_secs(10);

/// Small work has a part of its own, so that large work never delays it: reservations of at most this share of the budget.
const SMALL_SHARE: u64 = 32;

/// Bytes in three parts: for small interactive work, for large interactive work, and for bulk work. Within each part clients
/// take turns, and no principal takes more than three quarters.
#[derive(Debug, Clone)]
pub struct Budget {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    parts: [Mutex<Part>; 3],
    largest_small: u64,
    /// How long interactive work waits before it is refused.
    wait: Duration,
}

#[derive(Debug)]
struct Part {
    total: u64,
    used: u64,
    by_principal: HashMap<u64, u64>,
    waiting: FairQueue<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    principal: u64,
    bytes: u64,
    granted: oneshot::Sender<()>,
}

/// Bytes that may be used until this is dropped.
#[derive(Debug)]
pub struct Reservation {
    shared: Arc<Shared>,
    part: usize,
    principal: u64,
    bytes: u64,
}

/// Memory cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BudgetError {
    /// It never can.
    #[error("this would take {bytes} bytes of memory at once; one answer may take {most}")]
    TooLarge {
        /// What is needed.
        bytes: u64,
        /// What one piece of work may have.
        most: u64,
    },
    /// Others have it, and did not give it back in time.
    #[error("no memory was free for {0} s; try again in a moment")]
    Busy(u64),
}

impl Budget {
    /// A budget of so many bytes.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Self::with_wait(bytes, WAIT)
    }

    /// The same with another time for which interactive work waits before it is refused.
    #[must_use]
    pub fn with_wait(bytes: u64, wait: Duration) -> Self {
        let small = bytes / 4;
        let large = (bytes - small) / 2;
        let part =
            |total| Mutex::new(Part { total, used: 0, by_principal: HashMap::new(), waiting: FairQueue::default() });
        let parts = [part(small), part(large), part(bytes - small - large)];
        Self { shared: Arc::new(Shared { parts, largest_small: bytes / SMALL_SHARE, wait }) }
    }

    /// The most that one piece of work may have.
    #[must_use]
    pub fn largest(&self) -> u64 {
        self.shared.part(1).total
    }

    /// Bytes that are reserved, and bytes that there are.
    #[must_use]
    pub fn load(&self) -> (u64, u64) {
        (0..self.shared.parts.len())
            .map(|part| self.shared.part(part))
            .fold((0, 0), |(used, total), part| (used + part.used, total + part.total))
    }

    /// Reserves bytes. Interactive work waits for a while, bulk work as long as it takes; each principal's work in turn.
    ///
    /// # Errors
    /// [`BudgetError::TooLarge`] when there never will be so many, [`BudgetError::Busy`].
    pub async fn reserve(&self, flow: Flow, bytes: u64) -> Result<Reservation, BudgetError> {
        let part = match flow.class {
            Class::Interactive if bytes <= self.shared.largest_small => 0,
            Class::Interactive => 1,
            Class::Bulk => 2,
        };
        let principal = flow.client.principal;
        let reservation = || Reservation { shared: Arc::clone(&self.shared), part, principal, bytes };
        let (granted, grant) = oneshot::channel();
        {
            let mut of = self.shared.part(part);
            if bytes > of.total {
                return Err(BudgetError::TooLarge { bytes, most: of.total });
            }
            if of.waiting.is_empty() && of.has(principal, bytes) {
                of.take(principal, bytes);
                return Ok(reservation());
            }
            of.waiting.push(flow, bytes, Waiting { principal, bytes, granted });
        }
        // Anyone who is dropped from here on gives back what was granted meanwhile.
        let mut claim = Claim { grant, reservation: Some(reservation()) };
        self.shared.part(part).grant();
        let granted = match flow.class {
            Class::Bulk => (&mut claim.grant).await.is_ok(),
            Class::Interactive => {
                tokio::time::timeout(self.shared.wait, &mut claim.grant).await.is_ok_and(|grant| grant.is_ok())
            }
        };
        if granted {
            // The grant was taken out of the channel: the reservation is real.
            return claim.reservation.take().ok_or(BudgetError::Busy(0));
        }
        Err(BudgetError::Busy(self.shared.wait.as_secs()))
    }
}

/// A reservation that may not have been granted yet.
struct Claim {
    grant: oneshot::Receiver<()>,
    reservation: Option<Reservation>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.grant.close();
        if let (Some(reservation), Err(_)) = (&mut self.reservation, self.grant.try_recv()) {
            // Never granted: there is nothing to give back, but someone behind it may be next now.
            reservation.bytes = 0;
        }
    }
}

impl Shared {
    fn part(&self, part: usize) -> MutexGuard<'_, Part> {
        self.parts[part].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Part {
    /// Whether so many bytes are free, and the principal may have them.
    fn has(&self, principal: u64, bytes: u64) -> bool {
        may_hold(&self.by_principal, principal, bytes, self.total) && self.used + bytes <= self.total
    }

    fn take(&mut self, principal: u64, bytes: u64) {
        self.used += bytes;
        *self.by_principal.entry(principal).or_insert(0) += bytes;
    }

    /// Gives what is free to those whose turn it is.
    fn grant(&mut self) {
        self.waiting.discard(&|waiting| waiting.granted.is_closed());
        while !self.waiting.is_empty() {
            let Self { total, used, by_principal, waiting } = self;
            let may = |waiting: &Waiting| may_hold(by_principal, waiting.principal, waiting.bytes, *total);
            if waiting.peek(&may).is_none_or(|next| *used + next.bytes > *total) {
                return;
            }
            let Some(Waiting { principal, bytes, granted }) = waiting.pop(&may) else { return };
            self.take(principal, bytes);
            if granted.send(()).is_err() {
                // Gone just now.
                self.give_back(principal, bytes);
            }
        }
    }

    fn give_back(&mut self, principal: u64, bytes: u64) {
        self.used -= bytes;
        if let Some(held) = self.by_principal.get_mut(&principal) {
            *held -= bytes;
            if *held == 0 {
                self.by_principal.remove(&principal);
            }
        }
    }
}

/// Whether a principal may hold so many bytes more of a part: three quarters at most, but its first piece of work whatever that is.
fn may_hold(by_principal: &HashMap<u64, u64>, principal: u64, bytes: u64, total: u64) -> bool {
    let held = by_principal.get(&principal).copied().unwrap_or(0);
    held == 0 || held + bytes <= total - total / 4
}

impl Reservation {
    /// Gives back all but `bytes`.
    pub fn shrink_to(&mut self, bytes: u64) {
        let Some(surplus) = self.bytes.checked_sub(bytes).filter(|&surplus| surplus > 0) else { return };
        self.bytes = bytes;
        self.give_back(surplus);
    }

    fn give_back(&self, bytes: u64) {
        let mut part = self.shared.part(self.part);
        part.give_back(self.principal, bytes);
        part.grant();
    }

    /// Ties the reservation to bytes: it lasts as long as any part of them.
    #[must_use]
    pub fn hold(mut self, bytes: Bytes) -> Bytes {
        self.shrink_to(bytes.len() as u64);
        hold(Arc::new(self), bytes)
    }
}

/// Ties a reservation that several share to bytes.
#[must_use]
pub fn hold(reservation: Arc<Reservation>, bytes: Bytes) -> Bytes {
    Bytes::from_owner(Held { bytes, _reservation: reservation })
}

struct Held {
    bytes: Bytes,
    _reservation: Arc<Reservation>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::super::flow::Client;
    use super::*;

    fn flow(class: Class, principal: u64) -> Flow {
        Flow { class, client: Client { principal, connection: principal } }
    }

    fn now<T>(future: impl Future<Output = T>) -> Option<T> {
        future.now_or_never()
    }

    #[tokio::test]
    async fn never_more_than_there_is_and_given_back_when_the_bytes_are_dropped() {
        let budget = Budget::new(3200);
        let bulk = |bytes| budget.reserve(flow(Class::Bulk, 1), bytes);
        assert_eq!(bulk(1201).await.unwrap_err(), BudgetError::TooLarge { bytes: 1201, most: 1200 });
        let held = bulk(900).await.unwrap().hold(Bytes::from(vec![7; 800]));
        assert_eq!(budget.load().0, 800);
        let part = held.slice(10..20);
        drop(held);
        // Another client's.
        let mut other = Box::pin(budget.reserve(flow(Class::Bulk, 2), 500));
        assert!(now(&mut other).is_none());
        drop(part);
        let other = now(other).unwrap().unwrap();
        assert_eq!(budget.load().0, 500);
        drop(other);
        assert_eq!(budget.load(), (0, 3200));
    }

    #[tokio::test]
    async fn small_work_and_other_classes_do_not_wait_for_large_work() {
        let budget = Budget::new(3200);
        let _large = budget.reserve(flow(Class::Interactive, 1), 1200).await.unwrap();
        let _bulk = budget.reserve(flow(Class::Bulk, 1), 1200).await.unwrap();
        assert!(now(budget.reserve(flow(Class::Interactive, 2), 101)).is_none());
        assert!(now(budget.reserve(flow(Class::Interactive, 2), 100)).is_some());
    }

    #[tokio::test]
    async fn no_principal_takes_everything_and_others_pass_those_who_must_wait_for_themselves() {
        let budget = Budget::new(3200);
        let bulk = |principal, bytes| budget.reserve(flow(Class::Bulk, principal), bytes);
        let first = bulk(1, 800).await.unwrap();
        let mut second = Box::pin(bulk(1, 200));
        assert!(now(&mut second).is_none());
        assert!(now(bulk(2, 400)).is_some());
        drop(first);
        assert!(now(second).is_some());
    }

    #[tokio::test]
    async fn nobody_passes_another_who_waits_for_more() {
        let budget = Budget::new(3200);
        let bulk = |principal, bytes| budget.reserve(flow(Class::Bulk, principal), bytes);
        let first = bulk(1, 800).await.unwrap();
        let mut large = Box::pin(bulk(2, 600));
        assert!(now(&mut large).is_none());
        let mut small = Box::pin(bulk(3, 200));
        assert!(now(&mut small).is_none(), "there are 400 bytes, but another was first");
        drop(first);
        assert!(now(large).is_some() && now(small).is_some());
    }

    #[tokio::test]
    async fn those_who_give_up_leave_nothing_behind() {
        let budget = Budget::new(3200);
        let bulk = |principal, bytes| budget.reserve(flow(Class::Bulk, principal), bytes);
        let first = bulk(1, 1000).await.unwrap();
        let (mut gone, mut waiting) = (Box::pin(bulk(2, 1000)), Box::pin(bulk(3, 200)));
        assert!(now(&mut gone).is_none() && now(&mut waiting).is_none());
        // Its turn was before; now the next one fits.
        drop(gone);
        let waiting = now(waiting).unwrap();
        let mut granted = Box::pin(bulk(4, 1000));
        assert!(now(&mut granted).is_none());
        drop(first);
        // Granted, but dropped before it was looked at.
        drop(granted);
        drop(waiting);
        assert_eq!(budget.load().0, 0);
    }

    #[tokio::test]
    async fn interactive_work_is_refused_after_a_while() {
        let budget = Budget::with_wait(3200, Duration::ZERO);
        let _first = budget.reserve(flow(Class::Interactive, 1), 1200).await.unwrap();
        let refused = budget.reserve(flow(Class::Interactive, 2), 1200).await.unwrap_err();
        assert_eq!(refused, BudgetError::Busy(0));
        // What was refused leaves nothing behind.
        assert_eq!(budget.load().0, 1200);
    }
}
