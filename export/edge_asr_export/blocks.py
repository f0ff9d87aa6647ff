"""What the exported program runs in delegates: the lower stack on a chunk, the upper one on a block of kept frames."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge_asr.model.config import EncoderConfig, StackConfig
from edge_asr.model.encoder import GatedEncoder, key_bias
from edge_asr.model.heads import log_of, log_probabilities
from edge_asr.model.layers import LayerCaches, LeftContext


def initial_past(stack: StackConfig, left_frames: int) -> list[Tensor]:
    """Zeros in place of a stack's past: where it has attention, which rows of the past are real [1, left, 1]; then for
    each layer what `LayerCaches` holds of the convolution, and of keys and values where it has attention."""
    shapes = [(1, stack.conv_tail, stack.width)]
    if stack.attention:
        shapes += [(stack.heads, stack.head_width, left_frames), (stack.heads, left_frames, stack.head_width)]
    real = [torch.zeros(1, left_frames, 1)] if stack.attention else []
    return real + [torch.zeros(shape) for _ in range(stack.layers) for shape in shapes]


class Past(nn.Module):
    """A stack's past as tensors, which go in and out of a block, and as what its layers take."""

    silence: Tensor

    def __init__(self, stack: StackConfig) -> None:
        super().__init__()
        self.stack = stack
        self.register_buffer("silence", torch.zeros(1, stack.conv_tail, stack.width))

    def taken(self, valid: Tensor, past: tuple[Tensor, ...]) -> tuple[list[LayerCaches], Tensor]:
        """valid [1, F, 1], which of the rows are real -> caches of each layer; with attention, which of the past's and
        of these are, [1, left + F, 1], without it `valid`."""
        real = valid
        if self.stack.attention:
            real = torch.cat([past[0], valid], dim=1)
            past = past[1:]
        each = len(past) // self.stack.layers
        return [LayerCaches(self.silence, *past[i : i + each]) for i in range(0, len(past), each)], real

    def given(self, real: Tensor, frames: int, layers: list[LayerCaches]) -> list[Tensor]:
        """The past for the block after one of so many rows, when the layers have run."""
        newest = [real[:, frames:]] if self.stack.attention else []
        each = [(layer.convolution_cache, layer.keys_cache, layer.values_cache) for layer in layers]
        return newest + [cache for caches in each for cache in caches if cache is not None]


class BlankAlone(nn.Module):
    """The intermediate head of a factorized model where labels are not asked: they are all alike, and blank is at least
    twice as likely as any, lest greedy decoding take one of them for what was said."""

    only_blank: Tensor  # [1, 1, V], 1 for blank
    each_label: Tensor  # [1, 1, V], 1 / (V - 1) for each label

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.least = 2 / (config.vocabulary + 1)
        only_blank = (torch.arange(config.vocabulary) == config.blank_id).to(torch.float32).reshape(1, 1, -1)
        self.register_buffer("only_blank", only_blank)
        self.register_buffer("each_label", (1 - only_blank) / (config.vocabulary - 1))

    def forward(self, blank: Tensor) -> Tensor:
        """Blank probability [1, F, 1] -> probabilities [1, F, V]."""
        blank = blank.clamp(min=self.least)
        return blank * self.only_blank + (1.0 - blank) * self.each_label


class LowerBlock(nn.Module):
    """What runs on every chunk after the Fourier transform: log-mel, subsampling, lower stack, intermediate head, of
    the head of a factorized model blank alone, and the head of a learned gate."""

    def __init__(self, encoder: GatedEncoder) -> None:
        super().__init__()
        self.past = Past(encoder.config.lower)
        self.blank_id = encoder.config.blank_id
        self.blank_alone = BlankAlone(encoder.config) if encoder.config.factorized else None
        self.learned_gate = encoder.config.gate.learned
        self.front_end = encoder.front_end
        self.subsampling = encoder.subsampling
        self.lower = encoder.lower

    def forward(
        self,
        spectrum: Tensor,
        level: Tensor,
        mel_tail: Tensor,
        first_tail: Tensor,
        valid: Tensor,
        cos: Tensor,
        sin: Tensor,
        *past: Tensor,
    ) -> tuple[Tensor, ...]:
        """spectrum [1, 4 F, fft + 2], level [1, 1, 1] -> log probs [F, V], what the gate reads as blank probability
        [1, F], rows for `UpperBlock` [F, lower width], the level, the two tails, past."""
        mel, level = self.front_end.log_mel(spectrum, valid, level)
        x, mel_tail, first_tail = self.subsampling(mel, mel_tail, first_tail)
        layers, real = self.past.taken(valid, past)
        bias = key_bias(real)
        lefts: list[LeftContext] = list(layers)
        if self.blank_alone is not None:
            hidden = rows = self.lower.hidden(x, valid, cos, sin, bias, lefts)
            blank = self.lower.blank_probability(rows)
            probabilities = self.blank_alone(blank)
        else:
            if self.learned_gate:
                hidden = self.lower.hidden(x, valid, cos, sin, bias, lefts)
                logits, rows = self.lower.hand_over(hidden)
            else:
                logits, rows = self.lower(x, valid, cos, sin, bias, lefts)
            probabilities = torch.softmax(logits, dim=-1)
            blank = probabilities[:, :, self.blank_id : self.blank_id + 1]
        if self.learned_gate:
            blank = torch.sigmoid(self.lower.gate_logits(hidden))
        frames = rows.shape[1]
        partial = log_of(probabilities).reshape(frames, probabilities.shape[2])
        blank, rows = blank.reshape(1, frames), rows.reshape(frames, rows.shape[2])
        return (partial, blank, rows, level, mel_tail, first_tail, *self.past.given(real, valid.shape[1], layers))


class UpperBlock(nn.Module):
    """What the taken branch runs: the upper stack on one block, state in and out as plain tensors; before it, for a
    factorized model, what the lower stack left for kept frames.

    It is given as many rows as the largest block has, and leaves out those after its own `size`, which are empty.
    """

    def __init__(self, encoder: GatedEncoder, size: int) -> None:
        super().__init__()
        self.size = size
        self.past = Past(encoder.config.upper)
        self.lower = encoder.lower if encoder.config.factorized else None
        self.upper = encoder.upper

    def forward(self, rows: Tensor, valid: Tensor, cos: Tensor, sin: Tensor, *past: Tensor) -> tuple[Tensor, ...]:
        """rows [1, 2 F, lower width], valid [1, 2 F, 1] -> log probs [2 F, V], past."""
        missing = rows.shape[1] - self.size
        if missing:
            rows, valid, cos, sin = (part[:, : self.size] for part in (rows, valid, cos, sin))
        layers, real = self.past.taken(valid, past)
        bias = key_bias(real)
        lefts: list[LeftContext] = list(layers)
        if self.lower is not None:
            _, rows = self.lower.hand_over(rows)
        final = log_probabilities(self.upper(rows, valid, cos, sin, bias, lefts))
        final = final.reshape(self.size, final.shape[2])
        if missing:
            final = functional.pad(final, (0, 0, 0, missing))
        return (final, *self.past.given(real, valid.shape[1], layers))


@dataclass(frozen=True)
class Blocks:
    """The modules that do the arithmetic."""

    lower: nn.Module  # `LowerBlock`
    uppers: tuple[nn.Module, ...]  # `UpperBlock` of each of `gate.block_sizes`
