"""The five blocks, what filled means, and schemas."""

from __future__ import annotations

from typing import Any

import pytest

from yggdrasil.core.state import BLOCKS, Extra, StateSchema, filled, filled_blocks, state_hash
from yggdrasil.errors import ConfigError, PortError


@pytest.mark.parametrize("value", ["x", 0, False, [0], {"a": {"b": [1]}}, 0.0])
def test_filled(value: Any) -> None:
    assert filled(value)


@pytest.mark.parametrize("value", [None, "", " \n", [], {}, {"images": []}, {"texts": [""], "images": [{}]}, [None]])
def test_not_filled(value: Any) -> None:
    assert not filled(value)


def test_filled_blocks_are_in_the_canons_order() -> None:
    state = {"style": "plain", "chronicle": "c", "intent": "i", "artifacts": {"texts": []}}
    assert filled_blocks(state) == ("intent", "chronicle", "style")


def test_state_hash_knows_only_what_is_filled() -> None:
    assert state_hash({"intent": "a", "blueprint": ""}) == state_hash({"intent": "a"})
    assert state_hash({"intent": "a"}) != state_hash({"intent": "b"})


def test_a_schema_adds_blocks_and_keeps_some() -> None:
    schema = StateSchema.from_config({"blocks": {"style": {"keep": True}, "mood": {}}, "slots": ["texts"]})
    assert schema.blocks == (*BLOCKS, "style", "mood")
    assert schema.begin({"intent": 1, "style": 2, "mood": 3}, 4) == {"intent": 4, "style": 2}
    assert StateSchema.from_config(schema.to_config()) == schema
    assert StateSchema.from_config(["mood"]) == StateSchema({"mood": Extra()})
    with pytest.raises(PortError, match="did you mean 'style'"):
        schema.check({"stile": 1})
    with pytest.raises(PortError, match="there is no slot 'images'"):
        schema.check({"artifacts": {"images": []}})
    with pytest.raises(ConfigError, match="cannot be called 'patch'"):
        StateSchema.from_config(["patch"])
    with pytest.raises(ConfigError, match="'block'"):
        StateSchema.from_config({"block": {}})
