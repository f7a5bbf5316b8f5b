use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::Serialize;
use strum::{Display, EnumString, IntoStaticStr, VariantNames};

/// Number of a patient, 1 to 257 in the release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct PatientId(pub u32);

impl fmt::Display for PatientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for PatientId {
    type Err = InvalidScanId;

    /// Digits only, without a leading zero, so that every patient has one spelling.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
        let number = if plain { text.parse().ok() } else { None };
        number.map(Self).ok_or_else(|| InvalidScanId::new(text))
    }
}

/// A regular expression of the names of scan types.
macro_rules! scan_type_pattern {
    () => {
        "t1|t2|t2_SPACE"
    };
}
pub(crate) use scan_type_pattern;

/// The three kinds of series.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    JsonSchema,
    Display,
    EnumString,
    IntoStaticStr,
    VariantNames,
)]
#[strum(parse_err_ty = InvalidScanId, parse_err_fn = InvalidScanId::new)]
pub enum ScanType {
    /// T1-weighted, 2-D.
    #[serde(rename = "t1")]
    #[strum(serialize = "t1")]
    T1,
    /// T2-weighted, 2-D.
    #[serde(rename = "t2")]
    #[strum(serialize = "t2")]
    T2,
    /// T2-weighted, 3-D with nearly isotropic voxels.
    #[serde(rename = "t2_SPACE")]
    #[strum(serialize = "t2_SPACE")]
    T2Space,
}

impl ScanType {
    /// Every scan type, in the order the release counts them.
    pub const ALL: [Self; 3] = [Self::T1, Self::T2, Self::T2Space];
    /// Their names.
    pub const NAMES: &[&str] = <Self as VariantNames>::VARIANTS;

    /// The name used in file names: `t1`, `t2`, `t2_SPACE`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// Name of a scan: `{patient}_{scan type}`, which is also the stem of its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScanId {
    /// Whose scan it is.
    pub patient: PatientId,
    /// Which of the patient's series.
    pub scan_type: ScanType,
}

/// The text does not name a scan or a patient.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a scan id; scan ids look like 1_t1, 1_t2 or 5_t2_SPACE")]
pub struct InvalidScanId(pub String);

impl InvalidScanId {
    fn new(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl ScanId {
    /// A regular expression of the names.
    pub const PATTERN: &str = concat!("[1-9][0-9]{0,8}_(", scan_type_pattern!(), ")");
}

impl fmt::Display for ScanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.patient, self.scan_type)
    }
}

impl FromStr for ScanId {
    type Err = InvalidScanId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidScanId::new(text);
        let (patient, kind) = text.split_once('_').ok_or_else(invalid)?;
        let scan_type = kind.parse().map_err(|_| invalid())?;
        Ok(Self { patient: patient.parse().map_err(|_| invalid())?, scan_type })
    }
}

impl Serialize for ScanId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::string::string_regex;

    use super::*;

    proptest! {
        #[test]
        fn names_that_are_documented_are_read(text in string_regex(ScanId::PATTERN).unwrap()) {
            prop_assert_eq!(text.parse::<ScanId>().map(|scan| scan.to_string()), Ok(text));
        }
    }

    #[test]
    fn every_name_reads_back() {
        for name in ["1_t1", "257_t2", "5_t2_SPACE"] {
            assert_eq!(name.parse::<ScanId>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for name in [
            "",
            "1",
            "1_",
            "_t1",
            "01_t1",
            "0_t1",
            "+1_t1",
            "1_T1",
            "1_t2_space",
            "1_t1.mha",
            "../1_t1",
            "99999999999_t1",
        ] {
            assert!(name.parse::<ScanId>().is_err(), "{name:?} was accepted");
        }
    }
}
