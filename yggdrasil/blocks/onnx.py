"""ONNX: a block or module is written as a file, and a file runs as a block on ONNX Runtime."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch

from yggdrasil.abc.context import Run, RunContext
from yggdrasil.blocks.adapter.active import without_hooks
from yggdrasil.blocks.hub import Ref
from yggdrasil.blocks.neural import Neural, NeuralBlock
from yggdrasil.blocks.onnx_file import OnnxFile, Place, read_onnx
from yggdrasil.blocks.weights import module_bytes
from yggdrasil.core.arrays import array_kind
from yggdrasil.core.binding import bind
from yggdrasil.core.ports import Port, Spec, port_type
from yggdrasil.errors import BlockError, ConfigError, PortError
from yggdrasil.runtime.pool import POOL, Handling, Key, Lease

_PIP = "pip install 'yggdrasil-worlds[onnx]'"
_INLINE = 1_500_000_000  # bytes: protobuf ends at 2 GB

Dynamic = Mapping[str, Mapping[int, str]]


class OnnxBlock(Neural):
    """A model on ONNX Runtime: `OnnxBlock("reader.onnx")`; in a file `type: onnx/runtime`, `ref: reader.onnx`.

    ref        a file, a folder or model of a hub with one .onnx in it, or with `file` (`onnx/model.onnx`)
    revision   which of a hub's
    providers  of ONNX Runtime, the first that can do it does ("CUDAExecutionProvider"); by default the CPU's, or CUDA's
               where the run or node says `device: cuda`
    threads    for one call; 0: as the runtime likes
    share      False: a session of one's own; otherwise whoever names the same file shares one
    backend    "onnx", for configs that say it

    Its ports are the model's inputs and outputs by name (what is no letter, digit, "_", "-" or "." becomes "_"), with
    their shapes; they are read without loading the model. Outputs are torch tensors where an input is one, else numpy
    arrays. There is nothing to train in it, and no gradient goes through. ConfigError for a file that is no ONNX, and
    for one that keeps weights outside of its folder.
    """

    block_type = "onnx/runtime"
    from_ref = True

    def __init__(
        self,
        ref: str,
        file: str = "",
        *,
        revision: str = "",
        providers: Sequence[str] = (),
        threads: int = 0,
        share: bool = True,
        backend: str = "onnx",
    ) -> None:
        if backend != "onnx":
            raise ConfigError(f"backend is {backend!r}, and {self.block_type} has only one", hint="backend: onnx")
        if isinstance(providers, str) or not all(isinstance(p, str) for p in providers):
            raise ConfigError(f"providers is {providers!r}", hint="providers: [CPUExecutionProvider]")
        if not isinstance(threads, int) or isinstance(threads, bool) or threads < 0:
            raise ConfigError(f"threads is {threads!r}", hint="threads: 4")
        self.ref, self.file, self.revision, self.backend = ref, file, revision, backend
        self.providers, self.threads, self.share = tuple(providers), threads, share
        self._leases: dict[tuple[str, ...], Lease[Any]] = {}
        self._path: Path | None = None
        self._found: OnnxFile | None = None
        self._spec: Spec | None = None

    @property
    def config(self) -> dict[str, Any]:
        """The arguments, as JSON."""
        found = super().config
        return {**found, "providers": list(self.providers)} if self.providers else found

    @property
    def path(self) -> Path:
        """The model's file, brought from the hub first where need be."""
        if self._path is None:
            self._path = _file_of(Ref.of(self.ref, self.revision).folder(), self.file)
        return self._path

    @property
    def _model(self) -> OnnxFile:
        if self._found is None:
            self._found = read_onnx(self.path)
        return self._found

    @property
    def spec(self) -> Spec:
        """The model's inputs and outputs."""
        if self._spec is None:
            inputs, outputs = _ports(self._model.inputs), _ports(self._model.outputs)
            self._spec = Spec(inputs, outputs, f"{self.path.name} on ONNX Runtime")
        return self._spec

    def session(self, device: str | None = None) -> Any:
        """The InferenceSession, loaded by now: one for all who name the same file, providers and threads."""
        _ = self._model  # what it refers to is checked before the runtime opens it
        runtime = _runtime()
        providers = self.providers or _providers_of(device)
        if unknown := [p for p in providers if p not in runtime.get_available_providers()]:
            known = ", ".join(runtime.get_available_providers())
            sentence = f"this ONNX Runtime has no {unknown[0]}; it has {known}"
            raise ConfigError(sentence, path=self.label, hint="pip install onnxruntime-gpu, or leave providers out")
        if providers not in self._leases:
            place = "cpu" if providers[0] == "CPUExecutionProvider" else device or "cuda"
            chosen = {"providers": list(providers), "threads": self.threads}
            key = Key.of("onnxruntime.InferenceSession", str(self.path), device=place, **chosen)  # type: ignore[arg-type]
            size = self.path.stat().st_size
            handling = Handling(size=lambda session: size, expected=lambda: size)
            self._leases[providers] = POOL.lease(
                key, lambda: self._load(runtime, providers), handling=handling, share=self.share
            )
        return self._leases[providers].value

    def unload(self) -> None:
        """Give the session back to the pool; the next call takes it again."""
        while self._leases:
            self._leases.popitem()[1].release()

    def _load(self, runtime: Any, providers: tuple[str, ...]) -> Any:
        options = runtime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = self.threads
        try:
            return runtime.InferenceSession(str(self.path), options, providers=list(providers))
        except Exception as error:  # its errors have no class in common
            said = str(error).strip().splitlines()[0]
            raise ConfigError(f"{self.path.name} cannot be loaded: {said}", path=str(self.path)) from error

    def compute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Run the session."""
        session = self.session(ctx.device)
        names = dict(zip(self.spec.inputs, self._model.inputs, strict=True))
        given = {names[n].name: _array(n, value, ctx.path) for n, value in inputs.items() if value is not None}
        found = session.run([place.name for place in self._model.outputs], given)
        example = next((v for v in inputs.values() if array_kind(v) == "tensor"), None)
        if example is not None:
            found = [_tensor(value, example.device) for value in found]
        return dict(zip(self.spec.outputs, found, strict=True))


def _file_of(found: Path, file: str) -> Path:
    if found.is_file():
        return found
    inside = sorted(path.relative_to(found).as_posix() for path in found.rglob("*.onnx"))
    if file or len(inside) == 1:
        path = found / (file or inside[0])
        if path.is_file() and ".." not in Path(file).parts:
            return path
    said = f"no {file}" if file else "no .onnx file" if not inside else f"{len(inside)} .onnx files"
    example = inside[0] if inside else "model.onnx"
    raise ConfigError(f"{found} has {said}; there are: {', '.join(inside) or 'none'}", hint=f"file: {example}")


def _ports(places: Sequence[Place]) -> dict[str, Port]:
    ports: dict[str, Port] = {}
    for place in places:
        name = "".join(c if c.isalnum() or c in "_-." else "_" for c in place.name) or "_"
        while name in ports:
            name += "_"
        kind = port_type("any" if place.shape is None else str(place.shape))
        ports[name] = Port(name, kind, optional=place.optional)
    return ports


def _runtime() -> Any:
    try:
        return import_module("onnxruntime")
    except ImportError as error:
        raise ConfigError(f"ONNX Runtime is not installed: {error}", hint=_PIP) from error


def _providers_of(device: str | None) -> tuple[str, ...]:
    if device is None or device.startswith("cpu"):
        return ("CPUExecutionProvider",)
    if device.startswith("cuda"):
        return ("CUDAExecutionProvider", "CPUExecutionProvider")
    raise ConfigError(
        f"which provider computes on {device!r} is not known", hint="providers: [CoreMLExecutionProvider]"
    )


def _array(name: str, value: Any, path: str) -> Any:
    if array_kind(value) != "tensor":
        return value
    try:
        return value.detach().cpu().contiguous().numpy()
    except TypeError as error:
        raise PortError(f"input {name!r} is {value.dtype}, which numpy has no type for: {error}", path=path) from error


def _tensor(value: Any, device: torch.device) -> Any:
    numbers = isinstance(value, np.ndarray) and value.dtype.kind in "fiubc"
    return torch.from_numpy(value).to(device) if numbers else value


# --- export


def export_onnx(
    what: Neural | torch.nn.Module,
    path: str | Path,
    example_inputs: Any,
    *,
    dynamic: Dynamic | None = None,
    outputs: Sequence[str] | None = None,
    opset: int | None = None,
) -> Path:
    """Write a neural block, or a module, as ONNX; the path. `OnnxBlock(path)` has the same ports.

    example_inputs  inputs of one call by port (or the only one's value). Tensors become inputs of the file; other
                    values are fixed in it. What is exported is the path that this call takes through the code
    dynamic         dimensions that may be of another length later, by port: {"latent": {0: "B", 2: "H"}}; {}: none.
                    By default the named dimensions of the ports' shapes, and dimension 0 ("B") of tensors whose port
                    has no shape. In the example they are 2 or longer
    outputs         names of the outputs of a module that returns several
    opset           the version of the operator set; by default the exporter's

    The module is exported as it computes (eval, its base weights without adapters); its own mode is as before then.
    torch's exporter over torch.export is used; over 1.5 GB of weights lie in `<name>.data` beside the file.
    ConfigError for a module that cannot be exported, with what the exporter said.
    """
    block = what if isinstance(what, Neural) else NeuralBlock(what, outputs=outputs)
    target = Path(path)
    if not target.parent.is_dir():
        raise ConfigError(f"there is no folder {target.parent}", hint=f"mkdir -p {target.parent}")
    inputs = bind(block.spec, example_inputs, {}, block.label)
    tensors = {name: value for name, value in inputs.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise PortError("the example has no tensor", path=block.label, hint='{"x": torch.zeros(2, 3)}')
    names = _dynamic(block, tensors, dynamic)
    whole = _Whole(block, tuple(tensors), {name: value for name, value in inputs.items() if name not in tensors})
    given = sum(module_bytes(module) for module in whole.parts)
    partial = target.with_name(f".{target.name}.partial") if given < _INLINE else target
    with whole.ready(), _quietly():
        whole(*tensors.values())  # what is wrong with the example is said in the block's own words
        try:
            torch.onnx.export(
                whole,
                tuple(tensors.values()),
                str(partial),
                input_names=list(tensors),
                output_names=list(block.spec.outputs),
                dynamic_shapes=(tuple(names.get(name) for name in tensors),),
                opset_version=opset,
                dynamo=True,
                external_data=given >= _INLINE,
                verbose=False,
            )
        except Exception as error:  # whatever an exporter raises, the module is what it could not export
            partial.unlink(missing_ok=True)
            raise ConfigError(f"{block.label} cannot be exported: {_reason(error)}") from error
    os.replace(partial, target)
    return target


class _Whole(torch.nn.Module):
    """A block as a module: what its `compute` does, from tensors to tensors."""

    def __init__(self, block: Neural, names: Sequence[str], fixed: Mapping[str, Any]) -> None:
        super().__init__()
        self.parts = torch.nn.ModuleList({id(m): m for m in block.modules().values()}.values())
        self._block, self._names, self._fixed = block, names, dict(fixed)

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Compute."""
        given = {**self._fixed, **dict(zip(self._names, tensors, strict=True))}
        found = self._block.compute(given, RunContext(Run(), self._block.label))
        for name in self._block.spec.outputs:
            if not isinstance(found.get(name), torch.Tensor):
                kind = type(found.get(name)).__name__
                hint = 'export_onnx(module, ..., outputs=["logits", "features"])'
                raise BlockError(f"output {name!r} is {kind}, not a tensor", path=self._block.label, hint=hint)
        return tuple(found[name] for name in self._block.spec.outputs)

    @contextmanager
    def ready(self) -> Iterator[None]:
        """In eval mode, without gradients and hooks; each part's own mode comes back."""
        modes = {module: module.training for module in self.parts.modules()}
        for part in self.parts:
            without_hooks(part)
        try:
            self.eval()
            with torch.no_grad():
                yield
        finally:
            for module, training in modes.items():
                module.training = training


def _dynamic(block: Neural, tensors: Mapping[str, torch.Tensor], asked: Dynamic | None) -> dict[str, dict[int, str]]:
    """The dynamic dimensions by input; PortError for those that the example cannot show."""
    if asked is None:
        asked = {name: _named(block.spec.inputs[name], value) for name, value in tensors.items()}
    found: dict[str, dict[int, str]] = {}
    for name, dims in asked.items():
        if name not in tensors:
            raise PortError(f"dynamic names {name!r}, which is no tensor of the example", path=block.label)
        for index, word in dims.items():
            value = tensors[name]
            if not isinstance(word, str) or not word.isidentifier() or not -value.ndim <= index < value.ndim:
                raise PortError(f"{name!r} has no dimension {index}: {word!r}", path=block.label, hint='{0: "B"}')
            if value.shape[index] < 2:
                sentence = f"dimension {index} ({word}) of {name!r} is {value.shape[index]} in the example"
                raise PortError(
                    sentence, path=block.label, hint="make it 2 or more: 1 would be written as a fixed length"
                )
            found.setdefault(name, {})[index % value.ndim] = word
    return found


def _named(port: Port, value: torch.Tensor) -> dict[int, str]:
    shape = port.type.shape
    if shape is None:
        return {0: "B"} if value.ndim else {}
    if "..." in shape.dims:
        return {}
    return {i: d for i, d in enumerate(shape.dims) if isinstance(d, str) and d != "_"}


def _reason(error: BaseException) -> str:
    """What went wrong first: exporters wrap it several times, and add advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the exporter's remarks about its own insides and about libraries that are not needed."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
