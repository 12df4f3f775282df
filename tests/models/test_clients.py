"""Clients belong to an event loop, and close with it."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from yggdrasil import run_sync
from yggdrasil.models.block import AnthropicBlock, OpenAIBlock

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_one_event_loop_after_another(llmock: Any, backend: str) -> None:
    blocks = [kind("m", endpoint_url=llmock.base_url(kind.provider)) for kind in (OpenAIBlock, AnthropicBlock)]

    async def ask_all() -> None:
        async with anyio.create_task_group() as group:
            for block in blocks * 3:
                group.start_soon(block.run, "Hello")

    for _ in range(3):
        anyio.run(ask_all, backend=backend)
    gc.collect()  # an unclosed connection would warn here, and a warning is an error
    assert len(llmock.requests) == 18


def test_run_sync_can_be_called_again_and_again(llmock: Any) -> None:
    block = OpenAIBlock("m", endpoint_url=llmock.base_url("openai"))
    assert run_sync(block, "Hello")["text"]
    assert run_sync(block, "Hello")["text"]
    gc.collect()


def test_a_script_ends_quietly(llmock: Any) -> None:
    script = (
        "import asyncio, sys\n"
        "from yggdrasil import Agent\n"
        "print(asyncio.run(Agent({'name': 'openai:m', 'endpoint_url': sys.argv[1]}).run('Hello')).output)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, llmock.base_url("openai")],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()
