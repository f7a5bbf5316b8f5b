mod goldens;
mod hostile;

use flate2::Compression;
use proptest::prelude::*;

use super::*;
use crate::volume::{Axis, ElementType, Geometry};

fn volume(element: ElementType, shape: [usize; 3], seed: u8) -> Volume {
    let directions = [[-1.0, 0.0, 4.897e-12], [4.897e-12, 0.0, -1.0], [0.0, 1.0, 0.0]];
    let axis = |n: usize| Axis { len: shape[n], spacing_mm: 0.1 + n as f64 / 3.0, direction: directions[n] };
    let geometry = Geometry { axes: [axis(0), axis(1), axis(2)], origin_mm: [14.028999999999996, -1e-300, 1e17] };
    let bytes = (0..geometry.voxels() * element.size()).map(|n| (n as u8).wrapping_mul(31) ^ seed).collect();
    Volume { element, geometry, bytes }
}

fn written(volume: &Volume, compression: Option<Compression>) -> Vec<u8> {
    let mut file = Vec::new();
    write(volume, compression, &mut file).unwrap();
    file
}

proptest! {
    #[test]
    fn what_was_written_reads_back_to_the_last_bit(
        element in prop::sample::select(ElementType::ALL.to_vec()),
        shape in prop::array::uniform3(1usize..9),
        level in prop::option::of(0u32..=9),
        seed: u8,
    ) {
        let volume = volume(element, shape, seed);
        let read_back = read(&written(&volume, level.map(Compression::new)), volume.bytes.len()).unwrap();
        prop_assert_eq!(read_back, volume);
    }
}

#[test]
fn the_header_names_the_axes_fastest_first() {
    let file = written(&volume(ElementType::Int16, [2, 3, 4], 0), None);
    let header = String::from_utf8_lossy(&file[..file.len() - 48]).into_owned();
    let expected = "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nCompressedData = False\n\
        TransformMatrix = 0.0 1.0 0.0 4.897e-12 0.0 -1.0 -1.0 0.0 4.897e-12\nOffset = 14.028999999999996 -1e-300 1e17\n\
        CenterOfRotation = 0 0 0\nElementSpacing = 0.7666666666666666 0.43333333333333335 0.1\nDimSize = 4 3 2\n\
        ElementType = MET_SHORT\nElementDataFile = LOCAL\n";
    assert_eq!(header, expected);
}

#[test]
fn a_volume_whose_bytes_do_not_fit_is_not_written() {
    let mut short = volume(ElementType::Int16, [2, 3, 4], 0);
    short.bytes.pop();
    let mut file = Vec::new();
    assert_eq!(write(&short, None, &mut file).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    assert!(file.is_empty());
}

#[test]
fn the_header_alone_is_enough_for_read_header() {
    let volume = volume(ElementType::Uint16, [2, 3, 4], 0);
    let file = written(&volume, Some(Compression::fast()));
    let whole = read_header(&file).unwrap();
    assert_eq!(read_header(&file[..whole.data_offset]).unwrap(), whole);
    assert_eq!((whole.geometry, whole.voxel_bytes), (volume.geometry, 48));
    assert_eq!(whole.encoding, Encoding::Zlib { stated_bytes: Some(file.len() - whole.data_offset) });
}
