//! What becomes of a data folder over time: scans that go, indexes of other versions, damaged ones, two imports at once.

mod indexes;
mod removal;
mod sources;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use sagittal::index::path_in;
use sagittal::ingest::{self, Destination, ImportOptions, Source};
use sagittal::spider::ScanId;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions};

use crate::support::Release;

const OPTIONS: ImportOptions =
    ImportOptions { jobs: 2, again: false, verify: false, prune: false, memory_bytes: 64 << 20 };

fn sagittal(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sagittal")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn as_str(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn ids(scans: &[&str]) -> Vec<ScanId> {
    scans.iter().map(|scan| scan.parse().unwrap()).collect()
}

fn import(release: &Release, destination: &Destination, options: ImportOptions) -> ingest::Report {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let source = Source::open(release.dir.path()).unwrap();
    ingest::run_into(&source, destination, options, runtime.handle(), &|_| ()).unwrap()
}

fn change_index(data: &Path, statements: &str) {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut index: SqliteConnection = SqliteConnectOptions::new().filename(path_in(data)).connect().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(&mut index).await.unwrap();
    });
}

fn groups(data: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(data.join("scans"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
