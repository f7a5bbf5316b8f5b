//! `GET /v1/splits`: who is in which part, always by patient, never changed by a filter.

use std::collections::{BTreeMap, BTreeSet};

use axum::response::Response;
use serde_json::{Value as Json, json};

use super::app::Question;
use super::extract::Pairs;
use super::problem::Problem;
use crate::spider::splits::{self, PUBLISHED_SEED, PUBLISHED_TEST_SHARE, PUBLISHED_VALIDATION_SHARE};
use crate::spider::{PatientId, Split, SplitError};

const PARAMETERS: [&str; 6] = ["scheme", "seed", "validation_share", "test_share", "folds", "fold"];

/// Which split is asked for.
#[derive(Debug, PartialEq)]
enum Scheme {
    /// Drawn as the Hugging Face edition draws, with these numbers; its own ones are the default.
    Drawn { seed: u32, validation_share: f64, test_share: f64 },
    /// The release's own.
    Original,
    /// `fold` is the validation part, the other folds are for training. Without `fold`, all of them are listed.
    Folds { folds: usize, fold: Option<usize>, seed: u32 },
}

/// `GET /v1/splits`
pub(super) async fn show(question: Question) -> Result<Response, Problem> {
    let body = async {
        question.pairs.only(&PARAMETERS)?;
        let scheme = Scheme::read(&question.pairs)?;
        let scans = question.app.index().subsets().await?;
        scheme.body(&scans)
    };
    question.answer(body).await
}

impl Scheme {
    fn read(pairs: &Pairs) -> Result<Self, Problem> {
        let seed = pairs.value("seed", "a whole number from 0 to 4294967295")?;
        let share = |name| pairs.value::<f64>(name, "a number from 0 to 1");
        let (validation_share, test_share) = (share("validation_share")?, share("test_share")?);
        let folds: Option<usize> = pairs.value("folds", "a whole number from 2 to the number of patients")?;
        let fold: Option<usize> = pairs.value("fold", "a whole number from 0 to folds − 1")?;
        let drawn = validation_share.is_some() || test_share.is_some();
        let scheme = pairs.text("scheme");
        match (scheme.as_deref(), folds) {
            (Some("original"), None) if seed.is_none() && !drawn && fold.is_none() => Ok(Self::Original),
            (Some("original"), _) => Err(conflict("scheme", "scheme=original takes no other parameter")),
            (None, Some(folds)) if !drawn && fold.is_none_or(|fold| fold < folds) => {
                Ok(Self::Folds { folds, fold, seed: seed.unwrap_or(PUBLISHED_SEED) })
            }
            (None, Some(_)) if drawn => Err(conflict("folds", "folds and shares are two ways to split; give one")),
            (None, Some(folds)) => {
                Err(conflict("fold", &format!("fold is a whole number from 0 to {}", folds.saturating_sub(1))))
            }
            (Some("hf"), Some(_)) => Err(conflict("folds", "folds goes without scheme")),
            (None | Some("hf"), None) if fold.is_none() => Ok(Self::Drawn {
                seed: seed.unwrap_or(PUBLISHED_SEED),
                validation_share: validation_share.unwrap_or(PUBLISHED_VALIDATION_SHARE),
                test_share: test_share.unwrap_or(PUBLISHED_TEST_SHARE),
            }),
            (None | Some("hf"), None) => Err(conflict("fold", "fold goes with folds")),
            (Some(other), _) => {
                let detail = format!("scheme={other} is not valid: scheme is hf (the default) or original");
                Err(Problem::parameter(
                    "invalid_value",
                    "scheme",
                    detail,
                    ["hf", "original"].map(str::to_owned).to_vec(),
                ))
            }
        }
    }

    fn body(&self, scans: &[(PatientId, Option<String>)]) -> Result<Json, Problem> {
        let patients: Vec<_> = scans.iter().map(|(patient, _)| *patient).collect::<BTreeSet<_>>().into_iter().collect();
        match *self {
            Self::Drawn { seed, validation_share, test_share } => {
                let parts = splits::drawn(&patients, seed, validation_share, test_share).map_err(refused)?;
                let told = json!({ "scheme": "hf", "seed": seed, "validation_share": validation_share, "test_share": test_share });
                Ok(with_parts(told, &parts))
            }
            Self::Original => {
                let known = scans.iter().filter_map(|(patient, subset)| Some((*patient, subset.as_deref()?)));
                Ok(with_parts(json!({ "scheme": "original" }), &splits::original(known).map_err(refused)?))
            }
            Self::Folds { folds, fold, seed } => {
                let dealt = splits::folds(&patients, folds, seed).map_err(refused)?;
                let told = json!({ "scheme": "folds", "folds": folds, "fold": fold, "seed": seed });
                let Some(fold) = fold else { return Ok(with_folds(told, &dealt, folds)) };
                let part = |(&patient, &n): (&PatientId, &usize)| {
                    (patient, if n == fold { Split::Validation } else { Split::Train })
                };
                Ok(with_parts(told, &dealt.iter().map(part).collect()))
            }
        }
    }
}

fn with_parts(mut told: Json, parts: &BTreeMap<PatientId, Split>) -> Json {
    let of = |split: Split| {
        parts.iter().filter(|(_, part)| **part == split).map(|(patient, _)| *patient).collect::<Vec<_>>()
    };
    told["splits"] = Split::ALL.iter().map(|&split| (split.name().to_owned(), json!(of(split)))).collect();
    told
}

fn with_folds(mut told: Json, dealt: &BTreeMap<PatientId, usize>, folds: usize) -> Json {
    let of = |n: usize| dealt.iter().filter(|(_, fold)| **fold == n).map(|(patient, _)| *patient).collect::<Vec<_>>();
    told["members"] = (0..folds).map(of).map(|members| json!(members)).collect();
    told
}

fn conflict(parameter: &str, detail: &str) -> Problem {
    Problem::parameter("conflicting_parameters", parameter, detail, Vec::new())
}

/// Shares, folds and subsets that the data do not allow.
#[expect(clippy::needless_pass_by_value, reason = "it goes to map_err")]
fn refused(error: SplitError) -> Problem {
    let parameter = match &error {
        SplitError::Shares { .. } => "validation_share",
        SplitError::Folds { .. } => "folds",
        SplitError::Subset { .. } | SplitError::Name(_) => "scheme",
    };
    Problem::parameter("invalid_value", parameter, error.to_string(), Vec::new())
}
