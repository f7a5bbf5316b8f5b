//! Counts and distributions of what a filter chooses.

use std::time::Instant;

use serde::Serialize;

use super::ReadTransaction;
use super::query_results::{cell, get};
use crate::index::IndexError;
use crate::index::convert::Columns;
use crate::index::sql;
use crate::query::{Cell, Column, ColumnKind, Filter};

/// Values of a text column that are counted one by one; the rest is a number.
const MOST_VALUES: usize = 100;

/// How many rows there are with certain values.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// One for each column that was requested.
    pub values: Vec<Cell>,
    /// How many rows.
    pub count: u64,
}

/// The distribution of one column.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldSummary {
    /// Of which column.
    pub column: &'static Column,
    /// Rows without a value.
    pub missing: u64,
    /// What is known of the others.
    pub summary: Summary,
}

/// What is known of a column's values.
#[derive(Debug, Clone, PartialEq)]
pub enum Summary {
    /// Of numbers.
    Numbers {
        /// Smallest, largest and mean value; `None` when there is no value.
        range: Option<(f64, f64, f64)>,
        /// Counts of equal bins from the smallest to the largest value.
        histogram: Histogram,
    },
    /// Of everything else.
    Values {
        /// How many different ones there are.
        distinct: u64,
        /// The most frequent ones, with their counts.
        values: Vec<(Cell, u64)>,
    },
}

/// Counts of equal bins; the last one includes its upper edge.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Histogram {
    /// Edges of the bins, one more than there are bins; empty without values.
    pub edges: Vec<f64>,
    /// Rows in each bin.
    pub counts: Vec<u64>,
}

/// Where a column's numbers lie.
#[derive(Debug, Clone, Copy)]
struct Range {
    missing: u64,
    /// Smallest, largest and mean value.
    ends: Option<(f64, f64, f64)>,
}

impl ReadTransaction {
    /// How many rows there are for each combination of values of these columns, in their order.
    ///
    /// # Errors
    /// As of [`ReadTransaction::page`].
    pub async fn groups(&self, filter: &Filter, by: &[&'static Column]) -> Result<Vec<Group>, IndexError> {
        self.groups_by(self.deadline(), filter, by).await
    }

    async fn groups_by(
        &self,
        deadline: Instant,
        filter: &Filter,
        by: &[&'static Column],
    ) -> Result<Vec<Group>, IndexError> {
        let rows = self.by(deadline, "a cross table", sql::groups(filter, by)).await?;
        let group = |row| {
            let values = by.iter().enumerate().map(|(n, column)| cell(row, n, column)).collect::<Result<_, _>>()?;
            Ok(Group { values, count: Columns(row).count("total")? })
        };
        rows.iter().map(group).collect()
    }

    /// The distribution of these columns, numbers in `bins` bins.
    ///
    /// # Errors
    /// As of [`ReadTransaction::page`].
    pub async fn summaries(
        &self,
        filter: &Filter,
        columns: &[&'static Column],
        bins: u32,
    ) -> Result<Vec<FieldSummary>, IndexError> {
        let deadline = self.deadline();
        let is_number = |column: &&&'static Column| matches!(column.kind, ColumnKind::Integer | ColumnKind::Real);
        let numbers: Vec<_> = columns.iter().filter(is_number).copied().collect();
        let ranges = self.ranges(deadline, filter, &numbers).await?;
        let mut summaries = Vec::new();
        for column in columns {
            let range = numbers.iter().zip(&ranges).find(|(number, _)| number == &column).map(|(_, range)| *range);
            summaries.push(match range {
                Some(range) => self.numbers(deadline, filter, column, range, bins).await?,
                None => self.values(deadline, filter, column).await?,
            });
        }
        Ok(summaries)
    }

    async fn ranges(
        &self,
        deadline: Instant,
        filter: &Filter,
        columns: &[&'static Column],
    ) -> Result<Vec<Range>, IndexError> {
        if columns.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.by(deadline, "a distribution", sql::ranges(filter, columns)).await?;
        let Some(row) = rows.first() else { return Ok(Vec::new()) };
        let range = |n: usize, column: &Column| {
            let number = |m| get::<Option<f64>>(row, 4 * n + m, column.name);
            let ends = number(1)?.zip(number(2)?).zip(number(3)?);
            Ok(Range {
                missing: get::<i64>(row, 4 * n, column.name)?.unsigned_abs(),
                ends: ends.map(|((low, high), mean)| (low, high, mean)),
            })
        };
        columns.iter().enumerate().map(|(n, column)| range(n, column)).collect()
    }

    async fn numbers(
        &self,
        deadline: Instant,
        filter: &Filter,
        column: &'static Column,
        Range { missing, ends }: Range,
        bins: u32,
    ) -> Result<FieldSummary, IndexError> {
        let histogram = match ends {
            Some((low, high, _)) => self.histogram(deadline, filter, column, (low, high), bins).await?,
            None => Histogram::default(),
        };
        Ok(FieldSummary { column, missing, summary: Summary::Numbers { range: ends, histogram } })
    }

    async fn histogram(
        &self,
        deadline: Instant,
        filter: &Filter,
        column: &'static Column,
        (low, high): (f64, f64),
        bins: u32,
    ) -> Result<Histogram, IndexError> {
        // A single value has one bin: there is no width to divide.
        let bins = if low < high { bins } else { 1 };
        let rows = self.by(deadline, "a histogram", sql::bins(filter, column, (low, high), bins)).await?;
        let mut counts = vec![0; bins as usize];
        for row in &rows {
            let columns = Columns(row);
            // Rows without a value are in no bin.
            let bin = columns.get::<Option<i64>>("bin")?.and_then(|bin| counts.get_mut(usize::try_from(bin).ok()?));
            if let Some(count) = bin {
                *count += columns.count("total")?;
            }
        }
        let edge = |n: u32| low + (high - low) * f64::from(n) / f64::from(bins);
        Ok(Histogram { edges: (0..=bins).map(edge).collect(), counts })
    }

    async fn values(
        &self,
        deadline: Instant,
        filter: &Filter,
        column: &'static Column,
    ) -> Result<FieldSummary, IndexError> {
        let mut groups = self.groups_by(deadline, filter, &[column]).await?;
        let is_missing = |group: &Group| group.values == [Cell::Null];
        let missing = groups.iter().filter(|group| is_missing(group)).map(|group| group.count).sum();
        groups.retain(|group| !is_missing(group));
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        let distinct = groups.len() as u64;
        let value = |mut group: Group| (group.values.pop().unwrap_or(Cell::Null), group.count);
        let values = groups.into_iter().take(MOST_VALUES).map(value).collect();
        Ok(FieldSummary { column, missing, summary: Summary::Values { distinct, values } })
    }
}
