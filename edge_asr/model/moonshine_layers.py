"""Moonshine's transformer layers and the two stacks of them, in training, in streams, and on whole utterances.

Moonshine has layer norms where these have RMS norms, and gives what it gives (Jiang et al. 2023, arXiv 2305.14858): a
layer norm is an RMS norm of rows whose mean is 0, and rows of mean 0 remain so where all that is added to them has mean
0, too. `moonshine_weights` takes the mean out of what attention and feed-forward add, and folds gains into the linears
that read them. An RMS norm is half the operators, and its one sum is of squares.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge_asr.model.config import StackConfig
from edge_asr.model.layers import Attention, LeftContext, RMSNorm, for_heads, rotation
from edge_asr.model.moonshine_config import MoonshineConfig
from edge_asr.model.positions import TURN, Turning, fine_steps


class PartialRotary(Turning):
    """Rotary positions for the first `rotary_width` features of a head.

    The two features of a pair lie half a head apart, as `layers.rotate` has them; pairs that do not turn lie last in
    each half, and turn by nothing. `interleaved` tells where each feature lies in Moonshine's order.
    """

    def __init__(self, config: MoonshineConfig) -> None:
        steps = fine_steps(config.rotary_width, config.rotary_theta)
        super().__init__(functional.pad(steps, (0, config.lower.head_width // 2 - len(steps))), TURN)


def interleaved(head_width: int, rotary_width: int) -> Tensor:
    """int64 [head_width]: which feature of Moonshine's head each of ours is. There the pairs are neighbours, from the
    first feature on."""
    turning = 2 * -(-rotary_width // 2)
    still = torch.arange(turning, head_width).reshape(2, -1)
    return torch.cat([torch.arange(0, turning, 2), still[0], torch.arange(1, turning, 2), still[1]])


class Layer(nn.Module):
    """Attention and feed-forward, each on the residual path after a norm. Attention's linears have biases, which
    Moonshine's have not: they start from zero there."""

    def __init__(self, config: MoonshineConfig, stack: StackConfig) -> None:
        super().__init__()
        self.attention = Attention(stack)
        self.norm = RMSNorm(config.width)
        self.up = nn.Linear(config.width, config.inner)
        self.down = nn.Linear(config.inner, config.width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, turn: tuple[Tensor, Tensor], key_bias: Tensor, left: LeftContext) -> Tensor:
        """As `layers.EncoderLayer`."""
        x = x + self.dropout(self.attention(x, turn, key_bias, left))
        return x + self.dropout(self.down(functional.gelu(self.up(self.norm(x)))))


class Stack(nn.Module):
    """Layers one after the other. `lefts` gives each its past."""

    def __init__(self, config: MoonshineConfig, stack: StackConfig) -> None:
        super().__init__()
        self.heads = stack.heads
        self.layers = nn.ModuleList(Layer(config, stack) for _ in range(stack.layers))

    def forward(
        self, x: Tensor, angles: tuple[Tensor, Tensor], key_bias: Tensor, lefts: list[LeftContext]
    ) -> list[Tensor]:
        """x [B, F, W], angles of `PartialRotary`, key_bias [B, 1, left + F] -> what enters, and what each layer
        gives."""
        turn = rotation(*angles)
        key_bias = for_heads(key_bias, self.heads)
        outputs = [x]
        for layer, left in zip(self.layers, lefts, strict=True):
            outputs.append(layer(outputs[-1], turn, key_bias, left))
        return outputs


class LowerStack(nn.Module):
    """Layers that run on every frame, the intermediate head, and the head of a learned gate.

    The upper stack is handed the rows as Moonshine's next layer would read them, and on top of them the intermediate
    head's posteriors, projected (self-conditioned CTC, Nozaki and Komatsu 2021): by zeros, before training.
    """

    def __init__(self, config: MoonshineConfig) -> None:
        super().__init__()
        self.stack = Stack(config, config.lower)
        self.norm = RMSNorm(config.width)
        self.head = nn.Linear(config.width, config.vocabulary)
        self.condition = nn.Linear(config.vocabulary, config.width)
        nn.init.zeros_(self.condition.weight)
        nn.init.zeros_(self.condition.bias)
        self.gate = nn.Linear(config.width, 1) if config.gate.learned else None

    def forward(
        self, x: Tensor, angles: tuple[Tensor, Tensor], key_bias: Tensor, lefts: list[LeftContext]
    ) -> tuple[Tensor, ...]:
        """[B, F, W] -> intermediate logits [B, F, vocabulary], hand-over [B, F, W], and logits of the gate [B, F, 1]
        where it is learned; their gradient ends at the gate's own head, as in `stacks.LowerStack`."""
        rows = self.stack(x, angles, key_bias, lefts)[-1]
        hidden = self.norm(rows)
        logits = self.head(hidden)
        handed = rows + self.condition(torch.softmax(logits, dim=-1))
        if self.gate is None:
            return logits, handed
        return logits, handed, self.gate(hidden if torch.compiler.is_exporting() else hidden.detach())


class UpperStack(nn.Module):
    """Layers that run on kept frames only, Moonshine's last norm, and the final head."""

    def __init__(self, config: MoonshineConfig) -> None:
        super().__init__()
        self.stack = Stack(config, config.upper)
        self.norm = RMSNorm(config.width)
        self.gain = nn.Parameter(torch.ones(config.width))  # of the norm: what Moonshine's decoder reads has it
        self.head = nn.Linear(config.width, config.vocabulary)

    def forward(
        self, rows: Tensor, angles: tuple[Tensor, Tensor], key_bias: Tensor, lefts: list[LeftContext]
    ) -> Tensor:
        """Kept frames [B, F, W] -> final logits [B, F, vocabulary]."""
        return self.logits(self.stack(rows, angles, key_bias, lefts)[-1])

    def with_middle(
        self, rows: Tensor, angles: tuple[Tensor, Tensor], key_bias: Tensor, lefts: list[LeftContext]
    ) -> tuple[Tensor, Tensor]:
        """As `forward`, and what the final head makes of the layer in the middle."""
        outputs = self.stack(rows, angles, key_bias, lefts)
        return self.logits(outputs[-1]), self.logits(outputs[len(self.stack.layers) // 2])

    def hidden(self, rows: Tensor) -> Tensor:
        """What Moonshine's encoder gives."""
        return self.norm(rows) * self.gain

    def logits(self, rows: Tensor) -> Tensor:
        return self.head(self.hidden(rows))
