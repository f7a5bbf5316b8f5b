use strum::{EnumString, VariantNames};

use super::condition::Condition;
use super::{Subject, Table};
use crate::params::{Form, Pairs, Parameter, ParameterError};
use crate::spider::LabelSet;

/// Which scans are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, VariantNames)]
pub enum Coverage {
    /// Those whose volume is imported.
    #[strum(serialize = "present")]
    Imported,
    /// Those of the overview whose volume is not.
    #[strum(serialize = "absent")]
    Missing,
    /// Both.
    #[strum(serialize = "any")]
    All,
}

/// Slices that hold a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holding {
    /// Any of these.
    pub labels: LabelSet,
    /// With at least so many pixels of that label.
    pub min_pixels: u32,
}

/// Which rows of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// Of which table.
    pub table: Table,
    /// All of them hold. Those about gradings hold, on tables of patients, scans and slices, when one disc of the patient
    /// meets them all.
    pub conditions: Vec<Condition>,
    /// Of slices.
    pub holding: Option<Holding>,
    /// Of scans.
    pub coverage: Coverage,
}

const HAS: Parameter = Parameter {
    name: "has",
    allowed: "labels and ranges such as 201 or 1-25,100, vertebrae, discs, canal, partial",
    form: Form::ListOf(LabelSet::NAMES),
    description: "slices that hold any of these labels",
    example: "201",
};
const MIN_PIXELS: Parameter = Parameter {
    name: "min_pixels",
    allowed: "a whole number from 1; goes with has",
    form: Form::Integer { min: 1, max: 1_000_000 },
    description: "so many pixels of the label at least",
    example: "50",
};
const VOLUME: Parameter = Parameter {
    name: "volume",
    allowed: "present, absent, any",
    form: Form::Choice(Coverage::VARIANTS),
    description: "scans whose voxels were imported, those of the overview whose voxels were not, or both",
    example: "any",
};

impl Table {
    /// Everything that chooses rows of the table.
    #[must_use]
    pub fn filter_parameters(self) -> Vec<Parameter> {
        let special: &[Parameter] = match self {
            Self::Scans => &[VOLUME],
            Self::Slices => &[HAS, MIN_PIXELS],
            Self::Patients | Self::Discs | Self::Gradings => &[],
        };
        self.parameters().chain(special.iter().copied()).collect()
    }
}

impl Filter {
    /// Reads what chooses rows.
    ///
    /// # Errors
    /// The parameter that cannot be read.
    pub fn parse(table: Table, pairs: &Pairs<'_>) -> Result<Self, ParameterError> {
        let mut conditions = Vec::new();
        for column in table.filters() {
            conditions.extend(pairs.value(column.name, |text| Condition::parse(column, text))?);
        }
        Ok(Self { table, conditions, holding: holding(pairs)?, coverage: coverage(pairs)? })
    }

    /// Every row of a table.
    #[must_use]
    pub fn everything(table: Table) -> Self {
        Self { table, conditions: Vec::new(), holding: None, coverage: Coverage::Imported }
    }

    /// The conditions that are about this.
    pub fn about(&self, subject: Subject) -> impl Iterator<Item = &Condition> {
        self.conditions.iter().filter(move |condition| condition.column.subject == subject)
    }
}

fn holding(pairs: &Pairs<'_>) -> Result<Option<Holding>, ParameterError> {
    let min_pixels = pairs.parsed("min_pixels")?;
    match (pairs.parsed::<LabelSet>("has")?, min_pixels) {
        (Some(labels), min_pixels) => Ok(Some(Holding { labels, min_pixels: min_pixels.unwrap_or(1) })),
        (None, Some(_)) => Err(ParameterError::conflict("min_pixels", "min_pixels goes with has, e.g. has=201")),
        (None, None) => Ok(None),
    }
}

fn coverage(pairs: &Pairs<'_>) -> Result<Coverage, ParameterError> {
    Ok(pairs.parsed("volume")?.unwrap_or(Coverage::Imported))
}
