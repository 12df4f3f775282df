"""Tiny language models, built here from nothing: a tokenizer of letters, random weights, and one that was taught."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    BertConfig,
    BertModel,
    CLIPImageProcessor,
    CLIPVisionConfig,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

SPECIAL = ["<pad>", "<unk>", "<|end|>", "<|user|>", "<|system|>", "<|assistant|>", "<|tool|>"]
MARKS = ["<tool_call>", "</tool_call>"]
TEMPLATE = (
    "{%- if tools %}<|system|>tools: {{ tools | map(attribute='function') | map(attribute='name') | join(', ') }}"
    "<|end|>{% endif %}"
    "{%- for message in messages %}<|{{ message.role }}|>{{ message.content }}"
    "{%- for call in message.tool_calls or [] %}<tool_call>{{ call.function | tojson }}</tool_call>{% endfor %}<|end|>"
    "{%- endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def tokenizer(template: str | None = TEMPLATE, texts: Iterable[str] = ("the thin man in the inn",)) -> Any:
    """Bytes are tokens, and a few marks are, and what is frequent in `texts`."""
    made = Tokenizer(models.BPE(unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        texts,
        trainers.BpeTrainer(special_tokens=SPECIAL, initial_alphabet=alphabet, vocab_size=400, show_progress=False),
    )
    made.add_tokens(MARKS)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="<pad>",
        unk_token="<unk>",
        eos_token="<|end|>",
        additional_special_tokens=SPECIAL[3:],
    )
    wrapped.chat_template = template
    return wrapped


def llama(
    words: Any, *, seed: int = 0, hidden: int = 32, layers: int = 2, context: int = 512, scale: float = 0.3
) -> LlamaForCausalLM:
    """Random weights, the same for the same seed."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=context,
        initializer_range=scale,
        bos_token_id=None,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
    )
    return LlamaForCausalLM(config).eval()


def saved(folder: Path, **options: Any) -> str:
    """A folder with a random one."""
    words = tokenizer()
    llama(words, **options).save_pretrained(folder)
    words.save_pretrained(folder)
    return str(folder)


QUESTION = "roll two dice"
CALL = "<tool_call>" + json.dumps({"name": "roll", "arguments": {"sides": 6, "count": 2}}) + "</tool_call>"
ROLLS = ([3, 5], [6, 1])


def taught(folder: Path) -> str:
    """One that has learned by heart to ask for dice, and to read either of `ROLLS` aloud."""
    rolls = [json.dumps(roll) for roll in ROLLS]
    words = tokenizer(texts=[CALL, QUESTION, "tools: roll", *(f"It is {roll}." for roll in rolls)] * 4)
    module = llama(words, context=256, scale=0.1).train()
    tools = [{"type": "function", "function": {"name": "roll"}}]
    call = {"type": "function", "function": json.loads(CALL[len("<tool_call>") : -len("</tool_call>")])}
    question = {"role": "user", "content": QUESTION}
    asked = [question, {"role": "assistant", "content": "", "tool_calls": [call]}]
    lessons = [([question], CALL)]
    lessons += [([*asked, {"role": "tool", "content": roll}], f"It is {roll}.") for roll in rolls]
    talks = []
    for messages, said in lessons:
        prompt = words.apply_chat_template(messages, tools=tools, add_generation_prompt=True, tokenize=False)
        before, after = (words(text, add_special_tokens=False)["input_ids"] for text in (prompt, said + "<|end|>"))
        talks.append((before + after, [-100] * len(before) + after))
    width = max(len(ids) for ids, _ in talks)
    ids = torch.tensor([i + [words.pad_token_id] * (width - len(i)) for i, _ in talks])
    labels = torch.tensor([t + [-100] * (width - len(t)) for _, t in talks])
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-2)
    for _ in range(300):
        loss = module(input_ids=ids, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss.item() < 5e-3:
            break
    module.eval().save_pretrained(folder)
    words.save_pretrained(folder)
    return str(folder)


def encoder(folder: Path) -> str:
    """A folder with a random encoder of texts."""
    words = tokenizer(template=None)
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=64,
        pad_token_id=words.pad_token_id,
        initializer_range=0.3,
    )
    BertModel(config).eval().save_pretrained(folder)
    words.save_pretrained(folder)
    return str(folder)


SEEING = (
    "{%- for message in messages %}<|{{ message.role }}|>{% for part in message.content %}"
    "{{ '<image>' if part.type == 'image' else part.text }}{% endfor %}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def seeing(folder: Path) -> str:
    """A folder with a random model of pictures and texts (LLaVA)."""
    words = tokenizer(template=None)
    words.add_tokens(["<image>"], special_tokens=True)
    torch.manual_seed(2)
    eyes = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=8, patch_size=4,
        projection_dim=16, initializer_range=0.3,
    )  # fmt: skip
    mouth = llama(words).config
    config = LlavaConfig(
        vision_config=eyes, text_config=mouth, image_token_index=words.convert_tokens_to_ids("<image>"),
        image_seq_length=4,
    )  # fmt: skip
    module = LlavaForConditionalGeneration(config).eval()
    module.generation_config.eos_token_id = words.eos_token_id
    module.save_pretrained(folder)
    pixels = CLIPImageProcessor(size={"shortest_edge": 8}, crop_size={"height": 8, "width": 8})
    LlavaProcessor(
        image_processor=pixels, tokenizer=words, patch_size=4, vision_feature_select_strategy="default",
        chat_template=SEEING, num_additional_image_tokens=1,
    ).save_pretrained(folder)  # fmt: skip
    return str(folder)
