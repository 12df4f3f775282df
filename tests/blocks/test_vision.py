"""Models that look: equal to transformers called by hand, from safetensors only, one instance for each ref."""

from __future__ import annotations

import gc
import io
import re
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import PIL.Image
import pytest
import torch
import transformers

from tests.blocks import tiny_vision as tiny
from yggdrasil import Blob, ConfigError, Graph, PortError, ScriptedModel
from yggdrasil.blocks.batching import Batched
from yggdrasil.blocks.vision.captioner import Captioner
from yggdrasil.blocks.vision.classifier import Classifier
from yggdrasil.blocks.vision.detector import Detector
from yggdrasil.blocks.vision.pictures import read_picture, read_pictures
from yggdrasil.models.block import SeeingBlock
from yggdrasil.runtime.pool import POOL
from yggdrasil.runtime.registry import REGISTRY

pytestmark = pytest.mark.anyio

PICTURE = PIL.Image.fromarray(np.random.default_rng(3).integers(0, 256, (20, 30, 3), dtype=np.uint8))
OTHER = PIL.Image.fromarray(np.random.default_rng(4).integers(0, 256, (9, 12, 3), dtype=np.uint8))


def png(picture: PIL.Image.Image) -> Blob:
    written = io.BytesIO()
    picture.save(written, "PNG")
    return Blob(written.getvalue(), "image/png")


@pytest.fixture(scope="module")
def refs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    makers = (tiny.classifier, tiny.detector, tiny.blip, tiny.encoder_decoder)
    return {make.__name__: make(tmp_path_factory.mktemp(make.__name__)) for make in makers}


def users(auto: str, ref: str) -> int:
    gc.collect()
    return sum(POOL.users(key) for key in list(POOL.keys()) if key.kind == f"transformers.{auto}" and key.ref == ref)


def copy_configs(folder: Path, target: Path) -> None:
    for path in folder.glob("*.json"):
        (target / path.name).write_bytes(path.read_bytes())


# --- classifier


async def test_a_classifier_says_what_transformers_says(refs: dict[str, str]) -> None:
    ref = refs["classifier"]
    module = transformers.AutoModelForImageClassification.from_pretrained(ref).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(ref)
    with torch.no_grad():
        wanted = module(**processor(images=[PICTURE], return_tensors="pt")).logits
    found = await Classifier(ref).run(PICTURE)
    assert torch.equal(found["logits"], wanted)
    best = tiny.LABELS[int(wanted.argmax())]
    assert found["label"] == best
    assert found["labels"] == [best]
    assert [c["label"] for c in found["classes"][0]] == [tiny.LABELS[i] for i in wanted[0].argsort(descending=True)]
    assert sum(c["score"] for c in found["classes"][0]) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    "value",
    [
        png(PICTURE),
        np.asarray(PICTURE),
        torch.from_numpy(np.asarray(PICTURE).copy()).permute(2, 0, 1),
        torch.from_numpy(np.asarray(PICTURE) / 255),
        PICTURE.convert("RGBA"),
    ],
    ids=["blob", "numpy", "torch", "floats", "rgba"],
)
async def test_a_picture_in_any_form(refs: dict[str, str], value: Any) -> None:
    block = Classifier(refs["classifier"])
    assert torch.equal((await block.run(image=value))["logits"], (await block.run(image=PICTURE))["logits"])


async def test_several_pictures_are_looked_at_together(refs: dict[str, str]) -> None:
    block = Classifier(refs["classifier"], top_k=2)
    found = await block.run(image=[PICTURE, png(OTHER)])
    assert "label" not in found
    assert len(found["labels"]) == 2
    assert [len(classes) for classes in found["classes"]] == [2, 2]
    for number, picture in enumerate((PICTURE, OTHER)):
        torch.testing.assert_close(found["logits"][number], (await block.run(picture))["logits"][0])
    batch = np.stack([np.asarray(PICTURE)] * 3)
    assert len((await block.run(image=batch))["labels"]) == 3


