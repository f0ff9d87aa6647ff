"""Parakeet as Hugging Face saves it -> the dimensions and weights of `ParakeetEncoder`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from edge_asr.model.parakeet_config import ParakeetConfig

WITH_HEAD = "parakeet_ctc"  # the model type whose encoder has a configuration of its own inside
BATCH_NORM_EPS = 1e-5

# What a configuration may ask for, and the only value that is built here.
BUILT: dict[str, Any] = {"hidden_act": "silu", "subsampling_conv_kernel_size": 3, "subsampling_conv_stride": 2}


def config_of(source: Mapping[str, Any], cut: int, vocabulary: int, blank_id: int) -> ParakeetConfig:
    """Raises KeyError naming a dimension that is missing, ValueError for what is not built."""
    encoder = encoder_of(source)
    for name, value in (BUILT | {"num_key_value_heads": encoder["num_attention_heads"]}).items():
        if encoder.get(name, value) != value:
            raise ValueError(f"{name} {encoder[name]!r} is not built, only {value!r}")
    config = ParakeetConfig(
        vocabulary=vocabulary,
        blank_id=blank_id,
        cut=cut,
        layers=encoder["num_hidden_layers"],
        width=encoder["hidden_size"],
        heads=encoder["num_attention_heads"],
        inner=encoder["intermediate_size"],
        kernel=encoder["conv_kernel_size"],
        mels=encoder["num_mel_bins"],
        subsampling=encoder["subsampling_factor"],
        subsampling_channels=encoder["subsampling_conv_channels"],
    )
    config.validate()
    return config


def encoder_of(source: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of a configuration that is the encoder's."""
    encoder: Mapping[str, Any] = source["encoder_config"] if source["model_type"] == WITH_HEAD else source
    return encoder


class Weights:
    """Its tensors, turned into ours. Raises KeyError naming a tensor that is missing."""

    def __init__(
        self, source: Mapping[str, Tensor], prefix: str, config: ParakeetConfig, encoder: Mapping[str, Any]
    ) -> None:
        """`prefix` is what the encoder's names begin with in the source."""
        self.source, self.prefix = source, prefix
        self.config = config
        self.input_scale = config.width**0.5 if encoder["scale_input"] else 1.0
        biased = {
            "attention_bias": ("self_attn.", "feed_forward1.", "feed_forward2."),
            "convolution_bias": ("conv.pointwise_conv1", "conv.pointwise_conv2", "conv.depthwise_conv"),
        }
        self.without_bias = [part for key, parts in biased.items() if not encoder[key] for part in parts]
        self.taken: dict[str, Tensor] = {}

    def all(self) -> dict[str, Tensor]:
        self.take_subsampling()
        for number in range(self.config.layers):
            stack, place = ("lower", number) if number < self.config.cut else ("upper", number - self.config.cut)
            self.take_layer(f"{stack}.layers.{place}", f"layers.{number}")
        return self.taken

    def take(self, ours: str, theirs: str, scale: float = 1.0) -> None:
        """A module with a weight and a bias; zeros in its place where the configuration says that there is none."""
        weight = self.source[f"{self.prefix}{theirs}.weight"]
        without = any(f".{part}" in theirs for part in self.without_bias)
        bias = weight.new_zeros(weight.shape[0]) if without else self.source[f"{self.prefix}{theirs}.bias"]
        self.taken[f"{ours}.weight"], self.taken[f"{ours}.bias"] = weight * scale, bias * scale

    def take_linear(self, ours: str, theirs: str) -> None:
        """A convolution whose kernel has one tap."""
        self.take(ours, theirs)
        self.taken[f"{ours}.weight"] = self.taken[f"{ours}.weight"].flatten(1)

    def take_subsampling(self) -> None:
        """Features of a frame lie by channels there, by bands here."""
        self.take("subsampling.first", "subsampling.layers.0")
        for stage in range(self.config.subsampling.bit_length() - 2):
            self.take(f"subsampling.depthwise.{stage}", f"subsampling.layers.{3 * stage + 2}")
            self.take_linear(f"subsampling.mix.{stage}", f"subsampling.layers.{3 * stage + 3}")
        self.take("subsampling.out", "subsampling.linear", self.input_scale)
        weight = self.taken["subsampling.out.weight"]
        by_channel = weight.reshape(weight.shape[0], self.config.subsampling_channels, -1)
        self.taken["subsampling.out.weight"] = by_channel.transpose(1, 2).flatten(1)

    def take_layer(self, ours: str, theirs: str) -> None:
        for name, norm in (
            ("first_norm", "norm_feed_forward1"),
            ("attention_norm", "norm_self_att"),
            ("convolution_norm", "norm_conv"),
            ("second_norm", "norm_feed_forward2"),
            ("last_norm", "norm_out"),
        ):
            self.take(f"{ours}.{name}", f"{theirs}.{norm}")
        for name, number in (("first", 1), ("second", 2)):
            self.take(f"{ours}.{name}.up", f"{theirs}.feed_forward{number}.linear1")
            self.take(f"{ours}.{name}.down", f"{theirs}.feed_forward{number}.linear2", 0.5)
        self.take_attention(f"{ours}.attention", f"{theirs}.self_attn")
        self.take_convolution(f"{ours}.convolution", f"{theirs}.conv")

    def take_attention(self, ours: str, theirs: str) -> None:
        """A query has a bias of its own for each of the two terms: that for content is in our query, and what the one
        for positions has more is in the bias of the linears that read the query."""
        for kind in "qkv":
            self.take(f"{ours}.{kind}", f"{theirs}.{kind}_proj")
        content, position = (self.source[f"{self.prefix}{theirs}.bias_{kind}"] for kind in "uv")
        self.taken[f"{ours}.q.bias"] = self.taken[f"{ours}.q.bias"] + content.flatten()
        for part in ("weight", "bias"):
            self.taken[f"{ours}.query_key_value.{part}"] = torch.cat(
                [self.taken.pop(f"{ours}.{kind}.{part}") for kind in "qkv"]
            )
        self.take(f"{ours}.out", f"{theirs}.o_proj")
        heads, head_width = self.config.heads, self.config.width // self.config.heads
        of_position = self.source[f"{self.prefix}{theirs}.relative_k_proj.weight"].reshape(heads, head_width, -1)
        sines, cosines = of_position[:, :, 0::2], of_position[:, :, 1::2]
        asked = torch.cat([cosines, -sines], dim=2).transpose(1, 2) * head_width**-0.5
        for head in range(heads):
            self.taken[f"{ours}.positions.{head}.weight"] = asked[head]
            self.taken[f"{ours}.positions.{head}.bias"] = asked[head] @ (position - content)[head]

    def take_convolution(self, ours: str, theirs: str) -> None:
        self.take_linear(f"{ours}.glu", f"{theirs}.pointwise_conv1")
        self.take_linear(f"{ours}.out", f"{theirs}.pointwise_conv2")
        self.take(f"{ours}.depthwise", f"{theirs}.depthwise_conv")
        gain, shift, mean, variance = (
            self.source[f"{self.prefix}{theirs}.norm.{part}"]
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gain * torch.rsqrt(variance + BATCH_NORM_EPS)
        weight, bias = self.taken[f"{ours}.depthwise.weight"], self.taken[f"{ours}.depthwise.bias"]
        self.taken[f"{ours}.depthwise.weight"] = (weight * scale[:, None, None]).unsqueeze(2)
        self.taken[f"{ours}.depthwise.bias"] = (bias - mean) * scale + shift
