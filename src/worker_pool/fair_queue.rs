//! Who is next: classes by weight, the principals of a class in turn, the connections of a principal in turn, and what one
//! connection asks in its order.
//!
//! This is start-time fair queueing (Goyal, Vin and Cheng 1996) on three levels. Everyone has a tag that grows with the cost
//! of what was done for them, divided by their weight; the smallest tag is next. Anyone who comes after a pause begins at the
//! present tag: a pause earns no credit, and a light client is at most one piece of work behind a heavy one.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use super::flow::{Class, Flow};

/// Clients beyond which those without work are forgotten, unless they are ahead of the others.
const REMEMBERED: usize = 64;

/// Interactive work gets four fifths of what both want.
const WEIGHTS: [(Class, u64); 2] = [(Class::Interactive, 4), (Class::Bulk, 1)];

/// Work that waits.
#[derive(Debug)]
pub(super) struct FairQueue<T> {
    classes: Level<Class, Level<u64, Level<u64, Line<T>>>>,
    len: usize,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self { classes: Level::default(), len: 0 }
    }
}

impl<T> FairQueue<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn push(&mut self, flow: Flow, cost: u64, item: T) {
        self.len += 1;
        let principals = self.classes.entry(flow.class);
        let connections = principals.entry(flow.client.principal);
        connections.entry(flow.client.connection).items.push_back((cost, item));
    }

    /// The next one of those that may be.
    pub(super) fn peek(&self, may: &impl Fn(&T) -> bool) -> Option<&T> {
        self.classes.peek(may)
    }

    /// Takes those at the head of their line that match out, as if they had never come.
    pub(super) fn discard(&mut self, matches: &impl Fn(&T) -> bool) {
        self.len -= self.classes.discard(matches);
    }

    /// Takes the next one of those that may be.
    pub(super) fn pop(&mut self, may: &impl Fn(&T) -> bool) -> Option<T> {
        let (_, item) = self.classes.pop(may)?;
        self.len -= 1;
        Some(item)
    }
}

/// Something of which items are taken in some order.
trait Queue<T>: Default {
    fn is_empty(&self) -> bool;
    fn peek(&self, may: &impl Fn(&T) -> bool) -> Option<&T>;
    fn pop(&mut self, may: &impl Fn(&T) -> bool) -> Option<(u64, T)>;
    /// How many were taken out.
    fn discard(&mut self, matches: &impl Fn(&T) -> bool) -> usize;
}

/// What one connection waits for.
#[derive(Debug)]
struct Line<T> {
    items: VecDeque<(u64, T)>,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self { items: VecDeque::new() }
    }
}

impl<T> Queue<T> for Line<T> {
    fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    fn peek(&self, may: &impl Fn(&T) -> bool) -> Option<&T> {
        self.items.front().map(|(_, item)| item).filter(|item| may(item))
    }

    fn pop(&mut self, may: &impl Fn(&T) -> bool) -> Option<(u64, T)> {
        self.peek(may)?;
        self.items.pop_front()
    }

    fn discard(&mut self, matches: &impl Fn(&T) -> bool) -> usize {
        let before = self.items.len();
        while self.items.front().is_some_and(|(_, item)| matches(item)) {
            self.items.pop_front();
        }
        before - self.items.len()
    }
}

#[derive(Debug)]
struct Level<K, Q> {
    entries: HashMap<K, Entry<Q>>,
    /// The tag of what was taken last.
    now: u64,
    /// Counts those who came; of equal tags, the first who came is next.
    arrivals: u64,
}

#[derive(Debug)]
struct Entry<Q> {
    tag: u64,
    arrival: u64,
    queue: Q,
}

impl<K, Q> Default for Level<K, Q> {
    fn default() -> Self {
        Self { entries: HashMap::new(), now: 0, arrivals: 0 }
    }
}

/// How much of what there is someone gets.
trait Weighted {
    fn weight(&self) -> u64 {
        1
    }
}

impl Weighted for u64 {}

impl Weighted for Class {
    fn weight(&self) -> u64 {
        WEIGHTS.iter().find(|(class, _)| class == self).map_or(1, |(_, weight)| *weight)
    }
}

impl<K: Copy + Eq + Hash + Weighted, Q> Level<K, Q> {
    /// The queue of `key`, to which something is about to be added.
    fn entry<T>(&mut self, key: K) -> &mut Q
    where
        Q: Queue<T>,
    {
        let (now, arrival) = (self.now, self.arrivals);
        let entry = self.entries.entry(key).or_insert_with(|| Entry { tag: now, arrival, queue: Q::default() });
        if entry.queue.is_empty() {
            entry.tag = entry.tag.max(now);
            entry.arrival = arrival;
            self.arrivals += 1;
        }
        &mut entry.queue
    }

    fn next<T>(&self, may: &impl Fn(&T) -> bool) -> Option<K>
    where
        Q: Queue<T>,
    {
        let waiting = self.entries.iter().filter(|(_, entry)| entry.queue.peek(may).is_some());
        waiting.min_by_key(|(_, entry)| (entry.tag, entry.arrival)).map(|(key, _)| *key)
    }
}

impl<T, K: Copy + Eq + Hash + Weighted, Q: Queue<T>> Queue<T> for Level<K, Q> {
    fn is_empty(&self) -> bool {
        self.entries.values().all(|entry| entry.queue.is_empty())
    }

