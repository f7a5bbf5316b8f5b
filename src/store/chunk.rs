//! The two chunk codecs, as Zarr v3 names them: `bytes` and `zstd`, each followed by `crc32c`
//! (<https://zarr-specs.readthedocs.io/en/latest/v3/codecs/crc32c/>: CRC-32C of the bytes before, little-endian, appended).

use std::cell::RefCell;

use bytes::Bytes;
use zstd::bulk::Decompressor;

use super::Array;

/// Length of the CRC-32C behind every chunk.
pub(super) const CHECKSUM_BYTES: usize = 4;

/// zstd's fastest regular level: masks shrink to 1 % with it, and higher levels do not change that.
pub(super) const ZSTD_LEVEL: i32 = 1;

/// How a chunk shows that it is damaged.
#[derive(Debug, thiserror::Error)]
pub enum ChunkError {
    /// Shorter or longer than its array says.
    #[error("{found} bytes where {expected} were expected")]
    Length {
        /// Bytes there.
        found: usize,
        /// Bytes that should be there.
        expected: usize,
    },
    /// The checksum does not fit the bytes.
    #[error("its checksum does not match its contents")]
    Checksum,
    /// The compressed bytes cannot be inflated.
    #[error("its compressed bytes cannot be read")]
    Compression(#[source] std::io::Error),
}

/// Voxels of one slice → chunk.
pub(super) fn encode(array: Array, voxels: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut chunk = match array {
        Array::Image => {
            let mut chunk = Vec::with_capacity(voxels.len() + CHECKSUM_BYTES);
            chunk.extend_from_slice(voxels);
            chunk
        }
        Array::Mask => zstd::bulk::compress(voxels, ZSTD_LEVEL)?,
    };
    chunk.extend_from_slice(&crc32c::crc32c(&chunk).to_le_bytes());
    Ok(chunk)
}

/// Chunk → voxels of one slice, `size` bytes. An image slice shares the chunk's memory.
pub(super) fn decode(array: Array, chunk: &Bytes, size: usize) -> Result<Bytes, ChunkError> {
    let payload = checked_payload(chunk)?;
    let voxels = match array {
        Array::Image => payload,
        Array::Mask => inflate(&payload, size).map_err(ChunkError::Compression)?.into(),
    };
    if voxels.len() == size { Ok(voxels) } else { Err(ChunkError::Length { found: voxels.len(), expected: size }) }
}

thread_local! {
    /// Of this thread: making one takes longer than inflating a mask.
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

fn inflate(payload: &[u8], size: usize) -> std::io::Result<Vec<u8>> {
    let mut decompressor = match DECOMPRESSOR.take() {
        Some(decompressor) => decompressor,
        None => Decompressor::new()?,
    };
    let inflated = decompressor.decompress(payload, size);
    DECOMPRESSOR.set(Some(decompressor));
    inflated
}

/// Whether a chunk's checksum fits its contents.
pub(super) fn is_whole(chunk: &Bytes) -> bool {
    checked_payload(chunk).is_ok()
}

fn checked_payload(chunk: &Bytes) -> Result<Bytes, ChunkError> {
    let (payload, checksum) = chunk
        .split_last_chunk::<CHECKSUM_BYTES>()
        .ok_or(ChunkError::Length { found: chunk.len(), expected: CHECKSUM_BYTES })?;
    if crc32c::crc32c(payload) == u32::from_le_bytes(*checksum) {
        Ok(chunk.slice(..payload.len()))
    } else {
        Err(ChunkError::Checksum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voxels() -> Vec<u8> {
        (0..4096u32).map(|i| ((i * i) >> 5) as u8).collect()
    }

    #[test]
    fn what_is_encoded_decodes() {
        for array in [Array::Image, Array::Mask] {
            let chunk = Bytes::from(encode(array, &voxels()).unwrap());
            assert_eq!(decode(array, &chunk, 4096).unwrap(), voxels());
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let chunk = encode(Array::Image, &voxels()[..64]).unwrap();
        for bit in 0..chunk.len() * 8 {
            let mut damaged = chunk.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(decode(Array::Image, &damaged.into(), 64), Err(ChunkError::Checksum)), "bit {bit}");
        }
    }

    #[test]
    fn a_chunk_of_another_slice_size_is_refused() {
        for array in [Array::Image, Array::Mask] {
            let chunk = Bytes::from(encode(array, &voxels()).unwrap());
            for size in [0, 4095, 4097] {
                assert!(decode(array, &chunk, size).is_err(), "{array:?} {size}");
            }
        }
        assert!(decode(Array::Image, &Bytes::from_static(b"abc"), 0).is_err());
    }
}