async def test_it_learns_from_prepared_pictures_and_they_are_batched(refs: dict[str, str]) -> None:
    block = Classifier(refs["classifier"], share=False)
    pixels = torch.randn(2, 3, 16, 16, requires_grad=True)
    logits = (await block.run(pixels=pixels, training=True))["logits"]
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 2])).backward()
    assert pixels.grad is not None
    assert all(p.grad is not None for _, p in block.named_parameters() if p.requires_grad and p.ndim > 1)
    assert not (await block.run(pixels=pixels))["logits"].requires_grad
    wrapper, found = Batched(block, max_wait=0.05), {}

    async def one(number: int) -> None:
        found[number] = await wrapper.run(pixels=pixels[number : number + 1].detach())

    async with anyio.create_task_group() as group:
        for number in range(2):
            group.start_soon(one, number)
    for number in range(2):
        torch.testing.assert_close(found[number]["logits"], logits[number : number + 1].detach())
        assert len(found[number]["labels"]) == 1


async def test_what_is_no_picture_is_refused(refs: dict[str, str]) -> None:
    block = Classifier(refs["classifier"])
    for value, reason in (
        (Blob(b"no picture", "image/png"), "input 'image' is image/png, and no picture that can be read"),
        ([PICTURE, Blob(b"\x89PNG\r\n\x1a\n", "image/png")], r"input 'image'\[1\] is image/png"),
        ([], "input 'image' holds no picture"),
        (np.zeros((0, 4, 4, 3), np.uint8), "input 'image' holds no picture"),
        (np.zeros((5, 5, 7), np.uint8), r"input 'image' is \[5,5,7\], which is no picture"),
        (np.zeros((4, 4, 3), np.int64), "input 'image' is of int64"),
        (torch.full((3, 4, 4), float("nan")), "goes from nan to nan, not from 0 to 1"),
        (torch.full((3, 4, 4), 255.0), "goes from 255 to 255, not from 0 to 1"),
        (torch.zeros(4), r"input 'image' is \[4\], which is no picture"),
    ):
        with pytest.raises(PortError, match=reason):
            await block.run(image=value)
    with pytest.raises(PortError, match="it takes `image` or `pixels`, and was given neither"):
        await block.run({})
    with pytest.raises(PortError, match="was given both"):
        await block.run(image=PICTURE, pixels=torch.zeros(1, 3, 16, 16))
    with pytest.raises(PortError, match=r"its dimensions are 3, not 4"):
        await block.run(pixels=torch.zeros(3, 16, 16))


def test_which_end_the_colours_are_at() -> None:
    strip = np.arange(3 * 5 * 3, dtype=np.uint8).reshape(3, 5, 3)
    assert np.array_equal(np.asarray(read_picture(strip)), strip)
    assert np.array_equal(np.asarray(read_picture(torch.from_numpy(strip))), strip.transpose(1, 2, 0))
    assert read_picture(np.zeros((1, 6, 8), np.uint8)).size == (8, 6)
    assert read_picture(np.zeros((6, 8), np.float32)).size == (8, 6)
    assert [p.size for p in read_pictures(torch.zeros(2, 3, 6, 8))[0]] == [(8, 6)] * 2


# --- detector


async def test_a_detector_finds_what_transformers_finds(refs: dict[str, str]) -> None:
    ref = refs["detector"]
    module = transformers.AutoModelForObjectDetection.from_pretrained(ref).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(ref)
    with torch.no_grad():
        outputs = module(**processor(images=[PICTURE], return_tensors="pt"))
    wanted = processor.post_process_object_detection(outputs, threshold=0.1, target_sizes=[(20, 30)])[0]
    found = await Detector(ref, threshold=0.1).run(PICTURE)
    assert len(found["things"]) == len(wanted["scores"]) > 0
    order = wanted["scores"].argsort(descending=True, stable=True)
    assert torch.equal(found["boxes"], wanted["boxes"][order])
    assert torch.equal(found["scores"], wanted["scores"][order])
    assert found["labels"] == [tiny.LABELS[n] for n in wanted["labels"][order].tolist()]
    first = found["things"][0]
    assert first == {"label": found["labels"][0], "score": float(found["scores"][0]), "box": found["boxes"][0].tolist()}


