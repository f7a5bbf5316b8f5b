//! `GET /v1/splits`: who is in which part, always by patient, never changed by a filter.

use std::collections::{BTreeMap, BTreeSet};

use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;

use crate::http::responses::documents::Answer;
use crate::http::responses::problem::{Code, Problem};
use crate::http::state::ApiRequest;
use crate::params::{Form, Pairs, Parameter};
use crate::spider::splits;
use crate::spider::splits::{PUBLISHED_SEED, PUBLISHED_TEST_SHARE, PUBLISHED_VALIDATION_SHARE};
use crate::spider::{PatientId, Split, SplitError};

const SHARE: Parameter = Parameter {
    name: "validation_share",
    allowed: "a number from 0 to 1",
    form: Form::Number { min: 0.0, max: 1.0 },
    description: "part of the patients for validation",
    example: "0.2",
};
pub(in crate::http) const PARAMETERS: [Parameter; 6] = [
    Parameter {
        name: "scheme",
        allowed: "hf, original",
        form: Form::Choice(&["hf", "original"]),
        description: "hf splits at random, as the Hugging Face edition does, original is the release's own",
        example: "original",
    },
    Parameter {
        name: "seed",
        allowed: "9999, a whole number from 0 to 4294967295",
        form: Form::Integer { min: 0, max: 4_294_967_295 },
        description: "of the random split",
        example: "1",
    },
    SHARE,
    Parameter { name: "test_share", description: "part of the patients for testing", ..SHARE },
    Parameter {
        name: "folds",
        allowed: "a whole number from 2 to the number of patients",
        form: Form::Integer { min: 2, max: 1000 },
        description: "so many parts of equal size instead of shares",
        example: "5",
    },
    Parameter {
        name: "fold",
        allowed: "a whole number from 0 to folds − 1",
        form: Form::Integer { min: 0, max: 999 },
        description: "the part that is for validation, the others being for training",
        example: "0",
    },
];

/// Who is in which part.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(in crate::http) struct SplitsBody {
    scheme: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    validation_share: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    test_share: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    folds: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fold: Option<usize>,
    /// The patients of each part, by its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    splits: Option<BTreeMap<&'static str, Vec<PatientId>>>,
    /// The patients of each fold.
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<Vec<Vec<PatientId>>>,
}

/// Which split is requested.
#[derive(Debug, PartialEq)]
enum Scheme {
    /// Drawn as the Hugging Face edition draws, with these numbers; its own ones are the default.
    Random { seed: u32, validation_share: f64, test_share: f64 },
    /// The release's own.
    Original,
    /// `fold` is the validation part, the other folds are for training. Without `fold`, all of them are listed.
    Folds { folds: usize, fold: Option<usize>, seed: u32 },
}

/// `GET /v1/splits`
pub(in crate::http) async fn show(request: ApiRequest) -> Result<Response, Problem> {
    let body = async {
        let scheme = Scheme::read(&request.parameters(&PARAMETERS)?)?;
        let snapshot = request.snapshot().await?;
        let scans = snapshot.index.subsets().await?;
        Ok(Answer::of(&snapshot, scheme.body(&scans)?))
    };
    request.answer(body).await
}

