use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use clap::Args;
use futures_util::{StreamExt, TryStreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};

use super::Failure;
use super::printable::{listed, printable};
use super::settings::{cores, place};
use crate::evaluation::{
    Decoding, Evaluation, EvaluationError, EvaluationOptions, MaskFile, MaskLayout, Prediction, PredictionMap, Rule,
    Scoring, Summary, columns,
};
use crate::index::CatalogueEntry;
use crate::snapshots;
use crate::spider::{ScanId, Split};
use crate::store::{Array, DataLocation, KeptSlices, SliceKey, Store, StoreError, StoredSlice};
use crate::volume::Grid;

/// Bytes that one prediction may take in memory.
const MOST_BYTES: u64 = 4 << 30;

/// Suffixes of predictions.
const SUFFIXES: [&str; 4] = [".nii.gz", ".nii", ".mha", ".npy"];

/// Columns of the table on the terminal: the name in the file, and a short one.
const SHOWN_CORRECTED: [(&str, &str); 8] = [
    ("dice", "Dice"),
    ("vertebra_dice", "vertebrae"),
    ("disc_dice", "discs"),
    ("canal_dice", "canal"),
    ("assd_mm", "ASSD mm"),
    ("hd95_mm", "HD95 mm"),
    ("found_share", "found"),
    ("extra", "extra"),
];
const SHOWN_SPIDER: [(&str, &str); 10] = [
    ("OveralDiceScore", "Dice"),
    ("DiceScoreVertebrae", "vertebrae"),
    ("DiceScoreDiscs", "discs"),
    ("DiceScoreSpinalCanal", "canal"),
    ("DetectionRateVertebrae", "det. vert."),
    ("DetectionRateDiscs", "det. discs"),
    ("OveralASD", "ASD"),
    ("ASDVertebrae", "ASD vert."),
    ("ASDDiscs", "ASD discs"),
    ("ASDSpinalCanal", "ASD canal"),
];

#[derive(Debug, Args)]
pub(super) struct Evaluate {
    /// Folder of predicted masks named like their scans: 1_t1.nii.gz, or .nii, .mha, .npy.
    predictions: PathBuf,
    /// Where the data lie: a folder, file:///a/shared/folder, or s3://bucket/prefix.
    #[arg(long, env = "SAGITTAL_DATA", value_parser = place())]
    data: DataLocation,
    /// What is measured: `corrected`, or `spider` for the numbers of the challenge's own script.
    #[arg(long, default_value = "corrected", value_parser = named::<Rule>(Rule::NAMES))]
    rule: Rule,
    /// What the values mean: `native` for structures, `semantic` (1 vertebra, 2 canal, 3 disc) or `semantic_vdc` (1 vertebra,
    /// 2 disc, 3 canal) for classes.
    #[arg(long, default_value = "native", value_parser = named::<PredictionMap>(PredictionMap::NAMES))]
    map: PredictionMap,
    /// Axes of .npy masks: `canonical`, `stored`, or `file` (k, j, i) [default: canonical].
    #[arg(long, value_parser = named::<MaskLayout>(MaskLayout::NAMES))]
    layout: Option<MaskLayout>,
    /// Take the nearest voxels of masks on another grid, which are refused otherwise.
    #[arg(long)]
    resample: bool,
    /// Score the scans of one split only: train, validation or test. Every scan of it counts, predicted or not.
    #[arg(long, value_parser = split)]
    split: Option<Split>,
    /// File for the scores, one row for each scan (CSV).
    #[arg(long)]
    out: Option<PathBuf>,
}

fn named<T: FromStr + Clone + Send + Sync + 'static>(
    names: &'static [&'static str],
) -> impl Fn(&str) -> Result<T, String> + Clone {
    move |text| text.parse().map_err(|_| format!("expected {}", names.join(", ")))
}

fn split(text: &str) -> Result<Split, String> {
    text.parse().map_err(|_| format!("expected {}", Split::NAMES.join(", ")))
}

/// What became of a scan.
enum Outcome {
    Scored,
    /// There is no prediction: scored as an empty one.
    Missing,
    /// The prediction cannot be scored: counted as an empty one.
    Refused(String),
}

struct Row {
    scan: ScanId,
    outcome: Outcome,
    evaluation: Evaluation,
}