async def test_nothing_found_and_more_than_one_picture(refs: dict[str, str]) -> None:
    block = Detector(refs["detector"], threshold=1.0)
    found = await block.run(PICTURE)
    assert found["things"] == []
    assert found["boxes"].shape == (0, 4)
    with pytest.raises(PortError, match="it takes one picture, and was given 2"):
        await block.run(image=[PICTURE, OTHER])
    with pytest.raises(ConfigError, match=r"threshold is 1.5"):
        Detector(refs["detector"], threshold=1.5)


# --- captions


@pytest.mark.parametrize("kind", ["blip", "encoder_decoder"])
async def test_a_caption_is_what_transformers_writes(refs: dict[str, str], kind: str) -> None:
    ref = refs[kind]
    module: Any = transformers.AutoModelForImageTextToText.from_pretrained(ref).eval()
    words = transformers.AutoTokenizer.from_pretrained(ref)
    processor = transformers.AutoImageProcessor.from_pretrained(ref)
    pixels = processor(images=[PICTURE], return_tensors="pt").pixel_values
    for beams in (1, 3):
        ids = module.generate(pixel_values=pixels, max_new_tokens=6, num_beams=beams, do_sample=False)
        wanted = words.decode(ids[0], skip_special_tokens=True)
        assert wanted
        assert (await Captioner(ref, max_tokens=6, beams=beams).run(PICTURE))["text"] == wanted


async def test_a_caption_goes_on_from_a_text_where_the_model_can(refs: dict[str, str]) -> None:
    found = await Captioner(refs["blip"], max_tokens=3).run(image=PICTURE, prompt="the raven")
    assert found["text"].startswith("the raven")
    with pytest.raises(PortError, match="VisionEncoderDecoderModel does not go on from a text"):
        await Captioner(refs["encoder_decoder"]).run(image=PICTURE, prompt="the raven")


async def test_a_model_of_dialogues_is_no_captioner(refs: dict[str, str]) -> None:
    module: Any = transformers.AutoModelForImageTextToText.from_pretrained(refs["blip"])
    words = transformers.AutoTokenizer.from_pretrained(refs["blip"])
    words.chat_template = "{{ messages }}"
    processor = transformers.AutoImageProcessor.from_pretrained(refs["blip"])
    with pytest.raises(ConfigError, match="it is no captioner") as caught:
        await Captioner((module, (processor, words))).run(PICTURE)
    assert "vlm/local" in str(caught.value)
    words.chat_template = None
    given = Captioner((module, (processor, words)), max_tokens=4)
    assert (await given.run(PICTURE))["text"] == (await Captioner(refs["blip"], max_tokens=4).run(PICTURE))["text"]
    with pytest.raises(ConfigError, match="was given a module that lies nowhere"):
        _ = given.config


# --- what they have in common


async def test_one_instance_for_all_who_name_a_ref(refs: dict[str, str]) -> None:
    ref = refs["classifier"]
    before = users("AutoModelForImageClassification", ref)
    blocks = [Classifier(ref), Classifier(ref, top_k=1), Classifier(ref)]
    for block in blocks:
        await block.run(PICTURE)
    assert len({id(block.modules()["module"]) for block in blocks}) == 1
    assert users("AutoModelForImageClassification", ref) == before + 3
    alone = Classifier(ref, share=False)
    assert alone.modules()["module"] is not blocks[0].modules()["module"]
    blocks[0].unload()
    del blocks[1], block
    assert users("AutoModelForImageClassification", ref) == before + 2  # blocks[2], and the private one
    assert (await blocks[0].run(PICTURE))["label"] in tiny.LABELS, "it is taken again when it is needed"


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("classifier/transformers", {"top_k": 2}),
        ("detector/transformers", {"threshold": 0.2}),
        ("caption/transformers", {"max_tokens": 3}),
    ],
)
async def test_built_from_a_config_and_saved_in_a_graph(
    refs: dict[str, str], tmp_path: Path, name: str, config: dict[str, Any]
) -> None:
    ref = refs[{"caption": "blip"}.get(name.partition("/")[0], name.partition("/")[0])]
    made: Any = REGISTRY.build(name, {"model": ref, **config})
    assert made.config == {"model": ref, **config}
    graph = Graph("g")
    graph.add_node("looks", made)
    graph.save(tmp_path / "g.yaml")
    assert str(await Graph.load(tmp_path / "g.yaml").run(image=PICTURE)) == str(await graph.run(image=PICTURE))