impl Scheme {
    fn read(pairs: &Pairs<'_>) -> Result<Self, Problem> {
        let seed = pairs.parsed("seed")?;
        let share = |name| pairs.parsed::<f64>(name);
        let (validation_share, test_share) = (share("validation_share")?, share("test_share")?);
        let (folds, fold) = (pairs.parsed::<usize>("folds")?, pairs.parsed::<usize>("fold")?);
        let has_share = validation_share.is_some() || test_share.is_some();
        let scheme = pairs.text("scheme");
        match (scheme, folds) {
            (Some("original"), None) if seed.is_none() && !has_share && fold.is_none() => Ok(Self::Original),
            (Some("original"), _) => Err(conflict("scheme", "scheme=original takes no other parameter")),
            (None, Some(folds)) if !has_share && fold.is_none_or(|fold| fold < folds) => {
                Ok(Self::Folds { folds, fold, seed: seed.unwrap_or(PUBLISHED_SEED) })
            }
            (None, Some(_)) if has_share => Err(conflict("folds", "folds and shares are two ways to split; give one")),
            (None, Some(folds)) => {
                Err(conflict("fold", &format!("fold is a whole number from 0 to {}", folds.saturating_sub(1))))
            }
            (Some(_), Some(_)) => Err(conflict("folds", "folds goes without scheme")),
            (_, None) if fold.is_none() => Ok(Self::Random {
                seed: seed.unwrap_or(PUBLISHED_SEED),
                validation_share: validation_share.unwrap_or(PUBLISHED_VALIDATION_SHARE),
                test_share: test_share.unwrap_or(PUBLISHED_TEST_SHARE),
            }),
            (_, None) => Err(conflict("fold", "fold goes with folds")),
        }
    }

    fn body(&self, scans: &[(PatientId, Option<String>)]) -> Result<SplitsBody, Problem> {
        let patients: Vec<_> = scans.iter().map(|(patient, _)| *patient).collect::<BTreeSet<_>>().into_iter().collect();
        match *self {
            Self::Random { seed, validation_share, test_share } => {
                let parts = splits::drawn(&patients, seed, validation_share, test_share).map_err(refused)?;
                let body = SplitsBody {
                    scheme: "hf",
                    seed: Some(seed),
                    validation_share: Some(validation_share),
                    test_share: Some(test_share),
                    ..SplitsBody::default()
                };
                Ok(with_parts(body, &parts))
            }
            Self::Original => {
                let known = scans.iter().filter_map(|(patient, subset)| Some((*patient, subset.as_deref()?)));
                Ok(with_parts(
                    SplitsBody { scheme: "original", ..SplitsBody::default() },
                    &splits::original(known).map_err(refused)?,
                ))
            }
            Self::Folds { folds, fold, seed } => {
                let fold_of = splits::folds(&patients, folds, seed).map_err(refused)?;
                let body =
                    SplitsBody { scheme: "folds", seed: Some(seed), folds: Some(folds), fold, ..SplitsBody::default() };
                let Some(fold) = fold else { return Ok(with_folds(body, &fold_of, folds)) };
                let part = |(&patient, &n): (&PatientId, &usize)| {
                    (patient, if n == fold { Split::Validation } else { Split::Train })
                };
                Ok(with_parts(body, &fold_of.iter().map(part).collect()))
            }
        }
    }
}

fn with_parts(body: SplitsBody, parts: &BTreeMap<PatientId, Split>) -> SplitsBody {
    let of = |split: Split| {
        parts.iter().filter(|(_, part)| **part == split).map(|(patient, _)| *patient).collect::<Vec<_>>()
    };
    SplitsBody { splits: Some(Split::ALL.into_iter().map(|split| (split.name(), of(split))).collect()), ..body }
}

fn with_folds(body: SplitsBody, fold_of: &BTreeMap<PatientId, usize>, folds: usize) -> SplitsBody {
    let of = |n: usize| fold_of.iter().filter(|(_, fold)| **fold == n).map(|(patient, _)| *patient).collect::<Vec<_>>();
    SplitsBody { members: Some((0..folds).map(of).collect()), ..body }
}

fn conflict(parameter: &str, detail: &str) -> Problem {
    Problem::parameter(Code::ConflictingParameters, parameter, detail)
}

/// Shares, folds and subsets that the data do not allow.
#[expect(clippy::needless_pass_by_value, reason = "it goes to map_err")]
fn refused(error: SplitError) -> Problem {
    let parameter = match &error {
        SplitError::Shares { .. } => "validation_share",
        SplitError::Folds { .. } => "folds",
        SplitError::Subset { .. } | SplitError::Name(_) => "scheme",
    };
    Problem::parameter(Code::InvalidValue, parameter, error.to_string())
}
