"""One encoder layer, written once for training (all chunks in parallel) and streaming (one chunk and caches).

Only operators that XNNPACK takes are used, so that a stack lowers to a single delegate: RMS norm without gain as
`x * rsqrt(linear(x * x, 1 / width))`, depth-wise convolution as a (1, k) `Conv2d`, attention as plain `bmm`.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge_asr.model.config import StackConfig

MASKED = -1e4  # added to the score of a key that must not be seen


class LeftContext(Protocol):
    """Where a chunk's past comes from: neighbouring chunks of a tensor (training) or caches (streaming)."""

    def attention(self, rows: Tensor) -> Tensor:
        """[B, F, W] -> [B, left + F, W], the rows of the attention's left context first."""

    def convolution(self, rows: Tensor) -> Tensor:
        """[B, F, W] -> [B, tail + F, W], the rows of the convolution's left context first."""


class RMSNorm(nn.Module):
    """x / rms(x), without a gain: the linear layer after it learns one."""

    mean: Tensor

    def __init__(self, width: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("mean", torch.full((1, width), 1.0 / width), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(functional.linear(x * x, self.mean) + self.eps)


def columns(x: Tensor, widths: list[int]) -> list[Tensor]:
    """Cut the last axis. XNNPACK takes slices only; in training `split` is faster, its gradient being one copy."""
    if torch.compiler.is_exporting():
        ends = [sum(widths[: i + 1]) for i in range(len(widths))]
        return [x[..., end - width : end] for end, width in zip(ends, widths, strict=True)]
    return list(torch.split(x, widths, dim=-1))


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary position (Su et al. 2021): x [B, F, heads, width], cos and sin [B, F, 1, width / 2]."""
    half = x.shape[-1] // 2
    first, second = columns(x, [half, half])
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


class Attention(nn.Module):
    """Multi-head attention of a chunk over itself and its left context."""

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.config = config
        self.norm = RMSNorm(config.width)
        self.query_key_value = nn.Linear(config.width, 3 * config.width)
        self.out = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, key_bias: Tensor, left: LeftContext) -> Tensor:
        batch, frames, width = x.shape
        heads, head_width = self.config.heads, self.config.head_width
        projected = self.query_key_value(self.norm(x))
        query_key, value = columns(projected, [2 * width, width])
        query_key = rotate(query_key.reshape(batch, frames, 2 * heads, head_width), cos, sin)
        query, key = columns(query_key.reshape(batch, frames, 2 * width), [width, width])
        context = left.attention(torch.cat([key, value], dim=2))
        key, value = columns(context, [width, width])

        def split(rows: Tensor) -> Tensor:
            """[B, R, W] -> [B * heads, R, W / heads]"""
            split_heads = rows.reshape(batch, rows.shape[1], heads, head_width).permute(0, 2, 1, 3)
            return split_heads.reshape(batch * heads, rows.shape[1], head_width)

        scores = torch.bmm(split(query), split(key).permute(0, 2, 1)) * (1.0 / math.sqrt(head_width))
        scores = scores.reshape(batch, heads, frames, context.shape[1]) + key_bias
        weights = torch.softmax(scores, dim=-1).reshape(batch * heads, frames, context.shape[1])
        mixed = torch.bmm(weights, split(value)).reshape(batch, heads, frames, head_width)
        return self.out(mixed.permute(0, 2, 1, 3).reshape(batch, frames, width))


class Convolution(nn.Module):
    """Gated depth-wise convolution; it reads the past through the cache and the future only inside the chunk."""

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.config = config
        self.norm = RMSNorm(config.width)
        self.glu = nn.Linear(config.width, 2 * config.width)
        self.depthwise = nn.Conv2d(config.width, config.width, (1, config.kernel), groups=config.width)
        self.out = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor, valid: Tensor, left: LeftContext) -> Tensor:
        width, tail = self.config.width, self.config.conv_tail
        content, opening = columns(self.glu(self.norm(x)), [width, width])
        rows = content * torch.sigmoid(opening) * valid
        context = left.convolution(rows)
        # As an image of height 1 whose channels lie last in memory, which is how XNNPACK wants it.
        image = context.reshape(context.shape[0], 1, context.shape[1], width).permute(0, 3, 1, 2)
        image = self.depthwise(functional.pad(image, (0, tail))).permute(0, 2, 3, 1)
        rows = image.reshape(x.shape)
        return self.out(rows * torch.sigmoid(rows))


class FeedForward(nn.Module):
    """Two linear layers with SiLU between them."""

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.norm = RMSNorm(config.width)
        self.up = nn.Linear(config.width, config.expansion * config.width)
        self.down = nn.Linear(config.expansion * config.width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.up(self.norm(x))
        return self.down(hidden * torch.sigmoid(hidden))


class EncoderLayer(nn.Module):
    """Attention (where the stack has it), convolution, feed-forward, each on the residual path after a norm."""

    def __init__(self, config: StackConfig, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(config) if config.attention else None
        self.convolution = Convolution(config)
        self.feed_forward = FeedForward(config)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Tensor, valid: Tensor, cos: Tensor, sin: Tensor, key_bias: Tensor, left: LeftContext
    ) -> Tensor:
        """x [B, F, W]; valid [B, F, 1]; cos, sin [B, F, 1, head / 2]; key_bias [B, 1, 1, left + F] -> [B, F, W]."""
        if self.attention is not None:
            x = x + self.dropout(self.attention(x, cos, sin, key_bias, left))
        x = x + self.dropout(self.convolution(x, valid, left))
        return x + self.dropout(self.feed_forward(x))


class ChunkNeighbours:
    """Left context in training: N utterances of C chunks lie in one tensor [N * C, F, W]."""

    def __init__(self, utterances: int, left_frames: int, conv_tail: int) -> None:
        self.utterances = utterances
        self.left_frames = left_frames
        self.conv_tail = conv_tail

    def attention(self, rows: Tensor) -> Tensor:
        return self.prepend(rows, self.left_frames)

    def convolution(self, rows: Tensor) -> Tensor:
        return self.prepend(rows, self.conv_tail)

    def prepend(self, rows: Tensor, count: int) -> Tensor:
        """Put the `count` rows before each chunk in front of it; zeros before the first."""
        chunks, frames, width = rows.shape
        whole = rows.reshape(self.utterances, chunks // self.utterances * frames, width)
        windows = functional.pad(whole, (0, 0, count, 0)).unfold(1, count + frames, frames)
        return windows.permute(0, 1, 3, 2).reshape(chunks, count + frames, width)


class LayerCaches:
    """Left context in streaming: the caches of one layer. After the layer has run they hold its new past."""

    def __init__(self, convolution: Tensor, attention: Tensor | None = None, missing: int = 0) -> None:
        """`missing` rows are left out at the end of the block, as all of them are empty: they count as past, too."""
        self.convolution_cache = convolution  # [1, tail, W]
        self.attention_cache = attention  # [1, left, 2 W], where the layer has attention
        self.missing = missing

    def attention(self, rows: Tensor) -> Tensor:
        assert self.attention_cache is not None
        extended = torch.cat([self.attention_cache, rows], dim=1)
        self.attention_cache = self.newest(extended, self.attention_cache.shape[1])
        return extended

    def convolution(self, rows: Tensor) -> Tensor:
        extended = torch.cat([self.convolution_cache, rows], dim=1)
        self.convolution_cache = self.newest(extended, self.convolution_cache.shape[1])
        return extended

    def newest(self, extended: Tensor, count: int) -> Tensor:
        """The last `count` rows of [1, R, W], the missing ones after it included."""
        present = max(1, count - self.missing)
        rows = extended[:, extended.shape[1] - present :]
        if not self.missing:
            return rows
        padded = functional.pad(rows, (0, 0, 0, self.missing))
        return padded if padded.shape[1] == count else padded[:, padded.shape[1] - count :]
