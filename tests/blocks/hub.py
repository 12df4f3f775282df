"""A hub on loopback: the few paths of it that a download asks for. It serves folders as models."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def hub(models: dict[str, Path], revisions: tuple[str, ...] = ("main",)) -> Iterator[tuple[str, list[str]]]:
    """Its URL, and the paths it was asked for."""
    asked: list[str] = []

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            asked.append(f"{self.command} {path}")
            info = re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(revision|tree)/([^/]+))?", path)
            file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
            found = info or file
            if found is None or found[1] not in models:
                self.answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})
            elif (info and (info[3] or "main") not in (*revisions, COMMIT)) or (
                file and file[2] not in (*revisions, COMMIT)
            ):
                self.answer(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            elif info:
                self.describe(models[info[1]], info[1], info[2])
            else:
                assert file is not None
                self.give(models[file[1]] / file[3])

        def describe(self, folder: Path, name: str, what: str | None) -> None:
            files = sorted(p for p in folder.rglob("*") if p.is_file())
            told: Any = {
                "id": name, "modelId": name, "sha": COMMIT, "private": False, "tags": [],
                "siblings": [{"rfilename": str(p.relative_to(folder))} for p in files],
            }  # fmt: skip
            if what == "tree":
                told = [
                    {"type": "file", "path": str(p.relative_to(folder)), "size": p.stat().st_size, "oid": digest(p)}
                    for p in files
                ]
            self.answer(200, json.dumps(told).encode(), {"Content-Type": "application/json"})

        def give(self, path: Path) -> None:
            if not path.is_file():
                self.answer(404, b"", {"X-Error-Code": "EntryNotFound"})
                return
            self.answer(200, path.read_bytes(), {"ETag": f'"{digest(path)}"', "X-Repo-Commit": COMMIT})

        def answer(self, status: int, data: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def digest(path: Path) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()
