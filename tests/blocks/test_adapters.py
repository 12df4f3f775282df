"""LoRA as an argument of the call: equal to peft and diffusers bit for bit, apart in every thread, nothing fused."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import peft
import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, GPT2Config, GPT2LMHeadModel

from yggdrasil import ConfigError
from yggdrasil.abc.context import Run, RunContext
from yggdrasil.blocks.adapter.active import adapted, require, without_hooks
from yggdrasil.blocks.adapter.lora import LoRA, Target
from yggdrasil.blocks.neural import NeuralBlock
from yggdrasil.blocks.weights import base_sha256, save_module
from yggdrasil.storage.weights import Weights

pytestmark = [
    pytest.mark.anyio,
    # what peft says to the models that it is compared on
    pytest.mark.filterwarnings("ignore:LoRA adapter added to ConvNd layer:UserWarning"),
    pytest.mark.filterwarnings("ignore:fan_in_fan_out is set to False:UserWarning"),
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Already found a `peft_config`:UserWarning"),
]


class Net(torch.nn.Module):
    """Two linear layers and two convolutions, one of them strided and grouped."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(6, 8)
        self.inner = torch.nn.ModuleDict({"second": torch.nn.Linear(8, 12, bias=False)})
        self.conv = torch.nn.Conv2d(3, 4, 3, padding=1)
        self.strided = torch.nn.Conv2d(4, 4, 3, stride=2, padding=1, groups=2)

    def forward(self, x: Any) -> Any:
        hidden = self.inner["second"](torch.relu(self.first(x)))
        return self.strided(self.conv(hidden.reshape(-1, 3, 2, 2)))


def net(seed: int = 0) -> Net:
    torch.manual_seed(seed)
    return Net().eval()


