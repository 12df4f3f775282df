"""A graph: blocks in nodes, one whole task. It may loop, and its agents may call other nodes as tools."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from yggdrasil.levels.container import Container


class Graph(Container):
    """One whole task: answer a question, paint a picture. It may loop, and its agents may call.

        graph = Graph("answer")
        graph.add_node("reader", reader)
        graph.add_node("polish", polish, retry=3)
        graph.add_edge("reader.response", "polish.prompt")
        result = await graph.run("Who rules the valley?")

    Nothing exposed: the ports that nothing is joined to are its own.
    """

    kind: ClassVar[str] = "graph"
    loops: ClassVar[bool] = True

    @classmethod
    def from_diffusers(
        cls,
        what: Any,
        *,
        name: str = "diffusion",
        kind: str = "",
        solver: Any = "",
        steps: int | None = None,
        revision: str = "",
        dtype: str = "",
    ) -> Self:
        """A pipeline of diffusers as a graph: with the same seed it draws the same, bit by bit.

            picture = Graph.from_diffusers("hf://org/name")
            image = (await picture.run(prompt="a longhouse in snow", steps=30, seed=7))["image"]

        what      a pipeline, a folder that `save_pretrained` wrote, or a model of a hub: `hf://org/name@revision`
        kind      the pipeline's class where it is used as another than its own: "StableDiffusionImg2ImgPipeline"
        solver    a Solver or the name of one; by default what the pipeline's scheduler does
        steps     how many, where a run does not say; by default as diffusers
        revision, dtype   of the weights ("float16")

        Inputs: `prompt`, `negative_prompt`, `steps`, `guidance_scale`, `height`, `width`, and what the kind takes
        besides (`image`, `strength`, `mask_image`, `num_frames`). Output: `image`, [B, H, W, 3] from 0 to 1 (`video`:
        [B, F, H, W, 3]).
        ConfigError for a pipeline, a scheduler or a model that is not known.
        """
        from yggdrasil.levels.diffusers import graph_of

        made = cls(name)
        graph_of(what, kind=kind, revision=revision, dtype=dtype, solver=solver, steps=steps, fill=made)
        return made
