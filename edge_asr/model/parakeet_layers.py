"""Parakeet's FastConformer layers and the two stacks of them, in training and in streams.

Attention's scores have a term for how far apart query and key are (Dai et al. 2019, arXiv 1901.02860): a product of the
query with a sine and a cosine of w (p - s), for width / 2 frequencies w, query at frame p and key at frame s. Here the
term is taken apart: sin w(p - s) = sin wp cos ws - cos wp sin ws, and likewise the cosine. So each head's query is
mapped to width features, which are turned by their frame's angles; one product with the cosines and sines of the keys'
frames gives the term. Those are the same for all heads and layers. Shapes do not depend on frame numbers, and gaps
between kept frames are exact.

Parakeet halves what its feed-forward modules add; here the factor is in their weights. So is the batch norm in those of
the depth-wise convolution, and the two biases of queries in those of the linears (`parakeet_source`).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edge_asr.model.layers import LayerNorm, LeftContext, attend, columns, for_heads, joined, over_rows, rotate
from edge_asr.model.parakeet_config import ParakeetConfig
from edge_asr.model.positions import TURN, Turning, fine_steps

NORM_EPS = 1e-5
THETA = 10_000.0  # how much slower the last frequency is than the first, one radian a frame


class FrameAngles(Turning):
    """Angles of all frequencies at original frame numbers."""

    def __init__(self, width: int) -> None:
        super().__init__(fine_steps(width, THETA), TURN)


def position_keys(cos: Tensor, sin: Tensor) -> Tensor:
    """What `FrameAngles` gave, [B, F, 1, W] each -> what turned queries are multiplied with, [B, F, W]."""
    batch, frames, _, width = cos.shape
    half = width // 2
    keys = torch.cat([cos[:, :, :, :half], sin[:, :, :, half:]], dim=3)
    return keys.reshape(batch, frames, width)


@dataclass(frozen=True)
class Positions:
    """Of a block's rows, and of those with their left context."""

    cos: Tensor  # [B * F, W], the factors of `layers.rotate`
    sin: Tensor  # [B * F, W]
    keys: Tensor  # [B, W, left + F], of `position_keys`

    @classmethod
    def of(cls, cos: Tensor, sin: Tensor, keys: Tensor) -> Positions:
        """cos and sin as `FrameAngles` gave them."""
        width = cos.shape[3]
        return cls(cos.reshape(-1, width), sin.reshape(-1, width), keys)

    @classmethod
    def in_training(cls, cos: Tensor, sin: Tensor, left: LeftContext) -> Positions:
        rows = position_keys(cos, sin).reshape(1, -1, cos.shape[3])
        return cls.of(cos, sin, left.attention(rows, rows)[0])


