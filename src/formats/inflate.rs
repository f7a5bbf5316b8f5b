//! Compressed bytes, read a piece at a time: what they expand to is never held whole, and no more of it is made than is
//! requested.

use bytes::Bytes;
use flate2::{Decompress, FlushDecompress, Status};

/// The first bytes of a gzip stream (RFC 1952).
pub const GZIP: &[u8] = &[0x1f, 0x8b];

/// The largest window that deflate has, in bits.
const WINDOW_BITS: u8 = 15;

/// Compressed bytes cannot be expanded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    /// A bad code, or a checksum that does not fit.
    #[error("the compressed data are damaged: {0}")]
    Damaged(String),
    /// The stream ends too early.
    #[error("the compressed data end too early; the file is truncated")]
    Truncated,
    /// There is more than was expected.
    #[error("the compressed data hold more than the header says")]
    TooLong,
}

/// A zlib stream, or a gzip stream of one or more members.
#[derive(Debug)]
pub struct Inflater {
    stream: Decompress,
    input: Bytes,
    is_gzip: bool,
    is_ended: bool,
}

impl Inflater {
    /// Of these bytes; their first ones tell gzip from zlib.
    #[must_use]
    pub fn new(input: Bytes) -> Self {
        let is_gzip = input.starts_with(GZIP);
        let stream = if is_gzip { Decompress::new_gzip(WINDOW_BITS) } else { Decompress::new(true) };
        Self { stream, input, is_gzip, is_ended: false }
    }

    /// Fills `out`, unless the data end before; gives the number of bytes written.
    ///
    /// # Errors
    /// [`InflateError::Damaged`], and [`InflateError::Truncated`] when the input ends within the stream.
    pub fn read(&mut self, out: &mut [u8]) -> Result<usize, InflateError> {
        let mut written = 0;
        while written < out.len() && !self.is_ended {
            written += self.step(&mut out[written..])?;
        }
        Ok(written)
    }

    /// Checks that nothing is left: neither data nor bytes after them.
    ///
    /// # Errors
    /// [`InflateError`].
    pub fn finish(&mut self) -> Result<(), InflateError> {
        // The checksum is verified when the end is read.
        if self.read(&mut [0])? > 0 || !self.input.is_empty() { Err(InflateError::TooLong) } else { Ok(()) }
    }

    fn step(&mut self, room: &mut [u8]) -> Result<usize, InflateError> {
        let (consumed, written) = (self.stream.total_in(), self.stream.total_out());
        let status = self.stream.decompress(&self.input, room, FlushDecompress::None);
        let status = status.map_err(|error| InflateError::Damaged(error.to_string()))?;
        let consumed = (self.stream.total_in() - consumed) as usize;
        let written = (self.stream.total_out() - written) as usize;
        self.input = self.input.slice(consumed..);
        if status == Status::StreamEnd {
            if self.is_gzip && self.input.starts_with(GZIP) {
                self.stream = Decompress::new_gzip(WINDOW_BITS);
            } else {
                self.is_ended = true;
            }
        } else if consumed == 0 && written == 0 {
            return Err(InflateError::Truncated);
        }
        Ok(written)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};

    use super::*;

    fn zlib(data: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn data() -> Vec<u8> {
        (0..100_000u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect()
    }

    #[test]
    fn pieces_of_any_size_make_the_whole() {
        let data = data();
        for stream in [zlib(&data), gzip(&data), [gzip(&data[..70_000]), gzip(&data[70_000..])].concat()] {
            for size in [1usize, 7, 4096, 100_000] {
                let mut inflater = Inflater::new(stream.clone().into());
                let mut found = vec![0; data.len()];
                for piece in found.chunks_mut(size) {
                    assert_eq!(inflater.read(piece), Ok(piece.len()));
                }
                assert_eq!(inflater.finish(), Ok(()));
                assert!(found == data);
            }
        }
    }

    #[test]
    fn what_is_cut_damaged_or_too_long_is_refused() {
        let data = data();
        for stream in [zlib(&data), gzip(&data)] {
            let read = |bytes: Vec<u8>| {
                let mut inflater = Inflater::new(bytes.into());
                let mut found = vec![0; data.len()];
                inflater.read(&mut found).and_then(|_| inflater.finish())
            };
            assert_eq!(read(stream.clone()), Ok(()));
            assert_eq!(read(stream[..stream.len() / 2].to_vec()), Err(InflateError::Truncated));
            assert_eq!(read(stream[..stream.len() - 1].to_vec()), Err(InflateError::Truncated));
            assert_eq!(read([stream.clone(), vec![0]].concat()), Err(InflateError::TooLong));
            let mut damaged = stream.clone();
            let last = damaged.len() - 1;
            damaged[last] ^= 1;
            assert!(matches!(read(damaged), Err(InflateError::Damaged(_))));
            let mut inflater = Inflater::new(stream.into());
            inflater.read(&mut vec![0; data.len() - 1]).unwrap();
            assert_eq!(inflater.finish(), Err(InflateError::TooLong));
        }
    }
}