def filled(module: Any, seed: int, **options: Any) -> LoRA:
    """An adapter that does something."""
    lora = LoRA.new(module, **{"rank": 4, **options}, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    for target in lora.targets.values():
        target.B.data.normal_(generator=generator)
    return lora


def context(path: str, adapters: Mapping[str, Any], **options: Any) -> RunContext:
    place = RunContext(Run(adapters=adapters, **options), "")
    for step in path.split("/"):
        place = place.child(step)
    return place


def call(module: torch.nn.Module, x: Any, *loras: Any, select: str = "**/net", name: str = "module") -> Any:
    with torch.no_grad(), adapted(lambda: {name: module}, context("graph/net", {select: list(loras)} if loras else {})):
        return module(x)


def in_peft(module: Net, loras: Mapping[str, LoRA], folder: Path, weights: Mapping[str, float] | None = None) -> Any:
    """The same in peft, read from what we saved."""
    for name, lora in loras.items():
        lora.save(folder / name)
    model: Any = None
    for name in loras:
        if model is None:
            model = peft.PeftModel.from_pretrained(module, folder / name, adapter_name=name)
        else:
            model.load_adapter(folder / name, adapter_name=name)
    model.base_model.set_adapter(list(loras))
    for layer in model.modules():
        if isinstance(layer, peft.tuners.lora.LoraLayer):
            for name, weight in (weights or {}).items():
                layer.set_scale(name, weight)
    return model.eval()


X = torch.linspace(-2, 2, 5 * 6).reshape(5, 6)


# --- equal to peft


@pytest.mark.parametrize("alpha", [None, 3, 16.0])
def test_it_equals_peft_bit_for_bit(tmp_path: Path, alpha: float | None) -> None:
    module = net()
    lora = filled(module, 1, alpha=alpha)
    bare = call(module, X)
    ours = call(module, X, lora)
    with torch.no_grad():
        theirs = in_peft(net(), {"a": lora}, tmp_path)(X)
    assert torch.equal(ours, theirs)
    assert not torch.equal(ours, bare)


def test_several_with_weights_equal_peft_in_the_same_order(tmp_path: Path) -> None:
    module = net()
    loras = {
        "a": filled(module, 1),
        "b": filled(module, 2, rank=6, alpha=5),
        "c": filled(module, 3, select="**.second"),
    }
    ours = call(module, X, loras["a"], (loras["b"], 0.3), (loras["c"], -1.7))
    with torch.no_grad():
        theirs = in_peft(net(), loras, tmp_path, {"b": 0.3, "c": -1.7})(X)
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("compute", [None, torch.float32])
def test_half_precision_is_cast_as_peft_casts(tmp_path: Path, compute: torch.dtype | None) -> None:
    """In the base's dtype, as diffusers and `inject_adapter_in_model` do; in float32 as `PeftModel` does."""
    lora = filled(net(), 1)
    lora.base.clear()  # which is float32
    lora.save(tmp_path / "a")
    module = net().to(torch.bfloat16)
    ours = call(module, X.bfloat16(), LoRA.load(tmp_path / "a", dtype=compute))
    other = net().to(torch.bfloat16)
    model = peft.PeftModel.from_pretrained(other, tmp_path / "a", autocast_adapter_dtype=compute is not None).eval()
    if compute is None:
        model = model.to(torch.bfloat16)
    with torch.no_grad():
        theirs = model(X.bfloat16())
    assert ours.dtype == torch.bfloat16
    assert torch.equal(ours, theirs)


def test_packs_of_peft_are_read_with_patterns_and_rank_stabilisation(tmp_path: Path) -> None:
    config = peft.LoraConfig(
        r=4, lora_alpha=6, target_modules=["first", "second", "conv"], rank_pattern={"conv": 2},
        alpha_pattern={"second": 11}, use_rslora=True, init_lora_weights="gaussian", lora_bias=False,
    )  # fmt: skip
    torch.manual_seed(5)
    model = peft.get_peft_model(net(), config)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    model.save_pretrained(tmp_path)
    lora = LoRA.load(tmp_path)
    assert {n: t.rank for n, t in lora.targets.items()} == {"first": 4, "inner.second": 4, "conv": 2}
    with torch.no_grad():
        assert torch.equal(call(net(), X, lora), model.eval()(X))
        lora.save(tmp_path / "again")
        assert torch.equal(call(net(), X, LoRA.load(tmp_path / "again")), model(X))


def test_a_language_model_with_transposed_layers_equals_peft(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = GPT2Config(n_layer=2, n_embd=16, n_head=2, vocab_size=32, n_positions=16)
    model = GPT2LMHeadModel(config).eval()
    lora = filled(model, 4, select="**.c_attn|**.c_proj")
    tokens = torch.arange(8)[None]
    ours = call(model, tokens, lora).logits
    lora.save(tmp_path)
    with torch.no_grad():
        without_hooks(model)
        theirs = peft.PeftModel.from_pretrained(model, tmp_path).eval()(tokens).logits
    assert torch.equal(ours, theirs)


def test_a_fresh_one_is_drawn_as_peft_draws_and_changes_nothing() -> None:
    module = net()
    before, bare = base_sha256(module), call(module, X)
    lora, again, other = LoRA.new(module, seed=3), LoRA.new(module, seed=3), LoRA.new(module, seed=4)
    assert torch.equal(call(module, X, lora), bare)
    assert base_sha256(module) == before
    first = lora.targets["first"]
    assert torch.equal(first.A, again.targets["first"].A)
    assert not torch.equal(first.A, other.targets["first"].A)
    # kaiming_uniform_(a=sqrt(5)): within 1 / sqrt(fan in), and filling it
    assert 0.8 / 6**0.5 < first.A.abs().max() <= 1 / 6**0.5
    assert first.B.abs().max() == 0
    alone = LoRA.new(module, select="first", seed=3)
    assert torch.equal(alone.targets["first"].A, first.A), "a layer's numbers do not depend on what else is chosen"


# --- equal to diffusers


def pipeline(seed: int = 0) -> Any:
    """Stable Diffusion, as small as it gets, without a tokenizer."""
    torch.manual_seed(seed)
    unet = UNet2DConditionModel(
        sample_size=8, block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=2, cross_attention_dim=16,
        attention_head_dim=2, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )  # fmt: skip
    vae = AutoencoderKL(block_out_channels=(8,), norm_num_groups=2, latent_channels=4)
    text = CLIPTextModel(
        CLIPTextConfig(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
                       vocab_size=32, max_position_embeddings=8)
    )  # fmt: skip
    made = StableDiffusionPipeline(
        vae=vae, text_encoder=text, tokenizer=None, unet=unet, safety_checker=None, feature_extractor=None,
        scheduler=DDIMScheduler(steps_offset=1, clip_sample=False), requires_safety_checker=False,
    )  # fmt: skip
    made.set_progress_bar_config(disable=True)
    return made


SAMPLE = torch.linspace(-1, 1, 2 * 4 * 8 * 8).reshape(2, 4, 8, 8)
TOKENS = torch.arange(16).reshape(2, 8)


def through(pipe: Any, unet: Any = (), text: Any = ()) -> tuple[Any, Any]:
    """What the text encoder and the UNet give, with our adapters."""
    with torch.no_grad():
        ctx = context("picture/conditioner", {"**/conditioner": list(text)} if text else {})
        with adapted(lambda: {"text_encoder": pipe.text_encoder}, ctx):
            hidden = pipe.text_encoder(TOKENS)[0]
        ctx = context("picture/backbone", {"**/backbone": list(unet)} if unet else {})
        with adapted(lambda: {"module": pipe.unet}, ctx):
            return hidden, pipe.unet(SAMPLE, 7, hidden).sample


UNET_TARGETS = "**.to_q|**.to_k|**.to_out.0|**.conv1|**.proj_in"


def pack(pipe: Any, seed: int, **options: Any) -> LoRA:
    modules = {"unet": pipe.unet, "text_encoder": pipe.text_encoder}
    return filled(modules, seed, select=f"unet|{UNET_TARGETS}|**.q_proj|**.fc1", **options)


def test_diffusers_reads_our_packs_and_gives_the_same_bits(tmp_path: Path) -> None:
    pipe = pipeline()
    one, two = pack(pipe, 1), pack(pipe, 2, rank=2, alpha=7)
    one.save(tmp_path / "one")
    two.save(tmp_path / "two")
    again = LoRA.load(tmp_path / "one")
    assert again.parts == ("text_encoder", "unet")
    ours = through(pipe, [one, (two, 0.7)], [again, (two, 0.7)])
    theirs = pipeline()
    theirs.load_lora_weights(tmp_path / "one", adapter_name="one")
    theirs.load_lora_weights(tmp_path / "two", adapter_name="two")
    theirs.set_adapters(["one", "two"], [1.0, 0.7])
    for mine, other in zip(ours, through(theirs), strict=True):
        assert torch.equal(mine, other)
    assert not torch.equal(ours[1], through(pipe)[1])


@pytest.mark.parametrize("described", [True, False])
def test_what_diffusers_saved_is_read_with_its_alphas(tmp_path: Path, described: bool) -> None:
    theirs = pipeline()
    config = peft.LoraConfig(r=4, lora_alpha=4 if not described else 9, target_modules=["to_q", "to_v", "conv1"])
    theirs.unet.add_adapter(config)
    torch.manual_seed(3)
    for name, parameter in theirs.unet.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    layers = peft.get_peft_model_state_dict(theirs.unet)
    metadata = {k: v for k, v in config.to_dict().items() if k in ("r", "lora_alpha", "target_modules")}
    extra = {"unet_lora_adapter_metadata": metadata} if described else {}
    StableDiffusionPipeline.save_lora_weights(tmp_path, unet_lora_layers=layers, **extra)
    ours = through(pipeline(), [LoRA.load(tmp_path)])
    assert torch.equal(ours[1], through(theirs)[1])


def test_kohya_files_are_converted_as_diffusers_does(tmp_path: Path) -> None:
    pipe = pipeline()
    block = "down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
    text = "lora_te_text_model_encoder_layers_0_self_attn"
    torch.manual_seed(2)
    state = {}
    for name, width in ((f"lora_unet_{block}", 8), (f"{text}_q_proj", 16), (f"{text}_out_proj", 16)):
        state |= {f"{name}.lora_down.weight": torch.randn(2, width), f"{name}.lora_up.weight": torch.randn(width, 2)}
        state[f"{name}.alpha"] = torch.tensor(0.5)
    save_file(state, tmp_path / "kohya.safetensors")
    lora = LoRA.load(tmp_path / "kohya.safetensors")
    assert {target.alpha for target in lora.targets.values()} == {0.5}
    theirs = pipeline()
    theirs.load_lora_weights(tmp_path, weight_name="kohya.safetensors")
    for mine, other in zip(through(pipe, [lora], [lora]), through(theirs), strict=True):
        assert torch.equal(mine, other)


def test_diffusers_reads_our_shards_of_its_models(tmp_path: Path) -> None:
    unet = pipeline().unet
    unet.save_config(tmp_path)
    save_module(unet, tmp_path / "diffusion_pytorch_model.safetensors", shard=20_000)
    again = UNet2DConditionModel.from_pretrained(tmp_path)
    assert base_sha256(again) == base_sha256(unet) == Weights(tmp_path).sha256()


# --- an argument of the call


async def test_blocks_compute_with_what_their_run_asks_for() -> None:
    block = NeuralBlock(net(), name="net")
    lora, other = filled(block.module, 1), filled(block.module, 2)
    bare = (await block.run(x=X))["output"]
    for given in (lora, {"net": lora}, {"net": [lora]}, {"**": (lora, 1)}, {"other": other, "n*": [lora]}):
        assert torch.equal((await block.run(x=X, adapters=given))["output"], call(block.module, X, lora))
    assert torch.equal((await block.run(x=X, adapters={"other": other}))["output"], bare)
    assert torch.equal((await block.run(x=X))["output"], bare)


async def test_concurrent_runs_with_other_adapters_equal_sequential_ones() -> None:
    block = NeuralBlock(net(), name="net")
    choices: list[Any] = [None, *(filled(block.module, seed) for seed in range(1, 5)), None]
    choices.append([choices[1], (choices[2], 0.5)])
    expected = [(await block.run(x=X, adapters=one or {}))["output"] for one in choices]
    assert len({str(value) for value in expected}) == len(choices) - 1
    wrong = []

    async def one(number: int) -> None:
        for _ in range(25):
            found = (await block.run(x=X, adapters=choices[number] or {}))["output"]
            if not torch.equal(found, expected[number]):
                wrong.append(number)

    async with anyio.create_task_group() as group:
        for number in range(len(choices)):
            group.start_soon(one, number)
    assert not wrong


def test_a_thread_without_a_context_has_no_adapters() -> None:
    module = net()
    lora, bare = filled(module, 1), call(module, X)
    found = []
    with torch.no_grad(), adapted(lambda: {"module": module}, context("net", {"net": lora})):
        thread = threading.Thread(target=lambda: found.append(module(X).detach()))
        thread.start()
        thread.join()
        assert not torch.equal(module(X), bare)
    assert torch.equal(found[0], bare)


def test_an_inner_place_goes_before_the_outer_one() -> None:
    module = net()
    outer, inner = filled(module, 1), filled(module, 2)
    with torch.no_grad(), adapted(lambda: {"m": module}, context("net", {"net": outer})):
        with adapted(lambda: {"m": module}, context("net/inner", {"net": outer, "net/inner": inner})):
            assert torch.equal(module(X), call(module, X, inner))
        assert torch.equal(module(X), call(module, X, outer))


def test_named_twice_it_counts_once_with_the_last_weight() -> None:
    module = net()
    lora = filled(module, 1)
    with torch.no_grad(), adapted(lambda: {"m": module}, context("a/net", {"**": lora, "**/net": (lora, 0.25)})):
        assert torch.equal(module(X), call(module, X, (lora, 0.25)))


def test_hooks_leave_the_bits_and_come_off() -> None:
    module = net()
    bare = call(module, X)
    call(module, X, filled(module, 1))
    assert torch.equal(call(module, X), bare)
    assert any(layer._forward_hooks for layer in module.modules())
    assert not any(layer._forward_hooks for layer in without_hooks(module).modules())


def test_a_copied_module_is_adapted_once() -> None:
    import copy

    module = net()
    lora = filled(module, 1)
    expected = call(module, X, lora)
    assert torch.equal(call(copy.deepcopy(module), X, lora), expected)


def test_neither_the_module_nor_the_adapter_is_held() -> None:
    module = net()
    lora = filled(module, 1)
    call(module, X, lora)
    module_reference, lora_reference = weakref.ref(module), weakref.ref(lora)
    del lora
    gc.collect()
    assert lora_reference() is None
    lora = filled(module, 1)
    call(module, X, lora)
    del module
    gc.collect()
    assert module_reference() is None


# --- training


async def test_gradients_flow_into_the_adapter_and_leave_the_base() -> None:
    block = NeuralBlock(net().train(), name="net")
    block.freeze()
    before = base_sha256(block.module)
    lora = LoRA.new(block.module, rank=4)
    optimizer = torch.optim.AdamW(lora.parameters(), lr=0.05)
    losses = []
    for _ in range(30):
        output = (await block.run(x=X, adapters=lora, training=True))["output"]
        loss = (output - 1).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in lora.parameters())
    assert all(p.grad is None for p in block.module.parameters())
    assert base_sha256(block.module) == before


def test_gradients_equal_pefts(tmp_path: Path) -> None:
    module = net()
    lora = filled(module, 1)
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    with adapted(lambda: {"m": module}, context("net", {"net": lora}, training=True)):
        module(X).square().mean().backward()
    lora.save(tmp_path)
    model = peft.PeftModel.from_pretrained(net(), tmp_path, is_trainable=True).eval()
    model(X).square().mean().backward()
    theirs = {n.removeprefix("base_model.model.").replace(".default", ""): p.grad for n, p in model.named_parameters()}
    for name, parameter in lora.named_parameters():
        assert torch.equal(parameter.grad, theirs[name]), name


def test_gradients_flow_through_a_cast() -> None:
    module = net().to(torch.bfloat16)
    lora = filled(module, 1)
    with adapted(lambda: {"m": module}, context("net", {"net": lora}, training=True)):
        module(X.bfloat16()).float().square().mean().backward()
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in lora.parameters())


