use std::io::{self, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;

use crate::volume::{ElementType, Geometry, Volume};

/// Writes a volume as a MetaImage that ITK reads back identically: the array's slowest axis becomes the file's k, the
/// fastest its i. `compression` `None` writes raw voxels; otherwise one zlib stream of that level, which is held in
/// memory because its length stands in the header.
///
/// # Errors
/// When `out` fails, or when `volume.bytes` is not as long as its geometry and element type say.
pub fn write(volume: &Volume, compression: Option<Compression>, out: &mut impl Write) -> io::Result<()> {
    if volume.bytes.len() != volume.geometry.voxels() * volume.element.size() {
        let message = format!(
            "volume of shape {:?} has {} bytes of {}",
            volume.geometry.shape(),
            volume.bytes.len(),
            volume.element
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    match compression {
        None => {
            write_header(volume.element, &volume.geometry, None, out)?;
            out.write_all(&volume.bytes)
        }
        Some(level) => {
            let mut encoder = ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(&volume.bytes)?;
            let stream = encoder.finish()?;
            write_header(volume.element, &volume.geometry, Some(stream.len()), out)?;
            out.write_all(&stream)
        }
    }
}

/// The header of a file whose voxels follow it raw, in C order of `geometry.axes`.
#[must_use]
pub fn raw_header(element: ElementType, geometry: &Geometry) -> Vec<u8> {
    let mut header = Vec::new();
    // Writing to memory does not fail.
    let written = write_header(element, geometry, None, &mut header);
    debug_assert!(written.is_ok());
    header
}

fn write_header(
    element: ElementType,
    geometry: &Geometry,
    compressed_bytes: Option<usize>,
    out: &mut impl Write,
) -> io::Result<()> {
    let [k, j, i] = geometry.axes;
    let direction = [i, j, k].map(|axis| spaced(axis.direction)).join(" ");
    writeln!(out, "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False")?;
    match compressed_bytes {
        None => writeln!(out, "CompressedData = False")?,
        Some(bytes) => writeln!(out, "CompressedData = True\nCompressedDataSize = {bytes}")?,
    }
    writeln!(out, "TransformMatrix = {direction}")?;
    writeln!(out, "Offset = {}", spaced(geometry.origin_mm))?;
    writeln!(out, "CenterOfRotation = 0 0 0")?;
    writeln!(out, "ElementSpacing = {}", spaced([i.spacing_mm, j.spacing_mm, k.spacing_mm]))?;
    writeln!(out, "DimSize = {} {} {}", i.len, j.len, k.len)?;
    writeln!(out, "ElementType = {}\nElementDataFile = LOCAL", element_name(element))
}

/// `{:?}` is the shortest text that reads back as the same number, with an exponent where that is shorter.
fn spaced(numbers: [f64; 3]) -> String {
    numbers.map(|n| format!("{n:?}")).join(" ")
}

fn element_name(element: ElementType) -> &'static str {
    match element {
        ElementType::Uint8 => "MET_UCHAR",
        ElementType::Int8 => "MET_CHAR",
        ElementType::Uint16 => "MET_USHORT",
        ElementType::Int16 => "MET_SHORT",
        ElementType::Uint32 => "MET_UINT",
        ElementType::Int32 => "MET_INT",
        ElementType::Uint64 => "MET_ULONG_LONG",
        ElementType::Int64 => "MET_LONG_LONG",
        ElementType::Float32 => "MET_FLOAT",
        ElementType::Float64 => "MET_DOUBLE",
    }
}
