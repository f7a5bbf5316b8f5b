use std::time::Duration;

/// What one request may take. Every limit but the last is a flag of `sagittal serve`.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of an address, path and query.
    pub url_bytes: usize,
    /// Bytes of a body.
    pub body_bytes: usize,
    /// Bytes of a body that is a mask, to be scored.
    pub mask_bytes: usize,
    /// Slices of a batch.
    pub batch_slices: usize,
    /// How long a body may take to arrive.
    pub body_time: Duration,
    /// How long an answer may take to begin.
    pub response_time: Duration,
    /// Bytes of a CSV or NDJSON file that is made whole, so that it has a length and parts; a larger one is streamed.
    pub whole_table_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            url_bytes: 16 << 10,
            body_bytes: 2 << 20,
            mask_bytes: 256 << 20,
            batch_slices: 4096,
            body_time: Duration::from_secs(30),
            response_time: Duration::from_secs(60),
            whole_table_bytes: 8 << 20,
        }
    }
}
