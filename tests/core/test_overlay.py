from __future__ import annotations

from yggdrasil.core.overlay import lay_over


def test_mappings_merge_and_the_rest_is_replaced() -> None:
    base = {"a": {"x": 1, "y": {"z": 1}}, "l": [1, 2], "gone": 1, "s": {"ref": "a.yaml"}, "n": {"type": "t", "k": 1}}
    over = {
        "a": {"y": {"w": 2}},
        "l": [3],
        "gone": None,
        "s": {"nodes": {}},
        "n": {"endpoint_url": "http://x"},
        "new": 1,
    }
    assert lay_over(base, over) == {
        "a": {"x": 1, "y": {"z": 1, "w": 2}},
        "l": [3],
        "s": {"nodes": {}},
        "n": {"endpoint_url": "http://x"},
        "new": 1,
    }
    assert base["a"] == {"x": 1, "y": {"z": 1}}, "nothing is changed in place"
