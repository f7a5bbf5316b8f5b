use std::time::{Duration, UNIX_EPOCH};

use super::fetch_error::read_retry_after;
use super::range::{ContentRange, is_strong};
use super::sum::Md5Sum;

#[test]
fn a_range_continues_only_where_the_part_ends_and_within_the_file() {
    let continues = |header| ContentRange::parse(header).is_some_and(|range| range.continues(100, 200));
    for right in ["bytes 100-199/200", "bytes 100-150/200", "bytes 100-199/*", " bytes 100-100/200 "] {
        assert!(continues(right), "{right}");
    }
    for wrong in [
        "bytes 0-199/200",
        "bytes 99-199/200",
        "bytes 101-199/200",
        "bytes 100-199/201",
        "bytes 100-200/*",
        "bytes 100-99/200",
        "bytes 100-199",
        "bytes */200",
        "items 100-199/200",
        "bytes -100-199/200",
        "bytes 100-99999999999999999999/200",
        "",
    ] {
        assert!(!continues(wrong), "{wrong}");
    }
}

#[test]
fn weak_entity_tags_name_no_bytes() {
    assert!(is_strong("\"abc\"") && is_strong("\"\""));
    assert!(!is_strong("W/\"abc\"") && !is_strong("abc") && !is_strong("\""));
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
    let read = |header| read_retry_after(header, now).map(|wait| wait.as_secs());
    assert_eq!(read(" 120 "), Some(120));
    assert_eq!(read("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60));
    assert_eq!(read("Sun, 06 Nov 1994 08:49:00 GMT"), Some(0));
    assert_eq!([read("soon"), read("-1"), read("")], [None; 3]);
}

#[test]
fn checksums_are_read_and_written_in_hexadecimal() {
    let text = "00d41d8cd98f00b204e9800998ecf842";
    assert_eq!(Md5Sum::from_hex(text).unwrap().to_string(), text);
    assert_eq!(Md5Sum::from_hex(&text.to_uppercase()), Md5Sum::from_hex(text));
    assert_eq!([&text[1..], "+0d41d8cd98f00b204e9800998ecf842"].map(Md5Sum::from_hex), [None; 2]);
}
