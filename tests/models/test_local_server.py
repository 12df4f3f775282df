"""A real model behind a real server: `transformers serve` with a tiny model made here, over both of OpenAI's APIs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from yggdrasil import Agent, tool
from yggdrasil.core.messages import Message, Request, ToolResult, ToolSpec, user
from yggdrasil.models.openai import OpenAIModel

pytestmark = [pytest.mark.long, pytest.mark.timeout(1500), pytest.mark.anyio]

HERE = Path(__file__).parent
# torch in the same call as what needs it: by itself, transformers' may bring gigabytes of CUDA
NEEDED = ["torch==2.13.0", "transformers[serving]==5.23.0"]
WEATHER = ToolSpec("weather", "The weather.", {"type": "object", "properties": {"city": {"type": "string"}}})
ASKED = user("What is the weather in Oslo?")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter of its own that has torch and transformers."""
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    program = folder / "bin" / "python"
    constraints = HERE.parents[1] / "constraints.txt"
    install = [str(program), "-m", "pip", "install", "-q", "-c", str(constraints), *NEEDED]
    done = subprocess.run(install, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return program


@pytest.fixture(scope="module")
def model(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    done = subprocess.run(
        [python, HERE / "tiny_model.py", folder], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    print(done.stdout.strip())
    return folder


@pytest.fixture(scope="module")
def url(
    python: Path, model: Path, tmp_path_factory: pytest.TempPathFactory, free_tcp_port_factory: Any
) -> Iterator[str]:
    home = tmp_path_factory.mktemp("hub")
    (home / "hub").mkdir()  # the server asks for it
    port = free_tcp_port_factory()
    environment = {**os.environ, "HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    command = [python.parent / "transformers", "serve", model, "--host", "127.0.0.1", "--port", str(port)]
    log = home / "log"
    with log.open("wb") as out:
        child = subprocess.Popen([*map(str, command), "--device", "cpu"], env=environment, stdout=out, stderr=out)
    try:
        limit = time.monotonic() + 120
        while True:
            assert child.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < limit, log.read_text()[-3000:]
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
                break
            except OSError:
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_tool_goes_round(url: str, model: Path, api: str, stream: bool) -> None:
    speaker = OpenAIModel(str(model), endpoint_url=url, api=api)
    pieces: list[tuple[str, str]] = []
    delta = (lambda part, text: pieces.append((part, text))) if stream else None
    params = {"max_tokens": 100}
    reply = await speaker.reply(Request([ASKED], tools=(WEATHER,), params=params), delta=delta)
    (call,) = reply.message.tool_calls
    assert (call.name, call.arguments, reply.finish) == ("weather", {"city": "Oslo"}, "tool_calls")
    assert reply.usage.input_tokens > 20
    assert reply.usage.output_tokens > 50
    result = Message("tool", (ToolResult(call.id, call.name, "rain"),))
    pieces.clear()
    answer = await speaker.reply(Request([ASKED, reply.message, result], tools=(WEATHER,), params=params), delta=delta)
    assert (answer.message.text, answer.finish) == ("It rains in Oslo.", "stop")
    assert "".join(text for part, text in pieces if part == "text") == ("It rains in Oslo." if stream else "")


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_an_agent_by_a_local_model(url: str, model: Path, api: str) -> None:
    @tool
    def weather(city: str) -> str:
        """The weather."""
        return "rain" if city == "Oslo" else "sun"

    speaker = OpenAIModel(str(model), endpoint_url=url, api=api)
    result = await Agent(speaker, tools=[weather], params={"max_tokens": 100}).run("What is the weather in Oslo?")
    assert result.output == "It rains in Oslo."