def test_a_step_of_the_optimizer_is_seen_in_another_dtype() -> None:
    module = net().to(torch.bfloat16)
    lora = filled(module, 1)
    before = call(module, X.bfloat16(), lora)
    with torch.no_grad():
        for parameter in lora.parameters():
            parameter.mul_(2)
    assert not torch.equal(call(module, X.bfloat16(), lora), before)


# --- packs


def test_a_pack_comes_back_as_it_was(tmp_path: Path) -> None:
    module = net()
    lora = filled(module, 1, alpha=3, dropout=0.1, name="winter")
    lora.metadata["season"] = "winter"
    assert len(lora.save(tmp_path)) == 2
    assert lora.save(tmp_path) == [], "what is there already is not written again"
    again = LoRA.load(tmp_path)
    assert (again.name, again.metadata, again.base, again.dropout) == ("winter", lora.metadata, lora.base, 0.1)
    assert torch.equal(call(module, X, again), call(module, X, lora))
    assert torch.equal(call(module, X, str(tmp_path)), call(module, X, lora)), "a path will do"


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    module = net()
    filled(module, 1).save(tmp_path)
    first = call(module, X, str(tmp_path))
    filled(module, 2, rank=6).save(tmp_path)
    assert not torch.equal(call(module, X, str(tmp_path)), first)


