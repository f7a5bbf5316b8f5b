use std::sync::{Condvar, Mutex, PoisonError};

/// Memory that the threads of an import share: a scan waits until what it will need is free.
#[derive(Debug)]
pub(super) struct MemoryBudget {
    total: u64,
    free: Mutex<u64>,
    returned: Condvar,
}

/// A part of the budget; goes back when dropped.
#[derive(Debug)]
pub(super) struct Lease<'a> {
    budget: &'a MemoryBudget,
    bytes: u64,
}

impl MemoryBudget {
    pub(super) fn new(bytes: u64) -> Self {
        Self { total: bytes, free: Mutex::new(bytes), returned: Condvar::new() }
    }

    /// Waits until `bytes` are free and takes them. What is larger than the whole budget takes all of it: such a scan is
    /// converted alone.
    pub(super) fn take(&self, bytes: u64) -> Lease<'_> {
        let bytes = bytes.min(self.total);
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.returned.wait_while(free, |free| *free < bytes).unwrap_or_else(PoisonError::into_inner);
        *free -= bytes;
        Lease { budget: self, bytes }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        *self.budget.free.lock().unwrap_or_else(PoisonError::into_inner) += self.bytes;
        self.budget.returned.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_more_than_the_budget_is_out() {
        let budget = MemoryBudget::new(10);
        let out = Mutex::new((0u64, 0u64));
        std::thread::scope(|scope| {
            for bytes in [3, 4, 5, 6, 7, 99] {
                let (budget, out) = (&budget, &out);
                scope.spawn(move || {
                    let lease = budget.take(bytes);
                    {
                        let mut out = out.lock().unwrap();
                        out.0 += lease.bytes;
                        out.1 = out.1.max(out.0);
                    }
                    std::thread::yield_now();
                    out.lock().unwrap().0 -= lease.bytes;
                });
            }
        });
        let (left, most) = *out.lock().unwrap();
        assert_eq!((left, *budget.free.lock().unwrap()), (0, 10));
        assert!(most <= 10, "{most}");
    }
}
