"""A language model of 177,000 parameters that calls a tool once and then answers, made in seconds; saved to a folder.

Run by the interpreter that has torch and transformers: python tiny_model.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] or '' }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
ASKED = {"role": "user", "content": "What is the weather in Oslo?"}
CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "Oslo"}}\n</tool_call>'
CALLED = [{"role": "assistant", "content": ""}, {"role": "tool", "content": "rain"}]
TALKS = [([ASKED], CALL), ([ASKED, *CALLED], "It rains in Oslo.")]


def tokenizer() -> PreTrainedTokenizerFast:
    """A token for each byte, and three that frame messages."""
    vocabulary = {letter: i for i, letter in enumerate([*sorted(pre_tokenizers.ByteLevel.alphabet()), *SPECIAL])}
    bare = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bare.decoder = decoders.ByteLevel()
    bare.add_special_tokens(list(SPECIAL))
    made = PreTrainedTokenizerFast(tokenizer_object=bare, eos_token=SPECIAL[2], pad_token=SPECIAL[0])
    made.chat_template = TEMPLATE
    return made


def main(folder: Path) -> None:
    words = tokenizer()
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(words), hidden_size=64, intermediate_size=192, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=4, max_position_embeddings=512, tie_word_embeddings=True, bos_token_id=None,
        eos_token_id=words.eos_token_id, pad_token_id=words.pad_token_id,
    )  # fmt: skip
    model = Qwen2ForCausalLM(config)
    rows = []
    for messages, answer in TALKS:
        prompt = words.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=False)
        said = words(answer + SPECIAL[2], add_special_tokens=False)["input_ids"]
        rows.append((torch.tensor([prompt + said]), torch.tensor([[-100] * len(prompt) + said])))
    learning = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(1000):
        loss = sum(model(input_ids=row, labels=labels).loss for row, labels in rows)
        if loss.item() < 0.004:
            print(f"learned in {step} steps: {sum(p.numel() for p in model.parameters())} parameters")
            break
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        learning.step()
        learning.zero_grad()
    else:
        sys.exit("it did not learn its two answers")
    model.generation_config.do_sample = False
    model.save_pretrained(folder)
    words.save_pretrained(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
