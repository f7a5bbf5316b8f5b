//! Which columns a table has. Made from the descriptions in `spider`, so that a field there is a column here.

use std::sync::LazyLock;

use crate::params::{Form, Parameter};
use crate::spider::{CONDITIONS, FIELDS, FieldKind, ScanId, ScanType, Split, scan_type_pattern};

/// A table that can be requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Table {
    /// One row for every patient of the overview.
    Patients,
    /// One row for every scan.
    Scans,
    /// One row for every slice of every imported scan.
    Slices,
    /// One row for every disc in every imported scan's mask.
    Discs,
    /// One row for every graded disc of every patient.
    Gradings,
}

/// What a column's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnKind {
    /// Whole numbers.
    Integer,
    /// Numbers.
    Real,
    /// Texts.
    Text,
    /// True or false.
    Flag,
    /// Lists of whole numbers.
    Integers,
    /// Lists of numbers.
    Reals,
    /// Lists of texts.
    Texts,
}

/// Whose property a column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Of the patient.
    Patient,
    /// Of the scan.
    Scan,
    /// Of the slice.
    Slice,
    /// Of the disc in the mask.
    Disc,
    /// What the radiologist saw at a disc of the patient.
    Grading,
}

/// Where a column stands when nothing else is requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shown {
    /// In the items of listings and in tables.
    Everywhere,
    /// In the items of listings.
    InItems,
    /// In tables.
    InTables,
    /// Only where `fields` requests it.
    OnDemand,
}

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Column {
    /// Its name, everywhere.
    pub name: &'static str,
    /// What its values are.
    pub kind: ColumnKind,
    /// Whose property it is.
    pub subject: Subject,
    /// Unit of the values.
    pub unit: Option<&'static str>,
    /// What it is, in a few words.
    pub description: &'static str,
    /// What a text may be; empty for any text.
    pub choices: &'static [&'static str],
    /// Where it stands.
    pub shown: Shown,
    /// Whether conditions can name it.
    pub is_filter: bool,
}

impl Column {
    const fn new(name: &'static str, kind: ColumnKind, subject: Subject, description: &'static str) -> Self {
        let (unit, choices) = (None, &[] as &[_]);
        Self { name, kind, subject, unit, description, choices, shown: Shown::Everywhere, is_filter: true }
    }

    const fn in_(self, unit: &'static str) -> Self {
        Self { unit: Some(unit), ..self }
    }

    const fn one_of(self, choices: &'static [&'static str]) -> Self {
        Self { choices, ..self }
    }

    const fn shown(self, shown: Shown) -> Self {
        Self { shown, ..self }
    }

    const fn not_a_filter(self) -> Self {
        Self { is_filter: false, ..self }
    }

    /// Whether rows can be sorted by it.
    #[must_use]
    pub fn is_sortable(&self) -> bool {
        !matches!(self.kind, ColumnKind::Integers | ColumnKind::Reals | ColumnKind::Texts) && self.is_filter
    }

    /// The filter of this column, as it is documented.
    fn parameter(&self) -> Parameter {
        let (allowed, form, example) = match self.kind {
            _ if self.name == "slice" => {
                ("numbers and ranges separated by commas, mid, or best", Form::ListOf(SLICES), "mid")
            }
            ColumnKind::Flag => {
                ("true, false, null or !null", Form::Choice(&["true", "false", "null", "!null"]), "true")
            }
            ColumnKind::Integer | ColumnKind::Integers => (
                "whole numbers and ranges such as 40..60, 40.. or ..60, separated by commas; null or !null",
                Form::ListOf(INTEGERS),
                "1..4",
            ),
            ColumnKind::Real | ColumnKind::Reals => (
                "numbers and ranges such as 40..60.5, 40.. or ..60, separated by commas; null or !null",
                Form::ListOf(NUMBERS),
                "0.5..4",
            ),
            ColumnKind::Text | ColumnKind::Texts if self.choices == Split::NAMES => {
                ("train, validation, test, separated by commas; null or !null", Form::ListOf(SPLIT_LIST), "train")
            }
            ColumnKind::Text | ColumnKind::Texts if self.choices == ScanType::NAMES => {
                ("t1, t2, t2_SPACE, separated by commas; null or !null", Form::ListOf(SCAN_TYPE_LIST), "t1,t2")
            }
            _ if self.name == "scan_id" => {
                ("scan ids such as 5_t2_SPACE, separated by commas", Form::ListOf(ScanId::PATTERN), "1_t1,1_t2")
            }
            ColumnKind::Text | ColumnKind::Texts => (
                "texts separated by commas, in capitals or not; \"…\" around a text with a comma; null or !null",
                Form::Text,
                "!null",
            ),
        };
        Parameter { name: self.name, allowed, form, description: self.description, example }
    }
}

/// Missing or known, a number, or a range with at least one end.
macro_rules! number_ranges {
    ($number:literal) => {
        concat!("!?null|", $number, "(\\.\\.(", $number, ")?)?|\\.\\.", $number)
    };
}

