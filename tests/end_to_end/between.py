"""A server between a client and the service that goes wrong on purpose."""

import http.server
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

HOP = {"connection", "transfer-encoding", "content-length", "date", "server"}


@dataclass
class Fault:
    """What happens to one request: an error, another path, or a response that is cut off."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    path: str | None = None
    bytes: int | None = None


class Between:
    """Forwards requests; `fault` gets the number of each that gets a body and its path, and may give a `Fault`. A context
    manager.
    """

    def __init__(self, address: str, fault: Callable[[int, str], Fault | None]):
        self.paths: list[str] = []
        self.ranges: list[str | None] = []
        between = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                found = Fault()
                if self.command != "HEAD":
                    between.paths.append(self.path)
                    between.ranges.append(self.headers.get("range"))
                    found = fault(len(between.paths), self.path) or found
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                if found.status:
                    return self.send(found.status, found.headers, b"<html>busy</html>", None)
                headers = {name: value for name, value in self.headers.items() if name.lower() not in {"host", *HOP}}
                url = address + (found.path or self.path)
                with httpx.stream(self.command, url, headers=headers, content=body, timeout=60) as reply:
                    # As sent: compressed, if it is.
                    content = b"".join(reply.iter_raw())
                self.send(reply.status_code, dict(reply.headers), content, found.bytes)

            do_POST = do_HEAD = do_GET

            def send(self, status, headers, body, most):
                self.send_response(status)
                for name, value in headers.items():
                    if name.lower() not in HOP:
                        self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body[:most])
                if most is not None:
                    self.close_connection = True

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
