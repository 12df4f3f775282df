"""World templates: canon (a bare skeleton), storytelling (texts), art_generation (pictures)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yggdrasil.core.state import BLOCKS
from yggdrasil.errors import ConfigError, close_names
from yggdrasil.levels.container import Child
from yggdrasil.levels.read import read_child
from yggdrasil.levels.stage import Stage
from yggdrasil.levels.templates import register_template
from yggdrasil.levels.world import ENVIRONMENT, World

_STAGES = ("philosopher", "author", "update", "development", "architect", "creator")


@register_template("world", "canon")
def canon(
    stages: Mapping[str, Child], name: str = "canon", content: Mapping[str, Any] | None = None, seed: int | None = None
) -> World:
    """The canonical cycle around given stages, blocks, functions, configs or types, by name.

    `stages` has philosopher, author, update, development, architect and creator; `environment` may hold its two.
    """
    given = dict(stages)
    environment = given.pop("environment", {})
    if isinstance(environment, Mapping):
        given |= environment
    for stage in given:
        if stage not in _STAGES:
            raise ConfigError(f"the canon has no stage {stage!r}; {close_names(stage, _STAGES)}", path=name)
    world = World(name)
    world.seed = seed
    for stage in _STAGES:
        if stage not in given:
            raise ConfigError(f"stage {stage!r} is missing", path=name, hint=f'stages={{"{stage}": ..., ...}}')
        world.add_stage(ENVIRONMENT.get(stage, stage), given[stage])
    if content:
        world.set_initial_world(content)
    return world


@register_template("world", "storytelling")
def storytelling(
    model: Any = "scripted:echo",
    title: str = "A story",
    premise: str = "Somewhere, something is about to begin.",
    name: str = "storytelling",
    content: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
) -> World:
    """A story that goes on: one language model in every stage; the artifacts are texts, a passage a tick.

    `model` is `provider:model_id` (or a Model); what it says has changed in characters, places and threads becomes
    the patch of the world.
    """
    about = "The world: {world}\n"
    stages = _telling(model, params, "a passage of the story: who speaks, what is seen, how long")
    stages["philosopher"] = _spoken(
        model, params, "philosopher", "description",
        "Read this as a stranger would, and say in a few sentences what it shows: who, where, what happens, "
        "in what mood. Use nothing that is not in it.\n\n{artifacts}",
    )  # fmt: skip
    stages["creator"] = _made(
        model, params, about + "\nWrite a passage by this blueprint. Give the passage alone.\n\n{blueprint}"
    )
    world: World = canon(stages, name, _content(title, premise, content))
    world.description = f"{title}: {premise}"
    return world


@register_template("world", "art_generation")
def art_generation(
    image: Child,
    model: Any = "scripted:echo",
    title: str = "A gallery",
    premise: str = "Pictures of a place that changes.",
    name: str = "art_generation",
    image_port: str = "prompt",
    content: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
) -> World:
    """A world in pictures: `image` (a block, graph, config or type) turns a prompt into a picture, one a tick.

    image_port  its input for the prompt; its only output is the picture (a PIL image or a Blob), or a list of them
    model       the language model of the other stages; the Philosopher shows it the picture
    """
    stages = _telling(model, params, "one picture: a prompt for an image model. Give the prompt alone")
    stages["philosopher"] = _spoken(
        model, params, "philosopher", "description",
        "Describe what you see in what follows, plainly and only that.\n\n{artifacts}",
    )  # fmt: skip
    stages["creator"] = _painted(image, image_port)
    world: World = canon(stages, name, _content(title, premise, content))
    world.description = f"{title}: {premise}"
    return world


def _content(title: str, premise: str, content: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        "setting": {"title": title, "premise": premise},
        "characters": {},
        "places": {},
        "threads": {},
        **(content or {}),
    }


def _telling(model: Any, params: Mapping[str, Any] | None, made: str) -> dict[str, Any]:
    """The stages that storytelling and art have in common."""
    return {
        "author": _spoken(
            model, params, "author", "chronicle",
            "Intended was: {intent}\nWhat can be seen: {description}\nMade by: {blueprint}\n\n"
            "Write, in one short paragraph of a chronicle, what really happened.",
        ),
        "update": _changed(model, params),
        "development": _spoken(
            model, params, "development", "intent",
            "The world: {world}\nWhat someone does: {action?}\nLeft over from before: {proposal?}\n\n"
            "Say in a few sentences what happens next. It follows from the world, and from what is done.",
        ),
        "architect": _spoken(
            model, params, "architect", "blueprint", f"What is to happen: {{intent}}\n\nPlan {made}.",
        ),
    }  # fmt: skip


def _agent(model: Any, params: Mapping[str, Any] | None, **options: Any) -> Any:
    from yggdrasil.agent.block import Agent

    return Agent(model, params=params, **options)


def _stage(name: str, template: str, agent: Any) -> Stage:
    """A prompt out of the state, and an agent that answers it; what follows is added by the caller."""
    from yggdrasil.blocks.prompt import Prompt

    stage = Stage(name)
    prompt = Prompt(template, media="{artifacts}" in template)
    stage.add("prompt", prompt)
    stage.add("agent", agent)
    stage.add_edge("prompt.prompt", "agent.prompt")
    for port in prompt.spec.inputs:
        stage.expose_input("prompt", port, name=port)
    return stage


def _contract(stage: Stage, fills: str) -> Stage:
    stage.set_state_contract([block for block in BLOCKS if block in stage.spec.inputs], fills)
    return stage


def _spoken(model: Any, params: Mapping[str, Any] | None, name: str, block: str, template: str) -> Stage:
    stage = _stage(name, template, _agent(model, params))
    stage.expose_output("agent", "response", name=block)
    return _contract(stage, block)


def _made(model: Any, params: Mapping[str, Any] | None, template: str) -> Stage:
    from yggdrasil.blocks.state import Slot

    stage = _stage("creator", template, _agent(model, params))
    stage.add("slot", Slot("texts"))
    stage.add_edge("agent.response", "slot.value")
    stage.expose_output("slot", "artifacts", name="artifacts")
    return _contract(stage, "artifacts")


def _painted(image: Child, port: str) -> Stage:
    from yggdrasil.blocks.prompt import Prompt
    from yggdrasil.blocks.state import Slot
    from yggdrasil.levels.node import as_runnable

    painter = read_child(image)[0] if isinstance(image, Mapping | str) else as_runnable(image)
    outputs = list(painter.spec.outputs)
    if port not in painter.spec.inputs or len(outputs) != 1:
        ports = f"in: {', '.join(painter.spec.inputs)}; out: {', '.join(outputs)}"
        raise ConfigError(
            f"{painter.label} does not turn {port!r} into one picture ({ports})", path="image", hint="image_port=..."
        )
    stage = Stage("creator")
    stage.add("prompt", Prompt("{blueprint}"))
    stage.add("image", painter)
    stage.add("slot", Slot("images"))
    stage.add_edge("prompt.prompt", f"image.{port}")
    stage.add_edge(f"image.{outputs[0]}", "slot.value")
    stage.expose_input("prompt", "blueprint", name="blueprint")
    stage.expose_output("slot", "artifacts", name="artifacts")
    return _contract(stage, "artifacts")


def _changed(model: Any, params: Mapping[str, Any] | None) -> Stage:
    from yggdrasil.blocks.state import Changes

    template = (
        "The world: {world}\nWhat happened: {chronicle}\n\n"
        "Say what has changed, as JSON: under characters, places and threads, each name that is new or changed "
        "with one sentence on how it is now. Leave out what stayed as it was."
    )
    output = {"characters": "dict", "places": "dict", "threads": "dict"}
    stage = _stage("update", template, _agent(model, params, output=output))
    stage.add("changes", Changes())
    stage.add_edge("agent.response", "changes.changes")
    stage.expose_input("changes", "chronicle", name="chronicle")
    stage.expose_input("changes", "world", name="world")
    stage.expose_input("changes", "intent", name="intent")
    stage.expose_output("changes", "patch", name="patch")
    return _contract(stage, "patch")
