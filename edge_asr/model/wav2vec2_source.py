"""Wav2Vec2 and HuBERT as Hugging Face saves them -> the dimensions and weights of `Wav2Vec2Encoder`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from edge_asr.model.wav2vec2_config import Wav2Vec2Config

# What a configuration may ask for that is not built here, and the values with which it asks for nothing.
NOT_BUILT: dict[str, tuple[Any, ...]] = {
    "add_adapter": (False, None),
    "adapter_attn_dim": (None,),
    "conv_pos_batch_norm": (False, None),
    "hidden_act": ("gelu",),
    "feat_extract_activation": ("gelu",),
}


def config_of(source: Mapping[str, Any], cut: int, vocabulary: int, blank_id: int) -> Wav2Vec2Config:
    """Raises KeyError naming a dimension that is missing, ValueError for what is not built."""
    for name, nothing in NOT_BUILT.items():
        if name in source and source[name] not in nothing:
            raise ValueError(f"{name} {source[name]!r} is not built")
    if source["feat_extract_norm"] not in ("group", "layer"):
        raise ValueError(f"feat_extract_norm {source['feat_extract_norm']!r} is neither group nor layer")
    return Wav2Vec2Config(
        vocabulary=vocabulary,
        blank_id=blank_id,
        cut=cut,
        layers=source["num_hidden_layers"],
        width=source["hidden_size"],
        heads=source["num_attention_heads"],
        inner=source["intermediate_size"],
        conv_channels=tuple(source["conv_dim"]),
        conv_kernels=tuple(source["conv_kernel"]),
        conv_strides=tuple(source["conv_stride"]),
        conv_bias=source["conv_bias"],
        layer_normed=source["feat_extract_norm"] == "layer",
        projection_norm=source.get("feat_proj_layer_norm", True),
        norm_first=source.get("do_stable_layer_norm", False),
        position_kernel=source["num_conv_pos_embeddings"],
        position_groups=source["num_conv_pos_embedding_groups"],
        norm_eps=source["layer_norm_eps"],
    )


def weights_of(source: Mapping[str, Tensor], config: Wav2Vec2Config, prefix: str) -> dict[str, Tensor]:
    """What lies there under names that begin with `prefix`, by our names. Raises KeyError naming what is missing."""
    taken: dict[str, Tensor] = {}

    def take(ours: str, theirs: str, parts: tuple[str, ...] = ("weight", "bias")) -> None:
        for part in parts:
            taken[f"{ours}.{part}"] = source[f"{prefix}{theirs}.{part}"]

    for number in range(len(config.conv_channels)):
        theirs = f"feature_extractor.conv_layers.{number}"
        weight = source[f"{prefix}{theirs}.conv.weight"]
        taken[f"front.convolutions.layers.{number}.weight"] = weight.unsqueeze(2)
        if config.conv_bias:
            take(f"front.convolutions.layers.{number}", f"{theirs}.conv", ("bias",))
        if config.layer_normed:
            take(f"front.convolutions.norms.{number}", f"{theirs}.layer_norm")
    if not config.layer_normed:
        norm = f"{prefix}feature_extractor.conv_layers.0.layer_norm"
        taken["front.convolutions.gain"], taken["front.convolutions.shift"] = (
            source[f"{norm}.{part}"] for part in ("weight", "bias")
        )
        first = taken["front.convolutions.layers.0.weight"]
        taken["front.white"] = first.square().sum(dim=(1, 2, 3)).reshape(1, -1, 1, 1)
    if config.projection_norm:
        take("front.norm", "feature_projection.layer_norm")
    take("front.project", "feature_projection.projection")
    take("front.positions.conv", "encoder.pos_conv_embed.conv", ("bias",))
    taken["front.positions.conv.weight"] = normed_weight(source, f"{prefix}encoder.pos_conv_embed.conv").unsqueeze(2)
    take("upper.norm" if config.norm_first else "front.after_positions", "encoder.layer_norm")
    for number in range(config.layers):
        stack, place = ("lower", number) if number < config.cut else ("upper", number - config.cut)
        ours, theirs = f"{stack}.layers.{place}", f"encoder.layers.{number}"
        for part in ("weight", "bias"):
            each = [source[f"{prefix}{theirs}.attention.{kind}_proj.{part}"] for kind in "qkv"]
            taken[f"{ours}.query_key_value.{part}"] = torch.cat(each)
        take(f"{ours}.out", f"{theirs}.attention.out_proj")
        take(f"{ours}.attention_norm", f"{theirs}.layer_norm")
        take(f"{ours}.up", f"{theirs}.feed_forward.intermediate_dense")
        take(f"{ours}.down", f"{theirs}.feed_forward.output_dense")
        take(f"{ours}.feed_forward_norm", f"{theirs}.final_layer_norm")
    return taken


def normed_weight(source: Mapping[str, Tensor], name: str) -> Tensor:
    """A weight that is saved as its direction and its length at each tap (weight normalization, along the last axis);
    torch has had two pairs of names for them."""
    for length, direction in (
        (f"{name}.parametrizations.weight.original0", f"{name}.parametrizations.weight.original1"),
        (f"{name}.weight_g", f"{name}.weight_v"),
    ):
        if length in source and direction in source:
            return source[direction] * (source[length] / source[direction].norm(dim=(0, 1), keepdim=True))
    return source[f"{name}.weight"]
