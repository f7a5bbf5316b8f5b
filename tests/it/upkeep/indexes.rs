//! Indexes of other versions, damaged ones, and those that are in use.

use std::fs;
use std::process::Command;

use sagittal::index::path_in;
use sagittal::ingest::{self, Destination, ImportError, Source};
use sagittal::spider::FIELDS;

use super::{OPTIONS, as_str, change_index, import, sagittal, text};
use crate::support::{Release, Service};

#[test]
fn an_index_with_other_metadata_fields_comes_up_to_date_with_the_next_import() {
    let (release, data, fresh) = (Release::small(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    release.import(data.path());
    release.import(fresh.path());
    // A version that did not know the last field, and thought that another one is a text.
    let last = FIELDS.last().unwrap().name;
    change_index(
        data.path(),
        &format!(
            "ALTER TABLE scans DROP COLUMN {last};
             ALTER TABLE scans DROP COLUMN window_center;
             ALTER TABLE scans ADD COLUMN window_center TEXT;
             UPDATE scan_cells SET cells = json_remove(cells, '$[#-1]');
             UPDATE state SET fields = 'another';"
        ),
    );
    let serve = sagittal(&["serve", "--data", as_str(data.path()), "--listen", "127.0.0.1:0"]);
    assert_eq!(serve.status.code(), Some(2));
    let way_out = format!("run `sagittal import SOURCE --data {}` with this version", data.path().display());
    assert!(text(&serve.stderr).contains(&way_out), "{}", text(&serve.stderr));

    let report = import(&release, &Destination::folder(data.path()), OPTIONS);
    assert_eq!((report.imported().count(), report.unchanged()), (0, 3));
    let (ours, theirs) = (Service::over(data.path()), Service::over(fresh.path()));
    for path in
        ["/v1/scans/1_t1", "/v1/scans/3_t1", &format!("/v1/scans?sort={last}&fields=scan_id,{last},window_center")]
    {
        assert_eq!(ours.json(path), theirs.json(path), "{path}");
    }
}

#[test]
fn an_index_of_a_newer_version_is_left_alone_until_it_is_to_be_rebuilt() {
    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    release.import(data.path());
    change_index(
        data.path(),
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'future', 1, x'00', 0)",
    );
    let before = fs::read(path_in(data.path())).unwrap();
    let source = as_str(release.dir.path());
    for command in [&["import", source][..], &["serve", "--listen", "127.0.0.1:0"], &["check"], &["remove", "1_t1"]] {
        let refused = sagittal(&[command, &["--data", as_str(data.path())]].concat());
        assert_eq!(refused.status.code(), Some(2), "{command:?}");
        let said = text(&refused.stderr);
        assert!(said.contains("newer version of sagittal (schema 9999") && said.contains("--rebuild"), "{said}");
    }
    assert!(fs::read(path_in(data.path())).unwrap() == before);
    let rebuilt = sagittal(&["import", source, "--data", as_str(data.path()), "--rebuild"]);
    assert!(text(&rebuilt.stdout).contains("3 imported"), "{rebuilt:?}");
    assert_eq!(Service::over(data.path()).json("/v1/scans")["total"], 3);
}

#[test]
fn a_damaged_index_is_called_damaged_and_can_be_rebuilt() {
    let (release, source) = (Release::small(), Release::small());
    let source = as_str(source.dir.path());
    type Damage = fn(&mut Vec<u8>);
    let damages: [Damage; 3] =
        [|index| index[..16].fill(b'x'), |index| index.truncate(index.len() / 2), |index| index[4096..].fill(0xff)];
    for (n, damage) in damages.iter().enumerate() {
        let data = tempfile::tempdir().unwrap();
        release.import(data.path());
        let mut index = fs::read(path_in(data.path())).unwrap();
        damage(&mut index);
        fs::write(path_in(data.path()), index).unwrap();
        for command in [&["import", source][..], &["serve", "--listen", "127.0.0.1:0"], &["check"]] {
            let refused = sagittal(&[command, &["--data", as_str(data.path())]].concat());
            let said = text(&refused.stderr);
            assert_eq!(refused.status.code(), Some(2), "{n} {command:?}: {said}");
            assert!(said.contains("is damaged") && said.contains("--rebuild"), "{n} {command:?}: {said}");
        }
        let rebuilt = sagittal(&["import", source, "--data", as_str(data.path()), "--rebuild"]);
        assert!(text(&rebuilt.stdout).contains("3 imported"), "{rebuilt:?}");
        assert_eq!(Service::over(data.path()).json("/v1/scans")["total"], 3);
    }
}

#[test]
fn an_index_that_may_not_be_read_is_reported_from_one_that_is_not_there() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    release.import(data.path());
    fs::set_permissions(data.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(path_in(data.path()), fs::Permissions::from_mode(0o000)).unwrap();
    // Nobody keeps root from reading.
    let program = data.path().join("sagittal");
    fs::copy(env!("CARGO_BIN_EXE_sagittal"), &program).unwrap();
    let mut serve = Command::new(&program);
    serve.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data.path());
    if fs::metadata(&program).unwrap().uid() == 0 {
        serve.uid(65534).gid(65534);
    }
    let refused = serve.output().unwrap();
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("could not read the index") && said.contains("Permission denied"), "{said}");
}

#[test]
fn two_imports_at_once_do_not_meet() {
    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    let folder = fs::File::open(data.path()).unwrap();
    folder.lock().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let source = Source::open(release.dir.path()).unwrap();
    let destination = Destination::folder(data.path());
    let run = || ingest::run_into(&source, &destination, OPTIONS, runtime.handle(), &|_| ());
    let refused = run().unwrap_err();
    assert!(matches!(refused, ImportError::Busy { .. }), "{refused}");
    drop(folder);
    assert_eq!(run().unwrap().imported().count(), 3);
}
