"""One OpenTelemetry tree of a run, made from its events, with the names of the GenAI conventions.

    run, node: an agent                          invoke_agent NAME
    run, node: a graph, pipeline, stage, world   invoke_workflow NAME
    run, node: anything else                     run NAME, node NAME
    a model's turn                               chat MODEL
    a tool's call                                execute_tool NAME
    a world's tick, a stage in it                tick, stage NAME

What else is told becomes events on the span that it belongs to. A span is current while what it stands for runs:
spans of the caller's own code lie around the tree and inside it. Spans go to the tracer provider that the program
has set up; nothing is exported by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from yggdrasil.abc.hook import Observer
from yggdrasil.core import events as told
from yggdrasil.core.events import Event
from yggdrasil.runtime.shown import as_json, messages_json, plain, scrubbed, sentence, shown
from yggdrasil.runtime.watching import Bystander

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer, TracerProvider

_WORKFLOWS = frozenset({"graph", "pipeline", "stage", "world", "universe"})

Error = tuple[str, str]
"""An error's type and sentence."""

_SUSPENDED = "SuspendedError"
_CUT_OFF: Error = ("cancelled", "it was ended before it was done")


class Traces(Observer):
    """Traces of runs: `run(..., hooks=[Traces()])`, or of every run by `yggdrasil.observe(traces=True)`.

    contents   put what was asked and answered on the spans: prompts, answers, arguments and results of tools,
               without what looks like a key
    provider   the tracer provider to use instead of the program's own
    """

    def __init__(self, *, contents: bool = False, provider: TracerProvider | None = None) -> None:
        self.contents, self.provider = contents, provider
        self._tracer: tuple[Any, Tracer] | None = None

    def watch(self, run: str) -> Trace:
        """The hook for one run."""
        from opentelemetry import trace

        provider = trace.get_tracer_provider() if self.provider is None else self.provider
        if self._tracer is None or self._tracer[0] is not provider:
            self._tracer = provider, provider.get_tracer("yggdrasil")
        return Trace(self._tracer[1], run, contents=self.contents)


class _Open:
    """A span that has not ended. `sort` says which event ends it; `base` is what was current before it."""

    __slots__ = ("base", "context", "inside", "models", "open", "outer", "path", "sort", "span", "told")

    def __init__(self, sort: str, path: str, span: Span, outer: _Open | None, base: Context) -> None:
        self.sort, self.path, self.span, self.outer, self.base = sort, path, span, outer, base
        self.context = base
        self.inside: dict[_Open, None] = {}
        self.told = span.is_recording()
        self.models = ("", "")
        self.open = True