def test_another_base_is_refused() -> None:
    module = net()
    lora = filled(module, 1)
    with pytest.raises(ConfigError, match="made for other weights"):
        call(net(seed=1), X, lora)
    lora.base.clear()
    call(net(seed=1), X, lora)


def test_parts_are_for_the_modules_of_their_names() -> None:
    one, two = net(1), net(2)
    lora = filled({"unet": one, "text_encoder": two}, 3)
    with torch.no_grad(), adapted(lambda: {"unet": one, "text_encoder": two}, context("net", {"net": lora})):
        both = one(X), two(X)
    assert torch.equal(both[0], call(one, X, lora.part("unet")))
    assert torch.equal(both[1], call(two, X, lora.part("text_encoder")))
    assert torch.equal(both[0], call(one, X, lora)), "both parts would fit; the base tells them apart"
    lora.base.clear()
    lora = LoRA(lora.targets, parts=lora.parts)
    with pytest.raises(ConfigError, match="would both fit"):
        call(one, X, lora)
    with pytest.raises(ConfigError, match="'vae'"):
        lora.part("vae")


def test_a_module_that_is_itself_the_layer(tmp_path: Path) -> None:
    layer = torch.nn.Linear(6, 3)
    for lora in (filled(layer, 1), filled({"head": layer}, 1)):
        lora.save(tmp_path / str(len(lora.parts)))
        again = LoRA.load(tmp_path / str(len(lora.parts)))
        assert torch.equal(call(layer, X, again), call(layer, X, lora))
        assert not torch.equal(call(layer, X, lora), call(layer, X))


