"""A gigabyte of random weights: through the pool into a module, every byte looked at for NaN, and bare.

python -m tests.benchmarks weights

Both map the file, so "loaded" is when a first pass over all numbers has been made (a sum), in a process of its own,
the two in turn: once with the file in the page cache, once read from the disk. `load_file` alone, without the pass,
touches nothing and takes a millisecond or two; it looks at no number either.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.measure import heading, line

SIZE = 1_000_000_000
TENSORS = 40
ROUNDS = 5


def main(rounds: int = ROUNDS) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        subprocess.run([sys.executable, "-m", __spec__.name, "write", str(path)], check=True)
        for where in ("page cache", "disk"):
            compare(path, where, rounds)


def compare(path: Path, where: str, rounds: int) -> None:
    """Our figures beside bare ones."""
    heading(f"Loading {SIZE / 1e9:g} GB of safetensors, from the {where}")
    found: dict[str, list[dict[str, float]]] = {}
    for number in range(rounds + 1):
        for what in ("pool", "bare", "unchecked") if number % 2 else ("unchecked", "bare", "pool"):
            if where == "disk":
                forget(path)
            command = [sys.executable, "-m", __spec__.name, what, str(path)]
            run = subprocess.run(command, check=True, capture_output=True, text=True)
            if number:
                found.setdefault(what, []).append(json.loads(run.stdout))
    for what, name in (("pool", "through the pool, checked"), ("unchecked", "the same, allow_nonfinite=True")):
        ours, bare = (statistics.median(one["seconds"] for one in found[w]) for w in (what, "bare"))
        speed = bare / ours
        line(f"seconds: {name}", f"{ours:.3f} s", f"{bare:.3f} s", f"{speed:.2f}", "at least 0.9 x", kept=speed >= 0.9)
        ours, bare = (statistics.median(one["peak"] for one in found[w]) for w in (what, "bare"))
        share = ours / bare
        shown = f"{ours / 1e6:.0f} MB", f"{bare / 1e6:.0f} MB", f"{share:.2f}"
        line("peak memory over torch's own", *shown, "at most 1.1 x", kept=share <= 1.1)


def forget(path: Path) -> None:
    """Have the file's pages leave the cache."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(handle)


# --- in processes of their own


def names() -> list[str]:
    """The tensors."""
    return [f"layer_{number}" for number in range(TENSORS)]


def write(path: Path) -> None:
    """The file."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    save_file({name: torch.randn(SIZE // 4 // TENSORS // 1000, 1000) for name in names()}, path)


def bare(path: Path) -> Callable[[], Any]:
    """What safetensors does alone."""
    from safetensors.torch import load_file

    return lambda: load_file(path).values()


def pooled(path: Path, allow_nonfinite: bool) -> Callable[[], Any]:
    """The same tensors as a module of the pool."""
    import torch

    from yggdrasil.blocks.shared import Shared
    from yggdrasil.blocks.weights import load_into
    from yggdrasil.runtime.pool import POOL

    POOL.budget("cpu", 1.05 * SIZE)
    empty = torch.empty(SIZE // 4 // TENSORS // 1000, 1000, device="meta")

    def load(device: str) -> torch.nn.Module:
        module = torch.nn.ParameterDict({name: torch.nn.Parameter(empty) for name in names()})
        load_into(module, path, allow_nonfinite=allow_nonfinite)
        return module

    shared = Shared("benchmark.Net", str(path), load)
    return lambda: shared.get().parameters()


def once(load: Callable[[], Any]) -> dict[str, float]:
    """Seconds until all numbers have been passed over, and the most memory that was taken meanwhile."""
    import torch

    torch.randn(1000, 1000).sum()
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins here
    start = time.perf_counter()
    with torch.no_grad():
        total = sum(float(tensor.sum()) for tensor in load())
    seconds = time.perf_counter() - start
    assert total == total
    return {"seconds": seconds, "peak": memory("VmHWM") - before}


def memory(field: str) -> int:
    """Bytes, from /proc."""
    status = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(text for text in status if text.startswith(field)).split()[1])


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    elif sys.argv[1] == "write":
        write(Path(sys.argv[2]))
    else:
        place = Path(sys.argv[2])
        print(json.dumps(once(bare(place) if sys.argv[1] == "bare" else pooled(place, sys.argv[1] == "unchecked"))))
