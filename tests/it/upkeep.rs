//! What becomes of a data folder over time: scans that go, indexes of other versions, damaged ones, two imports at once.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use sagittal::index::path_in;
use sagittal::ingest::{self, Destination, ImportError, ImportOptions, Outcome, Source, SourceError};
use sagittal::spider::{FIELDS, ScanId};
use sagittal::store::DataLocation;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions};

use crate::support::{Kind, Release, Service, image, write_export};

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

// Scans that go.

fn without_files_of(release: &Release, scan: &str) {
    for folder in ["images", "masks"] {
        fs::remove_file(release.path(&format!("{folder}/{scan}.mha"))).unwrap();
    }
}

#[test]
fn scans_that_left_the_source_are_named_and_pruned_only_when_requested() {
    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    release.import(data.path());
    without_files_of(&release, "1_t2");
    let destination = Destination::folder(data.path());
    let report = import(&release, &destination, OPTIONS);
    assert_eq!((report.gone, report.without_volume), (ids(&["1_t2"]), ids(&["3_t1"])));
    let service = Service::over(data.path());
    assert_eq!(service.json("/v1/scans")["total"], 3);

    let report = import(&release, &destination, ImportOptions { prune: true, ..OPTIONS });
    assert_eq!((&report.removed, &report.gone, report.unchanged()), (&ids(&["1_t2"]), &vec![], 2));
    service.block_on(service.renderer.renew()).unwrap();
    assert_eq!(service.json("/v1/scans")["total"], 2);
    // Its row of the table is still there, as the source has it.
    assert_eq!(service.json("/v1/scans/1_t2")["has_volume"], false);
    assert_eq!(service.json("/v1/scans/1_t2")["metadata"]["manufacturer"], "SIEMENS");
    service.problem("/v1/scans/1_t2/slices/mid/image.png", 404);
    assert_eq!(groups(data.path()).len(), 2);
    // What is derived of it went, too: as if it had never been there.
    let never = tempfile::tempdir().unwrap();
    release.import(never.path());
    for path in ["/v1/slices?limit=1000", "/v1/discs", "/v1/patients", "/v1/scans?volume=any", "/v1/stats?by=scan_type"]
    {
        assert_eq!(service.json(path), Service::over(never.path()).json(path), "{path}");
    }
}

#[test]
fn a_scan_without_a_row_is_pruned_altogether() {
    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    release.scan("4_t2", Kind::Pir);
    release.import(data.path());
    without_files_of(&release, "4_t2");
    import(&release, &Destination::folder(data.path()), ImportOptions { prune: true, ..OPTIONS });
    Service::over(data.path()).problem("/v1/scans/4_t2", 404);
}

#[test]
fn a_refused_scan_that_is_still_served_is_named() {
    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    release.import(data.path());
    release.write("images/1_t1.mha", b"");
    let report = import(&release, &Destination::folder(data.path()), ImportOptions { prune: true, ..OPTIONS });
    assert_eq!((report.still_served, report.removed), (ids(&["1_t1"]), vec![]));
    assert_eq!(Service::over(data.path()).json("/v1/scans")["total"], 3);
}

#[test]
fn removed_scans_leave_nothing_behind() {
    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    release.import(data.path());
    write_export(data.path(), "webdataset", "train-0.tar", b"x");
    let service = Service::over(data.path());
    let removed = sagittal(&["remove", "1_t1", "1_t2", "--data", as_str(data.path())]);
    let said = text(&removed.stdout);
    assert!(removed.status.success(), "{}", text(&removed.stderr));
    assert!(said.contains("2 scans removed") && said.contains("/train-0.tar"), "{said}");

    service.block_on(service.renderer.renew()).unwrap();
    assert_eq!(groups(data.path()).len(), 1);
    for path in ["/v1/scans/1_t1", "/v1/scans/1_t2/slices/mid/image.png", "/v1/patients/1"] {
        service.problem(path, 404);
    }
    assert_eq!(service.json("/v1/gradings")["total"], 0);
    assert_eq!(service.json("/v1/scans?volume=any")["total"], 2);
    // Not even in pages of the index that are free now.
    let index = fs::read(path_in(data.path())).unwrap();
    assert!(!index.windows(4).any(|bytes| bytes == b"1_t1"), "the id is still in the file");

    let unknown = sagittal(&["remove", "2_t2_SPACE", "1_t1", "--data", as_str(data.path())]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("there is nothing of 1_t1 here, so nothing was removed"));
    assert_eq!(groups(data.path()).len(), 1);
    // The source still has them.
    assert_eq!(import(&release, &Destination::folder(data.path()), OPTIONS).imported().count(), 2);
    service.block_on(service.renderer.renew()).unwrap();
    assert_eq!(service.json("/v1/gradings")["total"], 2);
}

