"""LoRA packs: small weights beside the large ones of a module, `W x + B A x * alpha / rank` (Hu et al. 2021)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import torch

from yggdrasil.blocks.weights import base_sha256
from yggdrasil.core.address import matches
from yggdrasil.core.canonical import derive
from yggdrasil.errors import ConfigError, close_names

MATRICES: Final = (torch.nn.Linear,)
CONVOLUTIONS: Final = (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)


class Target:
    """What is added to one submodule: A (rank, in, ...), B (out, rank, ...), and how much of it.

    Linear: A (rank, in), B (out, rank). Conv2d: A (rank, in, kernel...), B (out, rank / groups, 1...).
    """

    __slots__ = ("A", "B", "_placed", "alpha", "bias", "rank_stabilised")

    def __init__(
        self,
        A: torch.Tensor,
        B: torch.Tensor,
        alpha: float | None = None,
        *,
        bias: torch.Tensor | None = None,
        rank_stabilised: bool = False,
    ) -> None:
        self.A, self.B = torch.nn.Parameter(A), torch.nn.Parameter(B)
        self.bias = None if bias is None else torch.nn.Parameter(bias)
        self.alpha = self.rank if alpha is None else alpha
        self.rank_stabilised = rank_stabilised
        self._placed: dict[Any, tuple[Any, ...]] = {}

    @property
    def rank(self) -> int:
        """The width of the narrow place."""
        return self.A.shape[0]

    def scale(self, weight: float = 1.0) -> float:
        """What the product is multiplied with; computed in peft's order, so that it is the same float."""
        return weight * self.alpha / (math.sqrt(self.rank) if self.rank_stabilised else self.rank)

    def placed(
        self, device: torch.device, dtype: torch.dtype
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """A, B and the bias there. Where gradients are wanted they flow through the move."""
        tensors = (self.A, self.B, self.bias)
        if self.A.device == device and self.A.dtype == dtype:
            return tensors
        if torch.is_grad_enabled() and (self.A.requires_grad or self.B.requires_grad):
            return tuple(None if t is None else t.to(device, dtype) for t in tensors)  # type: ignore[return-value]
        versions = tuple(None if t is None else t._version for t in tensors)
        found = self._placed.get((device, dtype))
        if found is None or found[0] != versions:
            moved = tuple(None if t is None else t.detach().to(device, dtype) for t in tensors)
            found = self._placed[device, dtype] = (versions, moved)
        return found[1]  # type: ignore[no-any-return]


class LoRA:
    """A pack: for submodules by name what is added to them. Nothing is changed in the module it is used with.

    targets    by submodule name; in a pack of several parts with the part in front: `unet.mid_block...to_q`
    parts      what these fronts are: the names under which a block gives its modules ("unet", "text_encoder");
               () when the pack is for one module
    base       the sha256 of the module it was made for (`base_sha256`), by part ("" without parts), where it is known
    dropout    while training, of what enters A
    dtype      what it computes in; None: in the dtype of the weights beside it
    metadata   texts that are saved with it

    `run(adapters={"**/backbone": [lora, (other, 0.5)]})` computes with it.
    """

    def __init__(
        self,
        targets: Mapping[str, Target],
        *,
        parts: tuple[str, ...] = (),
        base: Mapping[str, str] | None = None,
        dropout: float = 0.0,
        dtype: torch.dtype | None = None,
        metadata: Mapping[str, str] | None = None,
        name: str = "",
    ) -> None:
        if not targets:
            raise ConfigError("a LoRA without targets", hint='LoRA.new(module, select="**.to_q|**.to_v")')
        if not 0 <= dropout < 1:
            raise ConfigError(f"dropout is {dropout!r}", hint="dropout=0.1")
        lost = [n for n in targets if parts and all(inside(part, n) is None for part in parts)]
        if lost:
            raise ConfigError(f"{lost[0]} belongs to none of the parts {', '.join(parts)}")
        self.targets, self.parts, self.base = dict(targets), tuple(parts), dict(base or {})
        self.dropout, self.dtype, self.metadata, self.name = dropout, dtype, dict(metadata or {}), name

    @classmethod
    def new(
        cls,
        modules: torch.nn.Module | Mapping[str, torch.nn.Module],
        rank: int = 8,
        *,
        alpha: float | None = None,
        select: str = "**",
        seed: int = 0,
        dropout: float = 0.0,
        dtype: torch.dtype = torch.float32,
        name: str = "",
    ) -> LoRA:
        """A fresh one, which changes nothing yet: B is zero, A as peft draws it (Kaiming uniform), from `seed`.

        modules    a module, or several by name (`block.modules()`), which become its parts
        select     a glob over submodule names, as `**.to_q|**.to_v`; of these, linear layers and convolutions
        alpha      the scale times the rank; None: the rank, so that the scale is 1
        """
        if not isinstance(rank, int) or isinstance(rank, bool) or rank < 1:
            raise ConfigError(f"rank is {rank!r}", hint="rank=8")
        named = {"": modules} if isinstance(modules, torch.nn.Module) else dict(modules)
        targets = {}
        for part, module in named.items():
            for inner, layer in adaptable(module).items():
                if matches(select.replace(".", "/"), inner.replace(".", "/")):
                    whole = ".".join(filter(None, (part, inner)))
                    targets[whole] = _fresh(layer, rank, alpha, derive(seed, whole), dtype)
        if not targets:
            there = close_names(select, [n for m in named.values() for n in adaptable(m)])
            raise ConfigError(f"{select!r} names no linear layer and no convolution; {there}", hint='select="**"')
        base = {part: base_sha256(module) for part, module in named.items()}
        parts = tuple(part for part in named if part)
        return cls(targets, parts=parts, base=base, dropout=dropout, name=name)

    @classmethod
    def load(cls, path: str | Path, *, dtype: torch.dtype | None = None, loader: str = "") -> LoRA:
        """One from a file or folder, in peft's or diffusers' format, or what diffusers can convert; see `files`."""
        from yggdrasil.blocks.adapter.files import load_lora

        return load_lora(Path(path), dtype, loader)

    def save(self, folder: str | Path, *, form: str = "") -> list[Path]:
        """Write it into a folder; the files that changed. `form`: "peft", or "diffusers" (which needs parts)."""
        from yggdrasil.blocks.adapter.files import save_lora

        return save_lora(self, Path(folder), form)

    def part(self, name: str) -> LoRA:
        """What of it is for one part, sharing its tensors: a pack for one module."""
        if name not in self.parts:
            raise ConfigError(f"there is no part {name!r}; {close_names(name, self.parts)}", path=self.name)
        base = {"": self.base[name]} if name in self.base else {}
        inner = {key: target for n, target in self.targets.items() if (key := inside(name, n)) is not None}
        made = LoRA(inner, base=base, dropout=self.dropout, dtype=self.dtype, metadata=self.metadata, name=self.name)
        return made

    # --- training

    def named_parameters(self) -> Iterator[tuple[str, torch.nn.Parameter]]:
        """Its parameters as peft names them: `name.lora_A.weight`."""
        for name, target in self.targets.items():
            yield f"{name}.lora_A.weight", target.A
            yield f"{name}.lora_B.weight", target.B
            if target.bias is not None:
                yield f"{name}.lora_B.bias", target.bias

    def parameters(self) -> list[torch.nn.Parameter]:
        """Its parameters."""
        return [parameter for _, parameter in self.named_parameters()]

    def freeze(self, frozen: bool = True) -> None:
        """Take its parameters out of training, or back in."""
        for parameter in self.parameters():
            parameter.requires_grad_(not frozen)

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Its tensors by name, not copied."""
        return {name: parameter.detach() for name, parameter in self.named_parameters()}

    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> None:
        """Take over tensors; nothing is changed unless all fit."""
        there = dict(self.named_parameters())
        wrong = sorted(there.keys() ^ state.keys())
        wrong += [n for n in there if n in state and there[n].shape != state[n].shape]
        if wrong:
            raise ConfigError(f"the adapter's weights do not fit: {', '.join(wrong[:5])}", path=self.name)
        with torch.no_grad():
            for name, parameter in there.items():
                parameter.copy_(state[name])

    @property
    def nbytes(self) -> int:
        """The bytes of its tensors."""
        return sum(p.numel() * p.element_size() for p in self.parameters())

    def __repr__(self) -> str:
        ranks = sorted({target.rank for target in self.targets.values()})
        return f"LoRA({self.name or 'unnamed'}: {len(self.targets)} targets, rank {', '.join(map(str, ranks))})"


def inside(part: str, name: str) -> str | None:
    """The name inside a part ("" without parts, or of the module itself); None when it is of another."""
    if not part or name == part:
        return "" if name == part else name
    return name[len(part) + 1 :] if name.startswith(f"{part}.") else None


def is_transposed(layer: Any) -> bool:
    """Whether it is transformers' Conv1D: a linear layer whose weight is (in, out)."""
    return type(layer).__name__ == "Conv1D" and type(layer).__module__ == "transformers.pytorch_utils"


def adaptable(module: torch.nn.Module) -> dict[str, torch.nn.Module]:
    """The submodules that a LoRA can be beside, by name."""
    # attention in one piece reads the weights of its output layer itself, so nothing could be added to it
    closed = {id(m.out_proj) for m in module.modules() if isinstance(m, torch.nn.MultiheadAttention)}
    kinds = (*MATRICES, *CONVOLUTIONS)
    return {
        name: layer
        for name, layer in module.named_modules()
        if (isinstance(layer, kinds) or is_transposed(layer)) and id(layer) not in closed
    }


def shapes(layer: torch.nn.Module, rank: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shapes of A and B beside a layer."""
    if isinstance(layer, CONVOLUTIONS):
        ones = (1,) * len(layer.kernel_size)
        return (rank, layer.in_channels, *layer.kernel_size), (layer.out_channels, rank // layer.groups, *ones)
    weight: Any = layer.weight
    out, into = reversed(weight.shape) if is_transposed(layer) else weight.shape
    if isinstance(layer, MATRICES):
        out, into = layer.out_features, layer.in_features  # of quantised weights the shape says nothing
    return (rank, into), (out, rank)


def _fresh(layer: torch.nn.Module, rank: int, alpha: float | None, seed: int, dtype: torch.dtype) -> Target:
    if isinstance(layer, CONVOLUTIONS) and rank % layer.groups:
        raise ConfigError(f"rank {rank} is no multiple of the convolution's {layer.groups} groups")
    first, second = shapes(layer, rank)
    generator = torch.Generator().manual_seed(seed)
    narrow = torch.empty(first, dtype=dtype)
    torch.nn.init.kaiming_uniform_(narrow, a=math.sqrt(5), generator=generator)
    return Target(narrow, torch.zeros(second, dtype=dtype), alpha)