class Attention(nn.Module):
    """Multi-head attention of a chunk over itself and its left context, with relative positions."""

    def __init__(self, config: ParakeetConfig) -> None:
        super().__init__()
        self.heads, self.head_width = config.heads, config.width // config.heads
        self.query_key_value = nn.Linear(config.width, 3 * config.width)
        self.positions = nn.ModuleList(nn.Linear(self.head_width, config.width) for _ in range(config.heads))
        self.out = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor, positions: Positions, key_bias: Tensor, left: LeftContext) -> Tensor:
        """x [B, F, W]; key_bias as of `for_heads` -> [B, F, W]"""
        batch, frames, _ = x.shape
        heads = self.heads
        projected = self.query_key_value(x).reshape(batch * frames, 3 * heads, self.head_width).permute(1, 0, 2)
        query, key, value = (projected[part * heads : (part + 1) * heads] for part in range(3))
        asked = [linear(projected[head : head + 1]) for head, linear in enumerate(self.positions)]
        bias = key_bias + self.position_scores(joined(asked, dim=0), positions)
        return self.out(attend(query * self.head_width**-0.5, key, value, batch, bias, left))

    def position_scores(self, asked: Tensor, positions: Positions) -> Tensor:
        """What is asked of positions [heads, B * F, W], scaled already -> scores [heads * B, F, left + F]."""
        batch, width, keys = positions.keys.shape
        heads, rows, _ = asked.shape
        turned = rotate(asked, positions.cos, positions.sin)
        if batch > 1:
            turned = turned.reshape(heads, batch, -1, width).permute(1, 0, 2, 3)
        scores = torch.bmm(turned.reshape(batch, heads * rows // batch, width), positions.keys)
        if batch > 1:
            scores = scores.reshape(batch, heads, -1, keys).permute(1, 0, 2, 3)
        return scores.reshape(heads * batch, rows // batch, keys)


class Convolution(nn.Module):
    """Gated depth-wise convolution; it reads the future only inside the chunk."""

    def __init__(self, config: ParakeetConfig) -> None:
        super().__init__()
        self.width = config.width
        self.glu = nn.Linear(config.width, 2 * config.width)
        self.depthwise = nn.Conv2d(config.width, config.width, (1, config.kernel), groups=config.width)
        self.out = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor, valid: Tensor, left: LeftContext) -> Tensor:
        content, opening = columns(self.glu(x), [self.width, self.width])
        rows = over_rows(self.depthwise, left.convolution(content * torch.sigmoid(opening) * valid))
        return self.out(rows * torch.sigmoid(rows))


class FeedForward(nn.Module):
    """Two linears with SiLU between them."""

    def __init__(self, config: ParakeetConfig) -> None:
        super().__init__()
        self.up = nn.Linear(config.width, config.inner)
        self.down = nn.Linear(config.inner, config.width)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.up(x)
        return self.down(hidden * torch.sigmoid(hidden))


class Layer(nn.Module):
    """Feed-forward, attention, convolution, feed-forward, each on the residual path after a norm, and a last norm."""

    def __init__(self, config: ParakeetConfig) -> None:
        super().__init__()
        self.first_norm, self.attention_norm, self.convolution_norm, self.second_norm, self.last_norm = (
            LayerNorm(config.width, NORM_EPS) for _ in range(5)
        )
        self.first = FeedForward(config)
        self.attention = Attention(config)
        self.convolution = Convolution(config)
        self.second = FeedForward(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, valid: Tensor, positions: Positions, key_bias: Tensor, left: LeftContext) -> Tensor:
        """x [B, F, W]; valid [B, F, 1]; key_bias as of `for_heads` -> [B, F, W]"""
        x = x + self.dropout(self.first(self.first_norm(x)))
        x = x + self.dropout(self.attention(self.attention_norm(x), positions, key_bias, left))
        x = x + self.dropout(self.convolution(self.convolution_norm(x), valid, left))
        x = x + self.dropout(self.second(self.second_norm(x)))
        return self.last_norm(x)


class Stack(nn.ModuleList):
    """Layers one after the other. `lefts` gives each its past."""

    def __init__(self, config: ParakeetConfig, layers: int) -> None:
        super().__init__(Layer(config) for _ in range(layers))
        self.heads = config.heads

    def forward(
        self, x: Tensor, valid: Tensor, positions: Positions, key_bias: Tensor, lefts: list[LeftContext]
    ) -> list[Tensor]:
        """x [B, F, W]; valid [B, F, 1]; key_bias [B, 1, left + F] -> what enters, and what each layer gives."""
        key_bias = for_heads(key_bias, self.heads)
        outputs = [x]
        for layer, left in zip(self, lefts, strict=True):
            outputs.append(layer(outputs[-1], valid, positions, key_bias, left))
        return outputs


class LowerStack(nn.Module):
    """Layers that always run, the intermediate head, and the head of a learned gate.

    The upper stack is handed the rows, and on top of them the intermediate head's posteriors, projected
    (self-conditioned CTC, Nozaki and Komatsu 2021).
    """

    def __init__(self, config: ParakeetConfig) -> None:
        super().__init__()
        self.layers = Stack(config, config.cut)
        self.head = nn.Linear(config.width, config.vocabulary)
        self.condition = nn.Linear(config.vocabulary, config.width)
        self.gate = nn.Linear(config.width, 1) if config.gate.learned else None

    def forward(
        self, x: Tensor, valid: Tensor, positions: Positions, key_bias: Tensor, lefts: list[LeftContext]
    ) -> tuple[Tensor, ...]:
        """[B, F, W] -> intermediate logits [B, F, vocabulary], hand-over [B, F, W], and logits of the gate [B, F, 1]
        where it is learned; their gradient ends at the gate's own head, as in `stacks.LowerStack`."""
        rows = self.layers(x, valid, positions, key_bias, lefts)[-1]
        logits = self.head(rows)
        handed = rows + self.condition(torch.softmax(logits, dim=-1))
        if self.gate is None:
            return logits, handed
        return logits, handed, self.gate(rows if torch.compiler.is_exporting() else rows.detach())


class UpperStack(nn.Module):
    """Layers that run on kept frames only, and the final head."""

    def __init__(self, config: ParakeetConfig) -> None:
        super().__init__()
        self.layers = Stack(config, config.layers - config.cut)
        self.head = nn.Linear(config.width, config.vocabulary)

    def forward(
        self, rows: Tensor, valid: Tensor, positions: Positions, key_bias: Tensor, lefts: list[LeftContext]
    ) -> Tensor:
        """Kept frames [B, F, W] -> final logits [B, F, vocabulary]."""
        return self.head(self.layers(rows, valid, positions, key_bias, lefts)[-1])

    def with_middle(
        self, rows: Tensor, valid: Tensor, positions: Positions, key_bias: Tensor, lefts: list[LeftContext]
    ) -> tuple[Tensor, Tensor]:
        """As `forward`, and what the final head makes of the layer in the middle."""
        outputs = self.layers(rows, valid, positions, key_bias, lefts)
        return self.head(outputs[-1]), self.head(outputs[(len(self.layers) + 1) // 2])
