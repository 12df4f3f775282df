"""All of midgard's stages by API, the Creator too, against a server of another house: npm's @copilotkit/aimock.

It is taken from the folder that AIMOCK names, else installed for the session; where neither is possible, this is
skipped.
"""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from PIL import Image

from tests.worlds.replies import DESCRIBED, DRAWN, INTENDED, RULED, TOLD
from yggdrasil.abc.store import Record
from yggdrasil.storage.sqlite import SqliteStore

PACKAGE = "@copilotkit/aimock"
VERSION = "1.43.0"
CALLS, PICTURES = 12, 3

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


@pytest.fixture(scope="session")
def aimock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server's program."""
    given = os.environ.get("AIMOCK")
    folder = Path(given) if given else tmp_path_factory.mktemp("aimock")
    program = folder / "node_modules" / PACKAGE / "dist" / "cli.js"
    if not given and shutil.which("npm") is not None:
        install = ["npm", "install", f"{PACKAGE}@{VERSION}", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(install, cwd=folder, capture_output=True, timeout=120, check=False)
    if not program.exists() or shutil.which("node") is None:
        pytest.skip(f"{PACKAGE} is not here and cannot be installed")
    return program


def fixtures() -> list[dict[str, Any]]:
    """What it says to whom, by what it is asked: so that a repeated question has the same answer."""
    found: list[tuple[dict[str, str], dict[str, Any]]] = [
        ({"systemMessage": "You are the Philosopher of Midgard"}, DESCRIBED),
    ]
    for day, today in enumerate(("Day 120,", "Day 122,", "Day 125,")):
        found += [
            ({"systemMessage": "You decide what happens next", "userMessage": f"Today\n{today}"}, INTENDED[day]),
            ({"systemMessage": "You are the Architect", "userMessage": INTENDED[day]["gist"]}, DRAWN[day]),
        ]
    for day in range(2):
        found += [
            ({"systemMessage": "You are the Author", "userMessage": INTENDED[day]["gist"]}, TOLD[day]),
            ({"systemMessage": "You keep the facts", "userMessage": TOLD[day]["text"]}, RULED[day]),
        ]
    said = [{"match": match, "response": {"content": json.dumps(answer)}} for match, answer in found]
    painted = [
        {
            "match": {"endpoint": "image", "userMessage": drawn["words"]},
            "response": {"image": {"b64Json": base64.b64encode(picture(shade)).decode()}},
        }
        for drawn, shade in zip(DRAWN, (60, 120, 180), strict=True)
    ]
    return said + painted


def picture(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (96, 64), (shade, shade, 200)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def server(aimock: Path, tmp_path: Path) -> Iterator[str]:
    """Its address, while it runs."""
    told = tmp_path / "told.json"
    told.write_text(json.dumps({"fixtures": fixtures()}), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["node", str(aimock), "--port", str(port), "--fixtures", str(told), "--strict", "--latency", "15"]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        limit = time.monotonic() + 30
        while True:
            assert child.poll() is None, "the server ended"
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < limit
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        child.kill()
        child.wait()


def asked(server: str) -> list[dict[str, Any]]:
    """The requests that it was sent."""
    with urllib.request.urlopen(f"{server}/__aimock/journal?limit=1000") as answer:
        found = json.load(answer)
    return list(found["entries"] if isinstance(found, dict) else found)


def records(folder: Path) -> list[Record]:
    async def read() -> list[Record]:
        async with SqliteStore(folder / "midgard.db") as store:
            return await store.read("midgard")

    return anyio.run(read)


def effects(folder: Path) -> list[str]:
    return [str(r.data["what"]) for r in records(folder) if r.kind == "effect"]


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_killed_in_the_middle_three_ticks_by_api(provider: str, server: str, tmp_path: Path) -> None:
    base = {"openai": f"{server}/v1", "anthropic": server}
    environment = {**os.environ, "OPENAI_BASE_URL": base["openai"], "OPENAI_API_KEY": "of-no-worth",
                   "ANTHROPIC_API_KEY": "of-no-worth"}  # fmt: skip
    folder = tmp_path / "here"
    folder.mkdir()

    def command(ticks: int) -> list[str]:
        model = ["--model", f"{provider}:test-model", "--endpoint-url", base[provider], "--overlay", "llm-image"]
        return [sys.executable, "-m", "yggdrasil", "run", "midgard", "--ticks", str(ticks), "--json", *model]

    child = subprocess.Popen(command(3), cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    limit = time.monotonic() + 90
    while not (folder / "midgard.db").exists() or len(effects(folder)) < 7:
        assert child.poll() is None, "it ended before it was killed"
        assert time.monotonic() < limit
        time.sleep(0.02)
    child.kill()
    child.wait()
    kept, before = len(effects(folder)), len(asked(server))
    assert 7 <= kept < CALLS + PICTURES
    assert before - kept in (0, 1), "at most one was under way"
    done_already = sum(r.kind == "finished" for r in records(folder))
    done = subprocess.run(
        command(3 - done_already), cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(asked(server)) - before == CALLS + PICTURES - kept, "no recorded call was made again"
    assert (effects(folder).count("model"), effects(folder).count("image")) == (CALLS, PICTURES)
    whole = records(folder)
    assert [r.data["tick"] for r in whole if r.kind == "finished"] == [1, 2, 3]
    assert [r.data["entry"]["text"] for r in whole if r.kind == "history"] == [day["text"] for day in TOLD]
    written = [p.read_bytes() for p in sorted((folder / "midgard-pictures").glob("*.png"))]
    assert written == [picture(60), picture(120), picture(180)], "the pictures are the server's, byte for byte"
