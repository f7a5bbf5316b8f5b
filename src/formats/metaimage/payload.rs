use flate2::{Decompress, FlushDecompress, Status};
use libdeflater::{Decompressor, adler32};

use super::{Encoding, Header, MetaImageError};

/// Deflate cannot expand more than this: <https://zlib.net/zlib_tech.html>, "Maximum Compression Factor".
const DEFLATE_MAX_RATIO: usize = 1032;
/// The largest window that deflate has, in bits.
const WINDOW_BITS: u8 = 15;
/// Room for rounding at the edges of very short streams.
const DEFLATE_SLACK: usize = 1032;

/// The voxels that follow the header, inflated, little-endian: exactly `header.voxel_bytes` bytes.
pub(super) fn read(header: &Header, payload: &[u8], limit: usize) -> Result<Vec<u8>, MetaImageError> {
    let expected = header.voxel_bytes;
    if expected > limit {
        return Err(MetaImageError::TooLarge { bytes: expected, limit });
    }
    let mut bytes = match header.encoding {
        Encoding::Raw if payload.len() == expected => payload.to_vec(),
        Encoding::Raw => return Err(MetaImageError::RawLength { expected, found: payload.len() }),
        Encoding::Zlib { stated_bytes } => {
            if let Some(stated) = stated_bytes.filter(|&stated| stated != payload.len()) {
                return Err(MetaImageError::CompressedLength { stated, found: payload.len() });
            }
            inflate(payload, expected)?
        }
    };
    if header.big_endian {
        swap_bytes(&mut bytes, header.element.size());
    }
    Ok(bytes)
}

/// The first bytes of a gzip stream (RFC 1952).
const GZIP: &[u8] = &[0x1f, 0x8b];

/// Inflates a zlib or gzip stream; MetaIO, too, tells them apart by their first bytes. It must fill `payload` and hold exactly
/// `expected` bytes.
fn inflate(payload: &[u8], expected: usize) -> Result<Vec<u8>, MetaImageError> {
    if expected > payload.len().saturating_mul(DEFLATE_MAX_RATIO).saturating_add(DEFLATE_SLACK) {
        return Err(MetaImageError::Impossible { expected, compressed: payload.len() });
    }
    let mut bytes = vec![0; expected];
    if inflate_at_once(payload, &mut bytes) {
        return Ok(bytes);
    }
    let mut stream = if payload.starts_with(GZIP) { Decompress::new_gzip(WINDOW_BITS) } else { Decompress::new(true) };
    let mut beyond = [0];
    loop {
        let (consumed, inflated) = (stream.total_in() as usize, stream.total_out() as usize);
        // When all is there the stream still has its end mark and checksum to read; one byte of room shows an excess.
        let room = bytes.get_mut(inflated..).filter(|room| !room.is_empty()).unwrap_or(&mut beyond);
        let status = stream.decompress(&payload[consumed..], room, FlushDecompress::None).map_err(|error| {
            let inflated = (stream.total_out() as usize).min(expected);
            MetaImageError::Damaged { inflated, expected, reason: error.to_string() }
        })?;
        let (now_consumed, now_inflated) = (stream.total_in() as usize, stream.total_out() as usize);
        if now_inflated > expected {
            return Err(MetaImageError::TooLong { expected });
        }
        if status == Status::StreamEnd {
            return match (expected - now_inflated, payload.len() - now_consumed) {
                (0, 0) => Ok(bytes),
                (0, trailing) => Err(MetaImageError::Trailing { bytes: trailing }),
                _ => Err(MetaImageError::TooShort { inflated: now_inflated, expected }),
            };
        }
        if (now_consumed, now_inflated) == (consumed, inflated) {
            return Err(MetaImageError::TooShort { inflated, expected });
        }
    }
}

/// Whether `payload` is a zlib stream, and nothing else, that fills `bytes`. Where it is not, the stream is read step by step, which
/// shows what is wrong; a gzip stream is, too.
fn inflate_at_once(payload: &[u8], bytes: &mut [u8]) -> bool {
    let inflated = Decompressor::new().zlib_decompress(payload, bytes);
    // A stream ends with its contents' checksum (RFC 1950 section 2.2): what ends with it has nothing behind the stream, except
    // for the same four bytes once more.
    inflated == Ok(bytes.len()) && payload.ends_with(&adler32(bytes).to_be_bytes())
}

fn swap_bytes(bytes: &mut [u8], size: usize) {
    match size {
        2 => reverse_each::<2>(bytes),
        4 => reverse_each::<4>(bytes),
        8 => reverse_each::<8>(bytes),
        _ => {}
    }
}

fn reverse_each<const N: usize>(bytes: &mut [u8]) {
    bytes.as_chunks_mut::<N>().0.iter_mut().for_each(|element| element.reverse());
}
