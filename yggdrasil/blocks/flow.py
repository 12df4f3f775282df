"""Small blocks that teams are made of: the fields of a value, a switch, the first that came, one item after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from yggdrasil.abc.block import Block
from yggdrasil.abc.context import RunContext
from yggdrasil.core.answer import output_type
from yggdrasil.core.ports import Port, Spec, port
from yggdrasil.errors import ConfigError, PortError, close_names


class Fields(Block):
    """Each field of a value as an output of its own: a typed answer, taken apart.

    fields   name -> type, in the words of an agent's `output`: {satisfied: bool, remarks: str}
    The value is a mapping, or anything with attributes of these names.
    """

    block_type = "flow/fields"

    def __init__(self, fields: Mapping[str, Any]) -> None:
        if not isinstance(fields, Mapping) or not fields:
            raise ConfigError(f"fields is {fields!r}", hint="fields: {satisfied: bool, remarks: str}")
        self.fields = dict(fields)
        outputs = {name: port(name, output_type(kind)) for name, kind in fields.items()}
        self._spec = Spec({"value": Port("value")}, outputs, "The fields of a value.")

    @property
    def spec(self) -> Spec:
        """The value; its fields."""
        return self._spec

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Take it apart; PortError names a field that is not there."""
        value = inputs["value"]
        found = value
        if not isinstance(value, Mapping):
            found = {name: getattr(value, name) for name in self.fields if hasattr(value, name)}
        for name in self.fields:
            if name not in found:
                raise PortError(f"the value has no field {name!r}; {close_names(name, map(str, found))}", path=ctx.path)
        return {name: found[name] for name in self.fields}


class Switch(Block):
    """One output for each case, true for the one that was chosen: what gates are fed from."""

    block_type = "flow/switch"

    def __init__(self, cases: Sequence[str]) -> None:
        texts = isinstance(cases, list | tuple) and all(isinstance(case, str) and case for case in cases)
        if not texts or not cases or len(set(cases)) < len(cases):
            raise ConfigError(f"cases is {cases!r}; it lists different names", hint="cases: [north, south]")
        self.cases = list(cases)
        self._spec = Spec({"choice": port("choice", str)}, {c: port(c, bool) for c in cases}, "Which case it is.")

    @property
    def spec(self) -> Spec:
        """The choice; a truth for each case."""
        return self._spec

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Compare; PortError when it is none of them."""
        choice = inputs["choice"]
        if choice not in self.cases:
            raise PortError(f"there is no case {choice!r}; {close_names(choice, self.cases)}", path=ctx.path)
        return {case: case == choice for case in self.cases}


class First(Block):
    """Of several edges the first, by node id, over which a value came: where branches meet again."""

    block_type = "flow/first"
    spec = Spec.declare([port("value", many="first")], [port("value")], "The first value that came.")

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Hand it on."""
        return {"value": inputs["value"]}


class Take(Block):
    """The first item of a list, and the rest: a loop over a list that may change on the way.

    taken is true when there was an item, empty when there was none: the one for gates, the other for `until`.
    """

    block_type = "flow/take"
    spec = Spec.declare(
        [port("items", list)],
        [port("item", optional=True), port("rest", list), port("taken", bool), port("empty", bool)],
        "The first item, and the rest.",
    )

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Take one."""
        items = inputs["items"]
        item = {"item": items[0]} if items else {}
        return {**item, "rest": list(items[1:]), "taken": bool(items), "empty": not items}
