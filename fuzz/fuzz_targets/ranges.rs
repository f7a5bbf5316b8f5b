//! Any text as a `Range` header, of files of many lengths. A part that is requested is not empty and lies in the file.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sagittal::http::ByteRange;

const LENGTHS: [u64; 6] = [0, 1, 10, 1 << 20, u64::MAX - 1, u64::MAX];

fuzz_target!(|header: &str| {
    for len in LENGTHS {
        if let ByteRange::Part(part) = ByteRange::of(header, len) {
            assert!(part.start < part.end && part.end <= len);
        }
    }
});