# --- what is refused, before anything is computed


class Counted(Net):
    calls = 0

    def forward(self, x: Any) -> Any:
        self.calls += 1
        return super().forward(x)


def target(*shapes: tuple[int, ...]) -> Target:
    return Target(torch.zeros(shapes[0]), torch.zeros(shapes[1]))


@pytest.mark.parametrize(
    ("targets", "select", "said"),
    [
        ({"first": target((2, 6), (8, 2)), "frist": target((2, 6), (8, 2))}, "**", "frist .* did you mean 'first'"),
        ({"frist": target((2, 6), (8, 2))}, "**/net", "no layer is called frist"),
        ({"first": target((2, 5), (8, 2))}, "**", r"first does not fit.*\(2, 5\).*\(2, 6\)"),
        ({"conv": target((2, 3, 1, 1), (4, 2, 1, 1))}, "**", "conv does not fit"),
        ({"inner": target((2, 3), (4, 2))}, "**/net", "inner"),
    ],
)
def test_what_does_not_fit_is_named(targets: Any, select: str, said: str) -> None:
    module = Counted()
    with pytest.raises(ConfigError, match=f"(?s){said}"):
        call(module, X, LoRA(targets), select=select)
    assert module.calls == 0


def test_what_is_for_others_is_passed_over_where_it_was_asked_for_everywhere() -> None:
    module, other = net(), torch.nn.Linear(6, 2)
    lora = filled(module, 1)
    assert torch.equal(call(other, X, lora, select="**"), other(X))
    require({"**": lora}, {"a/net": lambda: {"m": module}, "a/head": lambda: {"m": other}, "a/solver": dict})
    with pytest.raises(ConfigError, match="is for no block"):
        require({"**": lora}, {"a/head": lambda: {"m": other}, "a/solver": dict})
    with pytest.raises(ConfigError, match="nothing here has weights"):
        require({"**/solver": lora}, {"a/solver": dict})
    with pytest.raises(ConfigError, match="not a LoRA"):
        call(module, X, 7)


