"""One encoder layer, written once for training (all chunks in parallel) and streaming (one chunk and caches).

Only operators that XNNPACK takes are used, so that a stack lowers to a single delegate: RMS norm without gain as
`x * rsqrt(linear(x * x, 1 / width, eps))`, depth-wise convolution as a (1, k) `Conv2d`, attention as plain `bmm`.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge_asr.model.config import StackConfig

MASKED = -1e4  # added to the score of a key that must not be seen


class LeftContext(Protocol):
    """Where a chunk's past comes from: neighbouring chunks of a tensor (training) or caches (streaming)."""

    def attention(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """[heads, B * F, W / heads] each -> keys [heads * B, W / heads, left + F], turned as scores want them, and
        values [heads * B, left + F, W / heads], those of the left context first."""

    def convolution(self, rows: Tensor) -> Tensor:
        """[B, F, W] -> [B, tail + F + tail, W]: the rows of the convolution's left context first, and zeros last, in
        place of the chunk to come."""


class RMSNorm(nn.Module):
    """x / rms(x), without a gain: the linear layer after it learns one."""

    mean: Tensor
    least: Tensor

    def __init__(self, width: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("mean", torch.full((1, width), 1.0 / width), persistent=False)
        self.register_buffer("least", torch.full((1,), eps), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(functional.linear(x * x, self.mean, self.least))


class LayerNorm(nn.Module):
    """`nn.LayerNorm`, with what XNNPACK takes: it averages over the last two axes of four."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """[B, F, W] -> [B, F, W]"""
        batch, rows, width = x.shape
        four = x.reshape(batch, rows, 1, width)
        centred = four - four.mean((2, 3), keepdim=True)
        scale = torch.rsqrt((centred * centred).mean((2, 3), keepdim=True) + self.eps)
        return (centred * scale).reshape(batch, rows, width) * self.weight + self.bias


def columns(x: Tensor, widths: list[int]) -> list[Tensor]:
    """Cut the last axis. XNNPACK takes slices only; in training `split` is faster, its gradient being one copy."""
    if torch.compiler.is_exporting():
        ends = [sum(widths[: i + 1]) for i in range(len(widths))]
        return [x[..., end - width : end] for end, width in zip(ends, widths, strict=True)]
    return list(torch.split(x, widths, dim=-1))


def joined(parts: list[Tensor], dim: int) -> Tensor:
    """`torch.cat`, also of a single tensor, which XNNPACK takes for no operator of its own."""
    return torch.cat(parts, dim=dim) if len(parts) > 1 else parts[0]


def rotation(cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
    """What the position module gave, [B, F, 1, width] each -> the two factors of `rotate`, [B * F, width].

    They scale, too: what is turned by them comes out divided by the fourth root of the width, and the product of a
    query and a key, both turned, by the square root, which is the scale of attention scores.
    """
    width = cos.shape[-1]
    same, swapped = (factor.reshape(-1, width) * width**-0.25 for factor in (cos, sin))
    return same, swapped


def rotate(x: Tensor, same: Tensor, swapped: Tensor) -> Tensor:
    """Rotary position (Su et al. 2021): x [heads, rows, width], and what `rotation` gave."""
    half = x.shape[-1] // 2
    first, second = columns(x, [half, half])
    return x * same + torch.cat([second, first], dim=-1) * swapped


def key_bias(valid: Tensor) -> Tensor:
    """Valid rows [B, R, 1], 1.0 or 0.0 -> what is added to attention scores, [B, 1, R]."""
    return ((valid - 1.0) * -MASKED).reshape(valid.shape[0], 1, valid.shape[1])


def for_heads(key_bias: Tensor, heads: int) -> Tensor:
    """What `key_bias` gave, once for each head: [heads * B, 1, R]. Of a batch of one it serves all heads as it is."""
    return key_bias.repeat(heads, 1, 1) if key_bias.shape[0] > 1 else key_bias


def attend(query: Tensor, key: Tensor, value: Tensor, batch: int, key_bias: Tensor, left: LeftContext) -> Tensor:
    """Attention of chunks over themselves and their left context: query, already scaled, key and value
    [heads, B * F, W / heads] each, and what `for_heads` gave -> [B, F, W]."""
    heads, rows, head_width = query.shape
    keys, values = left.attention(key, value)
    if batch > 1:
        query = query.reshape(heads * batch, rows // batch, head_width)
    weights = torch.softmax(torch.bmm(query, keys) + key_bias, dim=-1)
    mixed = torch.bmm(weights, values)
    if batch > 1:
        mixed = mixed.reshape(heads, rows, head_width)
    return mixed.permute(1, 0, 2).reshape(batch, rows // batch, heads * head_width)


def over_rows(convolution: nn.Module, rows: Tensor) -> Tensor:
    """A convolution of height 1 over rows [N, R, C] -> [N, R', C'].

    As over an image whose channels lie last in memory, which is how XNNPACK wants it.
    """
    image = rows.reshape(rows.shape[0], 1, rows.shape[1], rows.shape[2]).permute(0, 3, 1, 2)
    image = convolution(image).permute(0, 2, 3, 1)
    return image.reshape(image.shape[0], image.shape[2], image.shape[3])


class Attention(nn.Module):
    """Multi-head attention of a chunk over itself and its left context."""

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.config = config
        self.norm = RMSNorm(config.width)
        self.query_key_value = nn.Linear(config.width, 3 * config.width)
        self.out = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor, turn: tuple[Tensor, Tensor], key_bias: Tensor, left: LeftContext) -> Tensor:
        batch, frames, _ = x.shape
        heads, head_width = self.config.heads, self.config.head_width
        projected = self.query_key_value(self.norm(x)).reshape(batch * frames, 3 * heads, head_width).permute(1, 0, 2)
        query_key = rotate(projected[: 2 * heads], *turn)
        query, key, value = query_key[:heads], query_key[heads:], projected[2 * heads :]
        return self.out(attend(query, key, value, batch, key_bias, left))


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
        width = self.config.width
        content, opening = columns(self.glu(self.norm(x)), [width, width])
        rows = over_rows(self.depthwise, left.convolution(content * torch.sigmoid(opening) * valid))
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
        self, x: Tensor, valid: Tensor, turn: tuple[Tensor, Tensor] | None, key_bias: Tensor, left: LeftContext
    ) -> Tensor:
        """x [B, F, W]; valid [B, F, 1]; turn, of `rotation`, where there is attention; key_bias
        [heads * B, 1, left + F], or of a batch of one [1, 1, left + F] -> [B, F, W]."""
        if self.attention is not None:
            assert turn is not None
            x = x + self.dropout(self.attention(x, turn, key_bias, left))
        x = x + self.dropout(self.convolution(x, valid, left))
        return x + self.dropout(self.feed_forward(x))


class ChunkNeighbours:
    """Left context in training: N utterances of C chunks lie in one tensor [N * C, F, W]."""

    def __init__(self, utterances: int, chunk_frames: int, left_frames: int, conv_tail: int) -> None:
        self.utterances = utterances
        self.chunk_frames = chunk_frames
        self.left_frames = left_frames
        self.conv_tail = conv_tail

    def attention(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        utterances = key.shape[0] * self.utterances  # those of each head
        keys, values = (self.windows(rows, utterances, self.left_frames) for rows in (key, value))
        return keys.transpose(1, 2), values

    def convolution(self, rows: Tensor) -> Tensor:
        return functional.pad(self.windows(rows, self.utterances, self.conv_tail), (0, 0, 0, self.conv_tail))

    def windows(self, rows: Tensor, utterances: int, count: int) -> Tensor:
        """Rows of the utterances one after the other -> [utterances * C, count + F, W], each chunk with the `count`
        rows before it in front; zeros before the first."""
        whole = functional.pad(rows.reshape(utterances, -1, rows.shape[2]), (0, 0, count, 0))
        windows = whole.unfold(1, count + self.chunk_frames, self.chunk_frames)
        return windows.permute(0, 1, 3, 2).reshape(-1, count + self.chunk_frames, rows.shape[2])


class RowsBefore:
    """Left context in training where it is told row by row: of M blocks, in one tensor [M, F, W]."""

    def __init__(self, attention: Tensor, convolution: Tensor) -> None:
        """int64 [M, left] and [M, tail]: numbers, 0 to M * F - 1, of the rows before each block; M * F for none."""
        self.before_attention = attention
        self.before_convolution = convolution

    def attention(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        keys, values = (self.prepend(rows, self.before_attention) for rows in (key, value))
        return keys.transpose(1, 2), values

    def convolution(self, rows: Tensor) -> Tensor:
        tail = self.before_convolution.shape[1]
        extended = self.prepend(rows.reshape(1, -1, rows.shape[2]), self.before_convolution)
        return functional.pad(extended, (0, 0, 0, tail))

    def prepend(self, rows: Tensor, before: Tensor) -> Tensor:
        """[heads, M * F, W] -> [heads * M, left + F, W]"""
        heads, _, width = rows.shape
        blocks = before.shape[0]
        past = functional.pad(rows, (0, 0, 0, 1))[:, before]
        return torch.cat([past, rows.reshape(heads, blocks, -1, width)], dim=2).flatten(0, 1)


class AttentionCaches:
    """Left context in streaming, of a layer of attention alone. After the layer has run it is the layer's new past.

    Keys of the past lie as attention reads them: only those of the new rows are turned into that order.
    """

    def __init__(self, keys: Tensor | None, values: Tensor | None) -> None:
        self.keys_cache = keys  # [heads, W / heads, left], where the layer has attention
        self.values_cache = values  # [heads, left, W / heads]

    def attention(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        assert self.keys_cache is not None
        assert self.values_cache is not None
        keys = torch.cat([self.keys_cache, key.permute(0, 2, 1)], dim=2)
        values = torch.cat([self.values_cache, value], dim=1)
        self.keys_cache = keys[:, :, key.shape[1] :]
        self.values_cache = values[:, value.shape[1] :]
        return keys, values

    def convolution(self, rows: Tensor) -> Tensor:
        raise NotImplementedError


class LayerCaches(AttentionCaches):
    """As `AttentionCaches`, of a layer with a convolution, and with attention or without."""

    def __init__(
        self, silence: Tensor, convolution: Tensor, keys: Tensor | None = None, values: Tensor | None = None
    ) -> None:
        super().__init__(keys, values)
        self.silence = silence  # [1, tail, W], zeros
        self.convolution_cache = convolution  # [1, tail, W]

    def convolution(self, rows: Tensor) -> Tensor:
        frames, tail = rows.shape[1], self.silence.shape[1]
        extended = torch.cat([self.convolution_cache, rows, self.silence], dim=1)
        self.convolution_cache = extended[:, frames : frames + tail]
        return extended
