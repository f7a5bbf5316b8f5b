//! Conditions → SQL.

use super::{Bound, Sql, expression, is_list};
use crate::query::{Condition, Filter, Subject, Table, Test};
use crate::spider::ScanId;

/// What a condition compares: a plain column can be found in an index, an expression cannot.
fn compared(table: Table, condition: &Condition, hidden: bool) -> String {
    let expression = expression(table, condition.column);
    if hidden { format!("+{expression}") } else { expression }
}

/// The conditions of a filter but those of gradings. `hidden` keeps the planner from choosing an index for them, except
/// for those that name scans or patients, which are few.
pub(in crate::index) fn conditions(filter: &Filter, hidden: bool) -> Vec<Sql> {
    let of_the_row = filter.conditions.iter().filter(|condition| !is_of_patients_discs(filter.table, condition));
    of_the_row
        .map(|condition| {
            let few = ["scan_id", "patient_id"].contains(&condition.column.name);
            one(filter.table, condition, hidden && !few)
        })
        .collect()
}

/// Whether a condition is about gradings, of which the table's rows have none of their own.
fn is_of_patients_discs(table: Table, condition: &Condition) -> bool {
    condition.column.subject == Subject::Grading && table != Table::Gradings
}

/// The patients with a disc that meets all conditions about gradings, if there are any.
pub(in crate::index) fn graded_patients(filter: &Filter) -> Option<Sql> {
    if filter.table == Table::Gradings {
        return None;
    }
    let graded: Vec<_> = filter.about(Subject::Grading).map(|c| one(Table::Gradings, c, false)).collect();
    if graded.is_empty() {
        return None;
    }
    let mut sql = Sql::new("(SELECT g.patient_id FROM gradings g");
    sql.push_all(graded);
    sql.push(")");
    Some(sql)
}

fn one(table: Table, condition: &Condition, hidden: bool) -> Sql {
    if condition.column.name == "scan_id" {
        return scans_named(table, condition);
    }
    if table == Table::Discs && condition.column.name == "patient_id" {
        return or(condition.any_of.iter().map(discs_of_patients).collect());
    }
    let column = compared(table, condition, hidden);
    let plain = plain_values(condition);
    let mut any_of = Vec::new();
    if plain.len() > 1 {
        any_of.push(in_list(condition, &column, plain));
    }
    let several = !any_of.is_empty();
    any_of.extend(condition.any_of.iter().filter(|test| !several || plain_value(test).is_none()).map(|test| {
        let test_of = |value: &str| test_sql(value, condition, test);
        match test {
            Test::Null | Test::Known => test_of(&column),
            _ if is_list(condition.column) => {
                let mut sql = Sql::new(format!("EXISTS (SELECT 1 FROM json_each({column}) item WHERE "));
                sql.append(test_of("item.value"));
                sql.push(")");
                sql
            }
            _ => test_of(&column),
        }
    }));
    or(any_of)
}

fn or(any_of: Vec<Sql>) -> Sql {
    let mut sql = Sql::new("(");
    for (n, test) in any_of.into_iter().enumerate() {
        if n > 0 {
            sql.push(" OR ");
        }
        sql.append(test);
    }
    sql.push(")");
    sql
}

/// Scans by their keys. A name that is none of a scan's is no scan.
fn scans_named(table: Table, condition: &Condition) -> Sql {
    let key = if table == Table::Discs { "d.scan_key" } else { "s.scan_key" };
    let named = |test: &Test| match test {
        Test::Text(name) => name.parse::<ScanId>().ok().map(crate::index::scan_key),
        _ => None,
    };
    let mut sql = Sql::new(format!("{key} IN ("));
    for (n, scan) in condition.any_of.iter().filter_map(named).enumerate() {
        if n > 0 {
            sql.push(", ");
        }
        sql.bind(Bound::Integer(scan));
    }
    sql.push(")");
    if condition.any_of.contains(&Test::Known) { Sql::new("TRUE") } else { sql }
}

/// Discs by the keys of the patients' scans.
fn discs_of_patients(test: &Test) -> Sql {
    let (low, high) = match *test {
        Test::Integer(patient) => (Some(patient), Some(patient)),
        Test::Integers { low, high } => (low, high),
        Test::Null => return Sql::new("FALSE"),
        _ => (None, None),
    };
    let mut sql = Sql::new("d.scan_key BETWEEN ");
    sql.bind(Bound::Integer(low.map_or(i64::MIN, |patient| 4 * patient)));
    sql.push(" AND ");
    sql.bind(Bound::Integer(high.map_or(i64::MAX, |patient| 4 * patient + 3)));
    sql
}

fn plain_value(test: &Test) -> Option<Bound> {
    match test {
        Test::Text(text) => Some(Bound::Text(text.clone())),
        Test::Integer(value) => Some(Bound::Integer(*value)),
        Test::Real(value) => Some(Bound::Real(*value)),
        _ => None,
    }
}

fn plain_values(condition: &Condition) -> Vec<Bound> {
    if is_list(condition.column) { Vec::new() } else { condition.any_of.iter().filter_map(plain_value).collect() }
}

/// A long list must not become a long chain, whose depth SQLite limits.
fn in_list(condition: &Condition, column: &str, values: Vec<Bound>) -> Sql {
    let mut sql = Sql::new(format!("{column}{} IN (", collation(condition)));
    for (n, value) in values.into_iter().enumerate() {
        if n > 0 {
            sql.push(", ");
        }
        sql.bind(value);
    }
    sql.push(")");
    sql
}

/// Free texts are compared whatever their capitals.
fn collation(condition: &Condition) -> &'static str {
    let is_text = condition.any_of.iter().any(|test| matches!(test, Test::Text(_)));
    if is_text && condition.column.choices.is_empty() { " COLLATE NOCASE" } else { "" }
}

fn test_sql(value: &str, condition: &Condition, test: &Test) -> Sql {
    let mut sql = Sql::new(value);
    let between = |sql: &mut Sql, low: Option<Bound>, high: Option<Bound>| match (low, high) {
        (Some(low), Some(high)) => {
            sql.push(" BETWEEN ");
            sql.bind(low);
            sql.push(" AND ");
            sql.bind(high);
        }
        (Some(end), None) => {
            sql.push(" >= ");
            sql.bind(end);
        }
        (None, Some(end)) => {
            sql.push(" <= ");
            sql.bind(end);
        }
        (None, None) => sql.push(" IS NOT NULL"),
    };
    match test {
        Test::Null => sql.push(" IS NULL"),
        Test::Known => sql.push(" IS NOT NULL"),
        Test::Flag(true) => {}
        Test::Flag(false) => return Sql::new(format!("NOT ({value})")),
        Test::Mid => sql.push(" = s.slices / 2"),
        Test::Best => sql.push(" = s.best_slice"),
        Test::Integers { low, high } => between(&mut sql, low.map(Bound::Integer), high.map(Bound::Integer)),
        Test::Reals { low, high } => between(&mut sql, low.map(Bound::Real), high.map(Bound::Real)),
        Test::Text(_) | Test::Integer(_) | Test::Real(_) => {
            sql.push(collation(condition));
            sql.push(" = ");
            sql.bind(plain_value(test).unwrap_or(Bound::Null));
        }
    }
    sql
}
