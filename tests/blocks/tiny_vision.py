"""Tiny models that look, built here from nothing, saved to folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "wolf", "raven", "on", "the", "ship", "in", "snow"]
LABELS = ("wolf", "raven", "ship")
VIT: dict[str, Any] = {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "image_size": 16,
    "patch_size": 8, "initializer_range": 0.5,
}  # fmt: skip


def named(labels: tuple[str, ...] = LABELS) -> dict[str, Any]:
    """A config's names of classes."""
    return {"id2label": dict(enumerate(labels)), "label2id": {label: n for n, label in enumerate(labels)}}


def classifier(folder: Path) -> str:
    """A ViT with three classes."""
    torch.manual_seed(0)
    transformers.ViTForImageClassification(transformers.ViTConfig(**VIT, **named())).save_pretrained(folder)
    transformers.ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(folder)
    return str(folder)


def detector(folder: Path) -> str:
    """A YOLOS that finds five things."""
    torch.manual_seed(0)
    config = transformers.YolosConfig(
        **{**VIT, "image_size": [32, 32], "initializer_range": 0.1}, num_detection_tokens=5, **named()
    )
    module = transformers.YolosForObjectDetection(config)
    torch.nn.init.normal_(module.vit.embeddings.detection_tokens)  # else it finds one thing five times
    module.save_pretrained(folder)
    transformers.YolosImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return str(folder)


def tokenizer() -> Any:
    """Words as tokens, between marks."""
    made = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", WORDS.index("[CLS]")), ("[SEP]", WORDS.index("[SEP]"))]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        bos_token="[CLS]", eos_token="[SEP]",
    )  # fmt: skip


def blip(folder: Path) -> str:
    """A BLIP: it may go on from a text."""
    torch.manual_seed(10)
    small = {
        "hidden_size": 16, "intermediate_size": 16, "projection_dim": 16, "num_hidden_layers": 1,
        "num_attention_heads": 2, "initializer_range": 0.5,
    }  # fmt: skip
    words = transformers.BlipTextConfig(
        **small, vocab_size=len(WORDS), encoder_hidden_size=16, max_position_embeddings=32,
        bos_token_id=2, eos_token_id=3, sep_token_id=3, pad_token_id=0,
    )  # fmt: skip
    eyes = transformers.BlipVisionConfig(**small, image_size=16, patch_size=8)
    config = transformers.BlipConfig(
        text_config=words.to_dict(), vision_config=eyes.to_dict(), image_text_hidden_size=16
    )
    transformers.BlipForConditionalGeneration(config).save_pretrained(folder)
    image_processor = transformers.BlipImageProcessor(size={"height": 16, "width": 16})
    transformers.BlipProcessor(image_processor, tokenizer()).save_pretrained(folder)
    return str(folder)


def encoder_decoder(folder: Path) -> str:
    """A ViT that a small BERT tells about."""
    torch.manual_seed(9)
    teller = transformers.BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        is_decoder=True, add_cross_attention=True, max_position_embeddings=64, initializer_range=0.5,
    )  # fmt: skip
    config = transformers.VisionEncoderDecoderConfig.from_encoder_decoder_configs(transformers.ViTConfig(**VIT), teller)
    module = transformers.VisionEncoderDecoderModel(config)
    for kept in (module.config, module.generation_config):
        kept.decoder_start_token_id, kept.pad_token_id, kept.eos_token_id = 2, 0, 3
    module.save_pretrained(folder)
    transformers.ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return str(folder)