/// Exit code 1 when a prediction is missing or was refused.
pub(super) async fn run(evaluate: &Evaluate) -> Result<ExitCode, Failure> {
    let found = predictions(&evaluate.predictions)?;
    let out = evaluate.out.as_deref().map(create).transpose()?;
    let (store, reader, _) = snapshots::open(&evaluate.data, &KeptSlices::default()).await?;
    let scans = {
        let index = reader.begin().await?;
        let chosen =
            index.every_scan().await?.into_iter().filter(|row| evaluate.split.is_none() || row.split == evaluate.split);
        let chosen: Vec<ScanId> = chosen.map(|row| row.scan).collect();
        let mut scans = index.catalogue().await?;
        scans.retain(|entry| chosen.contains(&entry.group.scan));
        scans.sort_by_key(|entry| entry.group.scan);
        scans
    };
    if scans.is_empty() {
        return Err("there are no scans to score; `sagittal import` puts some into --data".into());
    }
    let not_scored: Vec<_> = found.keys().filter(|scan| scans.iter().all(|entry| entry.group.scan != **scan)).collect();
    let rows = score_all(&scans, &found, &store, evaluate).await?;
    if let Some(out) = out {
        write_csv(out, evaluate.rule, &rows)?;
    }
    print(&rows, &not_scored, evaluate.rule, &mut io::stdout().lock())?;
    let is_whole = rows.iter().all(|row| matches!(row.outcome, Outcome::Scored));
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The files of a folder that are named like scans.
fn predictions(folder: &Path) -> Result<BTreeMap<ScanId, PathBuf>, Failure> {
    let unreadable = |error: io::Error| format!("could not read {}: {error}", folder.display());
    let mut found = BTreeMap::new();
    for entry in folder.read_dir().map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let stem = SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix));
        let Some(scan) = stem.and_then(|stem| ScanId::from_str(stem).ok()) else { continue };
        if let Some(other) = found.insert(scan, path.clone()) {
            let [one, other] = [path, other].map(|path| path.display().to_string());
            return Err(format!("{one} and {other} are predictions for one scan; keep one of them").into());
        }
    }
    if found.is_empty() {
        let message = "has no predictions: files named like scans, such as 1_t1.nii.gz";
        return Err(format!("{} {message}", folder.display()).into());
    }
    Ok(found)
}

/// Before anything is scored, so that it is not in vain.
fn create(path: &Path) -> Result<File, Failure> {
    File::create(path).map_err(|error| format!("could not write {}: {error}", path.display()).into())
}

async fn score_all(
    scans: &[CatalogueEntry],
    found: &BTreeMap<ScanId, PathBuf>,
    store: &Store,
    evaluate: &Evaluate,
) -> Result<Vec<Row>, Failure> {
    let options = EvaluationOptions {
        rule: evaluate.rule,
        map: evaluate.map,
        layout: evaluate.layout,
        resample: evaluate.resample,
    };
    let bar = ProgressBar::new(scans.len() as u64).with_style(style());
    let scored = scans.iter().map(|entry| {
        let (path, bar) = (found.get(&entry.group.scan).cloned(), bar.clone());
        async move {
            let scan = entry.group.scan;
            let stored = stored_mask(store, entry).await?;
            let grid = entry.grid;
            let score = move || score(path.as_deref(), &stored, grid, options);
            let (outcome, evaluation) = tokio::task::spawn_blocking(score).await??;
            bar.inc(1);
            bar.set_message(scan.to_string());
            Ok::<_, Failure>(Row { scan, outcome, evaluation })
        }
    });
    let rows = stream::iter(scored).buffered(cores()).try_collect().await;
    bar.finish_and_clear();
    rows
}

