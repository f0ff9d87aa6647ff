"""`MoonshineEncoder` in a stream: its modules with their past in and out as plain tensors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edge_asr.model.config import StackConfig
from edge_asr.model.heads import log_of, log_probabilities
from edge_asr.model.layers import LeftContext, key_bias
from edge_asr.model.moonshine_front import TAIL_ROWS, TAIL_SAMPLES, FrontEnd
from edge_asr.model.moonshine_layers import LowerStack, PartialRotary, UpperStack


def initial_past(stack: StackConfig, left_frames: int) -> list[Tensor]:
    """Zeros in place of a stack's past: which rows of it are real [1, left, 1]; then each layer's keys
    [heads, W / heads, left] and values [heads, left, W / heads]."""
    heads, width = stack.heads, stack.head_width
    each = ((heads, width, left_frames), (heads, left_frames, width))
    return [torch.zeros(1, left_frames, 1)] + [torch.zeros(shape) for _ in range(stack.layers) for shape in each]


class KeysAndValues:
    """Left context in streaming: one layer's keys, which lie as attention reads them, and values. After the layer has
    run they are its new past."""

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        self.keys = keys
        self.values = values

    def attention(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        keys = torch.cat([self.keys, key.permute(0, 2, 1)], dim=2)
        values = torch.cat([self.values, value], dim=1)
        self.keys, self.values = keys[:, :, key.shape[1] :], values[:, value.shape[1] :]
        return keys, values

    def convolution(self, rows: Tensor) -> Tensor:
        raise NotImplementedError  # Moonshine's layers have none


class Past:
    """A stack's past, for one block of rows."""

    def __init__(self, valid: Tensor, past: tuple[Tensor, ...]) -> None:
        """valid [1, F, 1], which of the rows are real; past as of `initial_past`."""
        real, *each = past
        self.frames = valid.shape[1]
        self.real = torch.cat([real, valid], dim=1)
        self.layers = [KeysAndValues(*each[i : i + 2]) for i in range(0, len(each), 2)]

    def context(self) -> tuple[Tensor, list[LeftContext]]:
        """What is added to attention's scores, and each layer's past."""
        return key_bias(self.real), list[LeftContext](self.layers)

    def renewed(self) -> list[Tensor]:
        """The past of the block to come, when the layers have run."""
        return [self.real[:, self.frames :], *(part for layer in self.layers for part in (layer.keys, layer.values))]


class StreamedOutside(nn.Module):
    """The angles of the lower stack's positions. It has no state: samples of the past are kept by the lower stack."""

    def __init__(self, rotary: PartialRotary) -> None:
        super().__init__()
        self.rotary = rotary

    def forward(self, pcm: Tensor, index: Tensor) -> tuple[tuple[Tensor, Tensor, Tensor], tuple[()]]:
        cos, sin = self.rotary(index.reshape(1, -1))
        return (pcm, cos, sin), ()


class StreamedLower(nn.Module):
    """Front end, lower stack, and its heads."""

    def __init__(self, front: FrontEnd, lower: LowerStack, blank_id: int) -> None:
        super().__init__()
        self.front = front
        self.lower = lower
        self.blank_id = blank_id

    def forward(
        self, pcm: Tensor, cos: Tensor, sin: Tensor, valid: Tensor, tail: Tensor, statistics: Tensor, *past: Tensor
    ) -> tuple[Tensor, ...]:
        """pcm [1, 384 F]; cos and sin; valid [1, F, 1]; tail [1, 512], the samples before; statistics [1, 1, 3]; past
        -> log probabilities [F, V], what the gate reads as blank probability [1, F], hand-over [F, W], tail,
        statistics, past."""
        samples = torch.cat([tail, pcm], dim=1)
        rows = self.front.rows(samples)
        statistics = self.front.remember(statistics, self.front.sums(rows[:, TAIL_ROWS:], valid))
        stack = Past(valid, past)
        logits, handed, *gate = self.lower(self.front.frames(rows, statistics), (cos, sin), *stack.context())
        probabilities = torch.softmax(logits, dim=-1)
        blank = torch.sigmoid(gate[0]) if gate else probabilities[:, :, self.blank_id : self.blank_id + 1]
        frames, tail = handed.shape[1], samples[:, samples.shape[1] - TAIL_SAMPLES :]
        partial = log_of(probabilities).reshape(frames, probabilities.shape[2])
        handed = handed.reshape(frames, handed.shape[2])
        return (partial, blank.reshape(1, frames), handed, tail, statistics, *stack.renewed())


class StreamedPositions(nn.Module):
    """Angles of the upper stack's positions."""

    def __init__(self, rotary: PartialRotary) -> None:
        super().__init__()
        self.rotary = rotary

    def forward(self, index: Tensor) -> tuple[Tensor, Tensor]:
        return self.rotary(index)


class StreamedUpper(nn.Module):
    """The upper stack on a block of kept frames."""

    def __init__(self, upper: UpperStack) -> None:
        super().__init__()
        self.upper = upper

    def forward(self, rows: Tensor, valid: Tensor, cos: Tensor, sin: Tensor, *past: Tensor) -> tuple[Tensor, ...]:
        """rows [1, R, W], valid [1, R, 1], cos and sin, past -> log probabilities [R, V], past."""
        stack = Past(valid, past)
        final = log_probabilities(self.upper(rows, (cos, sin), *stack.context()))
        return (final.reshape(final.shape[1], final.shape[2]), *stack.renewed())
