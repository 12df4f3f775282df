"""npm's @copilotkit/aimock: a server of OpenAI's and Anthropic's APIs that is not ours, started on loopback.

It is installed once, into the user's cache folder, under a lock that all test processes share; from then on no
network is needed. It is never skipped: without npm the tests that need it fail, and say what to install.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PACKAGE = "@copilotkit/aimock"
VERSION = "1.43.0"


def cache_folder() -> Path:
    """Where programs for tests are kept between runs."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "yggdrasil-tests"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        folder = Path(tempfile.gettempdir()) / f"yggdrasil-tests-{os.getuid()}"
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def npm_package(name: str, version: str) -> Path:
    """The folder of a package from npm, installed unless it is there already; fails the test where that cannot be."""
    kept = cache_folder() / f"{name.replace('/', '-').strip('@')}-{version}"
    found = kept / "node_modules" / name
    with (cache_folder() / f"{kept.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not found.is_dir():
            _install(name, version, kept)
    if shutil.which("node") is None:
        pytest.fail(f"node is not on PATH: install Node.js 20 or newer, which runs {name} in these tests")
    return found


def _install(name: str, version: str, kept: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.fail(f"npm is not on PATH: install Node.js 20 or newer with npm, which installs {name} for these tests")
    # into a folder of its own, then renamed: whoever is killed in the middle leaves nothing half done behind
    work = Path(tempfile.mkdtemp(dir=kept.parent))
    try:
        (work / "package.json").write_text("{}")
        command = [npm, "install", f"{name}@{version}", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(command, cwd=work, capture_output=True, text=True, timeout=110, check=False)
        if done.returncode:
            pytest.fail(f"npm could not install {name}@{version}:\n{done.stdout[-1000:]}\n{done.stderr[-2000:]}")
        work.rename(kept)
    finally:
        shutil.rmtree(work, ignore_errors=True)


class Aimock:
    """A running server, told what to say over its control API."""

    def __init__(self, url: str) -> None:
        self.url = url

    def base_url(self, provider: str) -> str:
        """What the SDK of "openai" or "anthropic" is given as its endpoint."""
        return f"{self.url}/v1" if provider == "openai" else self.url

    def says(self, response: Any, *, match: dict[str, Any] | None = None, **fixture: Any) -> Aimock:
        """Answer what fits `match` (anything at all) with `response`, as its fixture files write them."""
        entry = {"match": match or {}, "response": response, **fixture}
        self._call("POST", "/__aimock/fixtures", {"fixtures": [entry]})
        return self

    def fails(self, status: int, **body: str) -> Aimock:
        """Answer the next request with an error."""
        self._call("POST", "/__aimock/error", {"status": status, "body": body or None})
        return self

    def chaos(self, **rates: float) -> Aimock:
        """Break answers: malformedRate, disconnectRate, rateLimitRate from 0 to 1; latencyMs."""
        self._call("POST", "/__aimock/chaos", rates)
        return self

    def reset(self) -> Aimock:
        """Forget what was told and asked."""
        self._call("POST", "/__aimock/reset", {})
        return self

    @property
    def requests(self) -> list[dict[str, Any]]:
        """What was asked, oldest first."""
        found = self._call("GET", "/__aimock/journal?limit=1000")
        return list(found["entries"] if isinstance(found, dict) else found)

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"content-type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)


@contextmanager
def running() -> Iterator[Aimock]:
    """A server on a free port of loopback, ended with the block."""
    program = npm_package(PACKAGE, VERSION) / "dist" / "cli.js"
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "told.json"
        told.write_text('{"fixtures": []}')
        command = ["node", str(program), "--port", "0", "--fixtures", str(told)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            assert child.stdout is not None
            lines: list[str] = []
            for line in child.stdout:
                lines.append(line)
                if "listening on" in line:
                    break
            else:
                pytest.fail(f"{PACKAGE} ended at once:\n{''.join(lines)}")
            yield Aimock(lines[-1].split("listening on")[1].strip())
        finally:
            child.kill()
            child.wait()
            if child.stdout is not None:
                child.stdout.close()
