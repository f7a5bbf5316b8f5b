//! The power fails at every call by which an import makes something durable, and after the last one. Of what was not synchronised
//! nothing is left, and what was deleted is gone: whatever the index names must be whole all the same.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Kind, Release, image};

/// Exit code of a process whose power failed.
const FAILED: i32 = 77;

/// What is said of an index whose first import had not yet come to scans.
const NOT_YET: [&str; 3] = ["there is no index", "nothing in the index", "to bring it up to date"];

/// More calls than any of these imports makes.
const NEVER: usize = 100_000;

fn disk() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("power_failure.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/power_failure.c");
    let made =
        Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).args([&library, &source]).arg("-ldl").status();
    assert!(made.expect("this test needs a C compiler").success());
    (folder, library)
}

/// Imports over a disk whose power fails at call number `at`; what is left of `data` then, or `None` when the import ended before.
fn left_after(at: usize, library: &Path, release: &Release, data: &Path) -> (tempfile::TempDir, bool) {
    let kept = tempfile::tempdir().unwrap();
    let root = fs::metadata(data).unwrap().ino();
    let import = Command::new(env!("CARGO_BIN_EXE_sagittal"))
        .args(["import".as_ref(), release.dir.path(), "--data".as_ref(), data, "--jobs".as_ref(), "1".as_ref()])
        .envs([("LD_PRELOAD", library), ("POWER_ROOT", data), ("POWER_KEPT", kept.path())])
        .env("POWER_FAILS_AT", at.to_string())
        .output()
        .unwrap();
    let failed = import.status.code() == Some(FAILED);
    assert!(failed || import.status.success(), "{import:?}");
    let left = tempfile::tempdir().unwrap();
    put_back(kept.path(), root, data, left.path());
    (left, failed)
}

/// Makes a folder of what was kept of the one with this inode, but for files that are not in `live` any more.
fn put_back(kept: &Path, inode: u64, live: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    let Ok(names) = fs::read_to_string(kept.join(format!("d{inode}"))) else { return };
    for line in names.lines() {
        let mut parts = line.splitn(3, ' ');
        let (kind, inode, name) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        let (from, to) = (live.join(name), to.join(name));
        if kind == "d" {
            put_back(kept, inode.parse().unwrap(), &from, &to);
        } else if from.exists() || name.starts_with("index.sqlite") {
            // A name without contents is an empty file.
            let contents = fs::read(kept.join(format!("f{inode}"))).unwrap_or_default();
            fs::write(to, contents).unwrap();
        }
    }
}

/// How many scans `sagittal check` finds whole; it must find nothing else.
fn whole(data: &Path, when: &str) -> usize {
    let check = Command::new(env!("CARGO_BIN_EXE_sagittal")).args(["check", "--data"]).arg(data).output().unwrap();
    let (said, errors) = (String::from_utf8_lossy(&check.stdout), String::from_utf8_lossy(&check.stderr));
    match check.status.code() {
        Some(0) => said.trim_start().split(' ').next().unwrap().parse().unwrap(),
        // Before the schema is complete there is no index, nothing in it, or one that the next import completes.
        Some(2) if NOT_YET.iter().any(|words| errors.contains(words)) => 0,
        _ => panic!("{when}: {said}{errors}"),
    }
}

/// Lets the power fail at every call in turn; how many scans were whole each time, the last time being after the end.
fn every_failure(release: &Release, prepare: impl Fn(&Path)) -> Vec<usize> {
    let (_library, library) = disk();
    let mut found = Vec::new();
    for at in 1.. {
        let data = tempfile::tempdir().unwrap();
        prepare(data.path());
        let (left, failed) = left_after(at, &library, release, data.path());
        found.push(whole(left.path(), &format!("power failed at call {at}")));
        if !failed {
            return found;
        }
        assert!(at < NEVER);
    }
    found
}

#[test]
fn a_first_import_names_only_what_is_whole() {
    let found = every_failure(&Release::small(), |_| ());
    assert!(found.len() > 20, "the disk hardly ever had to keep anything: {found:?}");
    assert!(found.is_sorted(), "a scan that was recorded is gone: {found:?}");
    assert_eq!((found[0], *found.last().unwrap()), (0, 3), "{found:?}");
}

#[test]
fn an_import_that_replaces_voxels_names_only_what_is_whole() {
    let (before, after) = (Release::small(), Release::small());
    let mut other = image(Kind::Lps);
    other.bytes[0] ^= 1;
    after.volume("images", "1_t1", &other);
    let found = every_failure(&after, |data| drop(before.import(data)));
    assert!(found.iter().all(|&scans| scans == 3), "{found:?}");
}
