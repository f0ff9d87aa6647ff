"""The past of a stack of attention layers, as tensors, and as what the layers take."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edge_asr.model.layers import LayerCaches


def initial_attention_past(layers: int, heads: int, head_width: int, left_frames: int) -> list[Tensor]:
    """Zeros: which rows of the past are real [1, left, 1], then keys and values of each layer."""
    keys, values = (heads, head_width, left_frames), (heads, left_frames, head_width)
    return [torch.zeros(1, left_frames, 1), *(torch.zeros(shape) for _ in range(layers) for shape in (keys, values))]


class AttentionPast(nn.Module):
    """As `streamed.Past`, of layers without a convolution."""

    none: Tensor

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.layers = layers
        self.register_buffer("none", torch.zeros(1, 0, 1), persistent=False)

    def taken(self, valid: Tensor, past: tuple[Tensor, ...]) -> tuple[list[LayerCaches], Tensor]:
        """valid [1, F, 1], which of the rows are real -> caches of each layer; which of the past's and of these are,
        [1, left + F, 1]."""
        real = torch.cat([past[0], valid], dim=1)
        return [LayerCaches(self.none, self.none, *past[i : i + 2]) for i in range(1, len(past), 2)], real

    def given(self, real: Tensor, frames: int, layers: list[LayerCaches]) -> list[Tensor]:
        """The past for the block after one of so many rows, when the layers have run."""
        each = [(layer.keys_cache, layer.values_cache) for layer in layers]
        return [real[:, frames:], *(cache for caches in each for cache in caches if cache is not None)]
