"""The guard of a program that an agent runs: a small process that starts it within limits and ends all of it.

It is run as a script (`python -I -S guard.py`), alone, so it imports the standard library only. Its standard input
is held open by the process that wants the program; when that ends, however it does, the guard kills the program and
everything the program started, daemons too: on Linux it makes itself the parent of whatever loses its own.
The first line of that input is JSON: `command`, `limits`.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import sys
import time

CANNOT_START = 127
"""The exit code when the command does not exist; 126 when it cannot be started."""

_SUBREAPER, _DIE_WITH_PARENT = 36, 1  # prctl(2): PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG
_LIMITS = {
    "memory": "RLIMIT_AS",
    "seconds": "RLIMIT_CPU",
    "file": "RLIMIT_FSIZE",
    "open": "RLIMIT_NOFILE",
    "core": "RLIMIT_CORE",
    "processes": "RLIMIT_NPROC",
}
_PATIENCE = 5.0


def processes() -> dict[int, tuple[int, int, str]]:
    """Every process of this machine: its parent, its session and its state. Empty where there is no /proc."""
    found = {}
    try:
        names = os.listdir("/proc")
    except OSError:
        return {}
    for name in names:
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    state, parent, _, session = file.read().rpartition(b")")[2].split()[:4]
            except (OSError, ValueError):  # gone meanwhile
                continue
            found[int(name)] = (int(parent), int(session), state.decode())
    return found


def below(top: int) -> list[int]:
    """The processes that descend from `top` or are of its session, the dead that nobody has asked after left out."""
    known = processes()
    found = {top}
    grown = True
    while grown:
        more = {pid for pid, (parent, session, _) in known.items() if parent in found or session == top} - found
        found |= more
        grown = bool(more)
    return [pid for pid in found - {top} if known[pid][2] not in "ZX"]


def end_below(top: int, patience: float = _PATIENCE) -> None:
    """Kill everything below `top`, again until nothing is left: what forks meanwhile is stopped first."""
    end = time.monotonic() + patience
    while (left := below(top)) and time.monotonic() < end:
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in left:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
        reap()
        time.sleep(0.002)


def reap() -> dict[int, int]:
    """The exit codes of the children that have ended; 128 and its number for one that a signal ended."""
    codes = {}
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            code = os.waitstatus_to_exitcode(status)
            codes[pid] = code if code >= 0 else 128 - code
    return codes


def _prctl(option: int, value: int) -> None:
    """Ask Linux; elsewhere what it would have done is not to be had."""
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _threads_of_user() -> int:
    """The threads that this user has: the limit on processes counts them all."""
    count = 0
    for pid in processes():
        with contextlib.suppress(OSError):
            if os.stat(f"/proc/{pid}").st_uid == os.getuid():
                count += len(os.listdir(f"/proc/{pid}/task"))
    return count


def _limit(limits: dict[str, int]) -> None:
    """Set the limits of this process, each no higher than it was."""
    for name, value in limits.items():
        which = getattr(resource, _LIMITS[name], None)
        if which is None:
            continue
        if name == "processes":
            value += _threads_of_user()
        hard = resource.getrlimit(which)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with contextlib.suppress(ValueError, OSError):  # a limit that this system does not have
            resource.setrlimit(which, (value, value))


def _become(command: list[str], limits: dict[str, int]) -> None:
    """In the child: turn into the command."""
    try:
        os.setpgid(0, 0)
        _prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        os.umask(0o077)
        _limit(limits)
        os.execvp(command[0], command)
    except FileNotFoundError:
        code, said = CANNOT_START, "there is no such command"
    except (OSError, ValueError) as error:
        code, said = CANNOT_START - 1, str(error)
    os.write(2, f"{command[0]}: {said}\n".encode("utf-8", "replace"))
    os._exit(code)


def _line() -> bytes:
    """The first line of standard input; empty when it ended before."""
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(0, 65536)
        if not piece:
            return b""
        line += piece
    return line


def main() -> int:
    """Start the command, wait for its end or for that of standard input, and end all of it; its exit code."""
    line = _line()
    if not line:
        return 0
    wanted = json.loads(line)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a terminal's Ctrl-C is for the parent, which then lets go
    _prctl(_SUBREAPER, 1)
    woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if hasattr(os, "pipe2") else os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    pid = os.fork()
    if not pid:
        signal.set_wakeup_fd(-1)
        _become(wanted["command"], wanted["limits"])
    code = 128 + signal.SIGKILL
    while True:
        ready, _, _ = select.select([0, woken], [], [])
        codes = reap()
        if pid in codes:
            code = codes[pid]
            break
        if 0 in ready and not os.read(0, 4096):
            break
        if woken in ready:
            os.read(woken, 4096)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)  # all of its group at once, before they are looked for one by one
    end_below(os.getpid())
    return code


if __name__ == "__main__":
    os._exit(main())
