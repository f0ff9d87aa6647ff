"""`GatedEncoder` in a stream: its modules with their past in and out as plain tensors."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from edge_asr.model.config import EncoderConfig, StackConfig
from edge_asr.model.front_end import FrontEnd
from edge_asr.model.heads import log_of, log_probabilities, of_one_stream, rows_of_one
from edge_asr.model.layers import LayerCaches, LeftContext, key_bias
from edge_asr.model.positions import Turning
from edge_asr.model.stacks import LowerStack, Subsampling, UpperStack


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


class Spectral(Protocol):
    """A front end whose Fourier transform is apart from the rest."""

    def spectrum(self, samples: Tensor) -> Tensor:
        """A chunk's samples and those before that it reads [N, S] -> [N, rows, fft_size + 2], real and imaginary parts
        side by side."""


class StreamedOutside(nn.Module):
    """The Fourier transform of a chunk, which no delegate takes, and the angles of the lower stack's positions, where
    it has attention."""

    def __init__(self, front_end: Spectral, turning: Turning | None) -> None:
        super().__init__()
        self.front_end = front_end
        self.turning = turning

    def forward(self, pcm: Tensor, index: Tensor, samples_tail: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor]]:
        """-> (spectrum [1, rows, fft + 2], cos, sin) and the last samples."""
        samples = torch.cat([samples_tail, pcm], dim=1)
        newest = samples[:, samples.shape[1] - samples_tail.shape[1] :]
        angles = self.turning(index.reshape(1, -1)) if self.turning is not None else ()
        return (self.front_end.spectrum(samples), *angles), (newest,)


class StreamedLower(nn.Module):
    """What runs on every chunk after the Fourier transform: log-mel, subsampling, lower stack, intermediate head, of
    the head of a factorized model blank alone, and the head of a learned gate."""

    def __init__(self, config: EncoderConfig, front_end: FrontEnd, subsampling: Subsampling, lower: LowerStack) -> None:
        super().__init__()
        self.past = Past(config.lower)
        self.blank_id = config.blank_id
        self.blank_alone = BlankAlone(config) if config.factorized else None
        self.learned_gate = config.gate.learned
        self.angles = 2 if config.lower.attention else 0
        self.front_end = front_end
        self.subsampling = subsampling
        self.lower = lower

    def forward(self, spectrum: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        """spectrum [1, 4 F, fft + 2]; cos and sin where there is attention; valid [1, F, 1]; level [1, 1, 1], the tails
        of `Subsampling`, and past -> log probs [F, V], what the gate reads as blank probability [1, F], rows for
        `StreamedUpper` [F, lower width], level, tails, past."""
        angles, (valid, level, mel_tail, first_tail, *past) = rest[: self.angles], rest[self.angles :]
        mel, level = self.front_end.log_mel(spectrum, valid, level)
        x, mel_tail, first_tail = self.subsampling(mel, mel_tail, first_tail)
        layers, real = self.past.taken(valid, tuple(past))
        context = (key_bias(real), list[LeftContext](layers))
        if self.blank_alone is not None:
            hidden = rows = self.lower.hidden(x, valid, angles, *context)
            blank = self.lower.blank_probability(rows)
            probabilities = self.blank_alone(blank)
        else:
            if self.learned_gate:
                hidden = self.lower.hidden(x, valid, angles, *context)
                logits, rows = self.lower.hand_over(hidden)
            else:
                logits, rows = self.lower(x, valid, angles, *context)
            probabilities = torch.softmax(logits, dim=-1)
            blank = probabilities[:, :, self.blank_id : self.blank_id + 1]
        if self.learned_gate:
            blank = torch.sigmoid(self.lower.gate_logits(hidden))
        emitted = of_one_stream(log_of(probabilities), blank, rows)
        return (*emitted, level, mel_tail, first_tail, *self.past.given(real, valid.shape[1], layers))


class StreamedUpper(nn.Module):
    """The upper stack on a block of kept frames; before it, for a factorized model, what the lower stack left for
    them."""

    def __init__(self, config: EncoderConfig, lower: LowerStack, upper: UpperStack) -> None:
        super().__init__()
        self.past = Past(config.upper)
        self.angles = 2 if config.upper.attention else 0
        self.lower = lower if config.factorized else None
        self.upper = upper

    def forward(self, rows: Tensor, valid: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        """rows [1, R, lower width], valid [1, R, 1]; cos and sin where there is attention; past -> log probs [R, V],
        past."""
        angles, past = rest[: self.angles], rest[self.angles :]
        layers, real = self.past.taken(valid, past)
        if self.lower is not None:
            _, rows = self.lower.hand_over(rows)
        logits = self.upper(rows, valid, angles, key_bias(real), list[LeftContext](layers))
        return (rows_of_one(log_probabilities(logits)), *self.past.given(real, valid.shape[1], layers))
