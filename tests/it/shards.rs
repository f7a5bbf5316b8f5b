//! An import that is spread over workers gives what one import of everything gives.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use sagittal::ingest::{Destination, Finished, ImportError, finish};
use sagittal::store::DataLocation;
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};

use crate::support::{Kind, Release, Service, image};

fn release() -> Release {
    let release = Release::small();
    for scan in ["3_t1", "4_t2", "5_t1", "5_t2", "6_t2_SPACE", "9_t1"] {
        release.scan(scan, Kind::Pir);
    }
    release
}

fn part(place: &DataLocation, part: &str) -> Destination {
    Destination { part: Some(part.parse().unwrap()), ..Destination::new(place.clone()) }
}

fn finished(place: &DataLocation) -> Result<Finished, ImportError> {
    finish(&Destination::new(place.clone()), tokio::runtime::Runtime::new().unwrap().handle())
}

/// Every row of every table, as SQL writes it; without the revision, which tells when the index was changed.
fn rows(index: &Path) -> BTreeMap<String, Vec<String>> {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut index = SqliteConnection::connect(&format!("sqlite://{}", index.display())).await.unwrap();
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_sqlx%' ESCAPE '\\'",
        )
        .fetch_all(&mut index)
        .await
        .unwrap();
        let mut rows = BTreeMap::new();
        for table in tables {
            let columns: Vec<String> =
                sqlx::query_scalar("SELECT name FROM pragma_table_info(?1) WHERE ?1 <> 'state' OR name <> 'revision'")
                    .bind(&table)
                    .fetch_all(&mut index)
                    .await
                    .unwrap();
            let quoted: Vec<_> = columns.iter().map(|column| format!("quote({column})")).collect();
            let sql = format!("SELECT {} AS line FROM {table}", quoted.join(" || ',' || "));
            let lines = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut index).await.unwrap();
            let mut lines: Vec<String> = lines.iter().map(|line| line.get("line")).collect();
            lines.sort();
            rows.insert(table, lines);
        }
        rows
    })
}

fn index_of(place: &DataLocation) -> std::path::PathBuf {
    match place {
        DataLocation::Folder(folder) => folder.join("index.sqlite"),
        DataLocation::Shared(folder) => {
            let pointer: serde_json::Value =
                serde_json::from_slice(&fs::read(folder.join("index/current.json")).unwrap()).unwrap();
            folder.join(pointer["file"].as_str().unwrap())
        }
        DataLocation::Bucket { .. } => unreachable!("these tests use folders"),
    }
}

/// Every file of the store with its contents.
fn voxels(place: &DataLocation) -> BTreeMap<String, Vec<u8>> {
    let (DataLocation::Folder(folder) | DataLocation::Shared(folder)) = place else {
        unreachable!("these tests use folders")
    };
    fn walk(folder: &Path, root: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, found);
            } else {
                found.insert(path.strip_prefix(root).unwrap().display().to_string(), fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(&folder.join("scans"), folder, &mut found);
    found
}

fn equals_whole(make: fn(&Path) -> DataLocation) {
    let (release, whole, parts) = (release(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (whole, parts) = (make(whole.path()), make(parts.path()));
    // A scan that is refused is refused in one part and nowhere else.
    release.write("images/5_t1.mha", b"no scan");
    release.import_into(&Destination::new(whole.clone())).unwrap();
    let mut outcomes = 0;
    // In any order, one of them twice.
    for name in ["3/4", "1/4", "4/4", "1/4", "2/4"] {
        let report = release.import_into(&part(&parts, name)).unwrap();
        outcomes += report.imported().count() + report.refused().count();
    }
    assert_eq!(outcomes, 9, "every scan once");
    assert_eq!(finished(&parts).unwrap().parts, 4);

    let (expected, found) = (rows(&index_of(&whole)), rows(&index_of(&parts)));
    assert!(expected["volumes"].len() == 8 && expected["discs"].len() == 16 && !expected["label_pixels"].is_empty());
    for (table, lines) in &expected {
        assert_eq!(lines, &found[table], "{table}");
    }
    assert_eq!(expected.len(), found.len());
    assert!(voxels(&whole) == voxels(&parts));
    assert!(matches!(finished(&parts), Err(error) if error.to_string().contains("there are no shards")));
}

#[test]
fn parts_equal_the_whole_in_a_folder() {
    // The folders of the test itself are gone when it ends; these are inside them.
    equals_whole(|folder| DataLocation::Folder(folder.join("data")));
}

#[test]
fn parts_equal_the_whole_as_snapshots() {
    equals_whole(|folder| DataLocation::Shared(folder.join("data")));
}

#[test]
fn missing_parts_are_named_and_nothing_is_changed() {
    let (release, dir) = (release(), tempfile::tempdir().unwrap());
    let place = DataLocation::Folder(dir.path().to_owned());
    for name in ["2/4", "3/4"] {
        release.import_into(&part(&place, name)).unwrap();
    }
    let error = finished(&place).unwrap_err().to_string();
    assert!(error.contains("of 4 shards, 2 are missing: 1/4, 4/4"), "{error}");
    assert!(!dir.path().join("index.sqlite").exists());
}

#[test]
fn parts_of_different_tables_are_refused() {
    let (release, dir) = (release(), tempfile::tempdir().unwrap());
    let place = DataLocation::Folder(dir.path().to_owned());
    release.import_into(&part(&place, "1/2")).unwrap();
    release.table(&[("1_t1", "M")]);
    release.import_into(&part(&place, "2/2")).unwrap();
    let error = finished(&place).unwrap_err().to_string();
    assert!(error.contains("shard 2/2 was made from other tables than shard 1/2"), "{error}");
    assert!(!dir.path().join("index.sqlite").exists());
    release.import_into(&part(&place, "1/2")).unwrap();
    finished(&place).unwrap();
}

#[test]
fn parts_add_to_what_was_imported_before_and_skip_what_has_not_changed() {
    let (release, dir, whole) = (release(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let place = DataLocation::Folder(dir.path().to_owned());
    release.import(dir.path());
    let service = Service::over(dir.path());
    release.scan("10_t1", Kind::Lps);
    let mut other = image(Kind::Lps);
    other.bytes[0] ^= 1;
    release.volume("images", "1_t1", &other);
    release.table(&[("1_t1", "F"), ("10_t1", "F"), ("1_t2", "M")]);

    let reports: Vec<_> = ["1/2", "2/2"].map(|name| release.import_into(&part(&place, name)).unwrap()).into();
    assert_eq!(reports.iter().map(|report| report.imported().count()).sum::<usize>(), 2);
    assert_eq!(service.json("/readyz")["scans"], 9, "nothing is seen before the parts are put together");
    finished(&place).unwrap();
    service.block_on(service.renderer.renew()).unwrap();
    assert_eq!(service.json("/readyz")["scans"], 10);
    assert_eq!(service.get("/v1/scans/1_t1/slices/0/image.png").status, 200);

    release.import(whole.path());
    assert_eq!(rows(&whole.path().join("index.sqlite")), rows(&dir.path().join("index.sqlite")));
    assert!(
        voxels(&place) == voxels(&DataLocation::Folder(whole.path().to_owned())),
        "groups that were replaced are gone"
    );
}