class Trace(Bystander):
    """The tree of one run.

    The span above is the one that is current where an event happens; where none of this run is (an event that was
    told from another task), it is the one of the nearest path. What was cancelled is told by nobody: it ends with
    what is around it.
    """

    def __init__(self, tracer: Tracer, run: str, *, contents: bool) -> None:
        from opentelemetry import context, trace

        self._api, self._trace = context, trace
        self._key = context.create_key("yggdrasil")
        self._tracer, self._run, self._contents = tracer, run, contents
        self._places: dict[str, list[_Open]] = {}
        self._now = 0

    def hear(self, event: Event) -> None:
        """Begin, end or mark a span."""
        act = _ACTS.get(type(event), Trace._mark)
        if act is not None:
            self._now = round(event.time * 1e9)
            act(self, event)

    def close(self, error: BaseException, time: float) -> None:
        """End what is open: the run was cancelled, or took too long."""
        self._now = round(time * 1e9)
        open_still = [span for spans in self._places.values() for span in spans if span.outer is None]
        cause = (type(error).__name__, str(error)) if isinstance(error, Exception) else _CUT_OFF
        for span in open_still:
            self._finish(span, cause)

    # --- spans

    def _begin(
        self, sort: str, path: str, name: str, attributes: dict[str, Any], *, tick: int | None, client: bool = False
    ) -> _Open:
        base = self._api.get_current()
        here: _Open | None = base.get(self._key)  # type: ignore[assignment]
        outer = self._around(here, path)
        if outer is None and self._places:
            outer = self._above(path)
        if outer is not here and outer is not None:
            base = outer.context
        attributes["yggdrasil.path"] = path
        if outer is None:
            attributes["yggdrasil.run.id"] = self._run
        if tick is not None:
            attributes["yggdrasil.tick"] = tick
        kind = self._trace.SpanKind.CLIENT if client else self._trace.SpanKind.INTERNAL
        span = self._tracer.start_span(name, base, kind, attributes, start_time=self._now)
        made = _Open(sort, path, span, outer, base)
        made.context = self._api.set_value(self._key, made, self._trace.set_span_in_context(span, base))
        if outer is not None:
            outer.inside[made] = None
        self._places.setdefault(path, []).append(made)
        self._api.attach(made.context)
        return made

    def _around(self, here: _Open | None, path: str) -> _Open | None:
        """The open span around what happens at `path`, seen from `here`; what was cancelled in between is ended."""
        while here is not None and not (here.open and _holds(here, path)):
            if here.sort == "chat" and here.open:
                self._finish(here, _CUT_OFF)
            here = here.outer
        return here

    def _above(self, path: str) -> _Open | None:
        """The open span of the nearest path, which may be `path` itself."""
        while path:
            holding = [span for span in self._places.get(path, ()) if span.sort != "chat"]
            if holding:
                return holding[-1]
            path = path.rpartition("/")[0]
        return None

    def _find(self, sort: str, path: str) -> _Open | None:
        """The open span that an event at `path` ends."""
        here: _Open | None = self._api.get_current().get(self._key)  # type: ignore[assignment]
        while here is not None:
            if here.sort == sort and here.path == path and here.open:
                return here
            here = here.outer
        return next((span for span in reversed(self._places.get(path, ())) if span.sort == sort), None)

    def _end(
        self, sort: str, path: str, error: Error | None = None, attributes: Mapping[str, Any] | None = None
    ) -> None:
        span = self._find(sort, path)
        if span is not None:
            if attributes and span.told:
                span.span.set_attributes(attributes)
            self._finish(span, error)

    def _finish(self, one: _Open, error: Error | None) -> None:
        for inner in tuple(one.inside):
            self._finish(inner, error if inner.sort in ("callee", "taker") else _inherited(error, inner))
        if error is not None and one.told:
            kind, text = error
            if kind == _SUSPENDED:  # it waits for a person: nothing is wrong
                one.span.set_attribute("yggdrasil.suspended", True)
            else:
                one.span.set_attribute("error.type", kind)
                one.span.set_status(self._trace.Status(self._trace.StatusCode.ERROR, sentence(text)))
        one.open = False
        one.span.end(max(self._now, getattr(one.span, "start_time", 0) or 0))
        if one.outer is not None:
            one.outer.inside.pop(one, None)
        places = self._places.get(one.path, [])
        if one in places:
            places.remove(one)
            if not places:
                del self._places[one.path]
        if self._api.get_current().get(self._key) is one:
            base, before = one.base, one.base.get(self._key)
            while isinstance(before, _Open) and not before.open:
                base, before = before.base, before.base.get(self._key)
            self._api.attach(base)

    # --- what is told

    def _run_started(self, event: told.RunStarted) -> None:
        name, attributes = _named(event.path, event.block, "run")
        if event.thread:
            attributes["gen_ai.conversation.id"] = event.thread
        self._begin("run", event.path, name, attributes, tick=event.tick)

    def _run_finished(self, event: told.RunFinished) -> None:
        usage = getattr(event.result, "usage", None)
        values = {}
        if usage is not None and usage.requests:
            values = {f"yggdrasil.usage.{name}": value for name, value in usage.values().items() if value}
        self._end("run", event.path, attributes=values)

    def _run_failed(self, event: told.RunFailed) -> None:
        self._end("run", event.path, (event.error_type, event.error))

    def _node_started(self, event: told.NodeStarted) -> None:
        name, attributes = _named(event.path, event.block, "node")
        self._begin("node", event.path, name, attributes, tick=event.tick)

    def _node_finished(self, event: told.NodeFinished) -> None:
        self._end("node", event.path)

    def _node_failed(self, event: told.NodeFailed) -> None:
        self._end("node", event.path, (event.error_type, event.error))

    def _model_called(self, event: told.ModelCalled) -> None:
        provider, colon, model = event.model.partition(":")
        model = model if colon else provider
        attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": model}
        if colon:
            attributes["gen_ai.provider.name"] = provider
        made = self._begin("chat", event.path, f"chat {model}", attributes, tick=event.tick, client=True)
        made.models = event.model, model
        if self._contents and made.told and event.request is not None:
            self._put_request(made.span, event.request)

    def _put_request(self, span: Span, request: Any) -> None:
        said = list(request.messages)
        opening = [message for message in said if message.role == "system"]
        if opening:
            parts = [{"type": "text", "content": scrubbed(message.text)} for message in opening]
            span.set_attribute("gen_ai.system_instructions", as_json(parts))
        span.set_attribute("gen_ai.input.messages", messages_json(m for m in said if m.role != "system"))

    def _model_replied(self, event: told.ModelReplied) -> None:
        values: dict[str, Any] = {
            "gen_ai.usage.input_tokens": event.input_tokens,
            "gen_ai.usage.output_tokens": event.output_tokens,
        }
        if event.finish:
            values["gen_ai.response.finish_reasons"] = (event.finish,)
        if event.reply:
            values["gen_ai.response.id"] = event.reply
        for name in ("cost", "cached_tokens", "reasoning_tokens"):
            value = getattr(event, name)
            if value:
                values[f"yggdrasil.usage.{name}"] = value
        if self._contents and event.message is not None:
            values["gen_ai.output.messages"] = messages_json([event.message])
        span = self._find("chat", event.path)
        if span is not None:
            called, model = span.models
            values["gen_ai.response.model"] = model if event.model == called else event.model
        self._end("chat", event.path, attributes=values)

    def _model_failed(self, event: told.ModelFailed) -> None:
        self._end("chat", event.path, (event.error_type, event.error))

    def _tool_called(self, event: told.ToolCalled) -> None:
        attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": event.tool,
            "gen_ai.tool.type": "function",
            "gen_ai.tool.call.id": event.call,
        }
        if self._contents:
            attributes["gen_ai.tool.call.arguments"] = as_json(scrubbed(event.arguments))
        self._begin("tool", event.path, f"execute_tool {event.tool}", attributes, tick=event.tick)
        if event.block.startswith("agent/") or event.block in _WORKFLOWS:
            # an agent or a level that is called as a tool: nobody else tells that it begins
            name, attributes = _named(event.path, event.block, "run", event.tool)
            self._begin("callee", event.path, name, attributes, tick=event.tick)

    def _tool_returned(self, event: told.ToolReturned) -> None:
        error = None
        if event.failed:
            kind, colon, _ = event.content.partition(":")
            error = (kind if colon and kind.isidentifier() else "tool_error", event.content)
        values = {"gen_ai.tool.call.result": plain(event.content)} if self._contents else None
        self._end("tool", event.path, error, values)

    def _handed_off(self, event: told.HandedOff) -> None:
        """From here on another agent talks, below the one that was asked, until it too hands over or answers."""
        self._mark(event)
        first, before = event.path, self._find("taker", event.path)
        if before is not None:
            first = event.path.rpartition("/")[0]
            self._finish(before, None)
        attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": event.agent}
        path = f"{first}/{event.agent}"
        self._begin("taker", path, f"invoke_agent {event.agent}", attributes, tick=event.tick)

    def _tick_started(self, event: told.TickStarted) -> None:
        values = {"yggdrasil.action": plain(event.action)} if self._contents and event.action else {}
        self._begin("tick", event.path, "tick", values, tick=event.tick)

    def _tick_finished(self, event: told.TickFinished) -> None:
        self._end("tick", event.path, attributes={"yggdrasil.content_hash": event.content_hash})

    def _stage_started(self, event: told.StageStarted) -> None:
        world = event.path.removesuffix(f"/{event.stage}")
        if event.tick is not None and self._find("tick", world) is None:  # one that an earlier run began
            self._begin("tick", world, "tick", {}, tick=event.tick)
        self._begin("stage", event.path, f"stage {event.stage}", {"yggdrasil.stage": event.stage}, tick=event.tick)

    def _stage_finished(self, event: told.StageFinished | told.WorldUpdated) -> None:
        self._end("stage", event.path)

    def _world_parked(self, event: told.WorldParked) -> None:
        error = event.error_type, event.error
        self._end("stage", event.path, error)
        self._end("tick", event.path.removesuffix(f"/{event.stage}"), error)

    def _mark(self, event: Event) -> None:
        """An event on the span that it belongs to."""
        here: _Open | None = self._api.get_current().get(self._key)  # type: ignore[assignment]
        while here is not None and not here.open:
            here = here.outer
        one = here or self._above(event.path) or next((s for spans in self._places.values() for s in spans), None)
        if one is not None and one.told:
            values = {f"yggdrasil.{k}": v for k, v in shown(event, contents=self._contents).items()}
            values["yggdrasil.path"] = event.path
            one.span.add_event(event.kind, values, self._now)


