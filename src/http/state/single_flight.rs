//! Recent values by key, bounded in bytes. However many requests need a value at the same time, one of them makes it.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use moka::sync::Cache;
use tokio::sync::OwnedMutexGuard;

/// A cache with single flight. moka's own (`try_get_with`) shares errors, and needs the whole making in one future: here, who
/// makes a value may also give it up for another way to respond.
pub(in crate::http) struct SingleFlightCache<K, V> {
    kept: Cache<K, V>,
    making: Locks<K>,
}

impl<K, V> fmt::Debug for SingleFlightCache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SingleFlightCache").finish_non_exhaustive()
    }
}

/// What is there for a key.
pub(in crate::http) enum Lookup<'a, K, V> {
    Kept(V),
    /// Nothing: nobody else makes it until this turn ends, and then who waited looks again.
    Turn(Turn<'a, K, V>),
}

/// The right to make the value of a key, until this is dropped.
pub(in crate::http) struct Turn<'a, K, V> {
    cache: &'a SingleFlightCache<K, V>,
    key: K,
    _lock: OwnedMutexGuard<()>,
}

impl<K: Clone + Eq + Hash + Send + Sync + 'static, V: Clone + Send + Sync + 'static> SingleFlightCache<K, V> {
    /// Keeps values of `bytes` bytes at most, each with its key of the bytes that `weight` says.
    pub(in crate::http) fn new(bytes: u64, weight: fn(&K, &V) -> usize) -> Self {
        let weight = move |key: &K, value: &V| u32::try_from(weight(key, value)).unwrap_or(u32::MAX);
        Self { kept: Cache::builder().max_capacity(bytes).weigher(weight).build(), making: Locks::default() }
    }

    /// Whether the value is kept.
    pub(in crate::http) fn contains(&self, key: &K) -> bool {
        self.kept.contains_key(key)
    }

    /// The value, or the turn to make it. Waits while another request has that turn.
    pub(in crate::http) async fn look_up(&self, key: K) -> Lookup<'_, K, V> {
        if let Some(value) = self.kept.get(&key) {
            return Lookup::Kept(value);
        }
        let lock = self.making.lock(key.clone()).await;
        match self.kept.get(&key) {
            Some(value) => Lookup::Kept(value),
            None => Lookup::Turn(Turn { cache: self, key, _lock: lock }),
        }
    }
}

impl<K: Clone + Eq + Hash + Send + Sync + 'static, V: Clone + Send + Sync + 'static> Turn<'_, K, V> {
    /// Keeps the value that was made.
    pub(in crate::http) fn keep(self, value: V) {
        let key = self.key.clone();
        self.keep_as(key, value);
    }

    /// Keeps a value that turned out to be that of another key.
    pub(in crate::http) fn keep_as(self, key: K, value: V) {
        self.cache.kept.insert(key, value);
    }
}

/// A lock for each key that someone holds or waits for: what is made for one key does not wait for what is made for another.
struct Locks<K> {
    by_key: Mutex<HashMap<K, Weak<tokio::sync::Mutex<()>>>>,
}

impl<K> Default for Locks<K> {
    fn default() -> Self {
        Self { by_key: Mutex::default() }
    }
}

impl<K: Eq + Hash> Locks<K> {
    /// Waits until nobody else holds the lock of `key`.
    async fn lock(&self, key: K) -> OwnedMutexGuard<()> {
        let lock = {
            let mut by_key = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
            by_key.retain(|_, lock| lock.strong_count() > 0);
            let held = by_key.get(&key).and_then(Weak::upgrade);
            held.unwrap_or_else(|| {
                let lock = Arc::default();
                by_key.insert(key, Arc::downgrade(&lock));
                lock
            })
        };
        lock.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn cache() -> SingleFlightCache<&'static str, u32> {
        SingleFlightCache::new(1 << 10, |_, _| 4)
    }

    #[tokio::test]
    async fn who_waits_for_a_turn_finds_what_was_made_in_it() {
        let cache = cache();
        let Lookup::Turn(turn) = cache.look_up("one").await else { panic!("nothing is kept yet") };
        let mut waiting = Box::pin(cache.look_up("one"));
        assert!(waiting.as_mut().now_or_never().is_none());
        assert!(matches!(cache.look_up("other").now_or_never(), Some(Lookup::Turn(_))), "other keys do not wait");
        turn.keep(7);
        assert!(matches!(waiting.now_or_never(), Some(Lookup::Kept(7))));
        assert!(cache.contains(&"one") && !cache.contains(&"other"));
    }

    #[tokio::test]
    async fn a_turn_that_is_given_up_is_the_next_ones() {
        let cache = cache();
        let turn = cache.look_up("one").await;
        let mut waiting = Box::pin(cache.look_up("one"));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(turn);
        assert!(matches!(waiting.now_or_never(), Some(Lookup::Turn(_))));
        let Lookup::Turn(turn) = cache.look_up("one").await else { panic!("nothing was kept") };
        turn.keep_as("other", 8);
        assert!(!cache.contains(&"one") && cache.contains(&"other"));
    }

    #[tokio::test]
    async fn locks_that_nobody_holds_are_forgotten() {
        let locks = Locks::default();
        drop(locks.lock("one").await);
        drop(locks.lock("last").await);
        assert_eq!(locks.by_key.lock().unwrap().len(), 1);
    }
}
