//! Files that are damaged, or were made to do damage.

use flate2::Compression;
use proptest::prelude::*;

use super::{volume, written};
use crate::formats::metaimage::{MetaImageError as E, read, read_header};
use crate::volume::ElementType;

const LIMIT: usize = 1 << 20;
const BASE: &str = "ObjectType = Image\nNDims = 3\nDimSize = 4 3 2\nElementType = MET_SHORT\n";

/// A raw file of 24 voxels whose header has these lines as well.
fn with(lines: &str) -> Vec<u8> {
    [BASE.as_bytes(), lines.as_bytes(), b"\nElementDataFile = LOCAL\n", &[7; 48]].concat()
}

/// The same, one text of its header replaced.
fn replaced(from: &str, to: &str) -> Vec<u8> {
    assert!(BASE.contains(from));
    [BASE.replace(from, to).as_bytes(), b"ElementDataFile = LOCAL\n", &[7; 48]].concat()
}

/// A compressed file of 24 voxels and what its header states, or another number.
fn zlib(stated: Option<usize>, voxels: &[u8], trailing: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    let mut encoder = flate2::write::ZlibEncoder::new(&mut stream, Compression::best());
    std::io::Write::write_all(&mut encoder, voxels).unwrap();
    encoder.finish().unwrap();
    let stated = stated.unwrap_or(stream.len() + trailing.len());
    let lines = format!("CompressedData = True\nCompressedDataSize = {stated}\nElementDataFile = LOCAL\n");
    [BASE.as_bytes(), lines.as_bytes(), &stream, trailing].concat()
}

fn error(file: &[u8]) -> E {
    read(file, LIMIT).expect_err("a bad file was read")
}

#[test]
fn the_file_that_the_others_are_made_from_is_good() {
    assert_eq!(read(&with(""), LIMIT).unwrap().bytes, [7; 48]);
    assert_eq!(read(&zlib(None, &[7; 48], &[]), LIMIT).unwrap().bytes, [7; 48]);
}

#[test]
fn what_is_not_supported_is_named() {
    let cases = [
        (replaced("NDims = 3", "NDims = 2"), "NDims"),
        (replaced("Type = Image", "Type = Mesh"), "ObjectType"),
        (with("ElementNumberOfChannels = 3"), "ElementNumberOfChannels"),
        (with("HeaderSize = -1"), "HeaderSize"),
        (with("FileFormatVersion = 1"), "FileFormatVersion"),
        (with("BinaryData = False"), "BinaryData"),
        ([BASE, "ElementDataFile = ../../etc/passwd\n"].concat().into(), "ElementDataFile"),
        ([BASE, "ElementDataFile = LIST\na\nb\n"].concat().into(), "ElementDataFile"),
        ([BASE, "ElementDataFile = slice%03d.raw 1 2 1\n"].concat().into(), "ElementDataFile"),
    ];
    for (file, expected) in cases {
        assert!(matches!(error(&file), E::Unsupported { key, .. } if key == expected), "{expected}: {}", error(&file));
    }
}

#[test]
fn values_that_cannot_be_are_named() {
    let cases = [
        (replaced("4 3 2", "4 3"), "DimSize"),
        (replaced("4 3 2", "4 3 2 1"), "DimSize"),
        (replaced("4 3 2", "4 3 2 x"), "DimSize"),
        (replaced("4 3 2", "4 0 2"), "DimSize"),
        (replaced("4 3 2", "4 -3 2"), "DimSize"),
        (replaced("4 3 2", "4 3 99999999999999999999"), "DimSize"),
        (replaced("4 3 2", "4 3 2.0"), "DimSize"),
        (replaced("4 3 2", ""), "DimSize"),
        (replaced("MET_SHORT", "MET_SHORT_ARRAY"), "ElementType"),
        (replaced("MET_SHORT", "met_short"), "ElementType"),
        (with("ElementSpacing = 1 0 1"), "ElementSpacing"),
        (with("ElementSpacing = 1 -1 1"), "ElementSpacing"),
        (with("ElementSpacing = 1 inf 1"), "ElementSpacing"),
        (with("ElementSpacing = 1,1,1"), "ElementSpacing"),
        (with("ElementSize = 1 NaN 1"), "ElementSize"),
        (with("Offset = 1 NaN 1"), "Offset"),
        (with("Origin = 1 1e999 1"), "Origin"),
        (with("TransformMatrix = 1 0 0 0 1 0 0 0"), "TransformMatrix"),
        (with("TransformMatrix = 1 0.1 0 0 1 0 0 0 1"), "TransformMatrix"),
        (with("TransformMatrix = 2 0 0 0 1 0 0 0 1"), "TransformMatrix"),
        (with("TransformMatrix = 1e200 0 0 0 1 0 0 0 1"), "TransformMatrix"),
        (with("TransformMatrix = 1 0 0 1 0 0 1 0 0"), "TransformMatrix"),
        (with("Rotation = 0 0 0 0 0 0 0 0 0"), "Rotation"),
        (with("Orientation = 1 0 0 0 1 0 0 0 nan"), "Orientation"),
        (with("CompressedData = True\nCompressedDataSize = 1e3"), "CompressedDataSize"),
    ];
    for (file, expected) in cases {
        assert!(matches!(error(&file), E::Value { key, .. } if key == expected), "{expected}: {}", error(&file));
    }
}

