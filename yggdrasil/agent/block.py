"""An agent: a model, instructions and tools, as a block like any other."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from yggdrasil.abc.block import Block
from yggdrasil.abc.context import RunContext
from yggdrasil.abc.model import Model
from yggdrasil.abc.runnable import Runnable
from yggdrasil.core.blob import Blob
from yggdrasil.core.messages import Message, message_from_json, system, user
from yggdrasil.core.ports import Spec, port
from yggdrasil.errors import ConfigError, PortError, close_names
from yggdrasil.runtime.providers import resolve
from yggdrasil.runtime.registry import active_registry

if TYPE_CHECKING:  # loaded with the first agent: declaring one is not yet running one
    from yggdrasil.agent.memory import Memory
    from yggdrasil.agent.toolbox import AnyTool
    from yggdrasil.core.turn import OnLimit



class Agent(Block):
    """A model that calls tools until it has an answer.

        agent = Agent("anthropic:claude-sonnet-4-5", tools=[roll], instructions="You lead a game by the fire.")
        answer = (await agent.run("Two dice: do I cross the ford?")).output

    model         `provider:model_id`, a mapping `{name: ..., endpoint_url: ...}`, or a Model
    name          what paths and other agents call it
    description   what other agents are told it is for (its instructions, when nothing is said)
    tools         anything that runs: functions, blocks, graphs, pipelines, agents, worlds; or registered names
    output        a type the answer must have (a pydantic model, dataclass, int, ...); plain text by default
    answer        instead: the name of the tool that takes the answer. Its ports are the answer's schema, what it gives
                  is the response, and what it raises goes back to the model to be mended
    max_steps     model turns in one run; `on_limit` "error" raises StepLimitError, "answer" asks once without tools
    max_retries   how often one tool, or the answer, may be wrong in one run
    params        the model's own: temperature, max_tokens, ...
    memory        True or a Memory: the dialogue of earlier runs is remembered, and part of `state_dict`

    Ports in: prompt (text, or a list of texts and pictures), messages (a history), context.
    Ports out: response, messages (the whole talk), tool_calls (those left open: none, they have been run).
    """

    block_type = "agent/llm"

    def __init__(
        self,
        model: str | Mapping[str, Any] | Model,
        *,
        name: str | None = None,
        description: str | None = None,
        instructions: str | None = None,
        tools: Sequence[AnyTool] = (),
        output: Any = None,
        answer: str | None = None,
        max_steps: int = 32,
        max_retries: int = 2,
        on_limit: OnLimit = "error",
        params: Mapping[str, Any] | None = None,
        memory: bool | Memory | None = None,
    ) -> None:
        from yggdrasil.agent.answers import Typed
        from yggdrasil.agent.loop import Loop
        from yggdrasil.agent.memory import Memory
        from yggdrasil.agent.toolbox import Contracts, Toolbox, as_runnable
        from yggdrasil.core.answer import AnswerContract, output_type

        _check(max_steps=max_steps, max_retries=max_retries, on_limit=on_limit)
        if isinstance(tools, str | Mapping) or not isinstance(tools, Sequence):
            raise ConfigError(f"tools is {type(tools).__name__}, not a list", hint="tools=[roll]")
        if answer is not None and output is not None:
            raise ConfigError("output and answer both say what the answer is", hint="keep one of them")
        self.model = model
        self.name = name
        self.description = description
        self.instructions = instructions
        self.tools = tuple(tools)
        self.output = output
        self.answer = answer
        self.max_steps, self.max_retries, self.on_limit = max_steps, max_retries, on_limit
        self.params = None if params is None else dict(params)
        self.memory = Memory() if memory is True else memory or None
        kind = output_type(output)
        self._runnables = tuple(as_runnable(tool) for tool in tools)
        self._contracts = Contracts()
        self._loop = Loop(
            _resolve(model),
            Toolbox((), self._contracts),
            Typed(AnswerContract(kind)),
            max_steps,
            max_retries,
            on_limit,
            self.params or {},
        )
        self._equip()
        self._spec = _spec(description or instructions, Any if answer is not None else kind)

    @property
    def spec(self) -> Spec:
        """The ports; the response has the type of `output`."""
        return self._spec

    @property
    def label(self) -> str:
        """Its name, or "agent"."""
        return self.name or self.block_id or "agent"

    @property
    def config(self) -> dict[str, Any]:
        """What rebuilds it, as JSON. ConfigError for a model, tool or output type that only exists in Python."""
        found: dict[str, Any] = {"model": self._saved_model()}
        defaults = {"max_steps": 32, "max_retries": 2, "on_limit": "error"}
        for key in ("name", "description", "instructions", "answer", "max_steps", "max_retries", "on_limit", "params"):
            value = getattr(self, key)
            if value != defaults.get(key):
                found[key] = value
        if self.tools:
            found["tools"] = [self._saved_tool(*pair) for pair in zip(self.tools, self._runnables, strict=True)]
        if self.output is not None:
            found["output"] = self._saved_output()
        if self.memory is not None:
            found["memory"] = True
        return found

    def _saved_model(self) -> Any:
        if isinstance(self.model, Model):
            raise ConfigError(
                f"agent {self.label} has a model object ({self.model.name}), which cannot be saved",
                hint='Agent("provider:model_id", ...), or {"name": "openai:m", "endpoint_url": "..."}',
            )
        return self.model if isinstance(self.model, str) else dict(self.model)

    def _saved_tool(self, given: AnyTool, tool: Runnable) -> Any:
        if isinstance(given, str):
            return given
        if isinstance(given, Mapping):
            return dict(given)
        kind = tool.block_type
        if not isinstance(tool, Block) or kind not in active_registry().names():
            raise ConfigError(
                f"the tool {tool.label} of agent {self.label} is Python only, so it cannot be saved",
                hint=f'@block("tool/{tool.label}") above its def, or a file tools/{tool.label}.py',
            )
        config = tool.config
        return {"type": kind, **config} if config else kind

    def _saved_output(self) -> Any:
        from yggdrasil.core.answer import NAMED

        output = self.output
        if isinstance(output, str | Mapping):
            return output
        plain = {kind: name for name, kind in NAMED.items() if name != "text"}
        try:
            return plain[output]
        except (KeyError, TypeError):
            raise ConfigError(
                f"the output type {output!r} of agent {self.label} is Python only, so it cannot be saved",
                hint="output: {title: str, pages: int}",
            ) from None

    def children(self) -> Mapping[str, Runnable]:
        """The tools that hold state of their own, by name."""
        return {tool.label: tool for tool in self._runnables if hasattr(tool, "state_dict")}

    def state_dict(self) -> dict[str, Any]:
        """What it remembers."""
        return {} if self.memory is None else {"memory": self.memory.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The reverse of `state_dict`."""
        unknown = [key for key in state if key != "memory"]
        if unknown or (state and self.memory is None):
            raise ConfigError(
                f"agent {self.label} has no state {next(iter(unknown or state))!r}; "
                + close_names("", ["memory"] if self.memory is not None else []),
                hint="Agent(..., memory=True)",
            )
        if self.memory is not None and state:
            self.memory.load_state_dict(state["memory"])

    def calling(self, tools: Sequence[Runnable]) -> Agent:
        """A copy that can also call `tools`; it shares the model and the memory."""
        other = copy.copy(self)
        other.tools = (*self.tools, *tools)
        other._runnables = (*self._runnables, *tools)
        other._equip()
        return other

    def _equip(self) -> None:
        """Give the loop its tools; the one that takes the answer is not called, it is answered to."""
        from yggdrasil.agent.answers import Taken
        from yggdrasil.agent.toolbox import Toolbox

        called = [tool for tool in self._runnables if tool.label != self.answer]
        loop = self._loop.replace(toolbox=Toolbox(called, self._contracts))
        if self.answer is not None:
            taker = next((tool for tool in self._runnables if tool.label == self.answer), None)
            loop = loop if taker is None else loop.replace(answer=Taken(taker, self._contracts))
        self._loop = loop

    def accept(self, value: Any) -> Any:
        """A bare value: a list of messages is a history, a picture a prompt of its own."""
        if isinstance(value, Blob):
            return {"prompt": [value]}
        if isinstance(value, Message):
            return {"messages": [value]}
        if isinstance(value, Sequence) and value and all(isinstance(m, Message) for m in value):
            return {"messages": value}
        return value

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Talk with the model until it answers."""
        if self.answer is not None and self._loop.answer.schema is None:
            close = close_names(self.answer, [tool.label for tool in self._runnables])
            raise ConfigError(
                f"no tool {self.answer!r} takes the answer; {close}",
                path=ctx.path,
                hint=f"calls: [agent -> {self.answer}]",
            )
        new = _new_messages(inputs, ctx.path)
        opening = _opening(self.instructions, inputs.get("context"))
        memory = self.memory
        before = [*opening, *(memory.messages if memory is not None else ())]
        response, transcript = await self._loop.run([*before, *new], ctx)
        if memory is not None:
            memory.keep(transcript[len(before) :])
        return {"response": response, "messages": transcript[len(opening) :], "tool_calls": []}


def _resolve(model: Any) -> Model:
    if isinstance(model, Mapping):
        options = dict(model)
        if "name" not in options:
            raise ConfigError("the model mapping has no name", hint='model: {name: "openai:m", endpoint_url: ...}')
        return resolve(options.pop("name"), **options)
    return resolve(model)


def _check(*, max_steps: int, max_retries: int, on_limit: str) -> None:
    if not isinstance(max_steps, int) or isinstance(max_steps, bool) or max_steps < 1:
        raise ConfigError(f"max_steps is {max_steps!r}; it counts model turns, at least 1", hint="max_steps=32")
    if not isinstance(max_retries, int) or isinstance(max_retries, bool) or max_retries < 0:
        raise ConfigError(f"max_retries is {max_retries!r}; it is 0 or more", hint="max_retries=2")
    if on_limit not in ("error", "answer"):
        raise ConfigError(f"on_limit is {on_limit!r}", hint='on_limit="error" or "answer"')


def _spec(doc: str | None, kind: Any) -> Spec:
    return Spec.declare(
        [
            port("prompt", str | list[Any], optional=True, doc="What to do or answer."),
            port("messages", "messages", optional=True),
            port("context", "any", optional=True, doc="What else to know."),
        ],
        [
            port("response", str if kind is None else kind),
            port("messages", "messages", optional=True),
            port("tool_calls", list[Any], optional=True),
        ],
        doc=doc or "",
    )


def _opening(instructions: str | None, context: Any) -> list[Message]:
    texts = [instructions] if instructions else []
    if context is not None:
        texts.append(context if isinstance(context, str) else json.dumps(context, ensure_ascii=False, default=str))
    return [system("\n\n".join(texts))] if texts else []


def _new_messages(inputs: Mapping[str, Any], path: str) -> list[Message]:
    new = [m if isinstance(m, Message) else message_from_json(m) for m in inputs.get("messages", ())]
    prompt = inputs.get("prompt")
    if isinstance(prompt, str):
        new.append(user(prompt))
    elif prompt:
        new.append(user(*prompt))
    if not new:
        raise PortError("the agent was given nothing to do", path=path, hint='run("...") or run(messages=[...])')
    return new
