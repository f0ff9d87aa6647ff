"""Weights of a pretrained Moonshine, as Hugging Face folders hold them, for `MoonshineEncoder`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from edge_asr.model.moonshine_config import MoonshineConfig
from edge_asr.model.moonshine_front import KERNELS, STRIDES, TAPS
from edge_asr.model.moonshine_layers import interleaved

PREFIX = "model.encoder."
NEW = ("lower.head.", "lower.condition.", "lower.gate.", "upper.head.")  # begin what Moonshine has not


def own_weights(weights: Mapping[str, Tensor], config: MoonshineConfig) -> dict[str, Tensor]:
    """`weights` by the names of `transformers` (`model.encoder.…`; others are left) -> by ours, all but NEW. Raises
    ValueError where one is missing or has another shape."""
    source = Source(weights, config)
    own = dict(source.front()) | dict(source.all_layers())
    return own | {"upper.gain": source.take("layer_norm.weight", config.width)}


def translated(config: dict[str, Any], cut: int, vocabulary: int, blank_id: int) -> MoonshineConfig:
    """Raises ValueError for what is no Moonshine, or one with parts that no published one has."""
    if config.get("model_type") != "moonshine":
        raise ValueError(f"model_type is {config.get('model_type')!r}, expected 'moonshine'")
    heads, width = config.get("encoder_num_attention_heads", 8), config.get("hidden_size", 288)
    rotary = {"partial_rotary_factor": 0.9, "rope_theta": 10_000.0} | config | (config.get("rope_parameters") or {})
    usual = {
        "encoder_num_key_value_heads": (None, heads),
        "encoder_hidden_act": (None, "gelu"),
        "attention_bias": (None, False),
        "head_dim": (None, width // heads),
        "rope_scaling": (None,),
        "rope_type": (None, "default"),
    }
    for name, values in usual.items():
        if rotary.get(name) not in values:
            raise ValueError(f"{name} {rotary[name]!r} of this Moonshine is not supported, only {values[-1]!r}")
    translation = MoonshineConfig(
        vocabulary=vocabulary,
        blank_id=blank_id,
        width=width,
        layers=config.get("encoder_num_hidden_layers", 6),
        cut=cut,
        heads=heads,
        inner=config.get("intermediate_size", 1_152),
        rotary_width=int(width // heads * rotary["partial_rotary_factor"]),
        rotary_theta=float(rotary["rope_theta"]),
    )
    translation.validate()
    return translation


class Source:
    """Moonshine's tensors, turned into ours: gains and biases of norms folded into the linears that read them, means
    taken out of what is added to a layer's rows, the pairs of rotary positions laid apart."""

    def __init__(self, weights: Mapping[str, Tensor], config: MoonshineConfig) -> None:
        self.weights = weights
        self.config = config

    def take(self, name: str, *shape: int) -> Tensor:
        """float64, in which foldings round to nothing."""
        if PREFIX + name not in self.weights:
            raise ValueError(f"no tensor {PREFIX}{name}")
        found = self.weights[PREFIX + name]
        if tuple(found.shape) != shape:
            raise ValueError(f"tensor {PREFIX}{name} is of shape {list(found.shape)}, expected {list(shape)}")
        return found.to(torch.float64)

    def front(self) -> Iterator[tuple[str, Tensor]]:
        width = self.config.width
        first = functional.pad(self.take("conv1.weight", width, 1, KERNELS[0]), (1, 0)).reshape(width, TAPS, STRIDES[0])
        yield "front.first.weight", first.permute(0, 2, 1)[:, :, None]
        gain, shift = self.take("groupnorm.weight", width), self.take("groupnorm.bias", width)
        second = self.take("conv2.weight", 2 * width, width, KERNELS[1])
        yield "front.second.weight", as_linear(second * gain[None, :, None])
        yield "front.second.bias", self.take("conv2.bias", 2 * width) + second.sum(dim=2) @ shift
        yield "front.third.weight", as_linear(self.take("conv3.weight", width, 2 * width, KERNELS[2]))
        yield "front.third.bias", self.take("conv3.bias", width)

    def all_layers(self) -> Iterator[tuple[str, Tensor]]:
        for number in range(self.config.layers):
            upper = number >= self.config.cut
            place = f"upper.stack.layers.{number - self.config.cut}" if upper else f"lower.stack.layers.{number}"
            for name, value in self.layer(f"layers.{number}."):
                yield f"{place}.{name}", value

    def layer(self, prefix: str) -> Iterator[tuple[str, Tensor]]:
        width, inner, heads = self.config.width, self.config.inner, self.config.heads
        query, key, value, out = (
            self.take(f"{prefix}self_attn.{name}_proj.weight", width, width) for name in ("q", "k", "v", "o")
        )
        order = interleaved(width // heads, self.config.rotary_width)
        query, key = (matrix.reshape(heads, -1, width)[:, order].reshape(width, width) for matrix in (query, key))
        gain = self.take(f"{prefix}input_layernorm.weight", width)
        yield "attention.query_key_value.weight", torch.cat([query, key, value]) * gain
        yield "attention.query_key_value.bias", torch.zeros(3 * width)
        yield "attention.out.weight", out - out.mean(dim=0)
        yield "attention.out.bias", torch.zeros(width)
        gain = self.take(f"{prefix}post_attention_layernorm.weight", width)
        yield "up.weight", self.take(f"{prefix}mlp.fc1.weight", inner, width) * gain
        yield "up.bias", self.take(f"{prefix}mlp.fc1.bias", inner)
        down, bias = self.take(f"{prefix}mlp.fc2.weight", width, inner), self.take(f"{prefix}mlp.fc2.bias", width)
        yield "down.weight", down - down.mean(dim=0)
        yield "down.bias", bias - bias.mean()


def as_linear(weight: Tensor) -> Tensor:
    """Of a convolution [outputs, channels, kernel] -> of the linear on `moonshine_front.windows`."""
    return weight.permute(0, 2, 1).flatten(1)
