//! Locks by key: what is made for one key does not wait for what is made for another.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::OwnedMutexGuard;

/// A lock for each key that someone holds or waits for.
#[derive(Debug)]
pub(in crate::http) struct Locks<K> {
    by_key: Mutex<HashMap<K, Weak<tokio::sync::Mutex<()>>>>,
}

impl<K> Default for Locks<K> {
    fn default() -> Self {
        Self { by_key: Mutex::default() }
    }
}

impl<K: Eq + Hash> Locks<K> {
    /// Waits until nobody else holds the lock of `key`.
    pub(in crate::http) async fn lock(&self, key: K) -> OwnedMutexGuard<()> {
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

    #[tokio::test]
    async fn a_key_waits_for_itself_only() {
        let locks = Locks::default();
        let held = locks.lock("one").await;
        assert!(locks.lock("other").now_or_never().is_some());
        let mut waiting = Box::pin(locks.lock("one"));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(held);
        assert!(waiting.now_or_never().is_some());
        drop(locks.lock("last").await);
        assert_eq!(locks.by_key.lock().unwrap().len(), 1, "locks that nobody holds are forgotten");
    }
}
