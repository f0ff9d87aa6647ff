"""The streaming program in eager PyTorch: one step of a stream, with its state in buffers.

`StreamingProgram` is both the reference that a `.pte` is verified against and, with `upper` replaced by its lowered
form, the module that is exported (`export/lower.py`). It composes the modules that training uses, so the arithmetic
is written once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge_asr.model.config import EncoderConfig, StackConfig
from edge_asr.model.encoder import GatedEncoder, key_bias
from edge_asr.model.gate import extend_spikes, find_spikes
from edge_asr.model.heads import log_of, log_probabilities
from edge_asr.model.layers import LayerCaches, LeftContext


def initial_caches(stack: StackConfig, left_frames: int) -> list[Tensor]:
    """Zeros for each layer: `LayerCaches` of the convolution, then of keys and values where the stack has attention."""
    shapes = [(1, stack.conv_tail, stack.width)]
    if stack.attention:
        shapes += [(stack.heads, stack.head_width, left_frames), (stack.heads, left_frames, stack.head_width)]
    return [torch.zeros(shape) for _ in range(stack.layers) for shape in shapes]


class Caches(nn.Module):
    """Tensors in and out of a block <-> caches of the layers of a stack."""

    silence: Tensor

    def __init__(self, stack: StackConfig, missing: int = 0) -> None:
        super().__init__()
        self.layers = stack.layers
        self.missing = missing
        self.register_buffer("silence", torch.zeros(1, stack.conv_tail, stack.width))

    def forward(self, caches: tuple[Tensor, ...]) -> list[LayerCaches]:
        each = len(caches) // self.layers
        return [LayerCaches(self.silence, self.missing, *caches[i : i + each]) for i in range(0, len(caches), each)]


def flatten_caches(layers: list[LayerCaches]) -> list[Tensor]:
    each = [(layer.convolution_cache, layer.keys_cache, layer.values_cache) for layer in layers]
    return [cache for caches in each for cache in caches if cache is not None]


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
        self.caches = Caches(encoder.config.lower)
        self.blank_id = encoder.config.blank_id
        self.blank_alone = BlankAlone(encoder.config) if encoder.config.factorized else None
        self.learned_gate = encoder.config.gate.learned
        self.front_end = encoder.front_end
        self.subsampling = encoder.subsampling
        self.lower = encoder.lower

    def forward(
        self,
        spectrum: Tensor,
        mel_tail: Tensor,
        first_tail: Tensor,
        valid: Tensor,
        cos: Tensor,
        sin: Tensor,
        bias: Tensor,
        *caches: Tensor,
    ) -> tuple[Tensor, ...]:
        """spectrum [1, 4 F, fft + 2] -> log probs [F, V], what the gate reads as blank probability [1, F], rows for
        `UpperBlock` [F, lower width], the two tails, caches."""
        mel = self.front_end.log_mel(spectrum)
        x, mel_tail, first_tail = self.subsampling(mel, mel_tail, first_tail)
        layers = self.caches(caches)
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
        return (partial, blank, rows, mel_tail, first_tail, *flatten_caches(layers))


class UpperBlock(nn.Module):
    """What the taken branch runs: the upper stack on one block, state in and out as plain tensors; before it, for a
    factorized model, what the lower stack left for kept frames.

    A block of which only the first `rows` may be filled gives the same for less: the others are left out.
    """

    def __init__(self, encoder: GatedEncoder, rows: int | None = None) -> None:
        super().__init__()
        self.config = encoder.config.upper
        self.frames = encoder.config.chunk_frames
        self.rows = self.frames if rows is None else rows
        self.caches = Caches(self.config, missing=self.frames - self.rows)
        self.lower = encoder.lower if encoder.config.factorized else None
        self.upper = encoder.upper

    def forward(
        self, rows: Tensor, valid: Tensor, cos: Tensor, sin: Tensor, bias: Tensor, *caches: Tensor
    ) -> tuple[Tensor, ...]:
        """rows [1, F, lower width], valid [1, F, 1], bias [1, 1, left + F] -> log probs [F, V], caches."""
        missing = self.caches.missing
        layers = self.caches(caches)
        lefts: list[LeftContext] = list(layers)
        if missing:
            rows, valid, cos, sin = (part[:, : self.rows] for part in (rows, valid, cos, sin))
            if self.config.attention:
                bias = bias[:, :, : bias.shape[2] - missing]
        if self.lower is not None:
            _, rows = self.lower.hand_over(rows)
        final = log_probabilities(self.upper(rows, valid, cos, sin, bias, lefts))
        if missing:
            final = functional.pad(final, (0, 0, 0, missing))
        return (final.reshape(self.frames, final.shape[2]), *flatten_caches(layers))


def block_sizes(frames: int) -> tuple[int, ...]:
    """Chunk length -> the numbers of rows that the upper stack is lowered for, ascending. A block runs on the least of
    them that holds its filled rows.

    A quarter, a half and the whole: kernels for int8 matrices take a few rows at once (4 or 5 in XNNPACK).
    """
    return tuple(sorted({max(1, frames // 4), max(1, frames // 2), frames}))


@dataclass(frozen=True)
class Blocks:
    """The modules that do the arithmetic."""

    lower: nn.Module  # `LowerBlock`
    uppers: tuple[nn.Module, ...]  # `UpperBlock` of each of `block_sizes`


class StreamingProgram(nn.Module):
    """One chunk in, emissions out (`edge_asr.contract`). All shapes are static; the number of kept frames is data.

    What runs outside the delegates is written with few kinds of operators: each kind is a kernel whose code takes
    memory, and a call. Reshapes cost nothing; `unsqueeze` and `x[i]` copy. What a branch gives must not be reshaped: a
    reshape reads where it would lie, had it not come from a branch.
    """

    # Constants.
    positions: Tensor  # int64 [F], 0 to F - 1
    ends: Tensor  # int64 [2 F, 1], 1 to 2 F
    zero: Tensor  # int64 [1]
    one: Tensor  # int64 [1]
    almost_full: Tensor  # int64 [1], F - 1
    size_0: Tensor  # int64 [1], the least of the `block_sizes`; the others, but for the last, have one each, too
    no_angles: Tensor  # [1, F, 1, 1], what a stack without attention is given for angles, and never reads
    no_bias: Tensor  # [1, 1, 1], and for the bias of keys
    patience: Tensor  # int64 [1], frames that the oldest waiting frame may be behind the chunk's first
    # State: the past of the front end, of the lower stack, of the gate and of the upper stack.
    samples_tail: Tensor  # [1, tail_samples]
    mel_tail: Tensor  # [1, 1, mels]
    first_tail: Tensor  # [1, channels, 1, mels / 2]
    lower_valid: Tensor  # [1, left, 1], which rows of the lower caches are real
    next_frame: Tensor  # int64 [1], number of the chunk's first frame
    spikes_tail: Tensor  # [1, spike_right], last spikes of the chunk before
    waiting_rows: Tensor  # [F, lower width], what `LowerBlock` gave for kept frames that wait for a block
    waiting_index: Tensor  # int64 [F], their frame numbers
    waiting_count: Tensor  # int64 [1], how many there are
    upper_valid: Tensor  # [1, left, 1], which rows of the upper caches are real

    def __init__(self, encoder: GatedEncoder, lowered: Blocks | None = None) -> None:
        """`lowered` stand in for `LowerBlock` and `UpperBlock`: their lowered forms, when exporting."""
        super().__init__()
        config = encoder.config
        self.config: EncoderConfig = config
        self.front_end = encoder.front_end
        self.lower_rotary = encoder.lower_rotary
        self.upper_rotary = encoder.upper_rotary
        *smaller, _ = sizes = block_sizes(config.chunk_frames)
        blocks = lowered or Blocks(LowerBlock(encoder), tuple(UpperBlock(encoder, size) for size in sizes))
        self.lower, self.uppers = blocks.lower, nn.ModuleList(blocks.uppers)
        left, frames = config.left_context_frames, config.chunk_frames
        state = {
            "samples_tail": torch.zeros(1, config.front_end.tail_samples),
            "mel_tail": torch.zeros(1, 1, config.front_end.mels),
            "first_tail": torch.zeros(1, config.subsampling_channels, 1, encoder.subsampling.bands[1]),
            "lower_valid": torch.zeros(1, left, 1),
            "next_frame": torch.zeros(1, dtype=torch.int64),
            "spikes_tail": torch.zeros(1, config.gate.spike_right),
            "waiting_rows": torch.zeros(frames, config.lower.width),
            "waiting_index": torch.zeros(frames, dtype=torch.int64),
            "waiting_count": torch.zeros(1, dtype=torch.int64),
            "upper_valid": torch.zeros(1, left, 1),
        }
        state |= {f"lower_cache_{i}": cache for i, cache in enumerate(initial_caches(config.lower, left))}
        state |= {f"upper_cache_{i}": cache for i, cache in enumerate(initial_caches(config.upper, left))}
        self.state_names = list(state)
        constants = {
            "positions": torch.arange(frames),
            "ends": torch.arange(1, 2 * frames + 1).reshape(-1, 1),
            "zero": torch.tensor([0]),
            "one": torch.tensor([1]),
            "almost_full": torch.tensor([frames - 1]),
            **{f"size_{number}": torch.tensor([size]) for number, size in enumerate(smaller)},
            "no_angles": torch.zeros(1, frames, 1, 1),
            "no_bias": torch.zeros(1, 1, 1),
            "patience": torch.tensor([(config.gate.max_wait_chunks - 1) * frames]),
        }
        for name, value in (constants | state).items():
            self.register_buffer(name, value)

    def caches(self, stack: str) -> tuple[Tensor, ...]:
        prefix = f"{stack}_cache_"
        return tuple(getattr(self, name) for name in self.state_names if name.startswith(prefix))

    def set_state(self, name: str, value: Tensor) -> None:
        getattr(self, name).copy_(value)

    def forward(
        self, pcm: Tensor, frames: Tensor, threshold: Tensor, flush: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """The contract's `step`."""
        index = self.next_frame + self.positions
        valid = (self.positions < frames).to(torch.float32)
        partial, blank, handed = self.run_lower(pcm, frames, index, valid)
        keep = self.decide(blank, valid, threshold)
        final, block_index, waiting = self.run_upper(handed, keep, index, flush)
        self.set_state("next_frame", self.next_frame + frames)
        return partial, keep, final, block_index, waiting

    def run_lower(self, pcm: Tensor, frames: Tensor, index: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """-> log probabilities of the intermediate head [F, V], blank probability [1, F], and hand-over [F, width].

        A step at the end of the stream, that only empties what waits, takes no frames: then all three are zeros.
        """
        samples = torch.cat([self.samples_tail, pcm], dim=1)
        spectrum = self.front_end.spectrum(samples)
        rows = valid.reshape(1, -1, 1)
        size, vocabulary, width = self.config.chunk_frames, self.config.vocabulary, self.config.lower.width

        def ran(*operands):  # type: ignore[no-untyped-def]
            return self.lower(*operands)

        def skipped(spectrum, mel_tail, first_tail, rows, cos, sin, bias, *caches):  # type: ignore[no-untyped-def]
            zeros = [spectrum.new_zeros(shape) for shape in ((size, vocabulary), (1, size), (size, width))]
            return (*zeros, *(state.clone() for state in (mel_tail, first_tail, *caches)))

        tails = (self.mel_tail, self.first_tail)
        attended = self.attended("lower", index, torch.cat([self.lower_valid, rows], dim=1))
        operands = (spectrum, *tails, rows, *attended, *self.caches("lower"))
        some = (self.zero < frames).reshape(())
        partial, blank, handed, mel_tail, first_tail, *caches = branch(some, ran, skipped, operands)
        self.set_state("samples_tail", samples[:, samples.shape[1] - self.samples_tail.shape[1] :])
        self.set_state("mel_tail", mel_tail)
        self.set_state("first_tail", first_tail)
        if self.config.lower.attention:
            self.set_state("lower_valid", torch.cat([self.lower_valid, rows], dim=1)[:, rows.shape[1] :])
        for i, cache in enumerate(caches):
            self.set_state(f"lower_cache_{i}", cache)
        return partial, blank, handed

    def attended(self, stack: str, index: Tensor, extended: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What attention of a stack wants to know of rows: cos and sin of the frame numbers `index` [F], and the bias
        of keys, of which `extended` [1, left + F, 1] says which are real. Without attention it costs nothing."""
        config: StackConfig = getattr(self.config, stack)
        if not config.attention:
            return self.no_angles, self.no_angles, self.no_bias
        cos, sin = getattr(self, f"{stack}_rotary")(index.reshape(1, -1))
        return cos, sin, key_bias(extended)

    def decide(self, blank: Tensor, valid: Tensor, threshold: Tensor) -> Tensor:
        """Blank probability [1, F] -> which frames go up: float32 [F], 1.0 or 0.0."""
        right = self.config.gate.spike_right
        spikes = find_spikes(blank, threshold) * valid
        keep = extend_spikes(spikes, self.spikes_tail, self.config.gate)
        if right:
            self.set_state("spikes_tail", spikes[:, spikes.shape[1] - right :])
        return keep.reshape(-1) * valid

    def run_upper(self, handed: Tensor, keep: Tensor, index: Tensor, flush: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Append the kept frames [F, lower width] to those that wait; run one block if one is due, as
        `gate.plan_blocks` says.

        -> log probabilities [F, V], their frame numbers [F] (-1 where empty), frames still waiting [1].
        """
        size = self.config.chunk_frames
        rows = torch.cat([self.waiting_rows, handed], dim=0)
        indices = torch.cat([self.waiting_index, index], dim=0)
        present = torch.cat([(self.positions < self.waiting_count).to(torch.int64), keep.to(torch.int64)])
        rank = torch.cumsum(present, dim=0)
        total = rank[2 * size - 1 :]
        # source[j] is where the j-th present row lies: as many rows as have a rank of at most j come before it.
        source = (rank.reshape(1, -1) < self.ends).to(torch.int64).sum(dim=1).clamp(max=2 * size - 1)
        run = self.is_due(total, torch.index_select(indices, 0, source[:1]), index[:1], flush)
        taken = run * torch.clamp(total, max=size)

        block = source[:size]
        block_index = torch.index_select(indices, 0, block)
        filled = (self.positions < taken).to(torch.int64)
        final = self.run_block(run, taken, torch.index_select(rows, 0, block), filled.to(torch.float32), block_index)

        rest = torch.index_select(source, 0, self.positions + run * size)
        waiting = total - taken
        self.set_state("waiting_rows", torch.index_select(rows, 0, rest))
        self.set_state("waiting_index", torch.index_select(indices, 0, rest))
        self.set_state("waiting_count", waiting)
        return final, (block_index + 1) * filled - 1, waiting + 0

    def is_due(self, total: Tensor, oldest: Tensor, first: Tensor, flush: Tensor) -> Tensor:
        """int64 [1], 1 where a block runs: it is full; or some frames wait, and the chunk keeps none, or the stream
        is flushed, or the oldest frame has waited long enough."""
        kept = total - self.waiting_count
        smaller = torch.cat([self.almost_full, self.zero, kept, self.zero, oldest + self.patience])
        larger = torch.cat([total, total, self.one, flush, first])
        holds = (smaller < larger).to(torch.int64)
        full, some, reasons = holds[:1], holds[1:2], holds[2:]
        return (full + some * reasons.sum(dim=0, keepdim=True)).clamp(max=1)

    def run_block(self, run: Tensor, taken: Tensor, rows: Tensor, filled: Tensor, index: Tensor) -> Tensor:
        """The branch: upper stack or nothing, on rows [F, lower width] of which the first `taken` [1] are real, as
        `filled` [F] says too.

        -> log probabilities [F, V]; zeros where it did not run.
        """
        rows, filled = rows.reshape(1, *rows.shape), filled.reshape(1, -1, 1)
        extended = torch.cat([self.upper_valid, filled], dim=1)
        vocabulary, steps = self.config.vocabulary, len(self.uppers) - 1

        def ran(number):  # type: ignore[no-untyped-def]
            """On a block of this size, or of a larger one where it does not hold what was taken."""

            def here(*operands):  # type: ignore[no-untyped-def]
                return self.uppers[number](*operands[steps:])

            def here_or_larger(*operands):  # type: ignore[no-untyped-def]
                return branch(operands[number], ran(number + 1), here, operands)

            return here_or_larger if number < steps else here

        def skipped(*operands):  # type: ignore[no-untyped-def]
            rows, _, _, _, _, *caches = operands[steps:]
            return (rows.new_zeros(rows.shape[1], vocabulary), *(cache.clone() for cache in caches))

        too_small = [(getattr(self, f"size_{number}") < taken).reshape(()) for number in range(steps)]
        attended = self.attended("upper", index, extended)
        operands = (*too_small, rows, filled, *attended, *self.caches("upper"))
        final, *caches = branch((self.zero < run).reshape(()), ran(0), skipped, operands)
        for i, cache in enumerate(caches):
            self.set_state(f"upper_cache_{i}", cache)
        change = (extended[:, filled.shape[1] :] - self.upper_valid) * run.to(torch.float32)
        self.set_state("upper_valid", self.upper_valid + change)
        return final


def branch(
    condition: Tensor,
    taken: Callable[..., tuple[Tensor, ...]],
    not_taken: Callable[..., tuple[Tensor, ...]],
    operands: tuple[Tensor, ...],
) -> tuple[Tensor, ...]:
    """`torch.cond`, on a condition of no dimensions. In eager mode, which would compile both sides first, it takes a
    minute and proves nothing: there the side is called."""
    if torch.compiler.is_compiling():
        return torch.cond(condition, taken, not_taken, operands)
    return (taken if condition else not_taken)(*operands)


class Reset(nn.Module):
    """The contract's `reset`: every buffer of the program back to zero, which is where a stream starts."""

    def __init__(self, program: StreamingProgram) -> None:
        super().__init__()
        self.state_names = program.state_names
        for name in program.state_names:
            self.register_buffer(name, getattr(program, name))

    def forward(self, unused: Tensor) -> Tensor:
        for name in self.state_names:
            buffer = getattr(self, name)
            buffer.copy_(torch.zeros_like(buffer))
        return unused + 0.0
