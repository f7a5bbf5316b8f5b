//! Where data lie: a folder of this machine, a folder that several share, or a bucket.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use object_store::path::Path;

/// Where the converted scans and the index lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataLocation {
    /// A folder of this machine. The index is a file in it that imports change in place.
    Folder(PathBuf),
    /// `file:///srv/spider`: a folder that several machines share. The index travels as snapshots, because SQLite cannot rely
    /// on the locks of shared file systems.
    Shared(PathBuf),
    /// `s3://bucket/prefix`: an object store that speaks S3. The index travels as snapshots.
    Bucket {
        /// Its name.
        bucket: String,
        /// What every name in it starts with; may be empty.
        prefix: String,
    },
}

/// A text names no place of data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DataLocationError {
    /// Nothing at all.
    #[error("it is empty; {WAYS}")]
    Empty,
    /// Neither `file://` nor `s3://`.
    #[error("{0}:// is not a kind of place that data can lie in; {WAYS}")]
    Scheme(String),
    /// A `file://` address without an absolute path.
    #[error("{0:?} needs three slashes and the whole path: file:///srv/spider")]
    NotAbsolute(String),
    /// A `file://` address with an escape, a query or a fragment.
    #[error("{0:?} has a % or ? or #, which mean something else in an address; give the folder another name")]
    Escaped(String),
    /// A bucket that cannot be.
    #[error(
        "{0:?} is not the name of a bucket: 3 to 63 small letters, digits, dots and hyphens, as in s3://bucket/prefix"
    )]
    Bucket(String),
    /// A prefix that cannot be.
    #[error("{prefix:?} cannot be a prefix in a bucket: {reason}")]
    Prefix {
        /// What was given.
        prefix: String,
        /// What is wrong with it.
        reason: String,
    },
}

const WAYS: &str = "give a folder, file:///a/shared/folder or s3://bucket/prefix";

impl DataLocation {
    /// Whether the index travels as snapshots instead of being changed in place.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        !matches!(self, Self::Folder(_))
    }
}

impl fmt::Display for DataLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "{}", folder.display()),
            Self::Shared(folder) => write!(f, "file://{}", folder.display()),
            Self::Bucket { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::Bucket { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

impl TryFrom<OsString> for DataLocation {
    type Error = DataLocationError;

    fn try_from(text: OsString) -> Result<Self, DataLocationError> {
        // A folder may have a name that is no text; an address cannot.
        let Some((scheme, rest)) = text.to_str().and_then(|text| text.split_once("://")) else {
            return if text.is_empty() { Err(DataLocationError::Empty) } else { Ok(Self::Folder(text.into())) };
        };
        match scheme {
            "file" => shared(rest),
            "s3" => bucket(rest),
            other => Err(DataLocationError::Scheme(other.to_owned())),
        }
    }
}

fn shared(path: &str) -> Result<DataLocation, DataLocationError> {
    if !path.starts_with('/') {
        return Err(DataLocationError::NotAbsolute(format!("file://{path}")));
    }
    if path.contains(['%', '?', '#']) {
        return Err(DataLocationError::Escaped(format!("file://{path}")));
    }
    Ok(DataLocation::Shared(path.into()))
}

fn bucket(rest: &str) -> Result<DataLocation, DataLocationError> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let valid = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'.' || c == b'-';
    if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(valid) {
        return Err(DataLocationError::Bucket(bucket.to_owned()));
    }
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    let unusable = |reason: String| DataLocationError::Prefix { prefix: prefix.to_owned(), reason };
    let parsed = Path::parse(prefix).map_err(|error| unusable(error.to_string()))?;
    if parsed.as_ref() != prefix {
        return Err(unusable("it starts or ends with a slash".to_owned()));
    }
    Ok(DataLocation::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Result<DataLocation, DataLocationError> {
        DataLocation::try_from(OsString::from(text))
    }

    #[test]
    fn folders_and_urls_are_reported_apart() {
        assert_eq!(place("data"), Ok(DataLocation::Folder("data".into())));
        assert_eq!(place("/a b/s3:/x"), Ok(DataLocation::Folder("/a b/s3:/x".into())));
        assert_eq!(place("file:///srv/spider"), Ok(DataLocation::Shared("/srv/spider".into())));
        for (text, prefix) in [("s3://mri", ""), ("s3://mri/", ""), ("s3://mri/a/b", "a/b"), ("s3://mri/a/", "a")] {
            assert_eq!(
                place(text),
                Ok(DataLocation::Bucket { bucket: "mri".to_owned(), prefix: prefix.to_owned() }),
                "{text}"
            );
        }
    }

    #[test]
    fn a_place_reads_back_as_it_is_shown() {
        for text in ["data", "file:///srv/spider", "s3://mri", "s3://mri/a/b"] {
            assert_eq!(place(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_names_no_place_is_refused_with_the_way_out() {
        for (text, said) in [
            ("", "give a folder"),
            ("gs://bucket", "gs:// is not"),
            ("file://srv/spider", "three slashes"),
            ("file:///a%20b", "another name"),
            ("s3://", "is not the name of a bucket"),
            ("s3://Big_Bucket", "is not the name of a bucket"),
            ("s3://mri//a", "cannot be a prefix"),
            ("s3://mri/a/../b", "cannot be a prefix"),
        ] {
            let error = place(text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
