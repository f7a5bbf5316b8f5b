/// Why a MetaImage file was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetaImageError {
    /// The first line is not `key = value`.
    #[error("not a MetaImage file: it does not begin with a line such as `ObjectType = Image`")]
    NotMetaImage,
    /// No `ElementDataFile` within the first [`HEADER_LIMIT`](crate::formats::metaimage::HEADER_LIMIT) bytes.
    #[error("MetaImage header goes on for more than {limit} bytes without an `ElementDataFile` line")]
    HeaderTooLong {
        /// The largest accepted header, in bytes.
        limit: usize,
    },
    /// The file ends before the header does.
    #[error("MetaImage file ends within its header: no `ElementDataFile` line; the file is probably truncated")]
    HeaderTruncated,
    /// A line without a separator.
    #[error("MetaImage header line {line} is {text:?}, expected `key = value`")]
    Line {
        /// Counted from 1.
        line: usize,
        /// The line, shortened.
        text: String,
    },
    /// A required key is absent.
    #[error("MetaImage header has no `{key}`")]
    Missing {
        /// The key.
        key: &'static str,
    },
    /// Two lines that set the same thing to different values.
    #[error("MetaImage header sets `{first}` and then `{second}`, which mean the same, to different values; keep one")]
    Ambiguous {
        /// The key that comes first in the file.
        first: String,
        /// The key that comes later; the same one when it is repeated.
        second: String,
    },
    /// A value that cannot be what the key takes.
    #[error("MetaImage header has `{key} = {value}`, expected {expected}")]
    Value {
        /// The key.
        key: &'static str,
        /// The value, shortened.
        value: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// A value that is legal in MetaImage but not read here.
    #[error("MetaImage files with `{key} = {value}` are not supported, only {supported}")]
    Unsupported {
        /// The key.
        key: &'static str,
        /// The value, shortened.
        value: String,
        /// What is supported.
        supported: &'static str,
    },
    /// More voxels than the caller accepts, or than can be counted.
    #[error("MetaImage header asks for {bytes} bytes of voxels; the limit is {limit}")]
    TooLarge {
        /// What the header says; saturates at the largest number.
        bytes: usize,
        /// What is accepted.
        limit: usize,
    },
    /// Raw voxels that do not fill the rest of the file exactly.
    #[error(
        "MetaImage header asks for {expected} bytes of voxels but {found} follow it; the file is truncated or damaged"
    )]
    RawLength {
        /// What the header says.
        expected: usize,
        /// What follows the header.
        found: usize,
    },
    /// `CompressedDataSize` is not the length of the rest of the file.
    #[error(
        "MetaImage header states {stated} compressed bytes but {found} follow it; the file is truncated or damaged"
    )]
    CompressedLength {
        /// What the header states.
        stated: usize,
        /// What follows the header.
        found: usize,
    },
    /// No deflate stream of that length can hold that many bytes.
    #[error("MetaImage header asks for {expected} bytes of voxels, more than {compressed} compressed bytes can hold")]
    Impossible {
        /// What the header says.
        expected: usize,
        /// Length of the compressed voxels.
        compressed: usize,
    },
    /// The zlib stream is damaged: a bad code, or a checksum that does not fit.
    #[error("compressed voxels of the MetaImage file are damaged after {inflated} of {expected} bytes: {reason}")]
    Damaged {
        /// Bytes that could be inflated.
        inflated: usize,
        /// What the header says.
        expected: usize,
        /// What the inflater says.
        reason: String,
    },
    /// The zlib stream ends, or is cut, too early.
    #[error("compressed voxels of the MetaImage file end after {inflated} of {expected} bytes; the file is truncated")]
    TooShort {
        /// Bytes that could be inflated.
        inflated: usize,
        /// What the header says.
        expected: usize,
    },
    /// The zlib stream holds more than the header says.
    #[error("compressed voxels of the MetaImage file are more than the {expected} bytes that its header asks for")]
    TooLong {
        /// What the header says.
        expected: usize,
    },
    /// Bytes after the end of the zlib stream.
    #[error("{bytes} bytes follow the compressed voxels of the MetaImage file; the file is damaged or spliced")]
    Trailing {
        /// How many.
        bytes: usize,
    },
}

/// At most 80 characters of a stranger's text.
pub(super) fn shortened(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut short: String = text.chars().take(LONGEST).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
