use schemars::JsonSchema;
use serde::Serialize;

use super::{Label, PatientId};

/// What the radiologist saw at one disc of one patient: one row of `radiological_gradings.csv`.
///
/// An empty cell is `None`. The allowed values stand in [`CONDITIONS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct Grading {
    /// Whose disc it is.
    #[serde(rename = "patient_id")]
    pub patient: PatientId,
    /// Which disc, counted from the bottom: 1 is L5/S1. The release has a level 0 for two patients, below L5/S1.
    pub level: u8,
    /// Type of the Modic changes, 0 for none.
    pub modic: Option<u8>,
    /// Changes of the upper endplate, 0 or 1.
    pub upper_endplate: Option<u8>,
    /// Changes of the lower endplate, 0 or 1.
    pub lower_endplate: Option<u8>,
    /// Spondylolisthesis, 0 or 1.
    pub spondylolisthesis: Option<u8>,
    /// Disc herniation, 0 or 1.
    pub disc_herniation: Option<u8>,
    /// Disc narrowing, 0 or 1.
    pub disc_narrowing: Option<u8>,
    /// Disc bulging, 0 or 1.
    pub disc_bulging: Option<u8>,
    /// Pfirrmann grade of disc degeneration, 1 (healthy) to 5.
    pub pfirrmann: Option<u8>,
}

/// A grading with the names of what it grades.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "GradingBody")]
pub struct NamedGrading {
    #[serde(flatten)]
    grading: Grading,
    /// The disc's value in the masks; null for level 0, which has none.
    label: Option<Label>,
    /// Assumes that the patient has no transitional vertebra.
    level_name: Option<String>,
}

impl NamedGrading {
    /// Names the disc of a grading.
    #[must_use]
    pub fn new(grading: &Grading) -> Self {
        let label = grading.mask_label();
        Self { grading: *grading, label, level_name: label.and_then(Label::name) }
    }
}

/// One graded condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Condition {
    /// The column's header in `radiological_gradings.csv`.
    pub column: &'static str,
    /// The name in JSON and in filters: `snake_case`.
    pub name: &'static str,
    /// The smallest allowed value.
    pub min: u8,
    /// The largest allowed value.
    pub max: u8,
    /// What it is, in a few words.
    pub description: &'static str,
}

/// Every graded condition, in the order of the table's columns.
#[rustfmt::skip] // One condition, one line: this is a table.
pub const CONDITIONS: [Condition; 8] = [
    condition("Modic", "modic", 0, 3, "type of the Modic changes, 0 for none"),
    condition("UP endplate", "upper_endplate", 0, 1, "changes of the upper endplate"),
    condition("LOW endplate", "lower_endplate", 0, 1, "changes of the lower endplate"),
    condition("Spondylolisthesis", "spondylolisthesis", 0, 1, "a vertebra slipped on the one below"),
    condition("Disc herniation", "disc_herniation", 0, 1, "disc material beyond the disc space, focal"),
    condition("Disc narrowing", "disc_narrowing", 0, 1, "a disc of less height"),
    condition("Disc bulging", "disc_bulging", 0, 1, "disc material beyond the disc space, all around"),
    condition("Pfirrman grade", "pfirrmann", 1, 5, "Pfirrmann grade of disc degeneration, 1 is healthy"),
];

const fn condition(column: &'static str, name: &'static str, min: u8, max: u8, description: &'static str) -> Condition {
    Condition { column, name, min, max, description }
}

impl Grading {
    /// The highest level the label scheme has room for.
    pub const MAX_LEVEL: u8 = 25;

    /// A grading from the values of [`CONDITIONS`], in that order.
    #[must_use]
    pub fn from_values(patient: PatientId, level: u8, values: [Option<u8>; CONDITIONS.len()]) -> Self {
        let [
            modic,
            upper_endplate,
            lower_endplate,
            spondylolisthesis,
            disc_herniation,
            disc_narrowing,
            disc_bulging,
            pfirrmann,
        ] = values;
        Self {
            patient,
            level,
            modic,
            upper_endplate,
            lower_endplate,
            spondylolisthesis,
            disc_herniation,
            disc_narrowing,
            disc_bulging,
            pfirrmann,
        }
    }

    /// The values of [`CONDITIONS`], in that order.
    #[must_use]
    pub fn values(&self) -> [Option<u8>; CONDITIONS.len()] {
        [
            self.modic,
            self.upper_endplate,
            self.lower_endplate,
            self.spondylolisthesis,
            self.disc_herniation,
            self.disc_narrowing,
            self.disc_bulging,
            self.pfirrmann,
        ]
    }

    /// The mask label of the disc; `None` for level 0, which the masks do not hold.
    #[must_use]
    pub fn mask_label(&self) -> Option<Label> {
        Label::disc(self.level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grading() -> Grading {
        Grading::from_values(PatientId(7), 2, [Some(3), Some(0), Some(1), None, Some(1), Some(0), Some(1), Some(5)])
    }

    #[test]
    fn json_has_the_conditions_under_their_names() {
        let json = serde_json::to_value(grading()).unwrap();
        for (condition, value) in CONDITIONS.iter().zip(grading().values()) {
            assert_eq!(json[condition.name], serde_json::json!(value), "{}", condition.name);
        }
        let ends = (&json["patient_id"], &json["level"], &json["spondylolisthesis"], &json["pfirrmann"]);
        assert_eq!(format!("{ends:?}"), "(Number(7), Number(2), Null, Number(5))");
        assert_eq!(json.as_object().unwrap().len(), 2 + CONDITIONS.len());
    }

    #[test]
    fn levels_name_the_disc_in_the_mask() {
        assert_eq!(grading().mask_label(), Some(Label(202)));
        assert_eq!(Grading { level: 0, ..grading() }.mask_label(), None);
    }
}
