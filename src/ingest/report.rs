use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::convert::ScanError;
use super::source::Source;
use crate::formats::tables::{GradingsTable, OverviewTable};
use crate::index::Imported;
use crate::spider::ScanId;

/// How the import of one scan went.
#[derive(Debug)]
pub enum Outcome {
    /// It is served from now on.
    Imported {
        /// What was odd about it.
        notes: Vec<String>,
    },
    /// It was there already, and its files have not changed.
    Unchanged,
    /// It could not be imported. Whether an earlier version is served: [`Report::still_served`].
    Refused(ScanError),
}

/// How an import went.
#[derive(Debug)]
pub struct Report {
    /// Every scan of which there is a file.
    pub outcomes: BTreeMap<ScanId, Outcome>,
    /// Rows of overview.csv without a volume. Their metadata is served all the same.
    pub without_volume: Vec<ScanId>,
    /// Scans whose files are no longer in the source, and which are served as they were imported before.
    pub gone: Vec<ScanId>,
    /// The same, removed because the import was to.
    pub removed: Vec<ScanId>,
    /// Scans that were refused, of which an earlier version is served.
    pub still_served: Vec<ScanId>,
    /// Scans with files but without a row in overview.csv. They are served without metadata.
    pub without_row: Vec<ScanId>,
    /// Columns of the tables that are not those of the release. They are not served.
    pub unknown_columns: Vec<String>,
    /// Files that were not read, and why where their names do not tell.
    pub ignored_files: Vec<String>,
}

impl Report {
    /// `served`: what was imported before.
    pub(super) fn new(
        source: &Source,
        overview: &OverviewTable,
        gradings: &GradingsTable,
        served: &HashMap<ScanId, Imported>,
    ) -> Self {
        let has_file = |scan: &ScanId| source.images.contains_key(scan) || source.masks.contains_key(scan);
        let rows: BTreeSet<ScanId> = overview.rows.iter().map(|row| row.scan).collect();
        let without_volume =
            rows.iter().copied().filter(|scan| !has_file(scan) && !served.contains_key(scan)).collect();
        let mut gone: Vec<_> = served.keys().copied().filter(|scan| !has_file(scan)).collect();
        gone.sort_unstable();
        let without_row = source.images.keys().copied().filter(|scan| !rows.contains(scan)).collect();
        Self {
            outcomes: BTreeMap::new(),
            without_volume,
            gone,
            removed: Vec::new(),
            still_served: Vec::new(),
            without_row,
            unknown_columns: [overview.unknown_columns.as_slice(), &gradings.unknown_columns].concat(),
            ignored_files: source.ignored.clone(),
        }
    }

    pub(super) fn refuse(&mut self, scan: ScanId, error: ScanError) {
        self.outcomes.insert(scan, Outcome::Refused(error));
    }

    /// The scans that could not be imported, and why.
    pub fn refused(&self) -> impl Iterator<Item = (ScanId, &ScanError)> {
        self.outcomes.iter().filter_map(|(scan, outcome)| match outcome {
            Outcome::Refused(error) => Some((*scan, error)),
            Outcome::Imported { .. } | Outcome::Unchanged => None,
        })
    }

    /// The scans that were imported, and what was odd about them.
    pub fn imported(&self) -> impl Iterator<Item = (ScanId, &[String])> {
        self.outcomes.iter().filter_map(|(scan, outcome)| match outcome {
            Outcome::Imported { notes } => Some((*scan, notes.as_slice())),
            Outcome::Refused(_) | Outcome::Unchanged => None,
        })
    }

    /// How many scans were there already.
    #[must_use]
    pub fn unchanged(&self) -> usize {
        self.outcomes.values().filter(|outcome| matches!(outcome, Outcome::Unchanged)).count()
    }
}
