use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use futures_util::{StreamExt, stream};
use indicatif::ProgressBar;

use super::Failure;
use super::printable::{printable, with_causes};
use super::settings::place;
use crate::audit::{Finding, Severity, audit};
use crate::index::CatalogueEntry;
use crate::snapshots;
use crate::store::{Array, DataLocation, KeptSlices, SliceKey, Store, StoreError};

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Where the data lie: a folder, file:///a/shared/folder, or s3://bucket/prefix.
    #[arg(long, env = "SAGITTAL_DATA", value_parser = place())]
    data: DataLocation,
    /// Print every finding of at least this severity; the others are only counted.
    #[arg(long, default_value = "warning", value_parser = severity)]
    show: Severity,
}

fn severity(text: &str) -> Result<Severity, String> {
    text.parse().map_err(|_| format!("expected {}", Severity::NAMES.join(", ")))
}

/// Exit code 1 when a slice is missing or damaged. Odd data are no failure.
pub(super) async fn run(check: &Check) -> Result<ExitCode, Failure> {
    let (store, reader, _) = snapshots::open(&check.data, &KeptSlices::default()).await?;
    let (catalogue, findings) = {
        let index = reader.begin().await?;
        (index.catalogue().await?, audit(&index).await?)
    };
    let damage = read_everything(&store, &catalogue).await;
    let known: BTreeSet<_> = catalogue.iter().map(|entry| entry.group.path()).collect();
    let orphans: Vec<_> = store.groups().await?.into_iter().filter(|group| !known.contains(group)).collect();
    print(&catalogue, &damage, &orphans, &findings, check.show, &mut io::stdout().lock())?;
    Ok(if damage.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

async fn read_everything(store: &Store, catalogue: &[CatalogueEntry]) -> Vec<StoreError> {
    let bar = ProgressBar::new(catalogue.len() as u64);
    let mut damage = Vec::new();
    for entry in catalogue {
        let [slices, rows, columns] = entry.grid.canonical.shape();
        let slices =
            [Array::Image, Array::Mask].into_iter().flat_map(|array| (0..slices).map(move |slice| (array, slice)));
        let reads = slices.map(|(array, slice)| {
            let shape = [rows, columns];
            let key = SliceKey { group: &entry.group, array, slice, element: entry.element, shape };
            async { store.read_slice(key).await.and_then(|slice| slice.voxels()).err() }
        });
        let found: Vec<_> = stream::iter(reads).buffered(store.requests_at_once()).collect().await;
        damage.extend(found.into_iter().flatten());
        bar.inc(1);
    }
    bar.finish_and_clear();
    damage
}

fn print(
    catalogue: &[CatalogueEntry],
    damage: &[StoreError],
    orphans: &[String],
    findings: &[Finding],
    show: Severity,
    out: &mut impl Write,
) -> io::Result<()> {
    writeln!(out, "{:>6} scans read in full", catalogue.len())?;
    writeln!(out, "{:>6} slices missing or damaged", damage.len())?;
    damage.iter().try_for_each(|error| writeln!(out, "         {}", with_causes(error)))?;
    if !orphans.is_empty() {
        writeln!(
            out,
            "{:>6} groups that nothing refers to, left by interrupted imports; they may be deleted",
            orphans.len()
        )?;
        orphans.iter().try_for_each(|group| writeln!(out, "         {}", printable(group)))?;
    }
    writeln!(out, "{:>6} findings about the data", findings.len())?;
    let mut counts = BTreeMap::<_, usize>::new();
    findings.iter().for_each(|finding| *counts.entry((finding.severity, finding.code)).or_default() += 1);
    for ((severity, code), count) in counts.iter().rev() {
        writeln!(out, "         {count:>5} {:<7} {code}", severity.name())?;
    }
    for finding in findings.iter().filter(|finding| finding.severity >= show) {
        writeln!(
            out,
            "{}  {}  {}: {}",
            finding.scan_id,
            finding.severity.name(),
            finding.code,
            printable(&finding.detail)
        )?;
    }
    Ok(())
}
