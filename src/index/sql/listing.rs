//! A page of a listing.

use super::{Bound, Sql, conditions, expression, graded_patients, needs_scan, selected};
use crate::query::{Cell, Column, Coverage, Cursor, Filter, Holding, Listing, Order, Subject, Table};
use crate::spider::{Label, LabelClass, LabelSet};

/// The numbers in the key of a table's rows, in the natural order.
pub(in crate::index) fn key(table: Table) -> &'static [&'static str] {
    match table {
        Table::Patients => &["p.patient_id"],
        Table::Scans => &["s.scan_key"],
        Table::Slices => &["s.scan_key", "x.slice"],
        Table::Discs => &["d.scan_key", "d.label"],
        Table::Gradings => &["g.patient_id", "g.level"],
    }
}

/// Columns: the requested ones, those that the listing is sorted by, the key.
pub(in crate::index) fn page(listing: &Listing, limit: u32) -> Sql {
    let table = listing.filter.table;
    let mut selected: Vec<_> = asked(listing).flat_map(|column| selected(table, column)).collect();
    selected.extend(key(table).iter().map(|&part| part.to_owned()));
    let mut sql = Sql::new(format!("SELECT {} FROM ", selected.join(", ")));
    sql.append(rows(listing));
    sql.push(&format!(" ORDER BY {} LIMIT ", order_by(listing)));
    sql.bind(Bound::Integer(limit.into()));
    sql
}

/// The columns to select, before the key.
fn asked(listing: &Listing) -> impl Iterator<Item = &'static Column> {
    listing.columns.iter().copied().chain(listing.order.iter().map(|order| order.column))
}

/// The tables, joined in the order in which the page walks them, with everything that chooses rows.
fn rows(listing: &Listing) -> Sql {
    let filter = &listing.filter;
    let conditions_on = filter.conditions.iter().map(|condition| condition.column);
    let mut sql = Sql::new(match filter.table {
        Table::Patients => "patients p",
        Table::Scans => "scans s",
        Table::Slices if single(filter.holding).is_some() => {
            "scans s CROSS JOIN slice_labels h ON h.scan_key = s.scan_key \
             CROSS JOIN slices x ON x.scan_key = h.scan_key AND x.slice = h.slice"
        }
        Table::Slices => "scans s CROSS JOIN slices x ON x.scan_key = s.scan_key",
        Table::Discs if conditions_on.chain(asked(listing)).any(|column| needs_scan(Table::Discs, column)) => {
            "discs d CROSS JOIN scans s ON s.scan_key = d.scan_key"
        }
        Table::Discs => "discs d",
        Table::Gradings => "gradings g JOIN patients p USING (patient_id)",
    });
    // Slices and discs are walked scan by scan. Scans may be found by an index and sorted: there are few.
    let mut all = conditions(filter, matches!(filter.table, Table::Slices | Table::Discs));
    all.extend(graded(filter));
    all.extend(covered(filter));
    all.extend(held(filter.holding));
    if let Some(cursor) = &listing.after {
        all.push(after(listing, cursor));
    }
    sql.push_all(all);
    sql
}

/// Rows whose patient has a disc that meets the conditions about gradings.
pub(super) fn graded(filter: &Filter) -> Option<Sql> {
    let patient = match filter.table {
        Table::Patients => "p.patient_id IN ",
        _ => "s.patient_id IN ",
    };
    graded_patients(filter).map(|patients| patients.prefixed(patient))
}

/// Scans with or without a volume.
pub(super) fn covered(filter: &Filter) -> Option<Sql> {
    if !matches!(filter.table, Table::Scans | Table::Slices) {
        return None;
    }
    match filter.coverage {
        Coverage::Imported => Some(Sql::new("s.slices IS NOT NULL")),
        Coverage::Missing => Some(Sql::new("s.slices IS NULL")),
        Coverage::All => None,
    }
}

/// The one label that slices must hold, if it is one.
pub(super) fn single(holding: Option<Holding>) -> Option<(Label, u32)> {
    let Holding { labels, min_pixels } = holding?;
    let mut labels = labels.iter();
    let (first, second) = (labels.next()?, labels.next());
    second.is_none().then_some((first, min_pixels))
}

/// Slices that hold any of some labels, with enough pixels.
pub(super) fn held(holding: Option<Holding>) -> Option<Sql> {
    let holding = holding?;
    if let Some((label, min_pixels)) = single(Some(holding)) {
        let mut sql = Sql::new("h.label = ");
        sql.bind(Bound::Integer(label.0.into()));
        sql.push(" AND h.pixels >= ");
        sql.bind(Bound::Integer(min_pixels.into()));
        return Some(sql);
    }
    Some(any_of(holding))
}

