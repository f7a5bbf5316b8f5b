//! Counts and distributions.

use super::listing::has_own_conditions;
use super::total::{chosen, tables};
use super::{Bound, Sql, expression, needs_scan};
use crate::query::{Column, Filter, Subject, Table};

/// Rows of the tables that a filter and some columns are about, and how a row of the first of them counts: a scan stands
/// for its slices where nothing asks which.
fn counted(filter: &Filter, columns: &[&Column]) -> (&'static str, Sql) {
    let by_scan = filter.table == Table::Slices
        && !has_own_conditions(filter)
        && columns.iter().all(|column| column.subject == Subject::Scan);
    let (count, from) = if by_scan { ("s.slices", "scans s".to_owned()) } else { ("1", with_joins(filter, columns)) };
    let mut sql = Sql::new(from);
    sql.push_all(chosen(filter).into_iter().chain(by_scan.then(|| Sql::new("s.slices IS NOT NULL"))).collect());
    (count, sql)
}

/// The filter's tables and those that the columns need besides.
fn with_joins(filter: &Filter, columns: &[&Column]) -> String {
    let mut from = tables(filter).to_owned();
    let of_slices = columns.iter().any(|column| column.subject == Subject::Slice);
    if filter.table == Table::Slices && of_slices && !from.contains("slices x") {
        from.push_str(" CROSS JOIN slices x ON x.scan_key = h.scan_key AND x.slice = h.slice");
    }
    let of_scans = columns.iter().any(|column| needs_scan(filter.table, column) && column.subject == Subject::Scan);
    if matches!(filter.table, Table::Slices | Table::Discs) && of_scans && !from.contains("scans s") {
        let row = if filter.table == Table::Discs { "d" } else { "x" };
        from.push_str(&format!(" JOIN scans s ON s.scan_key = {row}.scan_key"));
    }
    from
}

/// One row for each combination of values: the values, then `total`.
pub(in crate::index) fn groups(filter: &Filter, by: &[&'static Column]) -> Sql {
    let (count, from) = counted(filter, by);
    let mut selected: Vec<_> = by.iter().map(|column| expression(filter.table, column)).collect();
    selected.push(format!("coalesce(sum({count}), 0) AS total"));
    let numbers: Vec<_> = (1..=by.len()).map(|n| n.to_string()).collect();
    let mut sql = from.prefixed(&format!("SELECT {} FROM ", selected.join(", ")));
    if !by.is_empty() {
        sql.push(&format!(" GROUP BY {0} ORDER BY {0}", numbers.join(", ")));
    }
    sql
}

/// Of each column of numbers, in one row: how many values are missing, the smallest, the largest, the mean.
pub(in crate::index) fn ranges(filter: &Filter, columns: &[&'static Column]) -> Sql {
    let (count, from) = counted(filter, columns);
    let range = |column: &&'static Column| {
        let value = expression(filter.table, column);
        format!(
            "coalesce(sum(iif({value} IS NULL, {count}, 0)), 0), CAST(min({value}) AS REAL), CAST(max({value}) AS REAL), \
             sum({value} * 1.0 * {count}) / sum(iif({value} IS NULL, 0, {count}))"
        )
    };
    let ranges: Vec<_> = columns.iter().map(range).collect();
    from.prefixed(&format!("SELECT {} FROM ", ranges.join(", ")))
}

/// `bin` and `total` of each bin that holds something.
pub(in crate::index) fn bins(filter: &Filter, column: &'static Column, (low, high): (f64, f64), bins: u32) -> Sql {
    let (count, from) = counted(filter, &[column]);
    let value = expression(filter.table, column);
    let mut sql = Sql::new(format!("SELECT min(CAST(({value} - "));
    sql.bind(Bound::Real(low));
    sql.push(") / ");
    sql.bind(Bound::Real(if low < high { high - low } else { 1.0 }));
    sql.push(&format!(
        " * {bins} AS INTEGER), {}) AS bin, sum(iif({value} IS NULL, 0, {count})) AS total FROM ",
        bins - 1
    ));
    sql.append(from);
    sql.push(" GROUP BY 1");
    sql
}