#[test]
fn a_removal_that_was_interrupted_is_run_again() {
    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    release.import(data.path());
    let group = groups(data.path()).into_iter().find(|name| name.starts_with("1_t1-")).unwrap();
    let (there, aside) = (data.path().join("scans").join(&group), data.path().join("aside"));
    fs::rename(&there, &aside).unwrap();
    assert!(sagittal(&["remove", "1_t1", "--data", as_str(data.path())]).status.success());
    fs::rename(&aside, &there).unwrap();
    let again = sagittal(&["remove", "1_t1", "--data", as_str(data.path())]);
    assert!(again.status.success() && text(&again.stdout).contains("1 groups deleted"), "{again:?}");
    assert!(!there.exists());
}

#[test]
fn removals_travel_with_snapshots_and_old_snapshots_go() {
    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    let place = DataLocation::Shared(data.path().to_owned());
    let destination = Destination { grace: std::time::Duration::ZERO, ..Destination::new(place.clone()) };
    import(&release, &destination, OPTIONS);
    release.scan("4_t2", Kind::Pir);
    import(&release, &destination, OPTIONS);
    let (service, mut replica) = Service::following(&place);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let removed = ingest::remove(&ids(&["1_t1"]), &destination, runtime.handle()).unwrap();
    assert_eq!(removed.groups.len(), 1);
    assert_eq!(groups(data.path()).len(), 3);
    let snapshots = fs::read_dir(data.path().join("index"))
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|ending| ending == "sqlite"));
    assert_eq!(snapshots.count(), 1, "a snapshot still tells of the scan");
    service.block_on(service.renderer.refresh(&mut replica)).unwrap();
    service.problem("/v1/scans/1_t1", 404);
    assert_eq!(service.json("/v1/scans")["total"], 3);
}

// What changed without showing it.

#[test]
fn voxels_that_changed_behind_length_and_time_are_found_by_their_checksums() {
    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    let path = release.path("images/1_t1.mha");
    let write = |volume: &sagittal::volume::Volume| {
        let mut file = Vec::new();
        sagittal::formats::metaimage::write(volume, None, &mut file).unwrap();
        fs::write(&path, file).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000)).unwrap();
    };
    let mut volume = image(Kind::Lps);
    write(&volume);
    release.import(data.path());
    volume.bytes[0] ^= 1;
    write(&volume);
    let destination = Destination::folder(data.path());
    assert_eq!(import(&release, &destination, OPTIONS).unchanged(), 3);
    let report = import(&release, &destination, ImportOptions { verify: true, ..OPTIONS });
    assert_eq!((report.imported().count(), report.unchanged()), (1, 2));
    assert!(matches!(report.outcomes[&"1_t1".parse().unwrap()], Outcome::Imported { .. }));
    assert_eq!(import(&release, &destination, ImportOptions { verify: true, ..OPTIONS }).unchanged(), 3);
}

// Indexes of other versions, and damaged ones.

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

// Where releases lie, and what else lies there.

