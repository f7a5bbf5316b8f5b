//! What a column is in SQL.

use crate::query::{Column, ColumnKind, Subject, Table};
use crate::spider::{Label, LabelClass};

/// Aliases: `p` patients, `g` gradings, `s` scans, `x` slices, `d` discs, `h` labels that slices hold.
pub(in crate::index) fn expression(table: Table, column: &Column) -> String {
    match (table, column.subject, column.name) {
        (Table::Gradings, Subject::Grading, "label") => "iif(g.level > 0, g.level + 200, NULL)".to_owned(),
        (Table::Gradings, Subject::Grading, "level_name") => level_name("g.level"),
        (_, Subject::Grading, name) => format!("g.{name}"),
        (_, Subject::Patient, name) => format!("p.{name}"),

        (Table::Discs, Subject::Scan, "scan_id") => "((d.scan_key / 4) || '_' || d.scan_type)".to_owned(),
        (Table::Discs, Subject::Scan, "patient_id") => "(d.scan_key / 4)".to_owned(),
        (Table::Discs, Subject::Scan, name @ ("scan_type" | "split")) => format!("d.{name}"),
        (_, Subject::Scan, "has_volume") => "(s.slices IS NOT NULL)".to_owned(),
        (_, Subject::Scan, name) => format!("s.{name}"),

        (_, Subject::Slice, "labels") => of_labels("label"),
        (_, Subject::Slice, "label_pixels") => of_labels("pixels"),
        (_, Subject::Slice, "image") => {
            "('/v1/scans/' || s.scan_id || '/slices/' || x.slice || '/image.png')".to_owned()
        }
        (_, Subject::Slice, "mask") => "('/v1/scans/' || s.scan_id || '/slices/' || x.slice || '/mask.png')".to_owned(),
        (_, Subject::Slice, name) => format!("x.{name}"),

        (_, Subject::Disc, "level_name") => level_name("d.level"),
        (_, Subject::Disc, name) => format!("d.{name}"),
    }
}

/// The numbers that make a list, where the index keeps them in columns of their own: SQLite's JSON would round them.
pub(in crate::index) fn parts(column: &Column) -> Option<[&'static str; 3]> {
    match (column.subject, column.name) {
        (Subject::Scan, "shape") => Some(["s.slices", "s.rows", "s.columns"]),
        (Subject::Scan, "spacing_mm") => Some(["s.slice_spacing_mm", "s.row_spacing_mm", "s.column_spacing_mm"]),
        (Subject::Disc, "centroid") => Some(["d.centroid_slice", "d.centroid_row", "d.centroid_column"]),
        (Subject::Disc, "centroid_mm_lps") => Some(["d.x_mm", "d.y_mm", "d.z_mm"]),
        _ => None,
    }
}

/// What a column is selected as: one expression, or the parts of a list.
pub(in crate::index) fn selected(table: Table, column: &Column) -> Vec<String> {
    match parts(column) {
        Some(parts) => parts.map(str::to_owned).into(),
        None => vec![expression(table, column)],
    }
}

/// Whether a column of the discs or slices needs the scans.
pub(in crate::index) fn needs_scan(table: Table, column: &Column) -> bool {
    match (table, column.subject) {
        (Table::Discs, Subject::Scan) => !["scan_id", "patient_id", "scan_type", "split"].contains(&column.name),
        (Table::Slices, Subject::Slice) => ["image", "mask", "slice"].contains(&column.name),
        (_, subject) => matches!(subject, Subject::Scan | Subject::Grading),
    }
}

/// Whether the index keeps the column's values as JSON lists.
pub(in crate::index) fn is_list(column: &Column) -> bool {
    matches!(column.kind, ColumnKind::Integers | ColumnKind::Reals | ColumnKind::Texts)
}

fn of_labels(value: &str) -> String {
    format!(
        "(SELECT json_group_array({value} ORDER BY label) FROM slice_labels WHERE scan_key = x.scan_key AND slice = x.slice)"
    )
}

/// The anatomical name of a disc.
fn level_name(level: &str) -> String {
    let discs = Label::scheme().filter(|label| label.class() == LabelClass::Disc);
    let named = discs.filter_map(|label| Some(format!("WHEN {} THEN '{}'", label.level()?, label.name()?)));
    format!("CASE {level} {} END", named.collect::<Vec<_>>().join(" "))
}
