//! Data folders of older versions come to hold what this version would have written.

use std::path::Path;

use sagittal::index::{Writer, path_in};
use sagittal::spider::FIELDS;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions};

use crate::support::{Kind, Release, mask};

/// A release whose masks have labels of every kind, with gaps between levels and one outside the scheme.
fn release() -> Release {
    let release = Release::small();
    let mut odd = mask(Kind::Lps);
    for (n, voxel) in odd.bytes.chunks_exact_mut(2).enumerate() {
        voxel[0] = match voxel[0] {
            2 => 105,
            202 if n % 2 == 0 => 209,
            201 if n % 3 == 0 => 26,
            label => label,
        };
    }
    release.volume("masks", "1_t1", &odd);
    release
}

async fn opened(index: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(index).create_if_missing(true).connect().await.unwrap()
}

async fn run(connection: &mut SqliteConnection, statements: String) {
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(connection).await.unwrap();
}

/// The first schema, with the facts that `new.sqlite` holds as they were written then.
async fn write_first_version(old: &Path, new: &Path) {
    let schemas = tempfile::tempdir().unwrap();
    let first = "0001_initial.sql";
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(first), schemas.path().join(first))
        .unwrap();
    let mut connection = opened(&path_in(old)).await;
    Migrator::new(schemas.path()).await.unwrap().run(&mut connection).await.unwrap();
    let fields = FIELDS.iter().map(|field| field.name).collect::<Vec<_>>().join(", ");
    let statements = format!(
        "ATTACH DATABASE '{new}' AS new;
         UPDATE state SET (revision, tables_sha256) = (SELECT revision, tables_sha256 FROM new.state);
         INSERT INTO patients SELECT patient_id, split FROM new.patients;
         INSERT INTO scans (scan_key, scan_id, patient_id, scan_type, raw, {fields})
             SELECT scan_key, scan_id, patient_id, scan_type, cells, {fields}
             FROM new.scans LEFT JOIN new.scan_cells USING (scan_key);
         INSERT INTO gradings SELECT * FROM new.gradings;
         INSERT INTO volumes
             SELECT scan_key, revision, fingerprint, image_sha256, mask_sha256, element_type, mask_element_type,
                 source_geometry, source_axis_codes, slices, rows, columns, slice_spacing_mm, row_spacing_mm,
                 column_spacing_mm, value_min, value_max, value_mean, auto_low, auto_high, quantiles, histogram,
                 best_slice, bytes, notes
             FROM new.volumes JOIN new.scans USING (scan_key);
         INSERT INTO slices SELECT scan_key, slice, labelled_pixels FROM new.slices;
         INSERT INTO slice_labels SELECT * FROM new.slice_labels;
         INSERT INTO scan_labels
             SELECT scan_key, label, voxels, best_slice, slice_min, slice_max, row_min, row_max, column_min, column_max,
                 centroid_slice, centroid_row, centroid_column
             FROM new.scan_labels;",
        new = path_in(new).display()
    );
    run(&mut connection, statements).await;
}

#[test]
fn an_index_of_the_first_version_comes_up_to_date() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    release().import(new.path());
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        write_first_version(old.path(), new.path()).await;
        drop(Writer::open(old.path()).await.unwrap());
        let mut connection = opened(&path_in(old.path())).await;
        run(&mut connection, format!("ATTACH DATABASE '{}' AS new", path_in(new.path()).display())).await;
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT name FROM new.sqlite_master WHERE type = 'table' AND name <> '_sqlx_migrations'",
        )
        .fetch_all(&mut connection)
        .await
        .unwrap();
        assert!(tables.len() > 8, "{tables:?}");
        for table in tables {
            // Safe: the names are those of the schema.
            let differing = AssertSqlSafe(format!(
                "SELECT (SELECT count(*) FROM (SELECT * FROM main.{table} EXCEPT SELECT * FROM new.{table})),
                        (SELECT count(*) FROM (SELECT * FROM new.{table} EXCEPT SELECT * FROM main.{table})),
                        (SELECT count(*) FROM new.{table})"
            ));
            let (more, less, all): (i64, i64, i64) =
                sqlx::query_as(differing).fetch_one(&mut connection).await.unwrap();
            assert_eq!((more, less), (0, 0), "{table}");
            assert!(all > 0, "{table} is empty: nothing was compared");
        }
    });
}