#[test]
fn nested_folders_are_read_and_whatever_is_more_complete_is_preferred() {
    let release = Release::small();
    // Unpacked inside a folder of the same name.
    for kind in ["images", "masks"] {
        fs::rename(release.path(kind), release.path("aside")).unwrap();
        fs::create_dir(release.path(kind)).unwrap();
        fs::rename(release.path("aside"), release.path(&format!("{kind}/{kind}"))).unwrap();
    }
    let data = tempfile::tempdir().unwrap();
    assert_eq!(release.import(data.path()).imported().count(), 3);

    // Good archives beside folders with less in them.
    let zipped = Release::small();
    for kind in ["images", "masks"] {
        let mut archive = zip::ZipWriter::new(fs::File::create(zipped.path(&format!("{kind}.zip"))).unwrap());
        for scan in ["1_t1", "1_t2", "2_t2_SPACE"] {
            let options = zip::write::SimpleFileOptions::default();
            archive.start_file(format!("{kind}/{scan}.mha"), options).unwrap();
            std::io::copy(&mut fs::File::open(zipped.path(&format!("{kind}/{scan}.mha"))).unwrap(), &mut archive)
                .unwrap();
        }
        archive.finish().unwrap();
    }
    fs::remove_file(zipped.path("images/1_t1.mha")).unwrap();
    let source = Source::open(zipped.dir.path()).unwrap();
    assert_eq!((source.images.len(), source.masks.len()), (3, 3));
    assert!(source.images[&"1_t1".parse().unwrap()].name().contains("images.zip:"));
    assert!(!source.masks[&"1_t1".parse().unwrap()].name().contains("masks.zip:"));
    let said = source.ignored.join("\n");
    assert!(said.contains("2 scans; images.zip, with 3, is read instead"), "{said}");
    assert!(said.contains("masks.zip: 3 scans; masks/, with 3, is read instead"), "{said}");
}

#[test]
fn a_source_without_scans_is_an_error_that_says_what_is_there() {
    let release = Release::empty();
    release.write("images/1_t1.nii.gz", b"");
    assert!(matches!(Source::open_with_volumes(release.dir.path()), Err(SourceError::Nothing { .. })));
    let data = tempfile::tempdir().unwrap();
    let import = sagittal(&["import", as_str(release.dir.path()), "--data", as_str(data.path())]);
    let said = text(&import.stderr);
    assert_eq!(import.status.code(), Some(2), "{said}");
    assert!(said.contains("there is no scan among") && said.contains("images/1_t1.nii.gz"), "{said}");
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_goes_on() {
    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    std::os::unix::fs::symlink("/nowhere", release.path("images/9_t1.mha")).unwrap();
    std::os::unix::fs::symlink("..", release.path("images/loop")).unwrap();
    fs::create_dir(release.path("images/older")).unwrap();
    fs::copy(release.path("images/1_t1.mha"), release.path("images/older/1_t1.mha")).unwrap();
    nix::unistd::mkfifo(&release.path("images/8_t1.mha"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let report = release.import(data.path());
    assert_eq!(report.imported().count(), 3);
    let said = report.ignored_files.join("\n");
    for (file, why) in [
        ("images/9_t1.mha", "a link that leads nowhere"),
        ("images/loop", "linked"),
        ("images/older/1_t1.mha", "images/1_t1.mha is read instead"),
        ("images/8_t1.mha", "neither a file nor a folder"),
    ] {
        assert!(said.lines().any(|line| line.contains(file) && line.contains(why)), "{file}: {said}");
    }
}

#[test]
fn names_of_files_and_columns_cannot_command_a_terminal() {
    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    release.write("images/\u{1b}[2J\nerror: owned.mha", b"");
    let table = fs::read_to_string(release.path("overview.csv")).unwrap();
    let rows: Vec<_> = table.lines().skip(1).map(|row| format!("{row},x\r\n")).collect();
    let head = format!("{},\u{1b}]0;column\r\n", table.lines().next().unwrap());
    release.write("overview.csv", [head, rows.concat()].concat().as_bytes());
    release.write("images/1_t1.mha", b"NDims = 3\nDimSize = \x1b[31m1 2 3\nElementDataFile = \x1b[32m.raw\n");
    let nowhere = release.path("\u{1b}[33m");
    let outputs = [
        sagittal(&["import", as_str(release.dir.path()), "--data", as_str(data.path())]),
        sagittal(&["import", as_str(&nowhere), "--data", as_str(data.path())]),
        sagittal(&["serve", "--data", as_str(&nowhere)]),
    ];
    for output in outputs {
        let said = [output.stdout, output.stderr].concat();
        assert!(!said.contains(&0x1b) && !text(&said).contains("\nerror: owned"), "{}", text(&said));
        assert!(text(&said).contains(r"\u{1b}"), "{}", text(&said));
    }
}
