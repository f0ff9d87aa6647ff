"""`ParakeetEncoder` in a stream: its modules with their past in and out as plain tensors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edge_asr.model.config import StackConfig
from edge_asr.model.heads import log_of, log_probabilities, of_one_stream, rows_of_one
from edge_asr.model.layers import LeftContext, key_bias
from edge_asr.model.parakeet_config import ParakeetConfig
from edge_asr.model.parakeet_front import FrontEnd, Moments, Subsampling
from edge_asr.model.parakeet_layers import LowerStack, Positions, UpperStack, position_keys
from edge_asr.model.streamed import Past, initial_past


def initial_stack_past(stack: StackConfig, left_frames: int) -> list[Tensor]:
    """Zeros in place of a stack's past: `position_keys` of the left context [1, W, left], then as `initial_past`."""
    return [torch.zeros(1, stack.width, left_frames), *initial_past(stack, left_frames)]


class BlockPast:
    """A stack's past, for one block of rows: that of its layers, and where the rows of the left context lie."""

    def __init__(self, of_layers: Past, valid: Tensor, cos: Tensor, sin: Tensor, past: tuple[Tensor, ...]) -> None:
        """valid [1, F, 1]; cos and sin of `FrameAngles`; past as of `initial_stack_past`."""
        keys, *rest = past
        self.of_layers, self.valid = of_layers, valid
        self.positions = Positions.of(cos, sin, torch.cat([keys, position_keys(cos, sin).permute(0, 2, 1)], dim=2))
        self.layers, self.real = of_layers.taken(valid, tuple(rest))

    def context(self) -> tuple[Tensor, Positions, Tensor, list[LeftContext]]:
        """What the stacks take beside their rows."""
        return self.valid, self.positions, key_bias(self.real), list[LeftContext](self.layers)

    def renewed(self) -> list[Tensor]:
        """The past of the block to come, when the layers have run."""
        frames = self.valid.shape[1]
        return [self.positions.keys[:, :, frames:], *self.of_layers.given(self.real, frames, self.layers)]


class StreamedLower(nn.Module):
    """Log-mel, subsampling, lower stack, and its heads."""

    def __init__(self, config: ParakeetConfig, front: FrontEnd, subsampling: Subsampling, lower: LowerStack) -> None:
        super().__init__()
        self.chunk_frames, self.blank_id = config.chunk_frames, config.blank_id
        self.front = front
        self.subsampling = subsampling
        self.lower = lower
        self.past = Past(config.lower)

    def forward(self, spectrum: Tensor, cos: Tensor, sin: Tensor, valid: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """spectrum [1, R, 514]; cos and sin; valid [1, F, 1]; `Moments`, tails of `Subsampling`, past -> log
        probabilities [F, V], what the gate reads as blank probability [1, F], hand-over [F, W], new state."""
        first_past = 3 + self.subsampling.stages
        before, tails, past = Moments(*state[:3]), list(state[3:first_past]), state[first_past:]
        mel = self.front.log_mel(spectrum)
        moments = self.front.with_chunk(before, self.front.of_chunk(mel, valid), self.chunk_frames)
        x, tails = self.subsampling(self.front.normalized(mel, moments), tails)
        block = BlockPast(self.past, valid, cos, sin, past)
        logits, handed, *gate = self.lower(x, *block.context())
        probabilities = torch.softmax(logits, dim=-1)
        blank = torch.sigmoid(gate[0]) if gate else probabilities[:, :, self.blank_id : self.blank_id + 1]
        emitted = of_one_stream(log_of(probabilities), blank, handed)
        return (*emitted, *moments, *tails, *block.renewed())


class StreamedUpper(nn.Module):
    """The upper stack on a block of kept frames."""

    def __init__(self, config: ParakeetConfig, upper: UpperStack) -> None:
        super().__init__()
        self.upper = upper
        self.past = Past(config.upper)

    def forward(self, rows: Tensor, valid: Tensor, cos: Tensor, sin: Tensor, *past: Tensor) -> tuple[Tensor, ...]:
        """rows [1, R, W], valid [1, R, 1], cos and sin, past -> log probabilities [R, V], past."""
        block = BlockPast(self.past, valid, cos, sin, past)
        logits = self.upper(rows, *block.context())
        return (rows_of_one(log_probabilities(logits)), *block.renewed())
