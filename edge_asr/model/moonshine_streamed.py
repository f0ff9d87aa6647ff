"""`MoonshineEncoder` in a stream: its modules with their past in and out as plain tensors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edge_asr.model.attention_past import AttentionPast
from edge_asr.model.heads import log_of, log_probabilities, of_one_stream, rows_of_one
from edge_asr.model.moonshine_front import TAIL_ROWS, TAIL_SAMPLES, FrontEnd
from edge_asr.model.moonshine_layers import LowerStack, PartialRotary, UpperStack


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
        stack = AttentionPast(valid, past)
        logits, handed, *gate = self.lower(self.front.frames(rows, statistics), (cos, sin), *stack.context())
        probabilities = torch.softmax(logits, dim=-1)
        blank = torch.sigmoid(gate[0]) if gate else probabilities[:, :, self.blank_id : self.blank_id + 1]
        emitted = of_one_stream(log_of(probabilities), blank, handed)
        return (*emitted, samples[:, samples.shape[1] - TAIL_SAMPLES :], statistics, *stack.renewed())


class StreamedUpper(nn.Module):
    """The upper stack on a block of kept frames."""

    def __init__(self, upper: UpperStack) -> None:
        super().__init__()
        self.upper = upper

    def forward(self, rows: Tensor, valid: Tensor, cos: Tensor, sin: Tensor, *past: Tensor) -> tuple[Tensor, ...]:
        """rows [1, R, W], valid [1, R, 1], cos and sin, past -> log probabilities [R, V], past."""
        stack = AttentionPast(valid, past)
        logits = self.upper(rows, (cos, sin), *stack.context())
        return (rows_of_one(log_probabilities(logits)), *stack.renewed())
