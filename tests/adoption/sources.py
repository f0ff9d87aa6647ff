"""Small models of `transformers` with drawn weights, in folders as it saves them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tokenizers
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

PARAKEET: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "subsampling_conv_channels": 6,
    "layerdrop": 0.3,
}
PARAKEET_KINDS = {
    "parakeet": {},
    "parakeet-plain": {"attention_bias": False, "convolution_bias": False, "scale_input": False, "num_mel_bins": 128},
}


def model_of(kind: str) -> Any:
    import transformers

    torch.manual_seed(0)
    if kind in PARAKEET_KINDS:
        encoder = PARAKEET | PARAKEET_KINDS[kind]
        configuration = transformers.ParakeetCTCConfig(vocab_size=8, pad_token_id=7, encoder_config=encoder)
        model = drawn(transformers.ParakeetForCTC(configuration))
        for parameter in model.parameters():
            if parameter.dim() > 1:  # it begins so weak that no frame differs from another
                parameter.copy_(torch.randn_like(parameter) * parameter[0].numel() ** -0.5)
        return model
    name, _ = kind.split("-")
    configuration, model = {
        "wav2vec2": (transformers.Wav2Vec2Config, transformers.Wav2Vec2ForCTC),
        "hubert": (transformers.HubertConfig, transformers.HubertForCTC),
    }[name]
    return drawn(model(configuration(**SMALL, **KINDS[kind])))


def drawn(model: Any) -> Any:
    """Norms, biases and statistics of batches begin as nothing: here they are something."""
    model.eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.add_(0.05 * torch.randn_like(parameter))
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(std=0.1)
        elif name.endswith("running_var"):
            buffer.uniform_(0.1, 1.0)
    return model


def saved(kind: str, folder: Path) -> Path:
    model_of(kind).save_pretrained(folder)
    if kind in PARAKEET_KINDS:
        pieces = [("<unk>", 0.0), ("▁", -1.0), ("▁A", -1.0), ("B", -1.0), ("C", -1.0), ("D", -1.0), ("E", -1.0)]
        tokenizer = tokenizers.Tokenizer(tokenizers.models.Unigram(pieces, unk_id=0))
        tokenizer.add_special_tokens(["<unk>", "<pad>"])
        (folder / "tokenizer.json").write_text(tokenizer.to_str())
        return folder
    letters = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4, "A": 5, "B": 6, "C": 7}
    (folder / "vocab.json").write_text(json.dumps(letters))
    return folder
