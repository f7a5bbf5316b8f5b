"""`sagittal download`: what is fetched, what is there already, interruptions, records, encryption."""

import io
import signal
import ssl
import subprocess
import zipfile
from pathlib import Path

import pytest
import trustme
import zenodo as server
from downloads import DEADLINE, FILES, IMAGES, Downloads
from zenodo import Zenodo, md5


def test_the_four_files_come_and_nothing_else(zenodo, download):
    zenodo.files["notes.txt"] = b"not of the release"
    for key in ("notes.txt", "../../etc/x", "/tmp/x", "images.zip/../x"):
        zenodo.entries.insert(0, zenodo.entry("notes.txt") | {"key": key})
    said = download.succeeds()
    assert len(zenodo.requests) == 5 and "going on" not in said
    assert {path.name for path in download.folder.parent.iterdir()} == {"release"}
    for headers in (headers for _, headers in zenodo.requests):
        assert headers["user-agent"].startswith("sagittal/") and headers["accept-encoding"] == "identity"


def test_what_is_there_is_skipped_without_a_request(zenodo, download):
    download.succeeds()
    (download.folder / "masks.zip").unlink()
    download.part(IMAGES).write_bytes(b"left over")
    zenodo.requests.clear()
    said = download.succeeds()
    assert said.count("were there and are right") == 3
    assert len(zenodo.requests) == 2 and len(zenodo.asked("masks.zip")) == 1


@pytest.mark.parametrize("wrong", [b"short", b"x" * len(FILES["masks.zip"])], ids=["length", "md5"])
def test_wrong_files_are_named_and_kept_unless_requested(zenodo, download, wrong):
    download.folder.mkdir(parents=True)
    for name in ("masks.zip", "overview.csv"):
        (download.folder / name).write_bytes(wrong)
    code, said = download.run()
    assert code == 2 and "masks.zip (" in said and "overview.csv (" in said and "--again" in said, said
    assert (download.folder / "masks.zip").read_bytes() == wrong and len(zenodo.requests) == 1
    download.succeeds("--again")


def test_a_folder_with_a_files_name_is_an_error(download):
    (download.folder / IMAGES).mkdir(parents=True)
    code, said = download.run("--again")
    assert code == 2 and "images.zip is not a file" in said, said


def test_killed_in_the_middle_it_leaves_a_part_and_goes_on_from_it(zenodo, download):
    code, _ = download.interrupted(signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert download.names() == {"images.zip.part", "images.zip.part.json"}
    assert FILES[IMAGES].startswith(download.part().read_bytes())
    zenodo.requests.clear()
    assert "images.zip  going on at 1.50 MB of 3.00 MB" in download.succeeds()
    assert zenodo.ranges(IMAGES) == ["bytes=1500000-"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_cleanly(zenodo, download, how):
    code, said = download.interrupted(how)
    assert code == 2 and "run again to go on" in said and str(download.folder) in said
    assert download.names() == {"images.zip.part", "images.zip.part.json"}
    zenodo.requests.clear()
    download.succeeds()
    assert zenodo.ranges(IMAGES) == ["bytes=1500000-"]


def test_two_downloads_into_one_folder_do_not_mix(zenodo, download):
    zenodo.manners[IMAGES] = [server.hold(0.5)]
    with download.start() as first:
        try:
            assert zenodo.holding.wait(DEADLINE)
            assert "another download into" in download.fails()
        finally:
            first.kill()


def test_parts_that_are_not_trusted_are_fetched_anew(zenodo, download):
    for change in (
        lambda part, note: note.unlink(),
        lambda part, note: note.write_text("{"),
        lambda part, note: note.write_text(note.read_text().replace(md5(FILES[IMAGES]), "0" * 32)),
        lambda part, note: part.write_bytes(bytes(len(FILES[IMAGES]) + 1)),
    ):
        for path in download.folder.glob("*"):
            path.unlink()
        zenodo.holding.clear()
        download.interrupted(signal.SIGKILL)
        change(download.part(), Path(f"{download.part()}.json"))
        zenodo.requests.clear()
        download.succeeds()
        assert zenodo.ranges(IMAGES) == [None]


def test_a_damaged_part_is_found_out_and_fetched_anew(zenodo, download):
    download.interrupted(signal.SIGKILL)
    damaged = bytearray(download.part().read_bytes())
    damaged[700] ^= 1
    download.part().write_bytes(damaged)
    zenodo.requests.clear()
    assert "md5 is not what the record announces" in download.succeeds()
    assert zenodo.ranges(IMAGES) == ["bytes=1500000-", None]


def test_a_whole_part_needs_no_request(zenodo, download):
    download.interrupted(signal.SIGKILL)
    download.part().write_bytes(FILES[IMAGES])
    zenodo.requests.clear()
    download.succeeds()
    assert zenodo.ranges(IMAGES) == []


@pytest.mark.parametrize("name", FILES)
def test_a_record_without_one_of_the_files_is_an_error(zenodo, download, name):
    zenodo.entries = [entry for entry in zenodo.entries if entry["key"] != name]
    assert f"it does not name {name}" in download.fails()
    assert not download.folder.exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"size": -1}, "-1"),
        ({"size": 2**62}, "not enough space: 4611686018."),
        ({"size": 2**64 - 1}, "not enough space"),
        ({"size": 2**64}, "images.zip cannot be used"),
        ({"checksum": "md5:../../x"}, "is not an md5 checksum"),
        ({"links": {"self": "file:///etc/passwd"}}, "is not a safe address"),
        ({"key": "../images.zip"}, "does not name images.zip"),
    ],
)
def test_hostile_records_are_refused(zenodo, download, change, said):
    zenodo.entries[0] |= change
    assert said in download.fails()
    assert len(zenodo.requests) == 1 and not download.names()