/// Whole classes by the largest of the class, levels of classes by their bits or their sizes, and only labels outside the
/// scheme, which have no level, by the labels themselves.
fn any_of(Holding { labels, min_pixels }: Holding) -> Sql {
    let mut tests = Vec::new();
    for (class, name) in [
        (LabelClass::Vertebra, "vertebra"),
        (LabelClass::PartialVertebra, "partial"),
        (LabelClass::Disc, "disc"),
        (LabelClass::Canal, "canal"),
    ] {
        let asked: LabelSet = labels.iter().filter(|label| label.class() == class).collect();
        let levels: Vec<_> = asked.iter().filter_map(Label::level).collect();
        if asked == LabelSet::of_class(class) {
            tests.push(format!("x.{name}_pixels >= {min_pixels}"));
        } else if min_pixels == 1 && !levels.is_empty() {
            let bits = levels.iter().fold(0u32, |bits, level| bits | 1 << (level - 1));
            tests.push(format!("x.{name}_levels & {bits}"));
        } else if !levels.is_empty() {
            let large = |level: &u8| format!("substr(x.{name}_sizes, {}, 4) >= x'{min_pixels:08x}'", 4 * level - 3);
            let large: Vec<_> = levels.iter().map(large).collect();
            tests.push(format!("x.{name}_pixels >= {min_pixels} AND ({})", large.join(" OR ")));
        }
    }
    let unknown = labels.iter().filter(|label| label.class() == LabelClass::Unknown);
    let unknown: Vec<_> = unknown.map(|label| label.0.to_string()).collect();
    if !unknown.is_empty() {
        tests.push(format!(
            "EXISTS (SELECT 1 FROM slice_labels h WHERE h.scan_key = x.scan_key AND h.slice = x.slice \
             AND h.label IN ({}) AND h.pixels >= {min_pixels})",
            unknown.join(", ")
        ));
    }
    Sql::new(format!("({})", tests.join(" OR ")))
}

fn order_by(listing: &Listing) -> String {
    let table = listing.filter.table;
    let sorted = listing.order.iter().map(|Order { column, descending }| {
        let direction = if *descending { "DESC" } else { "ASC" };
        format!("{} {direction} NULLS LAST", expression(table, column))
    });
    sorted.chain(key(table).iter().map(|&part| part.to_owned())).collect::<Vec<_>>().join(", ")
}

/// Rows after the cursor's: those that differ from it in some key, are alike in all keys before, and come later in it.
fn after(listing: &Listing, cursor: &Cursor) -> Sql {
    let table = listing.filter.table;
    let mut alike: Vec<(String, Bound)> = Vec::new();
    let mut cases = Vec::new();
    for (order, value) in listing.order.iter().zip(&cursor.sorted_by) {
        let column = expression(table, order.column);
        // Nothing of this key comes after a missing value.
        if let Some(value) = bound(value) {
            let later = if order.descending { "<" } else { ">" };
            cases.push((alike.clone(), format!("({column} {later} ?1 OR {column} IS NULL)"), value));
        }
        alike.push((column, bound(value).unwrap_or(Bound::Null)));
    }
    for (&part, value) in key(table).iter().zip(&cursor.key) {
        cases.push((alike.clone(), format!("{part} > ?1"), Bound::Integer(*value)));
        alike.push((part.to_owned(), Bound::Integer(*value)));
    }
    let mut sql = Sql::new("");
    if let (true, Some(part), Some(first)) = (listing.order.is_empty(), key(table).first(), cursor.key.first()) {
        // Where to begin the walk.
        sql.push(&format!("{part} >= "));
        sql.bind(Bound::Integer(*first));
        sql.push(" AND ");
    }
    sql.push("(");
    for (n, (alike, later, value)) in cases.into_iter().enumerate() {
        sql.push(if n == 0 { "(" } else { " OR (" });
        for (column, value) in alike {
            sql.push(&format!("{column} IS "));
            sql.bind(value);
            sql.push(" AND ");
        }
        let (before, behind) = later.split_once("?1").unwrap_or((&later, ""));
        sql.push(before);
        sql.bind(value);
        sql.push(behind);
        sql.push(")");
    }
    sql.push(")");
    sql
}

fn bound(cell: &Cell) -> Option<Bound> {
    match cell {
        Cell::Null | Cell::List(_) => None,
        Cell::Flag(value) => Some(Bound::Integer((*value).into())),
        Cell::Integer(value) => Some(Bound::Integer(*value)),
        Cell::Real(value) => Some(Bound::Real(*value)),
        Cell::Text(value) => Some(Bound::Text(value.clone())),
    }
}

/// Whether a condition is about slices or discs themselves.
pub(super) fn has_own_conditions(filter: &Filter) -> bool {
    filter.holding.is_some() || filter.about(Subject::Slice).next().is_some()
}
