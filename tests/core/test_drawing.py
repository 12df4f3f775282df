from __future__ import annotations

from yggdrasil.core.drawing import Arrow, Box, Drawing, mermaid, place

INNER = Drawing("stage", "stage", (Box("end", "end", "agent", "agent/llm"),))
DRAWING = Drawing(
    "g",
    "graph",
    (Box("a-b", 'say "hi"', "block", "x/y"), Box("ö", "ö", "level", "stage", INNER), Box("in:q", "q<", "input")),
    (Arrow("in:q", "a-b"), Arrow("a-b", "ö", "text"), Arrow("ö", "ö", "", "back"), Arrow("ö", "a-b", "", "call")),
)


def width(text: str, size: float) -> float:
    return len(text) * size / 2


def test_mermaid() -> None:
    assert mermaid(DRAWING).splitlines() == [
        "flowchart LR",
        '  n0_a_2d_b["say #quot;hi#quot;<br/>x/y"]',
        '  subgraph n0__f6_["ö<br/>stage"]',
        "    direction LR",
        '    n0__f6__2f_end{{"end<br/>agent/llm"}}',
        "  end",
        '  n0_in_3a_q(["q#lt;"])',
        "  n0_in_3a_q --> n0_a_2d_b",
        '  n0_a_2d_b -->|"text"| n0__f6_',
        "  n0__f6_ ==> n0__f6_",
        "  n0__f6_ -.-> n0_a_2d_b",
    ]


def test_what_lies_in_a_box_is_placed_in_it() -> None:
    sheet = place(DRAWING, width)
    shapes = {shape.title: shape for shape in sheet.shapes}
    outer, inner = shapes["ö"].spot, shapes["end"].spot
    assert outer.x < inner.x
    assert inner.x + inner.width < outer.x + outer.width
    assert outer.y < inner.y
    assert inner.y + inner.height < outer.y + outer.height
    assert (shapes["ö"].framed, shapes["end"].deep) == (True, 1)
    for spot in (shape.spot for shape in sheet.shapes):
        assert spot.x + spot.width < sheet.width
        assert spot.y + spot.height < sheet.height
    assert [line.label for line in sheet.lines] == ["", "text", "", ""]
