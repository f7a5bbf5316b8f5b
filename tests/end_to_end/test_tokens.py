"""The token file while the server runs, transfers whose token is revoked, settings that say yes or no, and how the process ends."""

import os
import re
import shutil
import signal
import socket
import subprocess
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from test_operations import PICTURE, eventually, families, minted, received, served

from service import Service

HERE = Path(__file__).parent
# Too long for the buffers between the server and a client that does not read.
LONG = "/v1/scans/1_t1/image.npy?size=1024"


def bearer(token) -> dict:
    return {"authorization": f"Bearer {token}"}


def status(service, token, path="/v1/labels") -> int:
    return service.client.get(path, headers=bearer(token)).status_code


def begun(service, target, headers=()) -> tuple[socket.socket, bytes]:
    """A connection on which a response has begun, and what came of it so far. The client's buffer is small."""
    url = httpx.URL(service.address)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(60)
    sock.connect((url.host, url.port))
    lines = "".join(f"{name}: {value}\r\n" for name, value in dict(headers).items())
    sock.sendall(f"GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{lines}\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += sock.recv(1024)
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    return sock, answer


def lengths(answer: bytes) -> tuple[int, int]:
    """What was announced of a body, and what came."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(re.search(rb"content-length: (\d+)", head.lower())[1]), len(body)


# The file.


def test_an_empty_file_admits_nobody(program, demo, tmp_path):
    file, (line, token) = tmp_path / "tokens", minted(program, "ann")
    file.write_text(line)
    with served(program, demo, "--token-file", file) as service:
        assert status(service, token) == 200
        file.write_text("")
        assert eventually(lambda: status(service, token) == 401)
        assert service.client.get("/readyz").status_code == 200
        assert "every request is refused" in service.log()
        file.write_text(f"# nobody\n{line}\n")
        assert eventually(lambda: status(service, token) == 200)


def test_a_token_is_replaced_by_a_second_line_with_its_name(program, demo, tmp_path):
    file, (old_line, old), (new_line, new) = tmp_path / "tokens", minted(program, "ann"), minted(program, "ann")
    file.write_text(f"{old_line}\n")
    with served(program, demo, "--token-file", file) as service:
        signed = service.client.get("/v1/signed", params={"url": PICTURE}, headers=bearer(old)).json()["url"]
        with file.open("a") as lines:
            lines.write(f"{new_line}\n")
        assert eventually(lambda: status(service, new) == 200)
        assert status(service, old) == 200 and service.client.get(signed).status_code == 200
        file.write_text(f"{new_line}\n")
        assert eventually(lambda: status(service, old) == 401)
        assert status(service, new) == 200
        # What the old token has signed ends with it, though the name is still there.
        assert service.client.get(signed).status_code == 403


def test_a_byte_order_mark_and_bad_lines_cost_nobody_else_a_token(program, demo, tmp_path):
    file, (ann_line, ann), (ben_line, ben) = tmp_path / "tokens", minted(program, "ann"), minted(program, "ben")
    file.write_text(f"\ufeff{ann_line}\r\n", newline="")
    with served(program, demo, "--token-file", file) as service:
        assert status(service, ann) == 200
        file.write_bytes(f"\ufeff{ann_line}\r\nben hunter2\r\n{ben_line}\r\n".encode() + b"\xff\xfe\r\n")
        assert eventually(lambda: status(service, ben) == 200)
        assert status(service, ann) == 200
        samples = families_with(service, ann)
        assert (samples["sagittal_tokens"], samples["sagittal_token_file_skipped_lines"]) == (2, 2)
        [said] = [line for line in service.log().splitlines() if "were skipped" in line]
        assert "2, 4" in said and "hunter2" not in service.log()


def families_with(service, token) -> dict[str, float]:
    service.client.headers.update(bearer(token))
    try:
        return families(service)
    finally:
        del service.client.headers["authorization"]


# A file that does not answer.


def test_a_server_does_not_start_with_a_fifo_as_token_file(program, demo, tmp_path):
    os.mkfifo(tmp_path / "tokens")
    for flag in ("--token-file", "--signing-secret-file"):
        flags = [flag, tmp_path / "tokens"] + (["--token-file", tmp_path / "none"] if "secret" in flag else [])
        started = subprocess.run([program, "serve", "--data", demo.data, *flags], capture_output=True, text=True, timeout=60)
        assert started.returncode == 2 and "it is not a regular file" in started.stderr, started.stderr


def test_a_fifo_in_place_of_the_token_file_changes_nothing_and_is_reported(program, demo, tmp_path):
    file, (line, token) = tmp_path / "tokens", minted(program, "ann")
    file.write_text(line)
    with served(program, demo, "--token-file", file) as service:
        assert families_with(service, token)["sagittal_token_file_stale"] == 0
        file.unlink()
        os.mkfifo(file)
        assert eventually(lambda: families_with(service, token)["sagittal_token_file_stale"] == 1)
        assert "it is not a regular file" in service.log()
        file.unlink()
        file.write_text(line)
        assert eventually(lambda: families_with(service, token)["sagittal_token_file_stale"] == 0)
        file.unlink()
        os.mkfifo(file)
        service.signal(signal.SIGTERM)
        assert service.exit_code() == 0


def test_a_token_file_that_hangs_holds_up_neither_requests_nor_the_end(program, demo, tmp_path):
    library, hangs = tmp_path / "hanging_file.so", tmp_path / "hangs"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, HERE / "hanging_file.c", "-ldl"], check=True)
    file, (ann_line, ann), (ben_line, ben) = tmp_path / "tokens", minted(program, "ann"), minted(program, "ben")
    file.write_text(ann_line)
    environment = os.environ | {"LD_PRELOAD": str(library), "HANGING_FILE": str(file), "HANGS_WHILE": str(hangs)}
    command = [program, "serve", "--data", demo.data, "--token-file", file]
    with Service(command, demo.source, demo.data, env=environment) as service:
        hangs.touch()
        assert eventually(lambda: families_with(service, ann)["sagittal_token_file_stale"] == 1)
        file.write_text(ben_line)
        for _ in range(20):
            assert status(service, ann) == 200
        assert "reading it did not end within" in service.log()
        hangs.unlink()
        assert eventually(lambda: (status(service, ann), status(service, ben)) == (401, 200))
        hangs.touch()
        assert eventually(lambda: families_with(service, ben)["sagittal_token_file_stale"] == 1)
        service.signal(signal.SIGTERM)
        assert service.exit_code() == 0


# Transfers.


@pytest.mark.parametrize("is_signed", [False, True])
@pytest.mark.parametrize("target", [LONG, "/v1/stream.tar?size=1024"])
def test_a_running_transfer_ends_visibly_when_its_token_is_revoked(program, demo, tmp_path, target, is_signed):
    file, (ann_line, ann), (ben_line, ben) = tmp_path / "tokens", minted(program, "ann"), minted(program, "ben")
    file.write_text(f"{ann_line}\n{ben_line}\n")
    with served(program, demo, "--token-file", file) as service:
        headers, wanted = bearer(ann), target
        if is_signed:
            wanted = service.client.get("/v1/signed", params={"url": target}, headers=headers).json()["url"]
            headers = {}
        (revoked, first), (kept, second) = begun(service, wanted, headers), begun(service, target, bearer(ben))
        with closing(revoked), closing(kept):
            file.write_text(f"{ben_line}\n")
            assert eventually(lambda: status(service, ann) == 401)
            announced, came = lengths(first + received(revoked))
            assert came < announced
            # Somebody else's goes on.
            announced, came = lengths(second + received(kept))
            assert came == announced


# Yes and no.


@pytest.mark.parametrize("value", ["never", "yess", "2", "/srv/spider"])
@pytest.mark.parametrize("variable", ["SAGITTAL_ALLOW_ANONYMOUS", "SAGITTAL_LOG_JSON", "SAGITTAL_OR_DEMO", "AWS_ALLOW_HTTP", "AWS_SKIP_SIGNATURE"])
def test_what_is_neither_yes_nor_no_is_an_error(program, variable, value):
    command = [program, "serve", "--data", "s3://spider/release", "--listen", "127.0.0.1:0"]
    started = subprocess.run(command, env=os.environ | {variable: value}, capture_output=True, text=True, timeout=60)
    assert started.returncode == 2 and f'{variable}="{value}" is neither yes nor no' in started.stderr, started.stderr


@pytest.mark.parametrize(("value", "is_allowed"), [(value, True) for value in ("true", "yes", "on", "1")] + [(value, False) for value in ("false", "no", "off", "0", "", None)])
def test_anonymous_requests_are_allowed_by_a_plain_yes(program, tmp_path, value, is_allowed):
    """There are no data, so that nothing ever listens beyond this machine."""
    environment = {name: text for name, text in os.environ.items() if name != "SAGITTAL_ALLOW_ANONYMOUS"}
    environment |= {} if value is None else {"SAGITTAL_ALLOW_ANONYMOUS": value}
    command = [program, "serve", "--data", tmp_path / "none", "--listen", "0.0.0.0:0"]
    started = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert started.returncode == 2
    assert ("would let anybody in" in started.stderr) != is_allowed, started.stderr


def test_a_signing_secret_needs_tokens_and_32_bytes(program, demo, tmp_path):
    (tmp_path / "secret").write_text("hunter2\n")
    (tmp_path / "tokens").write_text(minted(program, "ann")[0])
    for flags, hint in (([], "--token-file"), (["--token-file", tmp_path / "tokens"], "shorter than 32 bytes")):
        command = [program, "serve", "--data", demo.data, "--signing-secret-file", tmp_path / "secret", *flags]
        started = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert started.returncode == 2 and hint in started.stderr and "hunter2" not in started.stderr


def test_signed_urls_end_with_a_process_that_has_no_secret_file(program, demo, tmp_path):
    file, (line, token) = tmp_path / "tokens", minted(program, "ann")
    file.write_text(line)
    (tmp_path / "secret").write_text("f" * 64)
    for flags, kept in (([], 403), (["--signing-secret-file", tmp_path / "secret"], 200)):
        with served(program, demo, "--token-file", file, *flags) as service:
            signed = service.client.get("/v1/signed", params={"url": PICTURE}, headers=bearer(token)).json()["url"]
            assert service.client.get(signed).status_code == 200
        with served(program, demo, "--token-file", file, *flags) as service:
            assert service.client.get(signed).status_code == kept


# The end.


def test_a_second_interrupt_ends_the_process_at_once(program, demo):
    with served(program, demo, "--drain-seconds", "600", "--write-seconds", "600") as service:
        slow, _ = begun(service, LONG)
        with closing(slow):
            service.signal(signal.SIGINT)
            # It has stopped to listen, and waits for the slow client.
            assert eventually(lambda: not accepts(service))
            assert service.is_running()
            service.signal(signal.SIGINT)
            assert service.exit_code() == 130


def accepts(service) -> bool:
    url = httpx.URL(service.address)
    try:
        with closing(socket.create_connection((url.host, url.port), timeout=30)):
            return True
    except ConnectionRefusedError:
        return False


def test_a_file_system_that_hangs_does_not_hold_up_the_end(program, demo, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(demo.data, data)
    chunks = [path for path in data.rglob("c/*/*/*") if path.is_file()]
    assert chunks
    for chunk in chunks:
        chunk.unlink()
        os.mkfifo(chunk)
    flags = ["--drain-seconds", "0.3", "--shutdown-delay-seconds", "0.001"]
    with Service([program, "serve", "--data", data, *flags], demo.source, data) as service:
        sock = socket.create_connection((httpx.URL(service.address).host, httpx.URL(service.address).port), timeout=60)
        with closing(sock):
            sock.sendall(f"GET {PICTURE} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
            # That one and the one for the metrics.
            assert eventually(lambda: families(service)["sagittal_requests_in_flight"] == 2)
            service.signal(signal.SIGTERM)
            assert service.exit_code() == 0