    fn peek(&self, may: &impl Fn(&T) -> bool) -> Option<&T> {
        self.next(may).and_then(|key| self.entries.get(&key)).and_then(|entry| entry.queue.peek(may))
    }

    fn pop(&mut self, may: &impl Fn(&T) -> bool) -> Option<(u64, T)> {
        let key = self.next(may)?;
        let entry = self.entries.get_mut(&key)?;
        let (cost, item) = entry.queue.pop(may)?;
        self.now = self.now.max(entry.tag);
        entry.tag += cost / key.weight();
        if self.is_empty() {
            // A new beginning: who was served last owes nothing to those who come next.
            self.now = self.entries.values().map(|entry| entry.tag).fold(self.now, u64::max);
        }
        if self.entries.len() > REMEMBERED {
            let now = self.now;
            self.entries.retain(|_, entry| !entry.queue.is_empty() || entry.tag > now);
        }
        Some((cost, item))
    }

    fn discard(&mut self, matches: &impl Fn(&T) -> bool) -> usize {
        self.entries.values_mut().map(|entry| entry.queue.discard(matches)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::flow::Client;
    use super::*;

    fn flow(class: Class, principal: u64, connection: u64) -> Flow {
        Flow { class, client: Client { principal, connection } }
    }

    fn all<T>(turns: &mut FairQueue<T>) -> Vec<T> {
        std::iter::from_fn(|| turns.pop(&|_| true)).collect()
    }

    #[test]
    fn one_principals_thousand_do_not_delay_anothers_one() {
        let mut turns = FairQueue::default();
        (0..1000).for_each(|n| turns.push(flow(Class::Interactive, 1, n), 10, (1, n)));
        assert_eq!(turns.pop(&|_| true), Some((1, 0)));
        turns.push(flow(Class::Interactive, 2, 0), 10, (2, 0));
        let order = all(&mut turns);
        assert!(order[..2].contains(&(2, 0)), "{:?}", &order[..3]);
        assert_eq!(order.len(), 1000);
    }

    #[test]
    fn it_is_empty_when_everything_was_taken_or_discarded() {
        let mut turns = FairQueue::default();
        assert!(turns.is_empty());
        (0..3).for_each(|n| turns.push(flow(Class::Bulk, n, 0), 1, n));
        turns.push(flow(Class::Interactive, 0, 0), 1, 3);
        assert_eq!(turns.pop(&|_| true), Some(0));
        turns.discard(&|&n| n < 3);
        assert!(!turns.is_empty());
        assert_eq!(turns.pop(&|_| true), Some(3));
        assert!(turns.is_empty() && turns.pop(&|_| true).is_none());
    }

    #[test]
    fn connections_of_one_principal_share_by_cost() {
        let mut turns = FairQueue::default();
        for n in 0..4 {
            turns.push(flow(Class::Interactive, 1, 1), 100, ("heavy", n));
            turns.push(flow(Class::Interactive, 1, 2), 25, ("light", n));
        }
        let order = all(&mut turns);
        // Four light ones weigh as much as one heavy one.
        let lights = order.iter().position(|item| *item == ("light", 3)).unwrap();
        let heavies = order[..lights].iter().filter(|(name, _)| *name == "heavy").count();
        assert!(heavies <= 2, "{order:?}");
        // What one connection asks stays in its order.
        let light: Vec<_> = order.iter().filter(|(name, _)| *name == "light").map(|(_, n)| *n).collect();
        assert_eq!(light, [0, 1, 2, 3]);
    }

    #[test]
    fn classes_share_by_weight() {
        let mut turns = FairQueue::default();
        for n in 0..100 {
            turns.push(flow(Class::Bulk, n % 7, n), 8, Class::Bulk);
            turns.push(flow(Class::Interactive, n % 5, n), 8, Class::Interactive);
        }
        let bulk = all(&mut turns)[..50].iter().filter(|class| **class == Class::Bulk).count();
        assert_eq!(bulk, 10);
    }

    #[test]
    fn a_pause_earns_nothing_and_is_not_punished() {
        let mut turns = FairQueue::default();
        (0..100).for_each(|n| turns.push(flow(Class::Bulk, 1, 1), 10, ("busy", n)));
        (0..50).for_each(|_| assert!(turns.pop(&|_| true).is_some()));
        (0..50).for_each(|n| turns.push(flow(Class::Bulk, 2, 2), 10, ("late", n)));
        let late = all(&mut turns)[..20].iter().filter(|(name, _)| *name == "late").count();
        assert_eq!(late, 10);
    }

    #[test]
    fn those_that_may_not_are_passed_over_and_keep_their_place() {
        let mut turns = FairQueue::default();
        turns.push(flow(Class::Bulk, 1, 1), 10, "first");
        turns.push(flow(Class::Bulk, 2, 1), 10, "second");
        assert_eq!(turns.peek(&|item| *item != "first"), Some(&"second"));
        assert_eq!(turns.pop(&|item| *item != "first"), Some("second"));
        assert_eq!(turns.pop(&|_| true), Some("first"));
    }

    #[test]
    fn clients_that_are_gone_are_forgotten() {
        let mut turns = FairQueue::default();
        for n in 0..10_000 {
            turns.push(flow(Class::Bulk, 1, n), 1, n);
            turns.pop(&|_| true);
        }
        let principal = turns.classes.entries[&Class::Bulk].queue.entries[&1].queue.entries.len();
        assert!(principal <= 2 * REMEMBERED, "{principal}");
    }
}
