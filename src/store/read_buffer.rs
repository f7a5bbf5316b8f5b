//! Memory to read slices into, used again.

use std::cell::Cell;

thread_local! {
    /// What this thread read the last slice into: memory that is used again need not be cleared.
    static READ: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Bytes that a thread keeps for the next slice.
const KEPT_BYTES: usize = 2 << 20;

/// Memory that a slice is read into. The thread that drops it keeps it.
pub(super) struct ReadBuffer(pub(super) Vec<u8>);

impl ReadBuffer {
    /// `len` bytes of any value.
    pub(super) fn of_thread(len: usize) -> Self {
        let mut buffer = READ.take();
        buffer.resize(len, 0);
        Self(buffer)
    }
}

impl AsRef<[u8]> for ReadBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for ReadBuffer {
    fn drop(&mut self) {
        if self.0.capacity() <= KEPT_BYTES {
            // Fails when the thread is ending.
            let _ = READ.try_with(|kept| kept.set(std::mem::take(&mut self.0)));
        }
    }
}
