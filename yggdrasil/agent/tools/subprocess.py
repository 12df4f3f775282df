"""Programs for an agent: a command or Python in a process of its own, within limits, ended as a whole.

What it is: bounds on time, memory, output and the size of files; an environment without this one's keys; a folder of
its own; and an end of everything that was started, daemons too, when the program ends, takes too long, or the run is
cancelled. What it is not: a sandbox. The program runs as this user. It can read and write what this user can, reach
the network, and look at this user's other processes (and so at their environment). Hence a person is asked before
each call, unless the one who builds the agent says otherwise; for programs that nobody looks at, use a container.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from anyio.abc import Process

from yggdrasil.abc.context import RunContext
from yggdrasil.agent.tools import guard
from yggdrasil.agent.tools.plain import in_a_line, plain
from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError, PortError, RunError
from yggdrasil.runtime.threads import in_thread

SECONDS = 60.0
"""The most seconds for one program."""
MEMORY = 2048
"""The most MiB of address space of one process."""
OUTPUT = 20_000
"""Characters of output that are given; of more the beginning and the end."""
DRAINED = 64 * 1024 * 1024
"""Bytes of output after which a program is ended."""
LONGEST = 100_000
"""Bytes of one command or program: what a system takes as one argument, about."""

_FILE_MIB = 256
_OPEN_FILES = 512
_PROCESSES = 512
_MIB = 1024 * 1024
_GRACE = 0.7
_KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")


class Limits(Value):
    """What one program may use: seconds of time, MiB of memory (each of its processes), characters of output."""

    seconds: float = SECONDS
    memory: int = MEMORY
    output: int = OUTPUT

    def __post_init__(self) -> None:
        for name, value in self.values().items():
            kind = int | float if name == "seconds" else int
            if isinstance(value, bool) or not isinstance(value, kind) or not 0 < value < 1e9:
                hint = f"{name}: {Limits._defaults[name]}"
                raise ConfigError(f"{name} is {in_a_line(value)}, not a number above 0", hint=hint)


class Ended(Value):
    """How a program ended. `code` is None when it was ended because of a limit, which `limit` names."""

    output: str
    code: int | None
    seconds: float
    limit: str = ""

    def text(self) -> str:
        """As a model reads it."""
        how = f"ended: {self.limit}" if self.limit else f"exit code {self.code}"
        return f"{self.output.rstrip() or '(no output)'}\n[{how}, {self.seconds:.2f} s]"


async def shell(command: str, ctx: RunContext, folder: str = "", limits: Limits | None = None) -> str:
    """What a shell says to a command; `folder` is where it runs, a fresh one without it."""
    program = shutil.which("bash") or "/bin/sh"
    return await _told([program, "-c", _checked(command, "command")], ctx, folder, limits)


async def python(code: str, ctx: RunContext, folder: str = "", limits: Limits | None = None) -> str:
    """What a Python program says; with this interpreter and its packages, in a process of its own."""
    if not sys.executable:
        raise ConfigError("this process does not know its Python, so it cannot start another one")
    return await _told([sys.executable, "-I", "-B", "-c", _checked(code, "code")], ctx, folder, limits)


async def _told(command: Sequence[str], ctx: RunContext, folder: str, limits: Limits | None) -> str:
    async with _folder(folder, ctx) as place:
        return (await run_program(command, place, limits or Limits())).text()


def _checked(text: str, name: str) -> str:
    if not isinstance(text, str) or not text.strip():
        raise PortError(f"{name} is empty", hint=f'{name}="..."')
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise PortError(f"{name} has characters in it that are no text") from None
    if "\0" in text:
        raise PortError(f"{name} has a NUL character in it")
    if size > LONGEST:
        raise PortError(f"{name} has at most {LONGEST:,} bytes, this one {size:,}", hint="write it to a file in pieces")
    return text


@asynccontextmanager
async def _folder(folder: str, ctx: RunContext) -> AsyncIterator[Path]:
    """The folder given, or one that is there for this call only."""
    if folder:
        yield _given(folder)
        return
    place = Path(tempfile.mkdtemp(prefix="yggdrasil-"))
    try:
        yield place
    finally:
        with anyio.CancelScope(shield=True):
            left = await in_thread(_remove, place)
        if left:
            ctx.warn(f"the folder {place} of a program could not be removed: {left}")


def _given(folder: str) -> Path:
    place = Path(folder).expanduser().resolve()
    if not place.is_dir():
        raise ConfigError(f"there is no folder {in_a_line(place)}", hint="folder: ./work")
    return place


def _remove(place: Path) -> str:
    """Remove a folder, also one whose inner folders were made unwritable; what hindered it."""
    try:
        for top, folders, _ in os.walk(place):
            for name in folders:
                inner = os.path.join(top, name)
                if not os.path.islink(inner):
                    os.chmod(inner, 0o700)
        shutil.rmtree(place)
    except OSError as error:
        return str(error)
    return ""


async def run_program(
    command: Sequence[str], folder: Path, limits: Limits, environment: Mapping[str, str] | None = None
) -> Ended:
    """Run a command in a folder and say how it ended. When this returns or raises, nothing of it is alive.

    RunError when there is no way to start processes.
    """
    if os.name != "posix":
        raise ConfigError("programs are run on Linux and macOS only: elsewhere their limits cannot be set")
    # The loop watches the clock; the limit on processor time is for when it is held up.
    wanted = {
        "memory": limits.memory * _MIB,
        "seconds": int(limits.seconds) + 2,
        "file": _FILE_MIB * _MIB,
        "open": _OPEN_FILES,
        "processes": _PROCESSES,
        "core": 0,
    }
    line = json.dumps({"command": list(command), "limits": wanted}).encode() + b"\n"
    output = _Output(limits.output)
    began = anyio.current_time()
    try:
        process = await anyio.open_process(
            [sys.executable, "-I", "-S", guard.__file__],
            stderr=-2,  # subprocess.STDOUT: in the order in which it was said
            cwd=folder,
            env=environment if environment is not None else scrubbed(folder),
            start_new_session=True,
        )
    except OSError as error:
        raise RunError(f"no process can be started: {error}") from error
    limit = ""
    try:
        with anyio.move_on_after(limits.seconds) as clock:
            await _attend(process, line, output)
        if output.full:
            limit = f"it said more than {DRAINED // _MIB} MiB"
        elif clock.cancelled_caught:
            limit = f"it took longer than {limits.seconds:g} s"
    finally:
        with anyio.CancelScope(shield=True):
            await _end(process)
    code = None if limit else _code(process.returncode)
    return Ended(output.text(), code, anyio.current_time() - began, limit)


def scrubbed(folder: Path) -> dict[str, str]:
    """The environment of a program: how to find others, its language, and a home of its own. No keys."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    place = str(folder)
    return {"PATH": os.defpath, "LANG": "C.UTF-8", **kept, "HOME": place, "TMPDIR": place, "PWD": place}


