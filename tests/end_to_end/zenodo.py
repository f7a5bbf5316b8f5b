"""A server on loopback that holds a record with four files, and misbehaves as asked."""

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RECORD = "/api/records/10159290"


class Zenodo:
    """Serves `files` and their record; a context manager. `requests` has what was asked: (path, headers).

    `manners` maps a file's name to what each request for it meets in turn: a function of the request's handler that
    answers it. After those it is answered well; so is the record, whose name is "record".
    """

    def __init__(self, files: dict[str, bytes], tls=None):
        self.files, self.requests, self.manners = dict(files), [], {}
        self.entries = [self.entry(name) for name in files]
        self.etags = {name: f'"{md5(data)}"' for name, data in files.items()}
        # Set to end the waiting of `hold`.
        self.released, self.holding = threading.Event(), threading.Event()
        zenodo = self

        class Handler(Request):
            owner = zenodo

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.address = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_port}"
        self.record = self.address + RECORD
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def entry(self, name: str) -> dict:
        """As Zenodo describes a file; its address is relative here, which is as good as any."""
        data = self.files[name]
        return {
            "id": "5f3c",
            "key": name,
            "size": len(data),
            "checksum": f"md5:{md5(data)}",
            "links": {"self": f"{RECORD}/files/{name}/content"},
        }

    def description(self) -> bytes:
        return json.dumps({"id": 10159290, "metadata": {"title": "made up"}, "files": self.entries}).encode()

    def asked(self, name: str) -> list[dict]:
        """The headers of every request for a file."""
        return [headers for path, headers in self.requests if f"/files/{name}/" in path]

    def ranges(self, name: str) -> list[str | None]:
        return [headers.get("range") for headers in self.asked(name)]


class Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: Zenodo

    def log_message(self, *_):
        pass

    def do_CONNECT(self):
        self.owner.requests.append((self.path, {}))
        status(403)(self)

    def do_GET(self):
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.owner.requests.append((self.path, headers))
        found = re.search(r"/files/([^/]+)/", self.path)
        self.name = found[1] if found else "record"
        manners = self.owner.manners.get(self.name, [])
        try:
            (manners.pop(0) if manners else well)(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    @property
    def data(self) -> bytes:
        return self.owner.description() if self.name == "record" else self.owner.files[self.name]

    @property
    def etag(self) -> str | None:
        return self.owner.etags.get(self.name)

    def first(self) -> int:
        """The first byte that is wanted; 0 for the whole file."""
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("range", ""))
        fresh = self.headers.get("if-range") in (None, self.etag)
        return int(wanted[1]) if wanted and fresh else 0

    def head(self, code: int, length: int | None, **headers):
        self.send_response(code)
        if self.etag:
            self.send_header("ETag", self.etag)
        if length is None:
            self.close_connection = True
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def begin(self) -> bytes:
        """Headers of a right answer; returns the body that should follow."""
        first, data = self.first(), self.data
        if first == 0:
            self.head(200, len(data))
        else:
            self.head(206, len(data) - first, Content_Range=f"bytes {first}-{len(data) - 1}/{len(data)}")
        return data[first:]


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def well(request: Request):
    request.wfile.write(request.begin())


def cut(share: float):
    """Ends the connection after a share of what is left."""

    def answer(request):
        body = request.begin()
        request.wfile.write(body[: int(len(body) * share)])
        request.close_connection = True

    return answer


def hold(share: float):
    """Sends a share of what is left, then nothing until the server ends."""

    def answer(request):
        body = request.begin()
        request.wfile.write(body[: int(len(body) * share)])
        request.owner.holding.set()
        request.owner.released.wait()
        request.close_connection = True

    return answer


def mute(request):
    """Takes the request and does not answer."""
    request.owner.released.wait()
    request.close_connection = True


def status(code: int, **headers):
    def answer(request):
        request.head(code, 0, **headers)

    return answer


def whole(request):
    """Knows no ranges."""
    request.head(200, len(request.data))
    request.wfile.write(request.data)


def whole_then_cut(share: float):
    def answer(request):
        request.head(200, len(request.data))
        request.wfile.write(request.data[: int(len(request.data) * share)])
        request.close_connection = True

    return answer


def ranged(content_range: str):
    """A 206 that says something wrong about itself; from the file's beginning, so that believing it shows."""

    def answer(request):
        first = request.first()
        body = request.data[: len(request.data) - first]
        length = len(request.data)
        said = content_range.format(first=first, next=first + 1, last=length - 1, length=length, more=length + 1)
        request.head(206, len(body), Content_Range=said)
        request.wfile.write(body)

    return answer


def other_version(request):
    """A 206 with the right numbers, without regard for If-Range, of a file that has changed."""
    first = int(re.fullmatch(r"bytes=(\d+)-", request.headers["range"])[1])
    request.owner.etags[request.name] = '"changed"'
    length = len(request.data)
    request.head(206, length - first, Content_Range=f"bytes {first}-{length - 1}/{length}")
    request.wfile.write(bytes(length - first))


def instead(data: bytes, chunked: bool = False):
    """Other bytes, whole; `chunked` does not say how many."""

    def answer(request):
        if not chunked:
            request.head(200, len(data))
            request.wfile.write(data)
            return
        request.head(200, None, Transfer_Encoding="chunked")
        for start in range(0, len(data), 60_000):
            piece = data[start : start + 60_000]
            request.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        request.wfile.write(b"0\r\n\r\n")

    return answer


def redirect(location: str):
    return status(302, Location=location)
