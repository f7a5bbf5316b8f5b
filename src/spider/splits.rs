//! Who is in which split. A split is always drawn over patients, never over scans or slices, so that no patient is in
//! two parts; and always over every patient of the table, whatever is imported, so that it never changes.

mod mersenne_twister;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use strum::{Display, EnumString, IntoStaticStr, VariantNames};

use super::PatientId;
use mersenne_twister::MersenneTwister;

/// Seed of the published split.
pub const PUBLISHED_SEED: u32 = 9999;
/// Share of the published split's validation part, as it was requested: 37 of 218 patients came out.
pub const PUBLISHED_VALIDATION_SHARE: f64 = 0.2;
/// Share of the published split's test part, as it was requested: 32 of 218 patients came out.
pub const PUBLISHED_TEST_SHARE: f64 = 0.2;

/// One part of a split.
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
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", parse_err_ty = SplitError, parse_err_fn = SplitError::name)]
pub enum Split {
    /// To learn from.
    Train,
    /// To choose between models; `dev` in the Hugging Face edition's loader.
    Validation,
    /// To judge the chosen one.
    Test,
}

impl Split {
    /// Every part.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];
    /// Their names.
    pub const NAMES: &[&str] = <Self as VariantNames>::VARIANTS;

    /// The name in JSON, in filters and in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The part that a value of the release's `subset` column stands for.
    #[must_use]
    pub fn from_original_subset(subset: &str) -> Option<Self> {
        match subset {
            "training" => Some(Self::Train),
            "validation" => Some(Self::Validation),
            _ => None,
        }
    }
}

/// No split can be made of this.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SplitError {
    /// Not the name of a part.
    #[error("{0:?} is not a split; the splits are train, validation and test")]
    Name(String),
    /// The shares are no shares.
    #[error(
        "cannot draw shares of {validation} for validation and {test} for test: both must be 0 or more, their sum at most 1"
    )]
    Shares {
        /// Asked for validation.
        validation: f64,
        /// Asked for test.
        test: f64,
    },
    /// Too few folds, or more than there are patients.
    #[error(
        "cannot make {folds} folds of {patients} patients; ask for 2 folds or more, but not for more than patients"
    )]
    Folds {
        /// Asked for.
        folds: usize,
        /// There are.
        patients: usize,
    },
    /// The release's `subset` column holds something else, or two things of one patient.
    #[error(
        "patient {patient} has the subset {subset:?}; expected training or validation, the same in all of the patient's scans"
    )]
    Subset {
        /// Whose.
        patient: PatientId,
        /// What the column says.
        subset: String,
    },
}

impl SplitError {
    fn name(text: &str) -> Self {
        Self::Name(text.to_owned())
    }
}

/// The split of the Hugging Face edition: [`drawn`] with its seed and shares. Over the 218 patients of the release it
/// gives 149, 37 and 32.
///
/// Source: the loader `SPIDER.py` of <https://huggingface.co/datasets/cdoswald/SPIDER>.
#[must_use]
pub fn published(patients: &[PatientId]) -> BTreeMap<PatientId, Split> {
    draw(patients, PUBLISHED_SEED, PUBLISHED_VALIDATION_SHARE, PUBLISHED_TEST_SHARE)
}

/// Draws a split over exactly these patients; their order does not matter. The same in Python:
///
/// ```python
/// ids = numpy.unique([str(p) for p in patients])
/// numpy.random.seed(seed)
/// p = [1 - validation_share - test_share, validation_share, test_share]
/// parts = numpy.random.choice(["train", "validation", "test"], p=p, size=len(ids))
/// ```
///
/// Each patient is drawn on their own, so the parts have these shares on average only.
///
/// # Errors
/// [`SplitError::Shares`] when a share is below 0 or not a number, or when both exceed 1 together.
pub fn drawn(
    patients: &[PatientId],
    seed: u32,
    validation_share: f64,
    test_share: f64,
) -> Result<BTreeMap<PatientId, Split>, SplitError> {
    let allowed = validation_share >= 0.0 && test_share >= 0.0 && validation_share + test_share <= 1.0;
    if !allowed {
        return Err(SplitError::Shares { validation: validation_share, test: test_share });
    }
    Ok(draw(patients, seed, validation_share, test_share))
}

fn draw(patients: &[PatientId], seed: u32, validation_share: f64, test_share: f64) -> BTreeMap<PatientId, Split> {
    // In numpy's order of operations: shares, running sums, division by the last sum. The first share may round to just
    // below 0, which numpy would refuse.
    let train = (1.0 - validation_share - test_share).max(0.0);
    let sums = [train, train + validation_share, train + validation_share + test_share];
    let ends = sums.map(|sum| sum / sums[2]);
    let mut generator = MersenneTwister::new(seed);
    let mut part = |patient| {
        let sample = generator.next_f64();
        let split = if sample < ends[0] {
            Split::Train
        } else if sample < ends[1] {
            Split::Validation
        } else {
            Split::Test
        };
        (patient, split)
    };
    sorted_as_text(patients).into_iter().map(&mut part).collect()
}

/// Deals exactly these patients out to `folds` folds, numbered from 0, whose sizes differ by one at most. The same in
/// Python:
///
/// ```python
/// ids = numpy.unique([str(p) for p in patients])
/// order = numpy.random.RandomState(seed).permutation(len(ids))
/// fold = {ids[i]: place % folds for place, i in enumerate(order)}
/// ```
///
/// # Errors
/// [`SplitError::Folds`] for fewer than two folds, or more than patients.
pub fn folds(patients: &[PatientId], folds: usize, seed: u32) -> Result<BTreeMap<PatientId, usize>, SplitError> {
    let mut dealt = sorted_as_text(patients);
    if folds < 2 || folds > dealt.len() {
        return Err(SplitError::Folds { folds, patients: dealt.len() });
    }
    MersenneTwister::new(seed).shuffle(&mut dealt);
    Ok(dealt.into_iter().enumerate().map(|(place, patient)| (patient, place % folds)).collect())
}

/// The release's own split into training and validation, from each scan's patient and `subset`.
///
/// # Errors
/// [`SplitError::Subset`] for a subset that is neither, and when a patient's scans disagree.
pub fn original<'a>(
    scans: impl IntoIterator<Item = (PatientId, &'a str)>,
) -> Result<BTreeMap<PatientId, Split>, SplitError> {
    let mut splits = BTreeMap::new();
    for (patient, subset) in scans {
        let refuse = || SplitError::Subset { patient, subset: subset.to_owned() };
        let split = Split::from_original_subset(subset).ok_or_else(refuse)?;
        if *splits.entry(patient).or_insert(split) != split {
            return Err(refuse());
        }
    }
    Ok(splits)
}

/// Each patient once, sorted by the digits as text: 1, 10, 100, 101, …, 2, 20.
fn sorted_as_text(patients: &[PatientId]) -> Vec<PatientId> {
    let by_text: BTreeMap<String, PatientId> = patients.iter().map(|&patient| (patient.to_string(), patient)).collect();
    by_text.into_values().collect()
}
