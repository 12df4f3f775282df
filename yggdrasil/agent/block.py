"""An agent: a model, instructions and tools, as a block like any other."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, Unpack, overload

from yggdrasil.abc.block import Block
from yggdrasil.abc.context import RunContext
from yggdrasil.abc.model import Model
from yggdrasil.abc.runnable import Runnable
from yggdrasil.core.blob import Blob
from yggdrasil.core.budget import Budget
from yggdrasil.core.messages import Message
from yggdrasil.core.ports import Spec
from yggdrasil.core.result import T
from yggdrasil.errors import ConfigError, close_names
from yggdrasil.runtime.providers import resolve

if TYPE_CHECKING:  # loaded with the first agent: declaring one is not yet running one
    from yggdrasil.agent.handoff import HandOff
    from yggdrasil.agent.loop import Loop, Validator
    from yggdrasil.agent.memory import Memory
    from yggdrasil.agent.options import AgentOptions
    from yggdrasil.agent.talk import Instructions
    from yggdrasil.agent.toolbox import AnyTool
    from yggdrasil.core.turn import OnLimit

Handoffs = Sequence["Agent[Any] | str | Mapping[str, Any]"]


class Agent(Block[T], Generic[T]):
    """A model that calls tools until it has an answer.

        agent = Agent("anthropic:claude-sonnet-4-5", tools=[roll], instructions="You lead a game by the fire.")
        answer = (await agent.run("Two dice: do I cross the ford?")).output

    model         `provider:model_id`, a mapping `{name: ..., endpoint_url: ...}`, or a Model
    name          what paths and other agents call it
    description   what other agents are told it is for (its instructions, when nothing is said)
    instructions  text, or a function of `ctx`, `context` or `given` that returns it
    tools         anything that runs: functions, blocks, graphs, pipelines, agents, worlds; toolsets; registered names
    handoffs      agents to whom it may leave the talk (or a function that gives them, where two know each other)
    output        a type the answer must have (a pydantic model, dataclass, int, ...); plain text by default
    answer        instead: the name of the tool that takes the answer. Its ports are the answer's schema, what it gives
                  is the response, and what it raises goes back to the model to be mended
    validators    functions of the answer; what one returns is the answer, a ValueError goes back to the model
    max_steps     model turns in one run; `on_limit` "error" raises StepLimitError, "answer" asks once without tools
    max_retries   how often one tool, or the answer, may be wrong in one run
    params        the model's own: temperature, max_tokens, ...
    memory        True or a Memory: the dialogue of earlier runs is remembered, and part of `state_dict`; in a durable
                  run each thread has a memory of its own
    budget        a Budget (or `{tokens: 1000}`) that each run may spend; it counts towards the caller's
    parallel      whether several tool calls of one turn run at once
    max_result    characters of a tool's result that the model is shown; of a longer one it gets a link to read on by

    Ports in: prompt (text, or a list of texts and Blobs), messages (a history), context (what else the model is to
    know), given (values for tool parameters marked `Given`, which the model never sees).
    Ports out: response, messages (the whole talk), tool_calls (those left open: none, they have been run).
    """

    block_type = "agent/llm"

    @overload
    def __init__(
        self: Agent[str],
        model: str | Mapping[str, Any] | Model,
        *,
        output: None = None,
        answer: None = None,
        **options: Unpack[AgentOptions],
    ) -> None: ...
    @overload
    def __init__(
        self: Agent[T],
        model: str | Mapping[str, Any] | Model,
        *,
        output: type[T],
        **options: Unpack[AgentOptions],
    ) -> None: ...
    @overload
    def __init__(
        self: Agent[Any],
        model: str | Mapping[str, Any] | Model,
        *,
        output: Any = None,
        answer: str | None = None,
        **options: Unpack[AgentOptions],
    ) -> None: ...

    def __init__(
        self,
        model: str | Mapping[str, Any] | Model,
        *,
        name: str | None = None,
        description: str | None = None,
        instructions: Instructions | None = None,
        tools: Sequence[AnyTool] = (),
        handoffs: Handoffs | Callable[[], Handoffs] = (),
        output: Any = None,
        answer: str | None = None,
        validators: Sequence[Validator] = (),
        max_steps: int = 32,
        max_retries: int = 2,
        on_limit: OnLimit = "error",
        params: Mapping[str, Any] | None = None,
        memory: bool | Mapping[str, Any] | Memory | None = None,
        budget: Budget | Mapping[str, Any] | None = None,
        parallel: bool = True,
        max_result: int | None = 20_000,
    ) -> None:
        from yggdrasil.agent.answers import Typed
        from yggdrasil.agent.loop import Loop
        from yggdrasil.agent.memory import Memory
        from yggdrasil.agent.running import talk
        from yggdrasil.agent.talk import agent_spec, check_instructions
        from yggdrasil.agent.toolbox import Contracts, Toolbox, as_tool
        from yggdrasil.core.answer import AnswerContract, output_type

        _check(max_steps=max_steps, max_retries=max_retries, on_limit=on_limit, max_result=max_result)
        check_instructions(instructions)
        _check_list("tools", tools, "[roll]")
        if not callable(handoffs):
            _check_list("handoffs", handoffs, "[other_agent]")
        _check_words(name=name, description=description, answer=answer)
        if params is not None and not isinstance(params, Mapping):
            raise ConfigError(f"params is {type(params).__name__}", hint='params={"max_tokens": 500}')
        if answer is not None and output is not None:
            raise ConfigError("output and answer both say what the answer is", hint="keep one of them")
        self.model = model
        self.name = name
        self.description = description
        self.instructions = instructions
        self.tools = tuple(tools)
        self.handoffs = handoffs if callable(handoffs) else tuple(handoffs)
        self.output = output
        self.answer = answer
        self.validators = _functions(validators)
        self.max_steps, self.max_retries, self.on_limit = max_steps, max_retries, on_limit
        self.params = None if params is None else dict(params)
        self.memory = Memory() if memory is True else memory_of(memory)
        self.budget = Budget.of(budget)
        self.parallel, self.max_result = parallel, max_result
        kind = output_type(output)
        self._made = tuple(as_tool(tool) for tool in tools)
        self._added: tuple[Runnable, ...] = ()
        self._known: list[HandOff] | None = None
        self._talk = talk
        self._contracts = Contracts()
        self._loop: Loop = Loop(
            _resolve(model),
            Toolbox((), self._contracts),
            Typed(AnswerContract(kind)),
            max_steps,
            max_retries,
            on_limit,
            self.params or {},
            self.validators,
        )
        self._equip()
        anything = answer is not None or bool(self.handoffs)
        doc = description or (instructions if isinstance(instructions, str) else None)
        self._spec = agent_spec(doc, Any if anything else kind)

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
        from yggdrasil.agent.saving import agent_to_config

        return agent_to_config(self)

    def replace(self, **changes: Any) -> Agent[Any]:
        """The same agent with other arguments: `agent.replace(model="scripted:echo")`. A memory is shared."""
        names = [n for n in inspect.signature(Agent.__init__).parameters if n != "self"]
        for name in changes:
            if name not in names:
                raise ConfigError(f"an agent has no {name!r}; {close_names(name, names)}")
        return Agent(**{**{name: getattr(self, name) for name in names}, **changes})

    def children(self) -> Mapping[str, Runnable]:
        """What holds state of its own, by name: the model's weights where it runs here, and tools."""
        tools = {tool.label: tool for tool in self._runnables if hasattr(tool, "state_dict")}
        return {**self._loop.model.children(), **tools}

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

    def calling(self, tools: Sequence[Runnable]) -> Agent[T]:
        """A copy that can also call `tools`; it shares the model and the memory."""
        other = copy.copy(self)
        other._added = (*self._added, *tools)
        other._equip()
        return other

    @property
    def _runnables(self) -> tuple[Runnable, ...]:
        return (*(tool for tool in self._made if isinstance(tool, Runnable)), *self._added)

    def _equip(self) -> None:
        """Give the loop its tools; the one that takes the answer is not called, it is answered to."""
        from yggdrasil.agent.answers import Taken
        from yggdrasil.agent.toolbox import Toolbox

        runnables = self._runnables
        called = [tool for tool in runnables if tool.label != self.answer]
        loop = self._loop.replace(toolbox=Toolbox([*called, *(self._known or ())], self._contracts))
        if self.answer is not None:
            taker = next((tool for tool in runnables if tool.label == self.answer), None)
            loop = loop if taker is None else loop.replace(answer=Taken(taker, self._contracts))
        self._loop = loop

    def _handoffs(self) -> list[Agent[Any]]:
        """The agents to whom it may hand over."""
        from yggdrasil.agent.toolbox import built

        given: Any = self.handoffs() if callable(self.handoffs) else self.handoffs
        found = []
        for what in given:
            other = built(what, "agent") if isinstance(what, str | Mapping) else what
            if not isinstance(other, Agent):
                called = getattr(other, "label", repr(other))
                raise ConfigError(f"{self.label} cannot hand over to {called}: it is no agent", hint="tools=[...]")
            found.append(other)
        return found

    def _know(self) -> None:
        """Find out, before the first run, to whom it may hand over."""
        from yggdrasil.agent.handoff import HandOff

        self._known = [HandOff(other) for other in self._handoffs()]
        self._loop = self._loop.replace(handoffs={h.label: h for h in self._known})
        self._equip()

    def accept(self, value: Any) -> Any:
        """A bare value: a list of messages is a history, a Blob a prompt of its own."""
        if isinstance(value, Blob):
            return {"prompt": [value]}
        if isinstance(value, Message):
            return {"messages": [value]}
        if isinstance(value, Sequence) and value and all(isinstance(m, Message) for m in value):
            return {"messages": value}
        return value

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Talk with the model until it answers."""
        return await self._talk(self, inputs, ctx)


def _resolve(model: Any) -> Model:
    if isinstance(model, Mapping):
        options = dict(model)
        if "name" not in options:
            raise ConfigError("the model mapping has no name", hint='model: {name: "openai:m", endpoint_url: ...}')
        return resolve(options.pop("name"), **options)
    return resolve(model)


def memory_of(memory: Any) -> Memory | None:
    """A Memory, from one or from its config."""
    from yggdrasil.agent.memory import Memory

    if isinstance(memory, Mapping):
        return Memory.from_config(memory)
    if memory is None or memory is False or isinstance(memory, Memory):
        return memory if isinstance(memory, Memory) else None
    raise ConfigError(f"memory is {type(memory).__name__}", hint="memory=True, or memory=Memory(budget=8000)")


def _check_list(name: str, value: Any, hint: str) -> None:
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Sequence):
        raise ConfigError(f"{name} is {type(value).__name__}, not a list", hint=f"{name}={hint}")


def _check_words(**values: Any) -> None:
    for name, value in values.items():
        if value is not None and not isinstance(value, str):
            raise ConfigError(f"{name} is {type(value).__name__}, not text", hint=f'{name}="..."')


def _functions(validators: Any) -> tuple[Any, ...]:
    if not callable(validators):
        _check_list("validators", validators, "[check]")
    listed = (validators,) if callable(validators) else tuple(validators)
    for validator in listed:
        if not callable(validator):
            raise ConfigError(f"a validator is {type(validator).__name__}", hint="validators=[check]")
    return listed


def _check(*, max_steps: int, max_retries: int, on_limit: str, max_result: int | None) -> None:
    if not isinstance(max_steps, int) or isinstance(max_steps, bool) or max_steps < 1:
        raise ConfigError(f"max_steps is {max_steps!r}; it counts model turns, at least 1", hint="max_steps=32")
    if not isinstance(max_retries, int) or isinstance(max_retries, bool) or max_retries < 0:
        raise ConfigError(f"max_retries is {max_retries!r}; it is 0 or more", hint="max_retries=2")
    if on_limit not in ("error", "answer"):
        raise ConfigError(f"on_limit is {on_limit!r}", hint='on_limit="error" or "answer"')
    if max_result is not None and (not isinstance(max_result, int) or isinstance(max_result, bool) or max_result < 1):
        raise ConfigError(f"max_result is {max_result!r}; it counts characters", hint="max_result=20_000, or None")
