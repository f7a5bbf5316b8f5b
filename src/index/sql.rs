//! Queries → SQL. Every name in it is one of ours; whatever a client typed is bound.
//!
//! A page walks the rows in their natural order from where it starts, so that its cost does not depend on how far into
//! the listing it is; conditions of the scan that would draw the planner to another index carry a unary plus, which
//! hides them from it. Totals have no order to keep, and read the narrowest index that can count.

mod condition;
mod expression;
mod listing;
mod statistics;
mod total;

use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, AssertSqlSafe};

pub(super) use condition::{conditions, graded_patients};
pub(super) use expression::{expression, is_list, needs_scan, parts, selected};
pub(super) use listing::page;
pub(super) use statistics::{bins, groups, ranges};
pub(super) use total::total;

/// SQL under construction: its text, and the values for its question marks in their order.
#[derive(Debug, Default)]
pub(super) struct Sql {
    text: String,
    values: Vec<Bound>,
}

/// A value to bind.
#[derive(Debug, Clone)]
pub(super) enum Bound {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
}

impl Sql {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), values: Vec::new() }
    }

    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// A value in its place.
    pub(super) fn bind(&mut self, value: Bound) {
        self.text.push('?');
        self.values.push(value);
    }

    pub(super) fn append(&mut self, other: Self) {
        self.text.push_str(&other.text);
        self.values.extend(other.values);
    }

    /// `WHERE` with all of these, or nothing.
    pub(super) fn push_all(&mut self, conditions: Vec<Self>) {
        for (n, condition) in conditions.into_iter().enumerate() {
            self.push(if n == 0 { " WHERE " } else { " AND " });
            self.append(condition);
        }
    }

    /// The text behind another.
    pub(super) fn prefixed(mut self, prefix: &str) -> Self {
        self.text.insert_str(0, prefix);
        self
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// As sqlx wants it.
    pub(super) fn query(self) -> sqlx::query::Query<'static, sqlx::Sqlite, SqliteArguments> {
        let mut arguments = SqliteArguments::default();
        for value in self.values {
            let added = match value {
                Bound::Null => arguments.add(None::<i64>),
                Bound::Integer(value) => arguments.add(value),
                Bound::Real(value) => arguments.add(value),
                Bound::Text(value) => arguments.add(value),
            };
            // SQLite takes every value of these types.
            debug_assert!(added.is_ok());
        }
        // Safe: made of our own names alone; values are bound.
        sqlx::query_with(AssertSqlSafe(self.text), arguments)
    }
}
