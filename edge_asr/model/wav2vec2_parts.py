"""The parts of `Wav2Vec2Encoder`: convolutions over samples and over frames, transformer layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge_asr.model.layers import LayerNorm, LeftContext, attend, for_heads, over_rows
from edge_asr.model.wav2vec2_config import Wav2Vec2Config


class Convolutions(nn.Module):
    """Samples to rows: strided convolutions without padding, so that a frame reads its own samples and a few before."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.config = config
        inputs = (1, *config.conv_channels[:-1])
        self.layers = nn.ModuleList(
            nn.Conv2d(into, out, (1, kernel), stride=(1, stride), bias=config.conv_bias)
            for into, out, kernel, stride in zip(
                inputs, config.conv_channels, config.conv_kernels, config.conv_strides, strict=True
            )
        )
        eps = 1e-5  # of both norms here, whatever the configuration says for the others
        self.norms = nn.ModuleList(
            LayerNorm(channels, eps) for channels in (config.conv_channels if config.layer_normed else ())
        )
        if self.normed_over_time:
            self.gain = nn.Parameter(torch.ones(config.conv_channels[0]))
            self.shift = nn.Parameter(torch.zeros(config.conv_channels[0]))
        self.eps = eps

    @property
    def normed_over_time(self) -> bool:
        return not self.config.layer_normed

    def first(self, samples: Tensor) -> Tensor:
        """float32 [N, S] -> what the first convolution gives [N, R, C]."""
        return over_rows(self.layers[0], samples.reshape(*samples.shape, 1))

    def rest(self, first: Tensor, mean: Tensor | None, power: Tensor | None) -> Tensor:
        """`first`, and with norms over time the mean and mean power [N, C, 1, 1] of each channel -> [N, F, C]."""
        rows = first
        for number, layer in enumerate(self.layers):
            if number:
                rows = over_rows(layer, rows)
            if self.config.layer_normed:
                rows = self.norms[number](rows)
            elif number == 0 and mean is not None and power is not None:
                centre, spread = (each.reshape(each.shape[0], 1, each.shape[1]) for each in (mean, power - mean * mean))
                rows = (rows - centre) * (torch.rsqrt(spread + self.eps) * self.gain) + self.shift
            rows = functional.gelu(rows)
        return rows


class PositionalConvolution(nn.Module):
    """What tells the layers of positions: a convolution over frames, half of it before the frame."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.before = config.position_kernel // 2
        self.after = config.position_kernel - 1 - self.before
        self.conv = nn.Conv2d(config.width, config.width, (1, config.position_kernel), groups=config.position_groups)

    def forward(self, context: Tensor) -> Tensor:
        """[B, before + F + after, W] -> [B, F, W]"""
        return functional.gelu(over_rows(self.conv, context))


class TransformerLayer(nn.Module):
    """Attention and feed-forward; each with its norm before it (`config.norm_first`) or after the residual path."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.config = config
        self.query_key_value = nn.Linear(config.width, 3 * config.width)
        self.out = nn.Linear(config.width, config.width)
        self.attention_norm = LayerNorm(config.width, config.norm_eps)
        self.up = nn.Linear(config.width, config.inner)
        self.down = nn.Linear(config.inner, config.width)
        self.feed_forward_norm = LayerNorm(config.width, config.norm_eps)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, key_bias: Tensor, left: LeftContext) -> Tensor:
        """x [B, F, W]; key_bias as of `for_heads` -> [B, F, W]"""
        if self.config.norm_first:
            x = x + self.dropout(self.attention(self.attention_norm(x), key_bias, left))
            return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))
        x = self.attention_norm(x + self.dropout(self.attention(x, key_bias, left)))
        return self.feed_forward_norm(x + self.dropout(self.feed_forward(x)))

    def attention(self, x: Tensor, key_bias: Tensor, left: LeftContext) -> Tensor:
        batch, frames, width = x.shape
        heads, head_width = self.config.heads, width // self.config.heads
        projected = self.query_key_value(x).reshape(batch * frames, 3 * heads, head_width).permute(1, 0, 2)
        query, key, value = (projected[part * heads : (part + 1) * heads] for part in range(3))
        return self.out(attend(query * head_width**-0.5, key, value, batch, key_bias, left))

    def feed_forward(self, x: Tensor) -> Tensor:
        return self.down(functional.gelu(self.up(x)))


class Stack(nn.ModuleList):
    """Layers one after the other. `lefts` gives each its past."""

    def __init__(self, config: Wav2Vec2Config, layers: int) -> None:
        super().__init__(TransformerLayer(config) for _ in range(layers))
        self.heads = config.heads

    def forward(self, x: Tensor, key_bias: Tensor, lefts: list[LeftContext]) -> list[Tensor]:
        """x [B, F, W]; key_bias [B, 1, left + F] -> what enters, and what each layer gives."""
        key_bias = for_heads(key_bias, self.heads)
        outputs = [x]
        for layer, left in zip(self, lefts, strict=True):
            outputs.append(layer(outputs[-1], key_bias, left))
        return outputs