const INTEGERS: &str = "!?null|-?[0-9]{1,10}(\\.\\.(-?[0-9]{1,10})?)?|\\.\\.-?[0-9]{1,10}";
const NUMBERS: &str = number_ranges!("-?[0-9]{1,20}(\\.[0-9]{1,20})?([eE][-+]?[0-9]{1,2})?");
const SLICES: &str = "mid|best|[0-9]{1,10}(\\.\\.([0-9]{1,10})?)?|\\.\\.[0-9]{1,10}";
const SPLIT_LIST: &str = "!?null|train|validation|test";
const SCAN_TYPE_LIST: &str = concat!("!?null|", scan_type_pattern!());

use ColumnKind::{Flag, Integer, Integers, Real, Reals, Text};
use Shown::{InItems, InTables, OnDemand};
use Subject::{Disc, Grading, Patient, Scan, Slice};

#[rustfmt::skip] // One column, one line: this is a table.
const SCAN_COLUMNS: [Column; 20] = [
    Column::new("scan_id", Text, Scan, "name of the scan: the stem of its files"),
    Column::new("patient_id", Integer, Scan, "number of the patient"),
    Column::new("scan_type", Text, Scan, "kind of series").one_of(ScanType::NAMES),
    Column::new("split", Text, Scan, "part of the published split; null for a scan without a row in the overview").one_of(Split::NAMES),
    Column::new("has_volume", Flag, Scan, "whether its voxels are here, and not only its row of the overview"),
    Column::new("shape", Integers, Scan, "slices, rows, columns").shown(InItems).not_a_filter(),
    Column::new("spacing_mm", Reals, Scan, "from slice to slice, from row to row, from column to column").in_("mm").shown(InItems).not_a_filter(),
    Column::new("bytes", Integer, Scan, "size of the voxels, image and mask"),
    Column::new("slices", Integer, Scan, "number of slices").shown(InTables),
    Column::new("rows", Integer, Scan, "rows of a slice").shown(InTables),
    Column::new("columns", Integer, Scan, "columns of a slice").shown(InTables),
    Column::new("slice_spacing_mm", Real, Scan, "from slice to slice").in_("mm").shown(InTables),
    Column::new("row_spacing_mm", Real, Scan, "from row to row").in_("mm").shown(InTables),
    Column::new("column_spacing_mm", Real, Scan, "from column to column").in_("mm").shown(InTables),
    Column::new("source_axis_codes", Text, Scan, "where the source's i, j and k axes point").shown(InTables),
    Column::new("element_type", Text, Scan, "type of the image's voxels").shown(InTables),
    Column::new("value_min", Real, Scan, "smallest stored value").shown(InTables),
    Column::new("value_max", Real, Scan, "largest stored value").shown(InTables),
    Column::new("value_mean", Real, Scan, "mean stored value").shown(InTables),
    Column::new("best_slice", Integer, Scan, "the slice with the most labelled pixels").shown(InTables),
];

#[rustfmt::skip]
const SLICE_COLUMNS: [Column; 6] = [
    Column::new("slice", Integer, Slice, "index of the slice, from the patient's right"),
    Column::new("labelled_pixels", Integer, Slice, "pixels with any label"),
    Column::new("labels", Integers, Slice, "labels in the slice").not_a_filter(),
    Column::new("label_pixels", Integers, Slice, "pixels of each of those labels").not_a_filter(),
    Column::new("image", Text, Slice, "URL of the image").shown(InTables).not_a_filter(),
    Column::new("mask", Text, Slice, "URL of the mask").shown(InTables).not_a_filter(),
];

#[rustfmt::skip]
const DISC_COLUMNS: [Column; 14] = [
    Column::new("label", Integer, Disc, "value in the mask: 201 is L5/S1"),
    Column::new("level", Integer, Disc, "counted from the bottom: 1 is L5/S1"),
    Column::new("level_name", Text, Disc, "assumes that the patient has no transitional vertebra"),
    Column::new("voxels", Integer, Disc, "voxels of the disc"),
    Column::new("volume_mm3", Real, Disc, "volume of the disc").in_("mm³"),
    Column::new("best_slice", Integer, Disc, "the slice with the most of its pixels"),
    Column::new("slice_min", Integer, Disc, "first slice that holds it"),
    Column::new("slice_max", Integer, Disc, "last slice that holds it"),
    Column::new("row_min", Integer, Disc, "first row that holds it"),
    Column::new("row_max", Integer, Disc, "last row that holds it"),
    Column::new("column_min", Integer, Disc, "first column that holds it"),
    Column::new("column_max", Integer, Disc, "last column that holds it"),
    Column::new("centroid", Reals, Disc, "slice, row and column of its centre").not_a_filter(),
    Column::new("centroid_mm_lps", Reals, Disc, "its centre in the patient: towards left, back, head").in_("mm").not_a_filter(),
];

#[rustfmt::skip]
const GRADING_COLUMNS: [Column; 4] = [
    Column::new("patient_id", Integer, Grading, "number of the patient"),
    Column::new("level", Integer, Grading, "which disc, counted from the bottom: 1 is L5/S1; two patients have a level 0"),
    Column::new("label", Integer, Grading, "the disc's value in the masks; null for level 0, which has none"),
    Column::new("level_name", Text, Grading, "assumes that the patient has no transitional vertebra"),
];

