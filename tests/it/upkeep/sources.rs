//! Where releases lie, and what else lies there.

use std::fs;

use sagittal::ingest::{Source, SourceError};

use super::{as_str, sagittal, text};
use crate::support::Release;

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
