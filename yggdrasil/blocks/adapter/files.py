"""LoRA packs in files: peft's format, diffusers' format, and whatever diffusers itself converts (kohya and others)."""

from __future__ import annotations

import inspect
import json
import re
import threading
from collections import Counter
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import torch

from yggdrasil.blocks.adapter.lora import LoRA, Target, inside
from yggdrasil.blocks.weights import save_tensors, tensors
from yggdrasil.errors import ConfigError, close_names
from yggdrasil.storage.files import read_config, read_text, show, write_text
from yggdrasil.storage.json_text import parse_json
from yggdrasil.storage.weights import Weights

PEFT_FILE: Final = "adapter_model.safetensors"
PEFT_CONFIG: Final = "adapter_config.json"
DIFFUSERS_FILE: Final = "pytorch_lora_weights.safetensors"
_DIFFUSERS_METADATA = "lora_adapter_metadata"  # diffusers.loaders.lora_base.LORA_ADAPTER_METADATA_KEY
_OURS = "yggdrasil"
_PEFT_FRONT = "base_model.model."

_KEY = re.compile(r"(?:(?P<name>.*)\.)?lora_(?P<side>A|B)\.(?P<what>weight|bias)", re.DOTALL)
_UNREADABLE = {
    "lora_magnitude_vector": "DoRA",
    "dora_scale": "DoRA",
    "lora_embedding": "an adapter of an embedding",
    "lokr_": "LoKr",
    "hada_": "LoHa",
}
_kept: dict[Path, tuple[tuple[int, int], LoRA]] = {}
_gate = threading.Lock()
_KEPT = 32


def loaded(path: Path) -> LoRA:
    """The pack of a path, read once for as long as its file stays as it is; the last few are remembered."""
    file = _locate(path)[0].resolve()
    stamp = (file.stat().st_mtime_ns, file.stat().st_size)
    with _gate:
        found = _kept.pop(file, None)
        if found is None or found[0] != stamp:
            found = (stamp, load_lora(path, None, ""))
        _kept[file] = found
        while len(_kept) > _KEPT:
            del _kept[next(iter(_kept))]
        return found[1]


def load_lora(path: Path, dtype: torch.dtype | None, loader: str) -> LoRA:
    """A pack from a file or a folder.

    path      a folder with adapter_model.safetensors and adapter_config.json (peft), with
              pytorch_lora_weights.safetensors (diffusers), or with one .safetensors file; or that file
    loader    the diffusers class that converts a foreign dialect, where it is not plain which: "FluxLoraLoaderMixin"

    ConfigError for files that are not whole, NaN, pickles, and kinds of adapters that are no plain LoRA.
    """
    file, config = _locate(path)
    weights = Weights(file)
    weights.require_finite()
    shown = show(file)
    for key in weights.entries:
        if kind := next((kind for mark, kind in _UNREADABLE.items() if mark in key), ""):
            raise ConfigError(f"{key} belongs to {kind}; plain LoRA alone is read", path=shown)
    state = {key: value.clone() for key, value in tensors(weights).items()}
    ours = parse_json(weights.metadata.get(_OURS, "{}"), shown)
    if config is not None:
        targets, dropout = _from_peft(state, config, shown)
        parts: tuple[str, ...] = ()
    else:
        targets, dropout, parts = _from_diffusers(state, weights.metadata, loader, shown)
    return LoRA(
        targets,
        parts=parts,
        base=ours.get("base", {}),
        dropout=dropout,
        dtype=dtype,
        metadata=ours.get("metadata", {}),
        name=ours.get("name") or (file.stem if path.is_file() else path.resolve().name),
    )


def save_lora(lora: LoRA, folder: Path, form: str) -> list[Path]:
    """Write a pack; the files that changed."""
    form = form or ("diffusers" if lora.parts else "peft")
    if form not in ("peft", "diffusers"):
        raise ConfigError(f"form is {form!r}; {close_names(form, ('peft', 'diffusers'))}")
    if form == "diffusers" and not lora.parts:
        hint = 'LoRA.new({"unet": unet}, ...)'
        raise ConfigError("diffusers' format names the part of a pipeline that each target is in", hint=hint)
    if form == "peft" and lora.parts:
        hint = f"lora.part({lora.parts[0]!r}).save(folder)"
        raise ConfigError(f"peft's format is for one module; this pack has {', '.join(lora.parts)}", hint=hint)
    ours = {"base": lora.base, "metadata": lora.metadata, "name": lora.name}
    metadata = {_OURS: json.dumps(ours, sort_keys=True)}
    if form == "peft":
        state = {_PEFT_FRONT + key: value for key, value in lora.state_dict().items()}
        changed = save_tensors(state, folder / PEFT_FILE, metadata=metadata)
        text = json.dumps({"peft_type": "LORA", "task_type": None, **_settings(lora, "")}, indent=2) + "\n"
        place = folder / PEFT_CONFIG
        if not place.is_file() or read_text(place) != text:
            write_text(place, text)
            changed.append(place)
        return changed
    settings = {f"{part}.{key}": value for part in lora.parts for key, value in _settings(lora, part).items()}
    metadata[_DIFFUSERS_METADATA] = json.dumps(settings, indent=2, sort_keys=True)
    return save_tensors(lora.state_dict(), folder / DIFFUSERS_FILE, metadata=metadata)