#[rustfmt::skip]
const PATIENT_COLUMNS: [Column; 4] = [
    Column::new("patient_id", Integer, Patient, "number of the patient"),
    Column::new("split", Text, Patient, "part of the published split").one_of(Split::NAMES),
    Column::new("sex", Text, Patient, "F or M"),
    Column::new("age", Real, Patient, "at the time of the first scan that says it").in_("years"),
];

fn fields() -> impl Iterator<Item = Column> {
    FIELDS.iter().map(|field| {
        let kind = match field.kind {
            FieldKind::Integer => ColumnKind::Integer,
            FieldKind::Real => ColumnKind::Real,
            FieldKind::Text => ColumnKind::Text,
            FieldKind::Reals => ColumnKind::Reals,
            FieldKind::Texts => ColumnKind::Texts,
        };
        let shown = if field.name == "orig_subset" { Shown::Everywhere } else { InTables };
        Column { unit: field.unit, ..Column::new(field.name, kind, Scan, field.description).shown(shown) }
    })
}

fn conditions() -> impl Iterator<Item = Column> {
    CONDITIONS.iter().map(|condition| Column::new(condition.name, Integer, Grading, condition.description))
}

/// What every row about a part of a scan says of the scan; the rest on demand.
fn of_the_scan(own: &[Column]) -> impl Iterator<Item = Column> + '_ {
    let columns = SCAN_COLUMNS.into_iter().chain(fields()).filter(|column| column.name != "has_volume");
    columns.filter(|column| own.iter().all(|own| own.name != column.name)).map(|column| {
        let names = ["scan_id", "patient_id", "scan_type", "split"].contains(&column.name);
        column.shown(if names { Shown::Everywhere } else { OnDemand })
    })
}

/// The columns of a table, and the filters it takes: its columns' and, for scans and slices, those of the gradings.
struct Columns {
    columns: Vec<Column>,
    /// Conditions on the patient's discs: columns that the table does not have.
    graded: Vec<Column>,
}

impl Columns {
    fn new(columns: Vec<Column>) -> Self {
        let of_gradings = std::iter::once(GRADING_COLUMNS[1]).chain(conditions());
        let graded = of_gradings.filter(|graded| columns.iter().all(|column| column.name != graded.name)).collect();
        Self { columns, graded }
    }
}

static PATIENTS: LazyLock<Columns> = LazyLock::new(|| Columns::new(PATIENT_COLUMNS.to_vec()));
static SCANS: LazyLock<Columns> = LazyLock::new(|| Columns::new(SCAN_COLUMNS.into_iter().chain(fields()).collect()));
static SLICES_TABLE: LazyLock<Columns> = LazyLock::new(|| {
    let (names, rest): (Vec<_>, Vec<_>) =
        of_the_scan(&SLICE_COLUMNS).partition(|column| column.shown == Shown::Everywhere);
    Columns::new(names.into_iter().chain(SLICE_COLUMNS).chain(rest).collect())
});
static DISCS: LazyLock<Columns> = LazyLock::new(|| {
    let (names, rest): (Vec<_>, Vec<_>) =
        of_the_scan(&DISC_COLUMNS).partition(|column| column.shown == Shown::Everywhere);
    let graded = conditions().map(|column| Column { subject: Disc, ..column });
    Columns::new(names.into_iter().chain(DISC_COLUMNS).chain(graded).chain(rest).collect())
});
static GRADINGS: LazyLock<Columns> = LazyLock::new(|| {
    let patient = PATIENT_COLUMNS.into_iter().skip(1);
    Columns::new(GRADING_COLUMNS.into_iter().chain(conditions()).chain(patient).collect())
});

impl Table {
    /// Every table.
    pub const ALL: [Self; 5] = [Self::Patients, Self::Scans, Self::Slices, Self::Discs, Self::Gradings];

    /// The name in addresses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Patients => "patients",
            Self::Scans => "scans",
            Self::Slices => "slices",
            Self::Discs => "discs",
            Self::Gradings => "gradings",
        }
    }

    fn all(self) -> &'static Columns {
        match self {
            Self::Patients => &PATIENTS,
            Self::Scans => &SCANS,
            Self::Slices => &SLICES_TABLE,
            Self::Discs => &DISCS,
            Self::Gradings => &GRADINGS,
        }
    }

    /// The columns, in their order.
    #[must_use]
    pub fn columns(self) -> &'static [Column] {
        &self.all().columns
    }

    /// What conditions can be about: columns, and gradings of the patient's discs.
    pub fn filters(self) -> impl Iterator<Item = &'static Column> {
        self.all().columns.iter().chain(&self.all().graded).filter(|column| column.is_filter)
    }

    /// The filters, as they are documented.
    pub fn parameters(self) -> impl Iterator<Item = Parameter> {
        self.filters().map(Column::parameter)
    }
}