async def _attend(process: Process, line: bytes, output: _Output) -> None:
    """Start what the line says and hear it to its end."""
    said = anyio.Event()
    async with anyio.create_task_group() as group:

        async def hear() -> None:
            assert process.stdout is not None
            try:
                while not output.full:
                    output.add(await process.stdout.receive())
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                said.set()
                return
            group.cancel_scope.cancel()

        group.start_soon(hear)
        try:
            assert process.stdin is not None
            await process.stdin.send(line)
        except (anyio.BrokenResourceError, OSError):
            output.add(b"(the guard of the program ended at once)\n")
        await process.wait()
        with anyio.move_on_after(_GRACE):  # what escaped may hold the pipe open still
            await said.wait()
        group.cancel_scope.cancel()


async def _end(process: Process) -> None:
    """Let go of the guard, which ends everything; if it cannot, do its work."""
    assert process.stdin is not None
    await process.stdin.aclose()
    with anyio.move_on_after(_GRACE):
        await process.wait()
    if process.returncode is None or process.returncode < 0:
        await in_thread(guard.end_below, process.pid, _GRACE)
        if process.returncode is None:
            process.kill()
    await process.aclose()


def _code(code: int | None) -> int:
    return 128 - code if code is not None and code < 0 else code or 0


class _Output:
    """The beginning and the end of what is said, in bytes; `full` when it is far too much."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.half = most * 2  # bytes: some characters have four, most have one
        self.head = bytearray()
        self.tail = bytearray()
        self.count = 0

    @property
    def full(self) -> bool:
        return self.count > DRAINED

    def add(self, data: bytes) -> None:
        self.count += len(data)
        room = self.half - len(self.head)
        if room > 0:
            self.head += data[:room]
            data = data[room:]
        self.tail += data
        if len(self.tail) > 2 * self.half:
            del self.tail[: -self.half]

    def text(self) -> str:
        """As text, with a line in the middle that says how much is left out."""
        tail = self.tail[-self.half :]
        missing = self.count - len(self.head) - len(tail)
        if not missing:
            whole = plain((self.head + tail).decode("utf-8", "replace"))
            if len(whole) <= self.most:
                return whole
        first = plain((self.head if missing else self.head + tail).decode("utf-8", "replace"))
        last = plain(tail.decode("utf-8", "replace")) if missing else first
        head, rest = first[: self.most // 2], last[max(len(last) - self.most + self.most // 2, 0) :]
        left = self.count - len(head.encode()) - len(rest.encode())
        return f"{head}\n[... {left:,} bytes left out ...]\n{rest}"
