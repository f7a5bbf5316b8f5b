//! How many rows a filter chooses, by the narrowest index that can count them.

use super::listing::{covered, graded, has_own_conditions, held, single};
use super::{Bound, Sql, conditions, needs_scan};
use crate::query::{Filter, Subject, Table, Test};

/// One row, one column.
pub(in crate::index) fn total(filter: &Filter) -> Sql {
    match filter.table {
        Table::Patients => counted("count(*)", "patients p", filter),
        Table::Scans => counted("count(*)", "scans s", filter),
        Table::Gradings => counted("count(*)", "gradings g JOIN patients p USING (patient_id)", filter),
        Table::Discs => counted("count(*)", discs(filter), filter),
        // Without a condition on slices, every slice of a scan is meant.
        Table::Slices if !has_own_conditions(filter) => counted("coalesce(sum(s.slices), 0)", "scans s", filter),
        Table::Slices => label_pixels(filter).unwrap_or_else(|| counted("count(*)", slices(filter), filter)),
    }
}

/// The tables that a filter's conditions are about, in any order.
pub(super) fn tables(filter: &Filter) -> &'static str {
    match filter.table {
        Table::Patients => "patients p",
        Table::Scans => "scans s",
        Table::Gradings => "gradings g JOIN patients p USING (patient_id)",
        Table::Discs => discs(filter),
        Table::Slices => slices(filter),
    }
}

fn counted(count: &str, tables: &str, filter: &Filter) -> Sql {
    let mut sql = Sql::new(format!("SELECT {count} AS total FROM {tables}"));
    sql.push_all(chosen(filter));
    sql
}

/// Everything that chooses rows.
pub(super) fn chosen(filter: &Filter) -> Vec<Sql> {
    let mut all = conditions(filter, false);
    all.extend(graded(filter));
    all.extend(covered(filter).filter(|_| filter.table == Table::Scans || slices(filter).contains(" s ")));
    all.extend(held(filter.holding));
    all
}

fn needs_scans(filter: &Filter) -> bool {
    filter.conditions.iter().any(|condition| needs_scan(filter.table, condition.column))
}

fn discs(filter: &Filter) -> &'static str {
    if needs_scans(filter) { "discs d JOIN scans s ON s.scan_key = d.scan_key" } else { "discs d" }
}

fn slices(filter: &Filter) -> &'static str {
    let about_slices = filter.about(Subject::Slice).next().is_some();
    match (single(filter.holding), about_slices, needs_scans(filter)) {
        (Some(_), false, _) => "scans s CROSS JOIN slice_labels h ON h.scan_key = s.scan_key",
        (Some(_), true, _) => {
            "scans s CROSS JOIN slice_labels h ON h.scan_key = s.scan_key \
             CROSS JOIN slices x ON x.scan_key = h.scan_key AND x.slice = h.slice"
        }
        (None, _, true) => "scans s CROSS JOIN slices x ON x.scan_key = s.scan_key",
        (None, _, false) => "slices x",
    }
}

/// Slices that hold one label, of some splits and scan types: they are counted already.
fn label_pixels(filter: &Filter) -> Option<Sql> {
    let (label, min_pixels) = single(filter.holding)?;
    let counted = filter.conditions.iter().all(|c| ["split", "scan_type"].contains(&c.column.name));
    let has_null = filter.conditions.iter().any(|c| c.any_of.contains(&Test::Null));
    let has_known = filter.conditions.iter().any(|c| c.any_of.contains(&Test::Known));
    if !counted || has_null || has_known {
        return None;
    }
    let mut sql = Sql::new("SELECT coalesce(sum(s.slices), 0) AS total FROM label_pixels s WHERE s.label = ");
    sql.bind(Bound::Integer(label.0.into()));
    sql.push(" AND s.pixels >= ");
    sql.bind(Bound::Integer(min_pixels.into()));
    for condition in conditions(filter, false) {
        sql.push(" AND ");
        sql.append(condition);
    }
    Some(sql)
}
