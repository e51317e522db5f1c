"""A registry of images for tests: the pull side of the OCI distribution spec, on loopback.

Its images are made here of busybox, so nothing needs to be pushed. It can ask for a password, fail,
be slow, and forget an image.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

from tests.support.podman import busybox_layer

MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
LAYER: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
_CHUNK: Final = 16 * 1024


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Registry:
    """A running registry; a context manager."""

    def __init__(self) -> None:
        self.manifest_gets = 0
        self.blob_gets = 0
        self.account: str | None = None
        """``user:password`` that it asks for."""
        self.failures = 0
        """So many requests are answered with 503."""
        self.bytes_per_s: float | None = None
        self._manifests: dict[str, bytes] = {}
        self._blobs: dict[str, bytes] = {}
        self._layer = gzip.compress(busybox_layer(), mtime=0)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self.host = f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add(self, name: str, tag: str, *command: str, architecture: str = "amd64") -> str:
        """Have an image under this name, or another one in its place; returns its reference."""
        layer_digest = _digest(gzip.decompress(self._layer))
        config = {
            "architecture": architecture,
            "os": "linux",
            "config": {"Cmd": list(command) or ["sleep", "1000"]},
            "rootfs": {"type": "layers", "diff_ids": [layer_digest]},
        }
        parts = {CONFIG: json.dumps(config).encode(), LAYER: self._layer}
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._blob(CONFIG, parts[CONFIG]),
            "layers": [self._blob(LAYER, parts[LAYER])],
        }
        self._manifests[f"{name}/manifests/{tag}"] = json.dumps(manifest).encode()
        return f"{self.host}/{name}:{tag}"

    def remove(self, name: str, tag: str) -> None:
        """Forget an image."""
        del self._manifests[f"{name}/manifests/{tag}"]

    def _blob(self, media_type: str, content: bytes) -> dict[str, Any]:
        digest = _digest(content)
        self._blobs[digest] = content
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    def answer(self, path: str, authorization: str) -> tuple[HTTPStatus, str, bytes]:
        """Return (status, content type, body) of a GET."""
        if self.failures:
            self.failures -= 1
            return HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", b"later"
        if self.account is not None:
            wanted = f"Basic {base64.b64encode(self.account.encode()).decode()}"
            if authorization != wanted:
                return HTTPStatus.UNAUTHORIZED, *_errors("UNAUTHORIZED", "authentication required")
        name = path.removeprefix("/v2/")
        if not name:
            return HTTPStatus.OK, "application/json", b"{}"
        if name in self._manifests:
            self.manifest_gets += 1
            return HTTPStatus.OK, MANIFEST, self._manifests[name]
        blob = self._blobs.get(name.rpartition("/")[2])
        if blob is not None:
            self.blob_gets += 1
            return HTTPStatus.OK, "application/octet-stream", blob
        return HTTPStatus.NOT_FOUND, *_errors("MANIFEST_UNKNOWN", "manifest unknown")


def _errors(code: str, message: str) -> tuple[str, bytes]:
    return "application/json", json.dumps({"errors": [{"code": code, "message": message}]}).encode()


def _handler_of(registry: Registry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send(with_body=True)

        def do_HEAD(self) -> None:
            self._send(with_body=False)

        def _send(self, *, with_body: bool) -> None:
            authorization = self.headers.get("Authorization", "")
            status, content_type, body = registry.answer(self.path, authorization)
            self.send_response(status)
            if status is HTTPStatus.UNAUTHORIZED:
                self.send_header("WWW-Authenticate", 'Basic realm="fleet"')
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Docker-Content-Digest", _digest(body))
            self.end_headers()
            for start in range(0, len(body) if with_body else 0, _CHUNK):
                self.wfile.write(body[start : start + _CHUNK])
                if registry.bytes_per_s:
                    time.sleep(_CHUNK / registry.bytes_per_s)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
