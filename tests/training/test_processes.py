"""The same script in one process and in two, over gloo on the loopback device."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from signal import Signals
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

SCRIPT = Path(__file__).parent / "one_process.py"
PLACE = ["--master-addr", "127.0.0.1", "--master-port"]


def free_port() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


def surroundings() -> dict[str, str]:
    """The environment of a script: on CPUs, on the loopback device, and launched by nobody yet."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ACCELERATE", "RANK", "WORLD"))}
    on = {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "TP_SOCKET_IFNAME": "lo", "CUDA_VISIBLE_DEVICES": ""}
    return kept | on


def launched(*command: str) -> None:
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False, env=surroundings(), timeout=200
    )
    assert done.returncode == 0, done.stderr[-3000:]


def trained(folder: Path, rank: int = 0) -> dict[str, Any]:
    return load_file(folder / f"rank-{rank}.safetensors")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One process with two batches in a step: as many rows as two processes with one."""
    folder = tmp_path_factory.mktemp("alone")
    launched(str(SCRIPT), str(folder), "4")
    return trained(folder)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("launcher", ["torchrun", "accelerate"])
def test_two_processes_learn_what_one_learns(launcher: str, alone: dict[str, Any], tmp_path: Path) -> None:
    start = {
        "torchrun": ["-m", "torch.distributed.run", "--nproc-per-node", "2", *PLACE, free_port()],
        "accelerate": [
            # what it calls multi_gpu is several processes on one machine; its --cpu starts one, unless mpirun starts it
            "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1",
            "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_ip", "127.0.0.1",
            "--main_process_port", free_port(),
        ],
    }[launcher]  # fmt: skip
    launched(*start, str(SCRIPT), str(tmp_path), "4", str(tmp_path / "kept"))
    first, second = trained(tmp_path, 0), trained(tmp_path, 1)
    for name, value in alone.items():
        assert torch.equal(first[name], second[name]), f"the processes differ in {name}"
        torch.testing.assert_close(first[name], value, rtol=1e-4, atol=1e-5)
    assert [folder.name for folder in (tmp_path / "kept").iterdir()] == ["step-00000009"]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("signal", [Signals.SIGINT, Signals.SIGKILL])
def test_a_script_that_is_killed_goes_on_when_it_is_started_again(
    signal: Signals, alone: dict[str, Any], tmp_path: Path
) -> None:
    command = [sys.executable, str(SCRIPT), str(tmp_path), "4", str(tmp_path / "kept")]
    with subprocess.Popen([*command, "slowly"], stdout=subprocess.PIPE, text=True, env=surroundings()) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == "step 4":
                process.send_signal(signal)
                break
        process.stdout.read()
    assert process.returncode != 0
    assert not (tmp_path / "rank-0.safetensors").exists()
    assert max(folder.name for folder in (tmp_path / "kept").glob("step-*")) in {"step-00000003", "step-00000004"}
    launched(*command[1:])
    for name, value in trained(tmp_path).items():
        assert torch.equal(value, alone[name]), name
