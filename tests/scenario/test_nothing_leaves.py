"""Nothing leaves the machine unless the config names it: watched in the interpreter, and by the kernel where it can be.

Each check is a process of its own. Python's audit events see what Python code asks of sockets; strace, where it works,
sees what any code, a C library too, asks of the kernel.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("quiet_life.py")
KERNEL = ("strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=connect,sendto,sendmsg,sendmmsg,bind,execve", "-o")

# What would phone home, were anything to listen to it.
ENVIRONMENT = {
    "OTEL_TRACES_EXPORTER": "otlp",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.9:4318",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.9:4318/v1/traces",
    "OPENAI_API_KEY": "key-for-nobody",
    "ANTHROPIC_API_KEY": "key-for-nobody",
}


def strace_works() -> bool:
    """Whether this machine has strace and lets it trace."""
    if shutil.which("strace") is None:
        return False
    return (
        subprocess.run([*KERNEL, os.devnull, sys.executable, "-c", ""], capture_output=True, check=False).returncode
        == 0
    )


@pytest.fixture(scope="module")
def traced() -> bool:
    """Whether the kernel can be watched too."""
    return strace_works()


def live(folder: Path, traced: bool, *words: str) -> tuple[list[tuple[str, str]], list[str]]:
    """What a process that does `words` was seen to do: (event, about what); and what the kernel was asked for.

    Of the kernel: lines with the addresses that were to be reached or bound, and the programs that were started.
    """
    report, log = folder / "report.json", folder / "strace.txt"
    by = (*KERNEL, str(log)) if traced else ()
    done = subprocess.run(
        [*by, sys.executable, str(SCRIPT), str(report), *words],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT), **ENVIRONMENT},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = [(event, ", ".join(about)) for event, about in json.loads(report.read_text())]
    lines = log.read_text().splitlines() if traced else []
    started = [line for line in lines if "execve(" in line and line.endswith("= 0")][1:]
    return seen, [line for line in lines if "sa_family=AF_INET" in line] + started


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """A model on loopback, in the format of Chat Completions: its URL, and the paths it was asked for."""
    asked: list[str] = []

    class Model(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            message = {"role": "assistant", "content": "hail"}
            usage = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
            reply = {
                "id": "r1", "object": "chat.completion", "created": 1, "model": "tiny", "usage": usage,
                "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            }  # fmt: skip
            body = json.dumps(reply).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Model) as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{found.server_port}/v1", asked
        found.shutdown()
        thread.join()


LOCAL = ("/sbin/ldconfig", "uname")
"""What a provider's SDK runs to learn about this machine; it goes into a header of its requests. torch asks, too."""

PROBE = re.compile(r"'::1', 0\)|htons\(0\).*\"::1\"")
"""What the hub's client asks of this machine when it is imported: whether it has IPv6. Nothing is sent."""


def test_the_watchers_see(tmp_path: Path, traced: bool) -> None:
    seen, asked = live(tmp_path, traced, "loud")
    assert ("socket.connect", "('127.0.0.1', 9)") in seen
    assert ("socket.sendto", "('127.0.0.2', 9)") in seen
    assert any(event == "socket.getaddrinfo" and "localhost" in about for event, about in seen)
    assert any(event == "subprocess.Popen" for event, _ in seen)
    if traced:
        assert any("htons(9)" in line and "127.0.0.2" in line for line in asked)
        assert any("execve(" in line for line in asked)


def test_imports_agents_memories_and_worlds_open_nothing(tmp_path: Path, traced: bool) -> None:
    for found in live(tmp_path, traced, "life"):
        lines = [line if isinstance(line, str) else " ".join(line) for line in found]
        assert [line for line in lines if not PROBE.search(line) and not any(name in line for name in LOCAL)] == []
    assert (tmp_path / "midgard.db").exists()
    assert (tmp_path / "memory.db").exists()


def test_a_model_is_asked_where_the_config_says_and_nobody_else(
    tmp_path: Path, traced: bool, server: tuple[str, list[str]]
) -> None:
    url, paths = server
    port = url.rpartition(":")[2].removesuffix("/v1")
    seen, asked = live(tmp_path, traced, "model", url)
    assert ("socket.connect", f"('127.0.0.1', {port})") in seen
    assert len(paths) == 1
    said = [f"{event} {about}" for event, about in seen if not any(name in about for name in LOCAL)]
    assert [line for line in said if "127.0.0.1" not in line or not re.search(rf"\b{port}\b", line)] == []
    if traced:
        assert asked
    said = [line for line in asked if not any(name in line for name in LOCAL)]
    assert [line for line in said if f"htons({port})" not in line or "127.0.0.1" not in line] == []