fn style() -> ProgressStyle {
    // The template is a literal; should it be wrong, a plain bar will do.
    ProgressStyle::with_template("{bar:30} {pos}/{len} scans  {eta} left  {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

async fn stored_mask(store: &Store, entry: &CatalogueEntry) -> Result<Vec<StoredSlice>, StoreError> {
    let [slices, rows, columns] = entry.grid.canonical.shape();
    let reads = (0..slices).map(|slice| {
        let shape = [rows, columns];
        store.read_slice(SliceKey { group: &entry.group, array: Array::Mask, slice, element: entry.element, shape })
    });
    stream::iter(reads).buffered(store.requests_at_once()).try_collect().await
}

fn score(
    path: Option<&Path>,
    stored: &[StoredSlice],
    grid: Grid,
    options: EvaluationOptions,
) -> Result<(Outcome, Evaluation), Failure> {
    let mut truth = Vec::with_capacity(grid.canonical.voxels());
    for slice in stored {
        truth.extend_from_slice(&slice.voxels()?);
    }
    let (outcome, prediction) = match path.map(|path| prediction(path, grid, &options)) {
        None => (Outcome::Missing, Prediction::empty(&grid)),
        Some(Ok(prediction)) => (Outcome::Scored, prediction),
        Some(Err(reason)) => (Outcome::Refused(reason), Prediction::empty(&grid)),
    };
    Ok((outcome, Scoring::new(truth, prediction, grid, options)?.finish()))
}

fn prediction(path: &Path, grid: Grid, options: &EvaluationOptions) -> Result<Prediction, String> {
    let file = std::fs::read(path).map_err(|error| error.to_string())?;
    let read = || {
        let mut decoding = Decoding::new(MaskFile::open(&file.into())?, grid, options)?;
        let bytes = decoding.memory();
        if bytes > MOST_BYTES {
            let message = format!("it would take {bytes} bytes of memory; at most {MOST_BYTES} are used");
            return Err(EvaluationError::Unreadable(message));
        }
        while !decoding.advance()? {}
        decoding.finish()
    };
    read().map_err(|error: EvaluationError| error.to_string())
}

/// One row for each scan; missing values are empty.
fn write_csv(out: File, rule: Rule, rows: &[Row]) -> Result<(), Failure> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(["scan_id", "status"].map(str::to_owned).into_iter().chain(columns(rule)))?;
    for row in rows {
        let status = match row.outcome {
            Outcome::Scored => "scored",
            Outcome::Missing => "missing",
            Outcome::Refused(_) => "refused",
        };
        let values =
            row.evaluation.row().into_iter().map(|value| value.map(|value| value.to_string()).unwrap_or_default());
        csv.write_record([row.scan.to_string(), status.to_owned()].into_iter().chain(values))?;
    }
    Ok(csv.flush()?)
}

fn print(rows: &[Row], not_scored: &[&ScanId], rule: Rule, out: &mut impl Write) -> io::Result<()> {
    let shown: &[(&str, &str)] = if rule == Rule::Spider { &SHOWN_SPIDER } else { &SHOWN_CORRECTED };
    let names = columns(rule);
    let places: Vec<_> = shown.iter().filter_map(|(name, _)| names.iter().position(|known| known == name)).collect();
    write!(out, "{:<16}", "scan")?;
    shown.iter().try_for_each(|(_, title)| write!(out, "{title:>11}"))?;
    writeln!(out)?;
    let cell = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.3}"));
    for row in rows {
        write!(out, "{:<16}", row.scan.to_string())?;
        let values = row.evaluation.row();
        places.iter().try_for_each(|&place| write!(out, "{:>11}", cell(values.get(place).copied().flatten())))?;
        match row.outcome {
            Outcome::Scored => writeln!(out)?,
            Outcome::Missing => writeln!(out, "  missing")?,
            Outcome::Refused(_) => writeln!(out, "  refused")?,
        }
    }
    let values: Vec<_> = rows.iter().map(|row| row.evaluation.row()).collect();
    let summaries: Vec<_> =
        places.iter().map(|&place| Summary::of(values.iter().map(|row| row.get(place).copied().flatten()))).collect();
    write!(out, "{:<16}", "mean")?;
    summaries.iter().try_for_each(|summary| write!(out, "{:>11}", cell(summary.mean)))?;
    write!(out, "\n{:<16}", "± SD")?;
    summaries.iter().try_for_each(|summary| write!(out, "{:>11}", cell(summary.sd)))?;
    writeln!(out, "\n")?;
    print_notes(rows, not_scored, out)
}

fn print_notes(rows: &[Row], not_scored: &[&ScanId], out: &mut impl Write) -> io::Result<()> {
    let count = |is: fn(&Outcome) -> bool| rows.iter().filter(|row| is(&row.outcome)).count();
    writeln!(out, "{:>6} scored", count(|outcome| matches!(outcome, Outcome::Scored)))?;
    let missing: Vec<_> =
        rows.iter().filter(|row| matches!(row.outcome, Outcome::Missing)).map(|row| row.scan).collect();
    if !missing.is_empty() {
        writeln!(
            out,
            "{:>6} without a prediction: all their structures count as missed ({})",
            missing.len(),
            listed(&missing)
        )?;
    }
    let refused = count(|outcome| matches!(outcome, Outcome::Refused(_)));
    if refused > 0 {
        writeln!(out, "{refused:>6} refused: all their structures count as missed")?;
    }
    for row in rows {
        if let Outcome::Refused(reason) = &row.outcome {
            writeln!(out, "         {}: {}", row.scan, printable(reason))?;
        }
        row.evaluation.hints.iter().try_for_each(|hint| writeln!(out, "         hint for {}: {hint}", row.scan))?;
    }
    if !not_scored.is_empty() {
        writeln!(out, "{:>6} predictions for scans that are not scored ({})", not_scored.len(), listed(not_scored))?;
    }
    Ok(())
}
