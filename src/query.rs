//! Tables as one can request them: their columns, and queries — which rows (a filter), in which order, which columns of
//! them, and where to go on (a cursor). Knows no SQL; `index` answers.
//!
//! A condition names a column and says what its value may be: `scan_type=t1,t2` any of, `age=40..60`, `40..`, `..60`
//! ranges with both ends, `null` and `!null` for missing and known values. Conditions hold together.

mod column;
mod condition;
mod cursor;
mod filter;
mod listing;
#[cfg(test)]
mod tests;

pub use column::{Column, ColumnKind, Shown, Subject, Table};
pub use condition::{Condition, Test};
pub use cursor::{Cell, Cursor, Row};
pub use filter::{Coverage, Filter, Holding};
pub use listing::{Listing, Order};
