"""Values to YAML that a person would write, and that both YAML 1.1 and 1.2 readers read back unchanged."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from yggdrasil.core.blob import detach
from yggdrasil.errors import PortError

WIDTH = 100
"""Lists and texts up to this many characters stay on one line."""

# Text that YAML 1.2 (or we) would read as something else, besides what PyYAML's own rules of YAML 1.1 quote.
_LOOKS_ELSE = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)


class _Writer(yaml.SafeDumper):
    """PyYAML's safe dumper, without aliases, with list items indented under their key."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def write_yaml(value: Any) -> str:
    """`value` as one YAML document; PortError (with the place) for what is not JSON."""
    try:
        plain = detach(value, _refuse)
        text: str = yaml.dump(
            plain, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=WIDTH, default_flow_style=False
        )
    except (yaml.YAMLError, RecursionError, UnicodeEncodeError) as error:
        raise PortError(f"cannot be written as YAML: {type(error).__name__}") from error
    return text.removesuffix("...\n")


def _refuse(blob: Any) -> None:
    raise PortError("a blob cannot be written into a YAML file", hint="keep it in a store, and its reference here")


def _is_flat(value: Any) -> bool:
    return not isinstance(value, Mapping | list)


def _text(writer: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = None
    if "\n" in value and not re.search(r"[\r\x85\u2028\u2029\ufeff\t]| \n|^[ \n]", value):
        style = "|"
    elif _LOOKS_ELSE.fullmatch(value) or re.search(r"[\r\n\x85\u2028\u2029\ufeff\t]", value):
        style = '"'
    return writer.represent_scalar("tag:yaml.org,2002:str", value, style=style)


def _list(writer: yaml.SafeDumper, value: list[Any]) -> yaml.SequenceNode:
    inline = all(map(_is_flat, value)) and sum(len(str(item)) + 2 for item in value) <= WIDTH - 20
    return writer.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=inline)


def _mapping(writer: yaml.SafeDumper, value: dict[str, Any]) -> yaml.MappingNode:
    return writer.represent_mapping("tag:yaml.org,2002:map", value.items(), flow_style=not value)


def _float(writer: yaml.SafeDumper, value: float) -> yaml.ScalarNode:
    text = repr(value)
    if "e" in text and "." not in text:  # YAML 1.1 wants the point
        text = text.replace("e", ".0e")
    return writer.represent_scalar("tag:yaml.org,2002:float", text)


_Writer.add_representer(str, _text)
_Writer.add_representer(list, _list)
_Writer.add_representer(dict, _mapping)
_Writer.add_representer(float, _float)
