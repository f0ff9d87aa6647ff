"""Small models of `transformers` with drawn weights, in folders as it saves them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

SMALL: dict[str, Any] = {
    "vocab_size": 8,
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "conv_dim": (24,) * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "layerdrop": 0.3,
    "pad_token_id": 0,
}
LAYER = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
KINDS = {
    "wav2vec2-group": {},
    "wav2vec2-layer": LAYER,
    "hubert-group": {"feat_proj_layer_norm": False},
    "hubert-layer": LAYER,
}


def model_of(kind: str) -> Any:
    import transformers

    torch.manual_seed(0)
    name, _ = kind.split("-")
    configuration, model = {
        "wav2vec2": (transformers.Wav2Vec2Config, transformers.Wav2Vec2ForCTC),
        "hubert": (transformers.HubertConfig, transformers.HubertForCTC),
    }[name]
    made = model(configuration(**SMALL, **KINDS[kind])).eval().requires_grad_(False)
    for parameter in made.parameters():
        parameter.add_(0.05 * torch.randn_like(parameter))  # norms and biases begin as nothing
    return made


def saved(kind: str, folder: Path) -> Path:
    model_of(kind).save_pretrained(folder)
    letters = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4, "A": 5, "B": 6, "C": 7}
    (folder / "vocab.json").write_text(json.dumps(letters))
    return folder