def _settings(lora: LoRA, part: str) -> dict[str, Any]:
    """What peft's LoraConfig is made of."""
    targets = {inner: t for name, t in lora.targets.items() if (inner := inside(part, name)) is not None}
    rank = Counter(t.rank for t in targets.values()).most_common(1)[0][0]
    alpha = Counter(t.alpha for t in targets.values()).most_common(1)[0][0]
    return {
        "r": rank,
        "lora_alpha": alpha,
        # from the beginning of the name on: else `q` would be found at the end of every `....q`
        "rank_pattern": {f"^{re.escape(n)}": t.rank for n, t in targets.items() if t.rank != rank},
        "alpha_pattern": {f"^{re.escape(n)}": t.alpha for n, t in targets.items() if t.alpha != alpha},
        "target_modules": sorted(targets),
        "lora_dropout": lora.dropout,
        "lora_bias": any(t.bias is not None for t in targets.values()),
        "use_rslora": any(t.rank_stabilised for t in targets.values()),
        "use_dora": False,
        "bias": "none",
    }


def _locate(path: Path) -> tuple[Path, dict[str, Any] | None]:
    """The file of weights, and peft's config where it has one."""
    if path.is_dir():
        for name in (PEFT_FILE, DIFFUSERS_FILE):
            if (path / name).is_file():
                return _locate(path / name)
        files = sorted(path.glob("*.safetensors"))
        if len(files) == 1:
            return files[0], None
        there = ", ".join(sorted(p.name for p in path.iterdir())[:8]) or "it is empty"
        hint = f"save {PEFT_FILE} or {DIFFUSERS_FILE} there; a pickle (.bin, .pt) is never read"
        raise ConfigError(f"there is no one LoRA in this folder: {there}", path=show(path), hint=hint)
    if not path.exists():
        near = close_names(path.name, [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else [])
        raise ConfigError(f"there is no such adapter; {near}", path=show(path))
    config = path.with_name(PEFT_CONFIG)
    return path, read_config(config) if path.name == PEFT_FILE and config.is_file() else None


# --- peft


def _from_peft(
    state: Mapping[str, torch.Tensor], config: Mapping[str, Any], shown: str
) -> tuple[dict[str, Target], float]:
    if config.get("peft_type") != "LORA":
        raise ConfigError(f"this is {config.get('peft_type')}, not LORA", path=shown)
    for key in ("use_dora", "modules_to_save", "trainable_token_indices", "alora_invocation_tokens"):
        if config.get(key):
            raise ConfigError(f"{key} is not plain LoRA", path=f"{show(Path(shown).with_name(PEFT_CONFIG))}: {key}")
    plain = {key.removeprefix(_PEFT_FRONT): value for key, value in state.items()}
    return _targets(plain, config, shown), float(config.get("lora_dropout") or 0.0)


def _targets(state: Mapping[str, torch.Tensor], config: Mapping[str, Any], shown: str) -> dict[str, Target]:
    """Pairs of A and B, with the alphas that a LoraConfig of these fields gives them."""
    from peft.utils.other import get_pattern_key

    found: dict[str, dict[str, torch.Tensor]] = {}
    for key, value in state.items():
        match = _KEY.fullmatch(key)
        if match is None:
            raise ConfigError(f"{key} is no weight of a LoRA (name.lora_A.weight)", path=shown)
        found.setdefault(match["name"] or "", {})[match["side"] + match["what"]] = value
    patterns = config.get("alpha_pattern") or {}
    targets = {}
    for name, pair in found.items():
        if not {"Aweight", "Bweight"} <= pair.keys() or not pair.keys() <= {"Aweight", "Bweight", "Bbias"}:
            raise ConfigError(f"{name} has not both of lora_A.weight and lora_B.weight", path=shown)
        first, second = pair["Aweight"], pair["Bweight"]
        if first.ndim < 2 or first.ndim != second.ndim or not first.is_floating_point():
            raise ConfigError(f"{name} has A {tuple(first.shape)} and B {tuple(second.shape)}", path=shown)
        alpha = patterns.get(get_pattern_key(list(patterns), name), config.get("lora_alpha", first.shape[0]))
        stabilised = bool(config.get("use_rslora"))
        targets[name] = Target(first, second, alpha, bias=pair.get("Bbias"), rank_stabilised=stabilised)
    return targets


# --- diffusers


def _from_diffusers(
    state: dict[str, torch.Tensor], metadata: Mapping[str, str], loader: str, shown: str
) -> tuple[dict[str, Target], float, tuple[str, ...]]:
    """As `pipe.load_lora_weights` reads it: its converters, its alphas."""
    state, alphas = _converted(state, loader, shown)
    described = parse_json(metadata.get(_DIFFUSERS_METADATA, "{}"), shown)
    parts = tuple(sorted({key.partition(".")[0] for key in state}))
    targets: dict[str, Target] = {}
    dropout = 0.0
    for part in parts:
        inner = {k.removeprefix(f"{part}."): v for k, v in state.items() if k.startswith(f"{part}.")}
        try:
            inner = _peft_keys(inner, part)
        except ValueError as error:  # spellings that its converters do not know
            raise ConfigError(f"diffusers cannot convert {part}: {error}", path=shown) from error
        config = {k.removeprefix(f"{part}."): v for k, v in described.items() if k.startswith(f"{part}.")}
        config = config or _guessed(inner, part, alphas)
        dropout = max(dropout, float(config.get("lora_dropout") or 0.0))
        found = _targets(inner, config, shown)
        targets |= {f"{part}.{name}" if name else part: target for name, target in found.items()}
    return targets, dropout, parts


def _converted(
    state: dict[str, torch.Tensor], loader: str, shown: str
) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
    import diffusers.loaders.lora_pipeline as loaders

    if not loader and all(".lora_A." in key or ".lora_B." in key for key in state) and not _is_foreign(state):
        return state, {}
    name = loader or _guess_loader(state)
    mixin = getattr(loaders, name, None)
    if mixin is None:
        near = close_names(name, [n for n in dir(loaders) if n.endswith("LoraLoaderMixin")])
        raise ConfigError(f"diffusers has no {name}; {near}")
    wanted = {"return_alphas": True} if "return_alphas" in inspect.signature(mixin.lora_state_dict).parameters else {}
    try:
        given = mixin.lora_state_dict(dict(state), **wanted)
    except Exception as error:  # whatever its converters meet in a file that is not theirs
        hint = 'LoRA.load(path, loader="FluxLoraLoaderMixin")   # the class of the pipeline it was trained for'
        raise ConfigError(f"diffusers' {name} cannot convert it: {error}", path=shown, hint=hint) from error
    converted, alphas = given if isinstance(given, tuple) else (given, None)
    if not converted:
        raise ConfigError(f"diffusers' {name} found no LoRA in it", path=shown)
    return converted, {key: float(value) for key, value in (alphas or {}).items()}


def _is_foreign(state: Mapping[str, Any]) -> bool:
    """Whether the part of the pipeline is not what the names begin with: `diffusion_model.` and other prefixes."""
    return any(key.startswith(("diffusion_model.", "lora_", "base_model.")) for key in state)


def _guess_loader(state: Mapping[str, Any]) -> str:
    flux = ("double_blocks", "single_blocks", "single_transformer_blocks")
    if any(mark in key for mark in flux for key in state):
        return "FluxLoraLoaderMixin"
    return "StableDiffusionLoraLoaderMixin"


def _peft_keys(state: dict[str, torch.Tensor], part: str) -> dict[str, torch.Tensor]:
    """Old spellings (`.lora.down.weight`, `_lora.up`, `processor.to_q_lora`) as peft's; what is so already stays."""
    converters: Any = import_module("diffusers.utils.state_dict_utils")
    if all("lora_A" in key or "lora_B" in key for key in state):
        return state
    if part.startswith("text_encoder"):
        return dict(converters.convert_state_dict_to_peft(converters.convert_state_dict_to_diffusers(state)))
    return dict(converters.convert_unet_state_dict_to_peft(state))


def _guessed(state: Mapping[str, torch.Tensor], part: str, alphas: Mapping[str, float]) -> dict[str, Any]:
    """The LoraConfig that diffusers makes of a file that says nothing of itself."""
    settings: Any = import_module("diffusers.utils.peft_utils")
    text = part.startswith("text_encoder")
    ranks = {key if text else f"^{key}": v.shape[1] for key, v in state.items() if "lora_B" in key and v.ndim > 1}
    inner = {k.removeprefix(f"{part}."): v for k, v in alphas.items() if k.startswith(f"{part}.")}
    return dict(settings.get_peft_kwargs(ranks, inner or None, dict(state), is_unet=not text))