def _holds(one: _Open, path: str) -> bool:
    """Whether what happens at `path` may be inside: a world's own paths begin anew, wherever it is run from."""
    if one.sort == "chat":
        return False
    return one.path == path or path.startswith(f"{one.path}/") or one.path.endswith(f"/{path.partition('/')[0]}")


def _inherited(error: Error | None, inner: _Open) -> Error:
    """The error of a span that ends with the one around it: the same if it came from there, else it was cancelled."""
    if error is not None and (error[0] == _SUSPENDED or error[1].startswith((f"{inner.path}:", f"{inner.path}/"))):
        return error
    return _CUT_OFF


def _named(path: str, block: str, otherwise: str, name: str = "") -> tuple[str, dict[str, Any]]:
    """A span's name and attributes for something of type `block`."""
    name = name or path.rpartition("/")[2]
    attributes: dict[str, Any] = {"yggdrasil.block": block} if block else {}
    if block.startswith("agent/"):
        attributes |= {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name}
        return f"invoke_agent {name}", attributes
    if block in _WORKFLOWS:
        attributes |= {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": name}
        return f"invoke_workflow {name}", attributes
    return f"{otherwise} {name}", attributes


_ACTS: dict[type[Event], Callable[[Trace, Any], None] | None] = {
    told.RunStarted: Trace._run_started,
    told.RunFinished: Trace._run_finished,
    told.RunFailed: Trace._run_failed,
    told.NodeStarted: Trace._node_started,
    told.NodeFinished: Trace._node_finished,
    told.NodeFailed: Trace._node_failed,
    told.ModelCalled: Trace._model_called,
    told.ModelReplied: Trace._model_replied,
    told.ModelFailed: Trace._model_failed,
    told.ToolCalled: Trace._tool_called,
    told.ToolReturned: Trace._tool_returned,
    told.HandedOff: Trace._handed_off,
    told.TickStarted: Trace._tick_started,
    told.TickFinished: Trace._tick_finished,
    told.StageStarted: Trace._stage_started,
    told.StageFinished: Trace._stage_finished,
    told.WorldUpdated: Trace._stage_finished,
    told.WorldParked: Trace._world_parked,
    told.Token: None,
    told.Progress: None,
    told.LoopIterated: None,
}
"""What each event does to the tree; None for what comes too often to be kept, a mark for those that are not named."""