def test_space_for_all_four_is_there_before_anything_is_fetched(zenodo, download):
    for entry in zenodo.entries[2:]:
        entry["size"] = 4 * 10**17
    said = download.fails()
    assert "800000000.00 GB are needed" in said and " are free" in said, said
    assert len(zenodo.requests) == 1


@pytest.mark.parametrize("text", [b"", b"<html>", b"{}", b"[" * 1_000_000])
def test_records_that_are_none_are_refused(zenodo, download, text):
    zenodo.manners["record"] = [server.instead(text)]
    said = download.fails()
    assert zenodo.record in said and "not a description of files" in said, said


def test_a_record_without_end_is_refused_while_it_comes(zenodo, download):
    sent = []

    def endless(request):
        request.head(200, None)
        for _ in range(100):
            request.wfile.write(b" " * 1_000_000)
            sent.append(1)

    zenodo.manners["record"] = [endless]
    assert "longer than 4194304 bytes" in download.fails()
    assert len(sent) < 50, "it was read on"


def test_where_nothing_listens_is_said(zenodo, download):
    said = download.fails("--retries", 1, "--record", "http://127.0.0.1:9/record")
    assert "gave up on the record from http://127.0.0.1:9/record after 2 attempts" in said, said
    assert "not an address" in download.fails("--record", "ftp://127.0.0.1/record")


def test_a_file_in_the_folders_place_is_said(download):
    download.folder.parent.mkdir()
    download.folder.write_bytes(b"")
    code, said = download.run()
    assert code == 2 and "choose a folder that you may write to" in said, said


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def encrypted(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with Zenodo(FILES, context) as running:
        yield running


@pytest.fixture
def trusted(authority, tmp_path):
    path = tmp_path / "roots.pem"
    authority.cert_pem.write_to_path(path)
    return {"SSL_CERT_FILE": str(path)}


def test_encrypted_connections_are_held_against_the_systems_roots(program, encrypted, trusted, tmp_path):
    download = Downloads(program, encrypted, tmp_path / "release")
    assert "certificate" in download.fails("--retries", 0)
    assert not encrypted.requests
    download.succeeds(**trusted)


def test_encryption_is_not_given_up_on_the_way(program, encrypted, trusted, zenodo, tmp_path):
    download = Downloads(program, encrypted, tmp_path / "release")
    plain = f"{zenodo.address}{server.RECORD}/files/{IMAGES}/content"
    encrypted.manners[IMAGES] = [server.redirect(plain)]
    assert "from an encrypted to an unencrypted address" in download.fails(**trusted)
    encrypted.entries[0]["links"]["self"] = plain
    assert "is not a safe address" in download.fails(**trusted)
    assert not zenodo.requests


def test_proxies_of_the_environment_are_used(zenodo, download):
    # This server answers 403 to whom would be connected to Zenodo through it.
    said = download.fails("--retries", 0, "--record", "https://zenodo.org/api/records/1", HTTPS_PROXY=zenodo.address)
    assert [path for path, _ in zenodo.requests] == ["zenodo.org:443"], said


def test_what_came_can_be_imported(program, demo, tmp_path):
    def zipped(kind: str) -> bytes:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for path in sorted((demo.source / kind).glob("1_*.mha")):
                archive.write(path, f"{kind}/{path.name}")
        return packed.getvalue()

    files = {f"{kind}.zip": zipped(kind) for kind in ("images", "masks")}
    files |= {name: (demo.source / name).read_bytes() for name in FILES if name.endswith(".csv")}
    with Zenodo(files) as zenodo:
        zenodo.manners[IMAGES] = [server.cut(0.5)]
        download = Downloads(program, zenodo, tmp_path / "release")
        download.succeeds()
    command = [program, "import", download.folder, "--data", tmp_path / "data"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    count = len(list((demo.source / "images").glob("1_*.mha")))
    assert done.returncode == 0 and count > 0 and f"{count} imported" in done.stdout, done.stdout + done.stderr