#[test]
fn missing_and_contradictory_lines_are_named() {
    for (line, expected) in
        [("NDims = 3\n", "NDims"), ("DimSize = 4 3 2\n", "DimSize"), ("ElementType = MET_SHORT\n", "ElementType")]
    {
        assert_eq!(error(&replaced(line, "")), E::Missing { key: expected });
    }
    let (first, second) = ("Offset".to_owned(), "Position".to_owned());
    assert_eq!(error(&with("Offset = 1 2 3\nPosition = 1 2 4")), E::Ambiguous { first, second });
    assert!(matches!(error(&with("DimSize = 4 2 3")), E::Ambiguous { .. }));
    assert!(read(&with("Offset = 1 2 3\nPosition = 1 2 3"), LIMIT).is_ok());
}

#[test]
fn other_kinds_of_files_are_recognised() {
    assert_eq!(error(b"\x93NUMPY\x01\x00v\n"), E::NotMetaImage);
    assert_eq!(error(b"PK\x03\x04\n"), E::NotMetaImage);
    assert_eq!(error(b""), E::HeaderTruncated);
    assert_eq!(error(&with("no separator")), E::Line { line: 5, text: "no separator".to_owned() });
    assert_eq!(error(&b"Comment = x\n".repeat(6000)), E::HeaderTooLong { limit: 65536 });
    assert_eq!(error(&[b'='; 70000]), E::HeaderTooLong { limit: 65536 });
    assert_eq!(error(BASE.as_bytes()), E::HeaderTruncated);
    assert_eq!(error([BASE, "ElementDataFile = LOCAL"].concat().as_bytes()), E::HeaderTruncated);
    let latin_1 = [b"Comment = caf\xe9\n".as_slice(), &with("")].concat();
    assert!(read(&latin_1, LIMIT).is_ok(), "free text in another encoding is no reason to refuse a file");
}

/// Small files with huge claims: were any of it allocated, these would take 17 GB and more.
#[test]
fn a_hostile_header_costs_nothing() {
    let claim = |size: &str, lines: &str| [lines.as_bytes(), &replaced("4 3 2", size)].concat();
    assert_eq!(error(&claim("4294967295 4 1", "")), E::TooLarge { bytes: 34_359_738_360, limit: LIMIT });
    let most = usize::MAX;
    assert_eq!(error(&claim("4294967295 4294967295 4294967295", "")), E::TooLarge { bytes: most, limit: most });
    let file = claim("2048 2048 2048", "CompressedData = True\n");
    let refused = E::Impossible { expected: 1 << 34, compressed: 48 };
    assert_eq!(read(&file, usize::MAX), Err(refused));
}

#[test]
fn a_bomb_stops_at_the_expected_size() {
    let bomb = zlib(None, &vec![0; 50_000_000], &[]);
    assert_eq!(error(&bomb), E::TooLong { expected: 48 });
}

#[test]
fn raw_voxels_must_fill_the_file() {
    let mut file = with("");
    file.push(0);
    assert_eq!(error(&file), E::RawLength { expected: 48, found: 49 });
    file.truncate(file.len() - 2);
    assert_eq!(error(&file), E::RawLength { expected: 48, found: 47 });
}

#[test]
fn compressed_voxels_must_fill_the_file_and_the_volume() {
    assert_eq!(error(&zlib(None, &[7; 47], &[])), E::TooShort { inflated: 47, expected: 48 });
    assert_eq!(error(&zlib(None, &[7; 49], &[])), E::TooLong { expected: 48 });
    assert_eq!(error(&zlib(None, &[7; 48], b"ab")), E::Trailing { bytes: 2 });
    assert!(matches!(error(&zlib(Some(5), &[7; 48], &[])), E::CompressedLength { stated: 5, .. }));
    assert!(matches!(error(&with("CompressedData = True")), E::Damaged { .. }), "not a zlib stream at all");
}

#[test]
fn every_truncation_is_an_error() {
    for compression in [None, Some(Compression::default())] {
        let file = written(&volume(ElementType::Int16, [3, 5, 7], 1), compression);
        for length in 0..file.len() {
            assert!(read(&file[..length], LIMIT).is_err(), "{length} of {} bytes were read", file.len());
        }
    }
}

/// The stream's checksum finds it. What may pass are the window size in the stream's header and the unused bits of the
/// last byte before the checksum: nothing that changes a voxel.
#[test]
fn no_flipped_bit_of_a_compressed_volume_changes_a_voxel() {
    let original = volume(ElementType::Int16, [3, 5, 7], 1);
    let file = written(&original, Some(Compression::default()));
    let stream = read_header(&file).unwrap().data_offset;
    let mut passed = 0;
    for bit in 8 * stream..8 * file.len() {
        let mut flipped = file.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(volume) = read(&flipped, LIMIT) {
            assert_eq!(volume, original, "bit {bit} was flipped and nobody noticed");
            passed += 1;
        }
    }
    assert!(passed < 8, "{passed} flipped bits passed");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_damage_makes_the_reader_panic_or_exceed_its_limit(
        compressed: bool,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 1..12),
        limit in 0..500usize,
    ) {
        let compression = compressed.then(Compression::fast);
        let mut file = written(&volume(ElementType::Uint16, [3, 4, 5], 9), compression);
        for (place, byte, kind) in edits {
            let at = place.index(file.len());
            match kind {
                0 => file[at] = byte,
                1 => file.insert(at, byte),
                2 => file[at] = b"0123456789 =-.e\n"[usize::from(byte % 16)],
                _ => { file.remove(at); }
            }
        }
        if let Ok(volume) = read(&file, limit) {
            prop_assert!(volume.bytes.len() <= limit);
            prop_assert_eq!(volume.bytes.len(), volume.geometry.voxels() * volume.element.size());
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(header in ".{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let lines = format!("CompressedData = True\n{header}\nElementDataFile = LOCAL\n");
        let _ = read(&[BASE.as_bytes(), lines.as_bytes(), &bytes].concat(), LIMIT);
        let _ = read(&bytes, LIMIT);
    }
}
