"""Serve the part of GitHub's REST interface that the scripts use, with generated releases."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# The application: responds with its version and a word from the wheel that it depends on.
APP = """\
import http.server, sys, greeter
KIND = {kind!r}
if KIND == "exits":
    sys.exit("cannot find the settings")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(500 if KIND == "unhealthy" else 200)
        self.end_headers()
        self.wfile.write(b"{version} " + greeter.WORD.encode())
    def log_message(self, *_):
        pass
http.server.HTTPServer.allow_reuse_address = True
http.server.HTTPServer(("127.0.0.1", {port}), Handler).serve_forever()
"""


class ArtifactServer:
    """Publishes releases of owner/app and serves them on loopback."""

    def __init__(self) -> None:
        self.files = {}
        self.requested = []
        files, requested = self.files, self.requested

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                requested.append(self.path)
                found = files.get(self.path)
                if isinstance(found, str):
                    self.send_response(302)
                    self.send_header("Location", found)
                    self.end_headers()
                    return
                self.send_response(404 if found is None else 200)
                self.end_headers()
                self.wfile.write(found or b"")

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.api = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self):
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def publish(self, version, port, *, kind="healthy", digest="digest", note="", more=()):
        """Publish app-VERSION.tar.gz; ``digest`` selects where its SHA-256 is: digest, sums, none or wrong."""
        data = _archive(version, port, kind, note, more)
        name = f"app-{version}.tar.gz"
        found = hashlib.sha256(data).hexdigest()
        asset = {"name": name, "state": "uploaded", "size": len(data), "browser_download_url": f"{self.api}/get/{name}"}
        assets = [asset]
        if digest == "digest":
            asset["digest"] = f"sha256:{found}"
        if digest == "wrong":
            asset["digest"] = f"sha256:{'0' * 64}"
        if digest == "sums":
            assets.append({"name": "SHA256SUMS", "browser_download_url": f"{self.api}/get/sums-{version}"})
            self.files[f"/get/sums-{version}"] = f"{found}  {name}\n".encode()
        self.files[f"/get/{name}"] = f"{self.api}/stored/{name}"  # GitHub redirects to its store
        self.files[f"/stored/{name}"] = data
        release = json.dumps({"tag_name": f"v{version}", "assets": assets})
        self.files[f"/repos/owner/app/releases/tags/v{version}"] = release.encode()


def _archive(version, port, kind, note, more):
    packed = io.BytesIO()
    files = {
        "app.py": APP.format(kind=kind, version=version, port=port).encode(),
        "requirements.txt": b"greeter==1.0\n" if kind != "unmet" else b"greeter==2.0\n",
        "wheels/greeter-1.0-py3-none-any.whl": _wheel(),
        "note": note.encode(),
    } | dict(more)
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"app-{version}/{name}")
            member.size, member.uid = len(data), 4711
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def _wheel():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as wheel:
        wheel.writestr("greeter.py", 'WORD = "hello"\n')
        wheel.writestr("greeter-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: greeter\nVersion: 1.0\n")
        wheel.writestr("greeter-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(
            "greeter-1.0.dist-info/RECORD",
            "greeter.py,,\ngreeter-1.0.dist-info/METADATA,,\ngreeter-1.0.dist-info/WHEEL,,\n"
            "greeter-1.0.dist-info/RECORD,,\n",
        )
    return packed.getvalue()