@pytest.mark.parametrize("kind", [Classifier, Detector, Captioner])
async def test_a_pickle_is_never_loaded(kind: Any, refs: dict[str, str], tmp_path: Path) -> None:
    ref = refs[{Classifier: "classifier", Detector: "detector", Captioner: "blip"}[kind]]
    copy_configs(Path(ref), tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'echo'\ntR.")
    with pytest.raises(ConfigError, match="holds its weights as a pickle"):
        await kind(str(tmp_path)).run(image=PICTURE)
    with pytest.raises(ConfigError, match="there is no folder"):
        await kind(str(tmp_path / "gone")).run(image=PICTURE)
    (tmp_path / "pytorch_model.bin").unlink()
    (tmp_path / "model.safetensors").write_bytes((Path(ref) / "model.safetensors").read_bytes()[:-100])
    with pytest.raises(ConfigError, match="cut off"):
        await kind(str(tmp_path)).run(image=PICTURE)


async def test_the_wrong_kind_of_model_and_wrong_settings(refs: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="cannot be loaded as AutoModelForObjectDetection"):
        await Detector(refs["classifier"]).run(PICTURE)
    for make, reason in (
        (lambda: Classifier(refs["classifier"], top_k=0), "top_k is 0"),
        (lambda: Captioner(refs["blip"], max_tokens=True), "max_tokens is True"),
        (lambda: Captioner(refs["blip"], beams=0), "beams is 0"),
        (lambda: Captioner(3), "a captioner is a ref or"),  # type: ignore[arg-type]
        (lambda: Classifier(""), "is loaded from a ref"),
    ):
        with pytest.raises(ConfigError, match=re.escape(reason)):
            make()


# --- templates


async def test_templates(refs: dict[str, str]) -> None:
    classify = Graph.from_template("classify", model=refs["classifier"], top_k=2)
    found = await classify.run(image=png(PICTURE))
    assert found["label"] == (await Classifier(refs["classifier"]).run(PICTURE))["label"]
    assert len(found["classes"][0]) == 2
    detect = Graph.from_template("detect", model=refs["detector"], threshold=0.1)
    assert (await detect.run(image=PICTURE))["things"]
    caption = Graph.from_template("caption", model=refs["blip"], max_tokens=3)
    assert (await caption.run(image=PICTURE)).output == (await Captioner(refs["blip"], 3).run(PICTURE))["text"]
    assert [graph.validate() for graph in (classify, detect, caption)] == [[], [], []]


async def test_a_caption_by_whatever_sees(refs: dict[str, str]) -> None:
    asked: list[str] = []

    def answer(request: Any) -> str:
        asked.append(str(request.messages[-1]))
        return "A raven in snow."

    seeing = SeeingBlock(model=ScriptedModel(answer))
    caption = Graph.from_template("caption", model=seeing, prompt="Describe it in {language}.")
    found = await caption.run(image=png(PICTURE), language="Norse")
    assert found["text"] == "A raven in snow."
    assert "Describe it in Norse." in asked[0]
    assert "image/png" in asked[0]
    with pytest.raises(ConfigError, match="a captioning model is asked nothing"):
        Graph.from_template("caption", model=refs["blip"], prompt="What is it?")
    with pytest.raises(ConfigError, match="transformers has no port 'prompt'"):
        Graph.from_template("caption", model=Classifier(refs["classifier"]))
