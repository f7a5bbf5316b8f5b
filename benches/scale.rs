//! What queries cost as the data set grows: `cargo bench --bench scale [-- SCANS …]`, 447, 10,000 and 100,000 scans unless
//! others are named. The facts are made up (`scale/fill.sql`); there are no voxels, because listings never read any.
//!
//! Each number is the fastest of five runs of the page and its total together, in milliseconds: the first page, and the
//! thousandth or the last one if there are fewer.

#![expect(clippy::expect_used, reason = "a benchmark that cannot start has no result")]
#![expect(clippy::print_stdout, reason = "the table is the result")]

use std::path::Path;
use std::time::{Duration, Instant};

use sagittal::index::{ReadTransaction, Reader, Writer, path_in};
use sagittal::params::{Pairs, decode};
use sagittal::query::{Listing, Shown, Table};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions};

const FILL: &str = include_str!("scale/fill.sql");
const ROWS: u32 = 100;

/// The usual queries first, then some of the costlier ones.
#[rustfmt::skip] // One query, one line.
const QUESTIONS: [(Table, &str); 26] = [
    (Table::Scans, "split=train&scan_type=t1"),
    (Table::Scans, "age=40..60"),
    (Table::Scans, "manufacturer=siemens"),
    (Table::Scans, "pfirrmann=4..5&level=1"),
    (Table::Discs, "pfirrmann=4..5&level=1&split=train"),
    (Table::Slices, "split=train&has=201&min_pixels=50"),
    (Table::Scans, "patient_id=77"),
    (Table::Scans, "scan_id=77_t1"),
    (Table::Slices, "patient_id=77"),
    (Table::Discs, "patient_id=77"),
    (Table::Scans, "echo_time=20..30"),
    (Table::Scans, "series_description=series 7"),
    (Table::Scans, "software_versions=5.3.0"),
    (Table::Scans, "sort=-age"),
    (Table::Slices, "slice=mid"),
    (Table::Slices, "has=discs"),
    (Table::Slices, "has=201,202&min_pixels=50"),
    (Table::Slices, "has=1,2,3,201,202&min_pixels=50"),
    (Table::Slices, "has=1,2,3,201,202&min_pixels=1400"),
    (Table::Slices, "has=1-6,201-206&min_pixels=1500"),
    (Table::Slices, "has=201&manufacturer=siemens"),
    (Table::Slices, "labelled_pixels=1000.."),
    (Table::Slices, "sort=-labelled_pixels"),
    (Table::Discs, "modic=1"),
    (Table::Discs, "volume_mm3=500..1000"),
    (Table::Discs, "sort=-volume_mm3"),
];

fn main() {
    let named: Vec<u32> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if named.is_empty() { vec![447, 10_000, 100_000] } else { named };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    for scans in sizes {
        let data = tempfile::tempdir().expect("a folder");
        runtime.block_on(measure(data.path(), scans));
    }
}

async fn measure(data: &Path, scans: u32) {
    let start = Instant::now();
    fill(data, scans).await;
    let bytes = std::fs::metadata(path_in(data)).expect("an index").len();
    let reader = Reader::open(data).await.expect("an index");
    let index = reader.begin().await.expect("a transaction");
    let count = async |table| index.total(&listing(table, "").filter).await.expect("a count");
    println!(
        "\n{} scans, {} slices, {} discs; {} MB, made in {:.0} s",
        count(Table::Scans).await,
        count(Table::Slices).await,
        count(Table::Discs).await,
        bytes / 1_000_000,
        start.elapsed().as_secs_f64()
    );
    println!("{:>10} {:>12} {:>10}", "first page", "later page", "rows");
    for (table, text) in QUESTIONS {
        let mut listing = listing(table, text);
        let (first, total) = fastest(&index, &listing).await;
        let pages = last_page(&index, &mut listing).await;
        let (later, _) = fastest(&index, &listing).await;
        println!("{first:>7.1} ms {later:>9.1} ms {total:>10}  /v1/{}?{text}  (page {pages})", table.name());
    }
}

fn listing(table: Table, text: &str) -> Listing {
    let pairs = decode(text);
    let valid = table.listing_parameters();
    let pairs = Pairs::new(&pairs, &valid).expect("known parameters");
    Listing::parse(table, Shown::InItems, &pairs).expect("a query")
}

/// Milliseconds of a page with its total, and the total.
async fn fastest(index: &ReadTransaction, listing: &Listing) -> (f64, u64) {
    let mut best = (Duration::MAX, 0);
    for _ in 0..5 {
        let start = Instant::now();
        index.page(listing, ROWS).await.expect("a page");
        let total = index.total(&listing.filter).await.expect("a count");
        best = best.min((start.elapsed(), total));
    }
    (best.0.as_secs_f64() * 1e3, best.1)
}

/// Walks to the thousandth page, or to the last one.
async fn last_page(index: &ReadTransaction, listing: &mut Listing) -> u32 {
    for page in 1..1000 {
        let next = index.page(listing, ROWS).await.expect("a page").next;
        if next.is_none() {
            return page;
        }
        listing.after = next;
    }
    1000
}

async fn fill(data: &Path, scans: u32) {
    drop(Writer::open(data).await.expect("a new index"));
    let options = SqliteConnectOptions::new()
        .filename(path_in(data))
        .pragma("synchronous", "OFF")
        .pragma("journal_mode", "OFF")
        .pragma("cache_size", "-400000");
    let mut connection = options.connect().await.expect("the index");
    // 2.1 scans a patient.
    let wanted = format!("CREATE TEMP TABLE wanted AS SELECT {} AS patients", scans * 10 / 21);
    sqlx::raw_sql(AssertSqlSafe(wanted)).execute(&mut connection).await.expect("a size");
    sqlx::raw_sql(AssertSqlSafe(FILL)).execute(&mut connection).await.expect("synthetic facts");
}
