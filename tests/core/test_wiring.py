"""The canon's default edges, on fake blocks of the roles."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from yggdrasil.core.ports import Spec, port
from yggdrasil.core.topology import Edge, Endpoint
from yggdrasil.core.wiring import RULES, Place, auto_wire, register_rule
from yggdrasil.errors import ConfigError

TENSOR = "tensor"
SPECS = {
    "tokenizer": Spec.declare({"text": str}, {"token_ids": TENSOR}),
    "conditioner": Spec.declare({"input": "any"}, {"embedding": TENSOR}),
    "backbone": Spec.declare(
        [port("latent", TENSOR), port("timestep", TENSOR), port("condition", TENSOR, optional=True),
         port("adapter_features", TENSOR, optional=True)],
        [port("pred", TENSOR), port("activations", TENSOR, optional=True)],
    ),
    "solver": Spec.declare(
        [port("latent", TENSOR), port("timestep", TENSOR), port("pred", TENSOR), port("state", "any", optional=True)],
        [port("next_latent", TENSOR), port("next_timestep", TENSOR), port("next_state", "any", optional=True)],
    ),
    "decode": Spec.declare({"latent": TENSOR}, {"image": "image"}),
    "encode": Spec.declare({"image": "image"}, {"latent": TENSOR}),
    "guidance": Spec.declare({"pred": TENSOR}, {"pred_guided": TENSOR}),
    "schedule": Spec.declare((), {"timestep": TENSOR}),
    "adapter": Spec.declare([port("condition", TENSOR), port("hidden", TENSOR, optional=True)], {"adapted": TENSOR}),
    "llm": Spec.declare({"prompt": "any"}, {"text": str}),
    "agent": Spec.declare([port("prompt", str), port("context", "any", optional=True)], {"response": str}),
    "tool": Spec.declare({"x": int}, {"result": int}),
}  # fmt: skip
ROLES = {"decode": "codec", "encode": "codec"}


def place(name: str, *, auto: bool = True, connect: Any = ()) -> Place:
    kind = name.rstrip("0123456789")
    return Place(ROLES.get(kind, kind), SPECS[kind], auto, frozenset(connect))


def wired(*names: str, explicit: tuple[str, ...] = (), **places: Place) -> tuple[set[str], list[str]]:
    found = auto_wire({**{n: place(n) for n in names}, **places}, [edge(e) for e in explicit])
    return {str(e) for e in found.edges}, [f"{w.path}: {w.sentence}" for w in found.warnings]


def edge(text: str) -> Edge:
    source, target = (Endpoint(*side.split(".")) for side in text.split(" -> "))
    return Edge((source,), (target,))


TEXT_TO_IMAGE = {
    "tokenizer.token_ids -> conditioner.input",
    "conditioner.embedding -> backbone.condition",
    "backbone.pred -> solver.pred",
    "solver.next_latent -> backbone.latent",
    "solver.next_latent -> solver.latent",
    "solver.next_timestep -> backbone.timestep",
    "solver.next_timestep -> solver.timestep",
    "solver.next_state -> solver.state",
    "solver.next_latent -> decode.latent",
}


def test_text_to_image_in_any_order_of_adding() -> None:
    for names in permutations(("tokenizer", "conditioner", "backbone", "solver", "decode")):
        assert wired(*names) == (TEXT_TO_IMAGE, [])


def test_with_guidance_the_prediction_goes_through_it() -> None:
    edges, warnings = wired("tokenizer", "conditioner", "backbone", "guidance", "solver", "decode")
    guided = {"backbone.pred -> guidance.pred", "guidance.pred_guided -> solver.pred"}
    assert edges == TEXT_TO_IMAGE - {"backbone.pred -> solver.pred"} | guided
    assert warnings == []


def test_first_values_stand_beside_the_loop() -> None:
    edges, _ = wired("encode", "backbone", "solver", "schedule")
    assert {
        "encode.latent -> backbone.latent", "encode.latent -> solver.latent",
        "schedule.timestep -> backbone.timestep", "schedule.timestep -> solver.timestep",
        "solver.next_latent -> backbone.latent", "solver.next_latent -> solver.latent",
    } <= edges  # fmt: skip


def test_adapters_llms_and_agents() -> None:
    edges, _ = wired("conditioner", "adapter", "backbone")
    assert {
        "conditioner.embedding -> adapter.condition",
        "backbone.activations -> adapter.hidden",
        "adapter.adapted -> backbone.adapter_features",
    } <= edges
    assert wired("tokenizer", "llm")[0] == {"tokenizer.token_ids -> llm.prompt"}
    assert wired("conditioner", "agent")[0] == {"conditioner.embedding -> agent.context"}


def test_an_agent_calls_the_tools() -> None:
    found = auto_wire({n: place(n) for n in ("tool2", "agent", "tool1")}, [])
    assert [str(c) for c in found.calls] == ["agent -> tool1", "agent -> tool2"]
    assert auto_wire({"agent": place("agent", auto=False), "tool": place("tool", auto=False)}, []).calls == ()


def test_an_explicit_edge_wins() -> None:
    edges, _ = wired("conditioner", "backbone", "llm", explicit=("llm.text -> backbone.condition",))
    assert not any("backbone.condition" in e for e in edges)


def test_an_explicit_edge_from_inside_the_loop_wins_over_its_back_edge() -> None:
    inside = ("solver.next_latent -> scale.x", "scale.result -> backbone.latent")
    scale = Place("other", Spec.declare({"x": TENSOR}, {"result": TENSOR}))
    edges, _ = wired("backbone", "solver", explicit=inside, scale=scale)
    assert "solver.next_latent -> backbone.latent" not in edges
    outside = ("scale.result -> backbone.latent",)
    edges, _ = wired("backbone", "solver", explicit=outside, scale=scale)
    assert "solver.next_latent -> backbone.latent" in edges


def test_several_that_fit_give_a_warning_and_no_edge() -> None:
    edges, warnings = wired("conditioner1", "conditioner2", "backbone")
    assert not any("backbone.condition" in e for e in edges)
    assert warnings == [
        "backbone.condition: several nodes could feed it: conditioner1, conditioner2; none does",
    ]


def test_connect_picks() -> None:
    edges, warnings = wired("conditioner1", "conditioner2", backbone=place("backbone", connect=["conditioner2"]))
    assert edges == {"conditioner2.embedding -> backbone.condition"}
    assert warnings == []
    edges, _ = wired("conditioner2", "backbone", conditioner1=place("conditioner1", connect=["backbone"]))
    assert edges == {"conditioner1.embedding -> backbone.condition"}


def test_a_collecting_input_takes_all() -> None:
    both = Spec.declare([port("adapter_features", list, many="list")], {"pred": TENSOR})
    edges, warnings = wired("adapter1", "adapter2", backbone=Place("backbone", both, True))
    assert edges == {"adapter1.adapted -> backbone.adapter_features", "adapter2.adapted -> backbone.adapter_features"}
    assert warnings == []


def test_what_does_not_fit_or_is_not_there_is_not_joined() -> None:
    textual = Place("conditioner", Spec.declare({"input": str}, {"embedding": str}), True)
    assert wired("tokenizer", "backbone", conditioner=textual)[0] == set()


def test_nothing_happens_unasked() -> None:
    assert wired(tokenizer=place("tokenizer", auto=False), conditioner=place("conditioner", auto=False)) == (set(), [])
    one = wired(tokenizer=place("tokenizer", auto=False), conditioner=place("conditioner"))
    assert one[0] == {"tokenizer.token_ids -> conditioner.input"}


def test_rules_of_ones_own() -> None:
    register_rule("detector.boxes -> cropper.boxes")
    try:
        spec = Spec.declare({"boxes": list}, {"boxes": list})
        found = auto_wire({"d": Place("detector", spec, True), "c": Place("cropper", spec, True)}, [])
        assert [str(e) for e in found.edges] == ["d.boxes -> c.boxes"]
    finally:
        RULES.pop()
    with pytest.raises(ConfigError, match="no rule"):
        register_rule("detector -> cropper")
