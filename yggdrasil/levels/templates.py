"""Named templates on every level: `Graph.from_template("agent", model=...)`. Users register their own."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any

from yggdrasil.errors import ConfigError, UnknownTypeError, close_names

Template = Callable[..., Any]
_TEMPLATES: dict[tuple[str, str], Template] = {}


def register_template(kind: str, name: str) -> Callable[[Template], Template]:
    """Register a function whose parameters are the template's, and which returns the level."""

    def decorate(template: Template) -> Template:
        if _TEMPLATES.get((kind, name), template) is not template:
            raise ConfigError(f"{kind} template {name!r} is taken")
        _TEMPLATES[kind, name] = template
        return template

    return decorate


def template_names(kind: str) -> list[str]:
    """The templates of one level."""
    _stock()
    return sorted(n for k, n in _TEMPLATES if k == kind)


def from_template(kind: str, name: str, parameters: dict[str, Any]) -> Any:
    """Build a level from a template. UnknownTypeError or ConfigError say what there is instead."""
    _stock()
    template = _TEMPLATES.get((kind, name))
    if template is None:
        raise UnknownTypeError(f"no {kind} template {name!r}; {close_names(name, template_names(kind))}")
    accepted = inspect.signature(template)
    try:
        accepted.bind(**parameters)
    except TypeError as error:
        raise ConfigError(f"template {name!r}: {error}", hint=f"{kind} template {name}{accepted}") from None
    made = template(**parameters)
    if getattr(made, "block_type", None) != kind:
        gave = getattr(made, "block_type", None) or type(made).__name__
        hint = f'register_template("{gave}", "{name}")'
        raise ConfigError(f"template {name!r} gave a {gave}, not a {kind}", hint=hint)
    return made


def _stock() -> None:
    import_module("yggdrasil.levels.stock_templates")
    import_module("yggdrasil.levels.team_templates")
    import_module("yggdrasil.levels.world_templates")
    import_module("yggdrasil.levels.vision_templates")
    import_module("yggdrasil.levels.diffusion_templates")
