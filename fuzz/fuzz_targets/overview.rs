//! Any bytes as the table `overview.csv`: refused with an error that can be shown, or read, twice the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sagittal::formats::tables::read_overview;

fuzz_target!(|file: &[u8]| {
    let table = read_overview(file);
    if let Err(error) = &table {
        assert!(!error.to_string().is_empty());
    }
    assert_eq!(table, read_overview(file));
});
