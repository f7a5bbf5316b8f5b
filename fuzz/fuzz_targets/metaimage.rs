//! Any bytes as a MetaImage file. What is read has as many voxels as its header says, within the limit, and reads back
//! the same after it was written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sagittal::formats::metaimage::{self, HEADER_LIMIT};

const LIMIT: usize = 1 << 20;

fuzz_target!(|file: &[u8]| {
    let header = metaimage::read_header(file);
    let Ok(volume) = metaimage::read(file, LIMIT) else { return };
    let header = header.expect("a file is readable, so its header is");
    assert!(header.data_offset <= HEADER_LIMIT && header.voxel_bytes <= LIMIT);
    assert_eq!(volume.bytes.len(), header.voxel_bytes);
    assert_eq!(volume.bytes.len(), volume.geometry.voxels() * volume.element.size());
    let mut written = Vec::new();
    metaimage::write(&volume, None, &mut written).expect("memory takes everything");
    let again = metaimage::read(&written, LIMIT).expect("what was written can be read");
    assert_eq!((again.element, again.bytes), (volume.element, volume.bytes));
    assert_eq!(again.geometry, volume.geometry);
});
