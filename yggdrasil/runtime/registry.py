"""Names to classes and factories: by decorator, by entry points, and the stock that ships here.

Layers: a project's own types are seen by that project only; beneath it lies the registry of the process.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from yggdrasil.abc.runnable import Runnable
from yggdrasil.abc.toolset import Toolset
from yggdrasil.errors import ConfigError, UnknownTypeError, YggdrasilError, close_names, closest

if TYPE_CHECKING:
    from importlib import metadata

Factory = Callable[..., Runnable | Toolset]
F = TypeVar("F", bound=Callable[..., Any])

ENTRY_POINTS = "yggdrasil.blocks"
"""The entry point group of plugins: each entry is `role/impl = module:class_or_factory`."""

STOCK: dict[str, str] = {
    "llm/api": "yggdrasil.models.block:ApiBlock",
    "llm/openai": "yggdrasil.models.block:OpenAIBlock",
    "llm/anthropic": "yggdrasil.models.block:AnthropicBlock",
    "llm/scripted": "yggdrasil.models.block:ScriptedBlock",
    "agent/llm": "yggdrasil.agent.block:Agent",
    "agent/api": "yggdrasil.agent.kinds:ApiAgent",
    "agent/react": "yggdrasil.agent.kinds:ReactAgent",
    "vlm/api": "yggdrasil.models.block:SeeingBlock",
    "llm/local": "yggdrasil.blocks.llm.block:LocalLanguage",
    "vlm/local": "yggdrasil.blocks.llm.block:LocalSeeing",
    "asr/local": "yggdrasil.blocks.speech.recognition:LocalRecognition",
    "speech/local": "yggdrasil.blocks.speech.voice:LocalVoice",
    "embedding/local": "yggdrasil.blocks.llm.embedding:LocalEmbedding",
    "tokenizer/transformers": "yggdrasil.blocks.tokenizer.transformers:Tokenizer",
    "embedding/api": "yggdrasil.models.embedding:EmbeddingBlock",
    "image/api": "yggdrasil.models.image:ImageBlock",
    "speech/api": "yggdrasil.models.speech:SpeechBlock",
    "mcp/http": "yggdrasil.agent.mcp.config:http",
    "mcp/stdio": "yggdrasil.agent.mcp.config:stdio",
    "text/prompt": "yggdrasil.blocks.prompt:Prompt",
    "text/join": "yggdrasil.blocks.text:Join",
    "text/log": "yggdrasil.blocks.text:Log",
    "flow/fields": "yggdrasil.blocks.flow:Fields",
    "flow/first": "yggdrasil.blocks.flow:First",
    "flow/map": "yggdrasil.levels.map:Map",
    "flow/switch": "yggdrasil.blocks.flow:Switch",
    "flow/take": "yggdrasil.blocks.flow:Take",
    "onnx/runtime": "yggdrasil.blocks.onnx:OnnxBlock",
    "caption/transformers": "yggdrasil.blocks.vision.captioner:Captioner",
    "classifier/transformers": "yggdrasil.blocks.vision.classifier:Classifier",
    "detector/transformers": "yggdrasil.blocks.vision.detector:Detector",
    "state/slot": "yggdrasil.blocks.state:Slot",
    "adapter/controlnet": "yggdrasil.blocks.adapter.controlnet:ControlNet",
    "adapter/t2i": "yggdrasil.blocks.adapter.t2i:T2IAdapter",
    "backbone/dit": "yggdrasil.blocks.backbone.dit:dit",
    "codec/tiny": "yggdrasil.blocks.codec.tiny:tiny",
    "conditioner/fields": "yggdrasil.blocks.conditioner.fields:fields",
    "backbone/diffusers": "yggdrasil.blocks.backbone.diffusers:Backbone",
    "codec/autoencoder": "yggdrasil.blocks.codec.autoencoder:Autoencoder",
    "codec/diffusers": "yggdrasil.blocks.diffusers.parts:Decode",
    "conditioner/diffusers": "yggdrasil.blocks.diffusers.parts:Prompt",
    "codec/identity": "yggdrasil.blocks.codec.identity:Identity",
    "conditioner/image": "yggdrasil.blocks.conditioner.image:ImageConditioner",
    "conditioner/text": "yggdrasil.blocks.conditioner.text:TextConditioner",
    "guidance/cfg": "yggdrasil.blocks.guidance.cfg:Guidance",
    "schedule/diffusers": "yggdrasil.blocks.diffusers.parts:Start",
    "schedule/noise": "yggdrasil.blocks.schedule.noise:Noise",
    "solver/ddim": "yggdrasil.blocks.solver.kinds:ddim",
    "solver/ddpm": "yggdrasil.blocks.solver.kinds:ddpm",
    "solver/deis": "yggdrasil.blocks.solver.kinds:deis",
    "solver/dpmpp_multistep": "yggdrasil.blocks.solver.kinds:dpmpp_multistep",
    "solver/dpmpp_singlestep": "yggdrasil.blocks.solver.kinds:dpmpp_singlestep",
    "solver/euler": "yggdrasil.blocks.solver.kinds:euler",
    "solver/euler_ancestral": "yggdrasil.blocks.solver.kinds:euler_ancestral",
    "solver/flow_euler": "yggdrasil.blocks.solver.kinds:flow_euler",
    "solver/flow_heun": "yggdrasil.blocks.solver.kinds:flow_heun",
    "solver/heun": "yggdrasil.blocks.solver.kinds:heun",
    "solver/lcm": "yggdrasil.blocks.solver.kinds:lcm",
    "solver/lms": "yggdrasil.blocks.solver.kinds:lms",
    "solver/pndm": "yggdrasil.blocks.solver.kinds:pndm",
    "solver/unipc": "yggdrasil.blocks.solver.kinds:unipc",
    "state/changes": "yggdrasil.blocks.state:Changes",
    "schedule/noising": "yggdrasil.training.diffusion:Noising",
    "loss/denoised": "yggdrasil.training.diffusion:Denoised",
    "adapter/prompt": "yggdrasil.training.around:PromptAdapter",
}
"""What ships here, loaded on first use."""


EXTRAS: Mapping[str, frozenset[str]] = {
    "onnx": frozenset({"onnx", "onnxruntime", "onnxscript"}),
    "train": frozenset({"accelerate", "diffusers", "huggingface_hub", "peft", "scipy", "torch", "transformers"}),
}
"""Which extra brings a library."""


class Registry:
    """Type names ("role/impl") to factories, over a parent that is asked for what is not here."""

    def __init__(self, parent: Registry | None = None, stock: Mapping[str, str] | None = None) -> None:
        self.parent = parent
        self._factories: dict[str, Factory] = {}
        self._sources: dict[str, str] = {}
        self._stock = dict(stock or {})
        self._plugins: dict[str, list[metadata.EntryPoint]] | None = None if parent is None else {}

    def register(self, name: str, factory: Factory, *, source: str = "") -> None:
        """Name a factory. ConfigError when the name is taken by another one."""
        role, slash, impl = name.partition("/")
        if not role or (slash and not impl):
            raise ConfigError(f"{name!r} is no type name", hint='"role/impl", as in "llm/mine"')
        source = source or f"{getattr(factory, '__module__', '')}.{getattr(factory, '__qualname__', factory)}"
        taken = self._sources.get(name) or self._stock.get(name, source).replace(":", ".")
        if taken != source:
            raise ConfigError(f"type {name!r} is taken by {taken}; {source} wants it too", hint='a name like "my/type"')
        self._factories[name] = factory
        self._sources[name] = source

    def factory(self, name: str) -> Factory:
        """The factory of a name; UnknownTypeError with close names."""
        found = self._find(name)
        if found is None:
            close = closest(name, self.names())
            hint = f"type: {close}" if close else f'@block("{name}") above a function, or @register above a class'
            raise UnknownTypeError(f"no block type {name!r}; {close_names(name, self.names())}", hint=hint)
        return found

    def _find(self, name: str) -> Factory | None:
        if name in self._factories:
            return self._factories[name]
        if self.parent is not None:
            return self.parent._find(name)
        if name in self._stock:
            module, _, attribute = self._stock[name].partition(":")
            try:
                self._factories[name] = getattr(importlib.import_module(module), attribute)
            except ImportError as error:
                extra = next((extra for extra, names in EXTRAS.items() if error.name in names), "")
                hint = f"pip install 'yggdrasil-worlds[{extra}]'" if extra else ""
                sentence = f"type {name!r} needs something that is not installed: {error}"
                raise UnknownTypeError(sentence, hint=hint) from error
            return self._factories[name]
        offered = self._entry_points().get(name, ())
        if len({entry.value for entry in offered}) > 1:
            both = " and ".join(sorted(entry.value for entry in offered))
            raise ConfigError(f"type {name!r} is offered by {both}", hint="uninstall one of the two plugins")
        if offered:
            self._factories[name] = _load(offered[0])
            return self._factories[name]
        return None

    def _entry_points(self) -> dict[str, list[metadata.EntryPoint]]:
        if self._plugins is None:
            from importlib import metadata

            self._plugins = {}
            for entry in metadata.entry_points(group=ENTRY_POINTS):
                self._plugins.setdefault(entry.name, []).append(entry)
        return self._plugins

    def known(self, name: str) -> bool:
        """Whether a name can be built."""
        return self._find(name) is not None

    def names(self) -> set[str]:
        """Every name that can be built."""
        above = self.parent.names() if self.parent is not None else set()
        return {*self._factories, *self._stock, *self._entry_points(), *above}

    def build(self, name: str, config: Mapping[str, Any]) -> Runnable:
        """A new instance of a type from its config. ConfigError names what does not fit."""
        made = self.make(name, config)
        if isinstance(made, Toolset):
            raise ConfigError(f"{name} is a group of tools, which cannot run by itself", hint=f"tools: [{name}]")
        return made

    def make(self, name: str, config: Mapping[str, Any]) -> Runnable | Toolset:
        """The same where a group of tools will do as well."""
        factory = self.factory(name)
        _check_config(name, factory, config)
        try:
            made = factory(**config)
        except YggdrasilError:
            raise
        except Exception as error:  # whatever a factory raises, the config is what asked for it
            raise ConfigError(f"{name} cannot be built: {type(error).__name__}: {error}") from error
        if not isinstance(made, Runnable | Toolset):
            raise ConfigError(f"{name} gave {type(made).__name__}, which cannot run")
        return made


def _check_config(name: str, factory: Factory, config: Mapping[str, Any]) -> None:
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):  # a builtin that does not say: it will complain by itself
        return
    try:
        signature.bind(**config)
    except TypeError as error:
        accepted = signature.parameters
        wrong = next((str(k) for k in config if k not in accepted), "")
        if wrong and not any(p.kind is p.VAR_KEYWORD for p in accepted.values()):
            raise ConfigError(f"{name} has no config {wrong!r}; {close_names(wrong, accepted)}") from None
        raise ConfigError(f"{name}: {error}") from None


def _load(entry: metadata.EntryPoint) -> Factory:
    try:
        loaded: Factory = entry.load()
    except (Exception, SystemExit) as error:  # a plugin that is broken disables only itself
        sentence = f"the plugin that offers {entry.name!r} ({entry.value}) cannot be loaded"
        raise UnknownTypeError(f"{sentence}: {type(error).__name__}: {error}") from error
    return loaded


REGISTRY = Registry(stock=STOCK)
"""The registry of the process."""

_active: ContextVar[Registry] = ContextVar("registry", default=REGISTRY)


def active_registry() -> Registry:
    """The registry that decorators register in and configs are built from: the process's, or a project's layer."""
    return _active.get()


@contextmanager
def using(registry: Registry) -> Iterator[Registry]:
    """Make `registry` the active one."""
    token = _active.set(registry)
    try:
        yield registry
    finally:
        _active.reset(token)


def register(name: str) -> Callable[[F], F]:
    """Register a Block class or a factory under a type name: `@register("solver/mine")`."""

    def decorate(factory: F) -> F:
        if isinstance(factory, type) and not getattr(factory, "block_type", None):
            factory.block_type = name  # type: ignore[attr-defined]
        active_registry().register(name, factory)
        return factory

    return decorate
