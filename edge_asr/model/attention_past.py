"""The past of a stack of attention layers in a stream, as tensors, and as what the layers take."""

from __future__ import annotations

import torch
from torch import Tensor

from edge_asr.model.layers import AttentionCaches, LeftContext, key_bias


def initial_attention_past(layers: int, heads: int, head_width: int, left_frames: int) -> list[Tensor]:
    """Zeros in place of a stack's past: which rows of it are real [1, left, 1], then each layer's keys
    [heads, W / heads, left] and values [heads, left, W / heads]."""
    keys, values = (heads, head_width, left_frames), (heads, left_frames, head_width)
    return [torch.zeros(1, left_frames, 1), *(torch.zeros(shape) for _ in range(layers) for shape in (keys, values))]


class AttentionPast:
    """A stack's past, for one block of rows."""

    def __init__(self, valid: Tensor, past: tuple[Tensor, ...]) -> None:
        """valid [1, F, 1], which of the rows are real; past as of `initial_attention_past`."""
        real, *each = past
        self.frames = valid.shape[1]
        self.real = torch.cat([real, valid], dim=1)
        self.layers = [AttentionCaches(*each[i : i + 2]) for i in range(0, len(each), 2)]

    def context(self) -> tuple[Tensor, list[LeftContext]]:
        """What is added to attention's scores, and each layer's past."""
        return key_bias(self.real), list[LeftContext](self.layers)

    def renewed(self) -> list[Tensor]:
        """The past of the block to come, when the layers have run."""
        each = [cache for layer in self.layers for cache in (layer.keys_cache, layer.values_cache)]
        return [self.real[:, self.frames :], *(cache for cache in each if cache is not None)]
