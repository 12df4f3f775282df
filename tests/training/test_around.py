"""Around a model that gives no gradient: wordings and a head, found by trying."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.training.toys import linear
from yggdrasil import ConfigError, Graph, ScriptedModel, block, fit, train_plan
from yggdrasil.core.messages import Request
from yggdrasil.models.block import ScriptedBlock
from yggdrasil.training.around import PromptAdapter, search

pytestmark = pytest.mark.anyio


def stubborn(request: Request) -> str:
    """A far model that adds right only when it is asked nicely, and says nothing but the number only when told."""
    text = request.messages[-1].text
    numbers = [int(word) for word in text.split() if word.isdigit()]
    answer = sum(numbers) if "please" in text else 0
    return str(answer) if "number only" in text else f"the answer is {answer}"


def asked() -> tuple[Graph, PromptAdapter]:
    adapter = PromptAdapter(["", "hurry", "please"], ["", "in words", "number only", "twice"])
    graph = Graph("asked")
    graph.add("wording", adapter)
    graph.add("llm", ScriptedBlock(ScriptedModel(stubborn)))
    graph.add_edge("wording", "llm.prompt")
    graph.expose_input("wording", "prompt", "prompt")
    graph.expose_output("llm", "text", "text")
    return graph, adapter


ROWS = [{"prompt": f"{n} + {n + 1}", "target": str(2 * n + 1)} for n in range(6)]


def single(rows: list[dict[str, str]]) -> dict[str, str]:
    return rows[0]


async def test_a_wording_is_found_and_saved(tmp_path: Path) -> None:
    graph, adapter = asked()
    losses = {"text": ("mismatch", "target")}

    def length(text: str) -> float:
        return len(text) / 100

    plan = train_plan(graph)
    assert plan.searched == ("wording",)
    assert "learn by trying: wording" in str(plan)
    with pytest.raises(ConfigError, match="learn by trying, not by gradients"):
        await fit(graph, ROWS, losses=losses)
    both = {"text": [("mismatch", "target"), (length,)]}
    found = await search(graph, ROWS, losses=both, rounds=12, tries=3, batch_size=1, collate=single, seed=1)
    assert found.before > 1
    assert found.loss < 0.1
    assert found.variants == {"wording": [2, 2]}
    assert (await graph.run("2 + 2")).output == "4"
    again, other = asked()
    repeated = await search(again, ROWS, losses=both, rounds=12, tries=3, batch_size=1, collate=single, seed=1)
    assert repeated.losses == found.losses
    fresh, third = asked()
    third.load_state_dict(adapter.state_dict())
    assert (await fresh.run("2 + 2")).output == "4"
    with pytest.raises(ConfigError, match="there is no wording"):
        third.load_state_dict({"variant": [7, 0]})
    assert other.variant == adapter.variant


async def test_a_head_before_what_gives_no_gradient_is_found() -> None:
    @block
    def judged(output: torch.Tensor) -> torch.Tensor:
        return (output.detach() > 0).float()

    head = linear(2, 1, 3)
    graph = Graph("head")
    graph.add("head", head)
    graph.add("judged", judged)
    graph.add_edge("head", "judged")
    x = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
    data = {"input": x, "target": (x[:, :1] > x[:, 1:]).float()}
    found = await search(
        graph, data, losses={"output": ("l1", "target")}, select="head", rounds=40, batch_size=40, step=0.5
    )
    assert found.before > 0.2
    assert found.loss < 0.08
    assert found.losses == tuple(sorted(found.losses, reverse=True))


async def test_nothing_to_try_is_refused() -> None:
    with pytest.raises(ConfigError, match="a prompt adapter chooses among wordings"):
        PromptAdapter("Be brief.")
    graph, _ = asked()
    graph.nodes["wording"].trainable = False
    with pytest.raises(ConfigError, match="nothing would learn"):
        await search(graph, ROWS, losses={"text": ("mismatch", "target")})
