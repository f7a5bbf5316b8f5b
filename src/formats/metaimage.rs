//! MetaImage (`.mha`), the container of the SPIDER release: a text header, then the voxels, raw or as a zlib or gzip
//! stream.
//!
//! Facts from ITK's MetaIO library, which is the reference: <https://github.com/Kitware/MetaIO>, `metaUtils.cxx`,
//! `metaObject.cxx`, `metaImage.cxx`.
//!
//! Read: three dimensions, one channel, every integer type and both floating-point types, either byte order, voxels in
//! the same file. Refused with an error that says so: voxels in other files (a stranger's header must not name paths),
//! ASCII voxels, two dimensions, vectors, `HeaderSize`, `FileFormatVersion` other than 0.
//!
//! Stricter than MetaIO on purpose: the lengths must match to the byte. Raw voxels fill the rest of the file; a compressed
//! stream fills `CompressedDataSize` bytes if that is stated, and these are the rest of the file. Anything more or less
//! means that the file was cut, spliced or padded, and which voxels are right is then a guess.

mod error;
mod fields;
mod header;
mod payload;
#[cfg(test)]
mod tests;
mod write;

pub use error::MetaImageError;
pub use header::{Encoding, HEADER_LIMIT, Header, read_header};
pub use write::{raw_header, write};

use crate::volume::Volume;

/// Reads a whole MetaImage file that is already in memory.
///
/// The result is in array order: `geometry.axes` are the file's k, j and i axes, `bytes` are little-endian whatever
/// the file's byte order. `limit` is the largest number of voxel bytes to accept. What the header claims is held
/// against `limit` and against the length of `file` before memory is allocated for it.
///
/// # Errors
/// When the header is malformed or unsupported, when the voxels would exceed `limit`, or when they are not all there,
/// damaged, or followed by anything else.
pub fn read(file: &[u8], limit: usize) -> Result<Volume, MetaImageError> {
    let header = read_header(file)?;
    let bytes = payload::read(&header, &file[header.data_offset..], limit)?;
    Ok(Volume { element: header.element, geometry: header.geometry, bytes })
}