def test_attention_in_one_piece_is_not_silently_left_out() -> None:
    module = torch.nn.ModuleDict({"attention": torch.nn.MultiheadAttention(8, 2)})
    with pytest.raises(ConfigError, match=r"attention\.out_proj"):
        call(module, X, LoRA({"attention.out_proj": target((2, 8), (8, 2))}))


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"base_model.model.first.lora_A.weight": torch.zeros(2, 6)}, "first has not both"),
        ({"base_model.model.first.weight": torch.zeros(2, 6)}, "first.weight is no weight of a LoRA"),
        ({"base_model.model.first.lora_magnitude_vector.weight": torch.zeros(2)}, "DoRA"),
        ({"base_model.model.first.lora_A.weight": torch.full((2, 6), float("nan"))}, "NaN"),
    ],
)
def test_odd_files_are_refused(tmp_path: Path, state: Any, said: str) -> None:
    save_file(state, tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "LORA", "r": 2, "lora_alpha": 2}')
    with pytest.raises(ConfigError, match=said):
        LoRA.load(tmp_path)


def test_pickles_and_other_kinds_are_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "adapter_model.bin")
    with pytest.raises(ConfigError, match="pickle"):
        LoRA.load(tmp_path)
    torch.save({"a": torch.zeros(1)}, tmp_path / "adapter_model.safetensors")
    with pytest.raises(ConfigError, match="this is a pickle"):
        LoRA.load(tmp_path)
    filled(net(), 1).save(tmp_path)
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "LOKR"}')
    with pytest.raises(ConfigError, match="LOKR"):
        LoRA.load(tmp_path)
    with pytest.raises(ConfigError, match="winter"):
        LoRA.load(tmp_path / "winter")


@pytest.mark.parametrize("options", [{"rank": 0}, {"rank": True}, {"select": "**.nothing"}, {"dropout": 1.0}])
def test_odd_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        LoRA.new(net(), **options)
