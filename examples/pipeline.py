"""A pipeline of graphs, saved as YAML and loaded again: types in files are registered names.

Prints: the same after loading: HAIL KARA! HAIL KARA!
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import anyio

from yggdrasil import Graph, Pipeline, block


@block("example/greet")
def greet(name: str, *, word: str = "hello") -> str:
    """`name` is a port; `word` is config and stands in the file."""
    return f"{word} {name}!"


@block("example/shout")
def shout(text: str) -> str:
    """Loudly."""
    return text.upper()


@block("example/twice")
def twice(text: str) -> str:
    """Once more."""
    return f"{text} {text}"


def build() -> Pipeline:
    """Two graphs in a row; a node in a graph may be given as its config."""
    loud = Graph.from_template("chain", blocks={"greet": {"type": "example/greet", "word": "hail"}, "shout": shout})
    pipeline = Pipeline("welcome")
    pipeline.add_graph("loud", loud)
    pipeline.add_graph("again", Graph.from_template("chain", blocks={"twice": twice}))
    pipeline.add_edge("loud", "again")
    return pipeline


async def main() -> None:
    """Save, load, run."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "welcome.yaml"
        build().save(path)
        print(path.read_text())
        loaded = Pipeline.load(path)
    print(f"the same after loading: {(await loaded.run('Kara')).output}")


if __name__ == "__main__":
    anyio.run(main)
