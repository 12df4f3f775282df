"""Training on every level: the same as a plain script, what learns and what does not, stopping and going on."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path
from typing import Any

import anyio.lowlevel
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.agent.test_agent_fuzz import ANY
from tests.training.toys import Toy, columns, equal, linear, weights
from yggdrasil import (
    ConfigError,
    Graph,
    RunContext,
    RunError,
    ScriptedModel,
    Stage,
    World,
    YggdrasilError,
    block,
    fit,
    train_plan,
)
from yggdrasil.blocks.neural import NeuralBlock
from yggdrasil.core.events import Event, Progress, RunFinished
from yggdrasil.models.block import ScriptedBlock
from yggdrasil.training.fitted import Step

pytestmark = pytest.mark.anyio

MSE = {"output": ("mse", "target")}


async def test_a_pipeline_with_a_shared_backbone_learns_as_a_plain_script() -> None:
    toy, plain = Toy(), Toy()
    data = columns()
    fitted = await fit(toy.level, data, losses=MSE, lr=0.01, batch_size=8, epochs=2, shuffle=False)
    parameters = list({id(p): p for module in plain.modules for p in module.parameters()}.values())
    optimizer = torch.optim.AdamW(parameters, lr=0.01)
    losses = []
    for step in range(6):
        rows = slice(8 * (step % 3), 8 * (step % 3) + 8)
        loss = torch.nn.functional.mse_loss(plain.forward(data["input"][rows]), data["target"][rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert fitted.losses == losses
    assert equal(toy.weights(), plain.weights())
    shared = next(p for p in fitted.plan.learning if p.name == "draft/backbone:weight")
    assert shared.users == ("draft/backbone", "polish/backbone")
    assert len(fitted.plan.learning) == 6


async def test_accumulating_gives_what_a_whole_batch_gives() -> None:
    whole, parts = Toy(), Toy()
    data = columns(22)  # the last step is a short one
    await fit(whole.level, data, losses=MSE, optimizer="sgd", lr=0.1, batch_size=8, epochs=2)
    await fit(parts.level, data, losses=MSE, optimizer="sgd", lr=0.1, batch_size=4, accumulate=2, epochs=2)
    for name, value in whole.weights().items():
        torch.testing.assert_close(parts.weights()[name], value)


def noisy() -> Toy:
    """A backbone that throws dice and keeps running means."""
    torch.manual_seed(3)
    return Toy(torch.nn.Sequential(linear(4, 4, 1), torch.nn.Dropout(0.2), torch.nn.BatchNorm1d(4)))


HOW: dict[str, Any] = {
    "losses": {"output": ("mse", "target"), "draft/backbone.output": ("l1", "target", 0.1)},
    "lr": 0.01, "batch_size": 4, "accumulate": 2, "epochs": 4, "schedule": "cosine", "warmup": 2, "ema": 0.9,
    "clip": 1.0,
}  # fmt: skip


def names(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


async def stopped(toy: Toy, folder: Path, how: str) -> None:
    """Train until something ends it."""
    with anyio.CancelScope() as scope:

        def told(step: Step) -> None:
            if step.step == 5 and how == "cancelled":
                scope.cancel()
            if step.step == 5 and how == "failed":
                raise KeyError("power")

        try:
            await fit(toy.level, columns(), checkpoint=folder, on_step=told, **HOW)
        except KeyError:
            assert how == "failed"


@pytest.mark.parametrize(
    ("anyio_backend", "how"), [("asyncio", "cancelled"), ("trio", "cancelled"), ("asyncio", "failed")]
)
async def test_a_training_that_was_stopped_goes_on_as_if_it_never_had(tmp_path: Path, how: str) -> None:
    undisturbed, broken, resumed = noisy(), noisy(), noisy()
    whole = await fit(undisturbed.level, columns(), **HOW)
    await stopped(broken, tmp_path, how)
    assert names(tmp_path) == ["step-00000005"]
    assert not equal(broken.weights(), undisturbed.weights())
    torch.manual_seed(99)  # another process has other luck
    fitted = await fit(resumed.level, columns(), checkpoint=tmp_path, **HOW)
    assert equal(resumed.weights(), undisturbed.weights())
    assert whole.average is not None
    assert fitted.average is not None
    assert equal(fitted.average.values, whole.average.values)
    assert [s.replace(seconds=0.0) for s in fitted.curve] == [s.replace(seconds=0.0) for s in whole.curve]


async def test_a_training_that_was_stopped_within_a_step_goes_on_too(tmp_path: Path) -> None:
    undisturbed, broken, resumed = noisy(), noisy(), noisy()
    await fit(undisturbed.level, columns(), **HOW)
    with anyio.CancelScope() as scope:
        calls = 0

        @block
        async def slow(output: torch.Tensor) -> torch.Tensor:
            nonlocal calls
            calls += 1
            if calls == 8:  # of two in a step: the running means have moved on, the weights have not
                scope.cancel()
            await anyio.lowlevel.checkpoint()
            return output

        broken.level.add("slow", slow)
        broken.level.add_edge("polish", "slow")
        await fit(broken.level, columns(), checkpoint=tmp_path, **HOW)
    assert names(tmp_path) == ["step-00000003"]
    await fit(resumed.level, columns(), checkpoint=tmp_path, **HOW)
    assert equal(resumed.weights(), undisturbed.weights())


async def test_another_training_is_not_taken_up(tmp_path: Path) -> None:
    toy = Toy()
    await fit(toy.level, columns(), losses=MSE, steps=2, checkpoint=tmp_path)
    before = toy.weights()
    with pytest.raises(ConfigError, match="another batch_size: 8, now 4"):
        await fit(toy.level, columns(), losses=MSE, steps=4, batch_size=4, checkpoint=tmp_path)
    with pytest.raises(ConfigError, match="kept here already, at step 2"):
        await fit(toy.level, columns(), losses=MSE, steps=4, checkpoint=tmp_path, resume=False)
    kept = tmp_path / "step-00000002" / "tensors.safetensors"
    kept.write_bytes(kept.read_bytes()[:-10])
    with pytest.raises(ConfigError, match="cannot be read"):
        await fit(toy.level, columns(), losses=MSE, steps=4, checkpoint=tmp_path)
    assert equal(toy.weights(), before)


async def test_what_asks_a_model_stops_the_gradient_and_only_what_reaches_a_loss_learns() -> None:
    def say(x: torch.Tensor) -> str:
        return f"{float(x.detach().sum()):.1f}"

    def read(text: str) -> torch.Tensor:
        return torch.full((2, 4), float(len(text)))

    modules = {name: linear(4, 4, seed) for seed, name in enumerate(["before", "side", "after", "nowhere"])}
    graph = Graph("around")
    for name, module in modules.items():
        graph.add(name, module)
    graph.add("say", say)
    graph.add("model", ScriptedBlock(ScriptedModel(lambda request: "an answer")))
    graph.add("read", read)
    for source, target in (("before", "say"), ("say", "model.prompt"), ("model.text", "read"), ("read", "after")):
        graph.add_edge(source, target)
    graph.add_edge("before", "side")
    graph.add_edge("after", "nowhere")
    losses = {"after.output": ("mse", "target"), "side.output": ("mse", "target")}
    plan = train_plan(graph, losses={"after.output": ("mse", "target")})
    assert {u for p in plan.learning for u in p.users} == {"after"}
    assert {p.frozen for p in plan.frozen} == {"no loss reaches it"}
    assert [s.path for s in plan.stops] == ["model", "read", "say"]
    assert "model (llm/scripted): it asks a model, which gives no gradient back" in str(plan)
    before = {name: weights(module) for name, module in modules.items()}
    data = {"before.input": torch.randn(2, 4), "input": torch.randn(2, 4), "target": torch.zeros(2, 4)}
    fitted = await fit(graph, data, losses=losses, steps=2, batch_size=2, lr=0.1)
    changed = {name for name, module in modules.items() if not equal(weights(module), before[name])}
    assert changed == {"before", "side", "after"}
    assert fitted.unreached == ()


async def test_losses_that_no_gradient_leaves_are_refused() -> None:
    @block
    def detached(output: torch.Tensor) -> torch.Tensor:
        return output.detach()

    toy = Toy()
    toy.level.add("detached", detached)
    toy.level.add_edge("polish", "detached")
    with pytest.raises(ConfigError, match="no gradient goes from the losses"):
        await fit(toy.level, columns(), losses=MSE)


async def test_groups_have_rates_of_their_own_and_may_be_frozen() -> None:
    toy = Toy()
    before = toy.weights()
    groups = {"**/backbone": {"freeze": True}, "draft/**": {"lr": 0.5, "weight_decay": 0.1}}
    fitted = await fit(toy.level, columns(), losses=MSE, groups=groups, lr=0.1, steps=1)
    after = toy.weights()
    assert torch.equal(after["0.weight"], before["0.weight"])
    assert fitted.curve[0].rates == (0.1, 0.5)
    torch.testing.assert_close((after["1.bias"] - before["1.bias"] * (1 - 0.5 * 0.1)).abs(), torch.full((4,), 0.5))
    assert toy.backbone.weight.requires_grad


async def test_a_stage_and_a_world_are_trained_and_say_how_afterwards() -> None:
    stage = Stage("creator")
    stage.add("draw", Toy().level)
    stage.expose_input("draw", "input", name="blueprint")
    stage.expose_output("draw", "output", name="artifacts")
    data = {"blueprint": columns()["input"], "target": columns()["target"]}
    world = World("small")
    world.add_stage("creator", stage)
    world.add_stage("author", lambda intent: "told")
    losses = {"creator.artifacts": ("mse", "target"), "creator/draw/draft.output": ("l1", "target")}
    plan = train_plan(world, "creator/**/backbone", losses=losses)
    assert [p.name for p in plan.learning] == [
        "creator/draw/draft/backbone:weight", "creator/draw/draft/backbone:bias",
    ]  # fmt: skip
    fitted = await fit(world, data, select="creator/**/backbone", losses=losses, lr=0.05, epochs=8)
    assert fitted.loss < fitted.losses[0]
    assert set(fitted.curve[0].losses) == {"mse(creator.artifacts)", "l1(creator/draw/draft.output)"}
    assert world.training["select"] == "creator/**/backbone"
    again = await fit(world, data)  # as it was told before
    assert again.plan.select == "creator/**/backbone"
    assert len(again.curve) == 24


async def test_how_it_was_trained_is_saved_with_the_level(tmp_path: Path) -> None:
    from yggdrasil import register

    @register("head/toy_linear")
    def toy_linear() -> NeuralBlock:
        return NeuralBlock(linear(4, 4, 1), block_type="head/toy_linear")

    graph = Graph("saved")
    graph.add("head", {"type": "head/toy_linear"})
    groups = {"head": {"lr": 0.5}}
    await fit(graph, columns(), losses=MSE, groups=groups, schedule="linear", warmup=0.5, epochs=2)
    graph.save(tmp_path / "graph.yaml")
    read = Graph.load(tmp_path / "graph.yaml")
    assert read.training == graph.training
    assert read.training["groups"] == groups
    fitted = await fit(read, columns())
    assert len(fitted.curve) == 6
    assert fitted.curve[2].rates == (pytest.approx(1 / 3),)


async def test_events_logs_and_luck(tmp_path: Path) -> None:
    events: list[Event] = []
    heard: list[int] = []

    async def told(step: Step) -> None:
        heard.append(step.step)

    random.seed(7)
    torch.manual_seed(7)
    expected = torch.rand(1), random.random()
    toy = noisy()
    random.seed(7)
    torch.manual_seed(7)
    fitted = await fit(toy.level, columns(), losses=MSE, logs=tmp_path, steps=3, on_step=told, hooks=[events.append])
    assert (torch.rand(1), random.random()) == expected, "the process's random generators are as they were"
    assert heard == [1, 2, 3]
    assert [(e.done, e.total) for e in events if isinstance(e, Progress)] == [(1, 3), (2, 3), (3, 3)]
    assert isinstance(events[-1], RunFinished)
    assert events[-1].result is fitted
    assert "3 steps: loss" in str(fitted)
    assert [n.startswith("events.out.tfevents.") for n in names(tmp_path)] == [True]


async def test_the_average_is_computed_with_when_asked() -> None:
    toy = Toy()
    fitted = await fit(toy.level, columns(), losses=MSE, lr=0.1, steps=5, ema=0.5)
    assert fitted.average is not None
    trained = toy.weights()
    with fitted.average.in_place():
        assert torch.equal(toy.backbone.weight, fitted.average.values["draft/backbone:weight"])
        assert not equal(toy.weights(), trained)
    assert equal(toy.weights(), trained)


async def test_a_loss_that_is_no_number_ends_it_with_the_weights_before() -> None:
    toy = Toy()
    before = toy.weights()
    data = columns()
    data["target"][3] = float("nan")
    with pytest.raises(RunError, match=r"the loss is no number at step 1: mse\(output\) nan"):
        await fit(toy.level, data, losses=MSE, batch_size=24)
    assert equal(toy.weights(), before)


async def test_mixed_precision_computes_in_bfloat16_on_worker_threads() -> None:
    seen: list[torch.dtype] = []

    class Watched(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = linear(4, 4, 1)

        def forward(self, input: torch.Tensor) -> torch.Tensor:
            output: torch.Tensor = self.inner(input)
            seen.append(output.dtype)
            return output

    module = Watched()
    fitted = await fit(NeuralBlock(module), columns(), losses=MSE, precision="bf16", steps=2)
    assert seen == [torch.bfloat16] * 2
    assert module.inner.weight.dtype == torch.float32
    assert fitted.loss > 0
    await fit(NeuralBlock(module), columns(), losses=MSE, steps=1)
    assert seen[-1] == torch.float32


async def test_blocks_draw_the_same_whatever_the_batches_in_a_step_are_split_over() -> None:
    drawn: list[float] = []

    @block
    def noise(input: torch.Tensor, *, ctx: RunContext) -> torch.Tensor:
        drawn.append(ctx.random().random())
        return input

    for _ in range(2):
        toy = Toy()
        graph = Graph("noisy")
        graph.add("noise", noise)
        graph.add("toy", toy.level)
        graph.add_edge("noise", "toy")
        await fit(graph, columns(), losses=MSE, batch_size=4, accumulate=2, steps=2, seed=5)
    assert drawn[:4] == drawn[4:]
    assert len(set(drawn)) == 4


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"losses": {}}, "there is no loss"),
        ({"losses": {"output": "msee"}}, "no loss 'msee'"),
        ({"losses": {"outputs": ("mse", "target")}}, "there is no output 'outputs'; did you mean 'output'"),
        ({"losses": {"draft/back.output": ("mse", "target")}}, "there is no 'back.output'"),
        ({"losses": {"output": ("mse", "targets")}}, "needs 'targets', which did not come"),
        ({"optimizer": "adamx"}, "no optimizer 'adamx'"),
        ({"schedule": "cosin"}, "no schedule 'cosin'; did you mean 'cosine'"),
        ({"learning_rate": 3}, "fit has no 'learning_rate'"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"epochs": 1, "steps": 1}, "epochs and steps are both given"),
        ({"precision": "fp8"}, "precision is 'fp8'"),
        ({"ema": 1}, "ema is 1"),
        ({"device": "tpu9"}, "device is 'tpu9'"),
        ({"device": "meta"}, "there is no meta here, but cpu"),
        ({"optimizer": len}, "the optimizer is int, not one of torch's"),
        ({"schedule": str}, "the schedule gives '0', not a factor"),
        ({"losses": {"output": (len, "target")}}, r"toy/len\(output\): TypeError: len\(\) takes"),
        ({"groups": {"**": {"rate": 1}}}, "a group has no 'rate'"),
        ({"groups": {"nobody": {"lr": 1}}}, "no block matches the group 'nobody'"),
        ({"select": "nobody"}, "no block matches 'nobody'"),
    ],
)
async def test_bad_words_are_refused_before_anything_changes(said: dict[str, Any], sentence: str) -> None:
    toy = Toy()
    before = toy.weights()
    with pytest.raises(YggdrasilError, match=sentence):
        await fit(toy.level, columns(), **{"losses": MSE, **said})
    assert equal(toy.weights(), before)
    assert all(p.requires_grad for module in toy.modules for p in module.parameters())


async def test_data_of_every_kind() -> None:
    data = columns(16)
    rows = [{name: column[n] for name, column in data.items()} for n in range(16)]
    trained = []
    for form in (data, rows, torch.utils.data.ConcatDataset([rows[:5], rows[5:]])):  # type: ignore[list-item]
        toy = Toy()
        await fit(toy.level, form, losses=MSE, epochs=2, lr=0.1)
        trained.append(toy.weights())
    assert equal(trained[0], trained[1])
    assert equal(trained[0], trained[2])
    asked: list[int] = []

    def endless(number: int) -> dict[str, torch.Tensor]:
        asked.append(number)
        return {name: column[:3] for name, column in data.items()}

    await fit(Toy().level, endless, losses=MSE, steps=3, accumulate=2)
    assert asked == [0, 1, 2, 3, 4, 5]
    for bad, sentence in (
        (endless, "the data are endless"),
        ([], "there are no rows"),
        (3, "int is no data to train on"),
        ({"input": [1], "target": [1, 2]}, "not of one length: input 1, target 2"),
        (
            [{"input": torch.zeros(4), "target": torch.zeros(4)}, {"input": torch.zeros(4)}],
            "rows differ in their columns",
        ),
        ([{"input": torch.zeros(n), "target": torch.zeros(4)} for n in (3, 4)], "rows of 'input' differ in shape"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            await fit(Toy().level, bad, losses=MSE)


WORDS = {
    "select", "losses", "groups", "optimizer", "lr", "weight_decay", "schedule", "warmup", "epochs", "batch_size",
    "accumulate", "clip", "precision", "ema", "seed", "shuffle", "device", "adapters",
}  # fmt: skip


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_word_is_taken_or_refused(data: st.DataObject) -> None:
    said = data.draw(st.dictionaries(st.sampled_from(sorted(WORDS)), ANY, min_size=1, max_size=3))
    with contextlib.suppress(YggdrasilError):
        anyio.run(lambda: fit(Toy().level, columns(4), **{"losses": MSE, **said, "steps": 1}))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(level=ANY, data=ANY)
def test_any_level_and_any_data_are_taken_or_refused(level: Any, data: Any) -> None:
    for one, other in ((level, columns(4)), (Toy().level, data)):
        with contextlib.suppress(YggdrasilError):
            anyio.run(lambda one=one, other=other: fit(one, other, losses=MSE, steps=1))
