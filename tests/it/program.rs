//! The binary: exit codes, messages, starting and stopping.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use crate::support::{Kind, Release};

fn sagittal(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sagittal")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A server that ends with the test.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_sagittal"))
            .args(arguments)
            .args(["--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap_or_else(|| panic!("said {line:?}"));
        Self { address: address.to_owned(), process }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        text(&answer)
    }

    fn terminate(&mut self) -> std::process::ExitStatus {
        let kill = Command::new("kill").arg(self.process.id().to_string()).status().unwrap();
        assert!(kill.success());
        self.process.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn as_str(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn scans_are_imported_and_served() {
    let (release, data) = (Release::tables(), tempfile::tempdir().unwrap());
    for (scan, kind) in [("5_t2_SPACE", Kind::Pir), ("7_t2_SPACE", Kind::Pir), ("200_t2_SPACE", Kind::Lps)] {
        release.scan(scan, kind);
    }
    let source = release.dir.path();
    let import = sagittal(&["import", as_str(source), "--data", as_str(data.path())]);
    let said = text(&import.stdout);
    assert!(import.status.success(), "{}", text(&import.stderr));
    assert!(said.contains("3 imported") && said.contains("444 rows of overview.csv without a volume"), "{said}");
    let again = sagittal(&["import", as_str(source), "--data", as_str(data.path())]);
    assert!(text(&again.stdout).contains("3 skipped"), "{}", text(&again.stdout));

    let mut server = Server::start(&["serve", "--data", as_str(data.path())]);
    for path in ["/healthz", "/readyz", "/v1/scans/200_t2_SPACE", "/v1/scans/5_t2_SPACE/slices/mid/image.png?size=64"] {
        assert!(server.get(path).starts_with("HTTP/1.1 200 OK"), "{path}");
    }
    let check = sagittal(&["healthcheck", "--listen", &server.address]);
    assert!(check.status.success());
    assert!(server.terminate().success());
    let check = sagittal(&["healthcheck", "--listen", &server.address]);
    assert_eq!(check.status.code(), Some(2));
    assert!(text(&check.stderr).contains("does not answer"));
}

#[test]
fn the_demo_serves_a_release_that_went_through_import() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&["demo", "--dir", as_str(dir.path())]);
    let scans = server.get("/v1/scans?limit=1000");
    for kind in ["t1", "t2", "t2_SPACE"] {
        assert!(scans.contains(&format!("\"scan_type\":\"{kind}\"")), "no {kind}");
    }
    assert!(dir.path().join("release/overview.csv").is_file());
    assert!(server.get("/v1/scans/1_t1/montage.png").starts_with("HTTP/1.1 200 OK"));
}

#[test]
fn a_server_goes_on_when_nobody_reads_what_it_says() {
    let dir = tempfile::tempdir().unwrap();
    // `start` closes the pipe after the first line; the demo has more to say.
    let server = Server::start(&["demo", "--dir", as_str(dir.path())]);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(server.get("/healthz").starts_with("HTTP/1.1 200 OK"));
}

#[test]
fn a_refused_scan_shows_in_the_exit_code_and_the_table() {
    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    release.write("images/1_t1.mha", b"NDims = 3\nDimSize = 4000 4000 4000\n");
    let import = sagittal(&["import", as_str(release.dir.path()), "--data", as_str(data.path())]);
    assert_eq!(import.status.code(), Some(1));
    let said = text(&import.stdout);
    assert!(
        said.contains("1 refused") && said.contains("1_t1: could not read") && said.contains("2 imported"),
        "{said}"
    );
}

#[test]
fn what_cannot_be_done_is_said_with_the_way_out() {
    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    let missing = data.path().join("nowhere");
    let no_source = sagittal(&["import", as_str(&missing), "--data", as_str(data.path())]);
    assert_eq!(no_source.status.code(), Some(2));
    assert!(text(&no_source.stderr).contains("there is no overview.csv in"), "{}", text(&no_source.stderr));

    let no_data = sagittal(&["serve", "--data", as_str(&missing)]);
    assert_eq!(no_data.status.code(), Some(2));
    assert!(text(&no_data.stderr).contains("run `sagittal import SOURCE --data"), "{}", text(&no_data.stderr));

    // A file where the data folder should be: not even root can write there.
    let file = data.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let unwritable = sagittal(&["import", as_str(release.dir.path()), "--data", as_str(&file)]);
    assert_eq!(unwritable.status.code(), Some(2));
    assert!(text(&unwritable.stderr).contains("choose one that you may write to"), "{}", text(&unwritable.stderr));

    // An index that cannot be opened, anyone who asks: there is a folder in its place.
    let blocked = data.path().join("blocked");
    std::fs::create_dir_all(blocked.join("index.sqlite")).unwrap();
    let unwritable = sagittal(&["import", as_str(release.dir.path()), "--data", as_str(&blocked)]);
    assert_eq!(unwritable.status.code(), Some(2));
    assert!(
        text(&unwritable.stderr).contains("choose a data folder that you may write to"),
        "{}",
        text(&unwritable.stderr)
    );

    release.import(data.path());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let port = sagittal(&["serve", "--data", as_str(data.path()), "--listen", &address]);
    assert_eq!(port.status.code(), Some(2));
    assert!(text(&port.stderr).contains("choose another with --listen"), "{}", text(&port.stderr));
}
