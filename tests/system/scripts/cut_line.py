"""The way to a registry, which can be cut in the middle of a layer."""

from __future__ import annotations

import contextlib
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class CutLine:
    """Passes requests on to a registry; once ``cut`` is set, each layer ends in its middle."""

    def __init__(self, registry) -> None:
        self.cut = threading.Event()
        self.ended_early = 0
        line = self

        class Pass(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                asked = urllib.request.Request(
                    f"http://{registry.name}{self.path}", headers={"Accept": self.headers.get("Accept", "*/*")}
                )
                try:
                    answer = urllib.request.urlopen(asked, timeout=20)  # noqa: S310  loopback only
                except urllib.error.HTTPError as refused:
                    answer = refused
                with answer:
                    data = b"" if self.command == "HEAD" else answer.read()
                    self.send_response(answer.status)
                    for name in ("Content-Type", "Docker-Content-Digest", "Content-Length"):
                        if name in answer.headers:
                            self.send_header(name, answer.headers[name])
                    self.end_headers()
                if line.cut.is_set() and "/blobs/" in self.path:
                    data = data[: len(data) // 2]
                    line.ended_early += 1
                    self.close_connection = True
                with contextlib.suppress(OSError):
                    self.wfile.write(data)

            do_HEAD = do_GET  # noqa: N815  the name that the base class calls

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Pass)
        self.name = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self):
        """Stop passing."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
