"""A gated streaming CTC encoder, cut at the seams that another encoder would have to offer (see `protocol.py`)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge_asr.model.config import EncoderConfig, StackConfig
from edge_asr.model.front_end import FrontEnd
from edge_asr.model.gate import block_sizes, extend_spikes, find_spikes, plan_blocks, size_of_block
from edge_asr.model.heads import FactorizedHead, output_head
from edge_asr.model.layers import MASKED, ChunkNeighbours, EncoderLayer, LeftContext, RMSNorm, RowsBefore, rotation

BLOCK_GRANULE = 8  # blocks of a training batch are a multiple of it
SKIPPED_LOG_PROB = -12.0  # log probability of every label on a skipped frame, whose blank has 0


class Rotary(nn.Module):
    """Angles of rotary positions at original frame times.

    Every angular step is a whole fraction of the period, and the product of frame index and step is reduced in
    integers, so angles are as exact in the tenth hour of a stream as in its first second.
    """

    steps: Tensor

    def __init__(self, head_width: int, period_frames: int) -> None:
        super().__init__()
        self.period_frames = period_frames
        fastest = period_frames / (2 * math.pi)  # one radian a frame
        steps = torch.logspace(math.log10(fastest), 0.0, head_width // 2, dtype=torch.float64).round().long()
        # Of a pair of features the first turns backwards, whose cosine is the same, and whose sine has the other sign.
        self.register_buffer("steps", torch.cat([-steps, steps]), persistent=False)

    def forward(self, frame_index: Tensor) -> tuple[Tensor, Tensor]:
        """int64 [B, F] -> cos and sin, each float32 [B, F, 1, head_width]: the share of each feature in itself when it
        is turned, and in it that of the other feature of its pair, which is half the width away."""
        batch, frames = frame_index.shape
        turns = torch.remainder(frame_index.reshape(batch, frames, 1, 1) * self.steps, self.period_frames)
        angle = turns.to(torch.float32) * (2 * math.pi / self.period_frames)
        return torch.cos(angle), torch.sin(angle)


class Subsampling(nn.Module):
    """80 mel bands at 10 ms to `width` features at 40 ms by two causal stride-2 convolutions."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        channels = config.subsampling_channels
        self.bands = [config.front_end.mels, -(-config.front_end.mels // 2), -(-config.front_end.mels // 4)]
        self.first = nn.Conv2d(1, channels, 3, stride=2, padding=(0, 1))
        self.second = nn.Conv2d(channels, channels, 3, stride=2, padding=(0, 1))
        self.out = nn.Linear(channels * self.bands[2], config.lower.width)
        self.channels = channels

    def forward(self, mel: Tensor, mel_tail: Tensor, first_tail: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """mel [N, 4 F, mels] and the tails of the chunk before -> features [N, F, width] and the new tails.

        mel_tail [N, 1, mels]: the last mel frame; first_tail [N, channels, 1, mels / 2]: the last output of the
        first convolution. Zeros at the start of a stream.
        """
        image, tail = (rows.reshape(rows.shape[0], 1, rows.shape[1], rows.shape[2]) for rows in (mel, mel_tail))
        first = functional.relu(self.first(torch.cat([tail, image], dim=2)))
        second = functional.relu(self.second(torch.cat([first_tail, first], dim=2)))
        flat = second.permute(0, 2, 1, 3).reshape(mel.shape[0], second.shape[2], self.channels * self.bands[2])
        return self.out(flat), mel[:, -1:], first[:, :, -1:]


class Stack(nn.Module):
    """A stack of encoder layers. `lefts` gives each layer its past."""

    def __init__(self, config: StackConfig, dropout: float) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(EncoderLayer(config, dropout) for _ in range(config.layers))

    def forward(
        self, x: Tensor, valid: Tensor, cos: Tensor, sin: Tensor, key_bias: Tensor, lefts: list[LeftContext]
    ) -> Tensor:
        return self.all_layers(x, valid, cos, sin, key_bias, lefts)[-1]

    def all_layers(
        self, x: Tensor, valid: Tensor, cos: Tensor, sin: Tensor, key_bias: Tensor, lefts: list[LeftContext]
    ) -> list[Tensor]:
        """What enters, and what each layer gives."""
        turn = rotation(cos, sin)
        if x.shape[0] > 1:
            key_bias = key_bias.repeat(self.config.heads, 1, 1)
        outputs = [x]
        for layer, left in zip(self.layers, lefts, strict=True):
            outputs.append(layer(outputs[-1], valid, turn, key_bias, left))
        return outputs


class LowerStack(nn.Module):
    """Layers that always run, the intermediate head, and the features handed over to the upper stack.

    The hand-over adds the intermediate head's posterior, projected, to the features (self-conditioned CTC,
    Nozaki and Komatsu 2021), so that the upper stack starts from what the lower one believes. The exported program of a
    factorized model takes it in parts: `hidden` and `blank_probability` on every frame, `hand_over` on kept ones only.
    A learned gate is one more head on the rows of `hidden`.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width = config.lower.width
        self.stack = Stack(config.lower, config.dropout)
        self.norm = RMSNorm(width)
        self.head = output_head(config, width)
        self.condition = nn.Linear(config.vocabulary, width)
        self.gate = nn.Linear(width, 1) if config.gate.learned else None

    def forward(
        self, x: Tensor, valid: Tensor, cos: Tensor, sin: Tensor, key_bias: Tensor, lefts: list[LeftContext]
    ) -> tuple[Tensor, Tensor]:
        """[B, F, W] -> intermediate logits [B, F, vocabulary], hand-over [B, F, W]."""
        return self.hand_over(self.hidden(x, valid, cos, sin, key_bias, lefts))

    def hidden(
        self, x: Tensor, valid: Tensor, cos: Tensor, sin: Tensor, key_bias: Tensor, lefts: list[LeftContext]
    ) -> Tensor:
        """What the intermediate head reads, [B, F, W]."""
        return self.norm(self.stack(x, valid, cos, sin, key_bias, lefts))

    def blank_probability(self, hidden: Tensor) -> Tensor:
        """Of a factorized model: rows of `hidden` -> [B, F, 1]."""
        assert isinstance(self.head, FactorizedHead)
        return torch.sigmoid(self.head.blank(hidden))

    def hand_over(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """As `forward`, from the rows of `hidden`, each by itself."""
        logits = self.head(hidden)
        return logits, hidden + self.condition(torch.softmax(logits, dim=-1))

    def gate_logits(self, hidden: Tensor) -> Tensor:
        """Of a model with a learned gate: rows of `hidden` -> [B, F, 1]; their sigmoid is the probability that the
        upper stack, had it seen every frame, would call the frame blank."""
        assert self.gate is not None
        return self.gate(hidden)

    def with_gate(
        self, x: Tensor, valid: Tensor, cos: Tensor, sin: Tensor, key_bias: Tensor, lefts: list[LeftContext]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As `forward`, and `gate_logits`, in training: their gradient ends at the gate's own head.

        The rows are there for words: both heads' are made of them. Drawn towards foreseeing the upper stack as well,
        they would serve words less, and what is to be foreseen would move with them.
        """
        hidden = self.hidden(x, valid, cos, sin, key_bias, lefts)
        return (*self.hand_over(hidden), self.gate_logits(hidden.detach()))


class UpperStack(nn.Module):
    """Layers that run on kept frames only, and the final head."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.enter = nn.Linear(config.lower.width, config.upper.width)
        self.stack = Stack(config.upper, config.dropout)
        self.norm = RMSNorm(config.upper.width)
        self.head = output_head(config, config.upper.width)

    def forward(
        self, handed: Tensor, valid: Tensor, cos: Tensor, sin: Tensor, key_bias: Tensor, lefts: list[LeftContext]
    ) -> Tensor:
        """Kept frames [B, F, lower width] -> final logits [B, F, vocabulary]."""
        return self.head(self.norm(self.stack(self.enter(handed), valid, cos, sin, key_bias, lefts)))

    def with_middle(
        self, handed: Tensor, valid: Tensor, cos: Tensor, sin: Tensor, key_bias: Tensor, lefts: list[LeftContext]
    ) -> tuple[Tensor, Tensor]:
        """As `forward`, and what the final head makes of the layer in the middle: a second place for the CTC loss
        (Lee and Watanabe 2021), in training only."""
        outputs = self.stack.all_layers(self.enter(handed), valid, cos, sin, key_bias, lefts)
        middle = outputs[len(self.stack.layers) // 2]
        return self.head(self.norm(outputs[-1])), self.head(self.norm(middle))


@dataclass
class EncoderOutput:
    """What a whole batch gives in training. T is the number of frames of the longest utterance, in whole chunks."""

    frames: Tensor  # int64 [N], frames of each utterance
    intermediate: Tensor  # float32 [N, T, vocabulary], log probabilities of the intermediate head
    final: Tensor  # float32 [N, T, vocabulary], log probabilities on the full time line; skipped: see `skipped_line`
    keep: Tensor  # bool [N, T], frames that went through the upper stack
    handed: Tensor  # float32 [N, T, lower width], what the lower stack hands over, kept or not
    middle: Tensor | None = None  # float32 [N, T, vocabulary], as `final` from half-way up; only where asked for
    gate: Tensor | None = None  # float32 [N, T], logits of a learned gate: blank, by the upper stack, or not


class GatedEncoder(nn.Module):
    """Front end → subsampling → lower stack → gate → upper stack, over whole utterances.

    `forward` computes exactly what the exported program computes chunk by chunk (`edge_asr_export.program` composes
    the same modules with caches), for all chunks in parallel.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        config.validate()
        self.config = config
        self.front_end = FrontEnd(config.front_end)
        self.subsampling = Subsampling(config)
        self.lower = LowerStack(config)
        self.upper = UpperStack(config)
        self.lower_rotary = Rotary(config.lower.head_width, config.rotary_period_frames)
        self.upper_rotary = Rotary(config.upper.head_width, config.rotary_period_frames)

    def features(self, samples: Tensor, frames: Tensor, chunk_frames: int) -> Tensor:
        """Whole utterances [N, S], of which `frames` int64 [N] are real, as a stream with the given chunk would read
        them -> log-mel [N, S / hop, mels]; silence before the first sample. float32 under autocast, too."""
        with torch.autocast(samples.device.type, enabled=False):
            padded = functional.pad(samples, (self.config.front_end.tail_samples, 0))
            time = torch.arange(samples.shape[1] // self.config.frame_samples, device=samples.device)
            return self.front_end(padded, (time < frames[:, None]).to(samples.dtype), chunk_frames)

    def forward(
        self,
        mel: Tensor,
        frames: Tensor,
        thresholds: Tensor,
        chunk_frames: int,
        gate: bool = True,
        with_middle: bool = False,
        skipped: str = "blank",
    ) -> EncoderOutput:
        """Run whole utterances as a stream with the given chunk would.

        mel [N, 4 T, mels] with T a multiple of chunk_frames; frames int64 [N]; thresholds float32 [N].
        `gate=False` keeps every frame whatever the thresholds are; `with_middle` fills `EncoderOutput.middle`;
        `skipped` is what a skipped frame says on the final line: see `skipped_line`.
        """
        logits, handed, valid, gate_logits = self.run_lower(mel, frames, chunk_frames)
        intermediate = torch.log_softmax(logits.float(), dim=-1)
        blank = intermediate[:, :, self.config.blank_id].exp() if gate_logits is None else torch.sigmoid(gate_logits)
        keep = self.decide(blank.detach(), valid, thresholds, chunk_frames) if gate else valid
        line = self.skipped_line(intermediate, skipped)
        final, *middle = self.run_upper(handed, keep, line, chunk_frames, with_middle)
        return EncoderOutput(frames, intermediate, final, keep, handed, middle[0] if middle else None, gate_logits)

    def run_lower(self, mel: Tensor, frames: Tensor, chunk_frames: int) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """-> intermediate logits [N, T, vocabulary], hand-over [N, T, width], valid frames bool [N, T], and logits of
        the gate float32 [N, T] where it is learned."""
        config = self.config
        utterances = mel.shape[0]
        first_tail = mel.new_zeros(utterances, config.subsampling_channels, 1, self.subsampling.bands[1])
        x, _, _ = self.subsampling(mel, torch.zeros_like(mel[:, :1]), first_tail)
        time = x.shape[1]
        index = torch.arange(time, device=mel.device).expand(utterances, time)
        valid = index < frames[:, None]
        run = self.lower.with_gate if config.gate.learned else self.lower
        logits, handed, *gate = self.run_chunks(run, x, valid, index, chunk_frames)
        return logits, handed, valid, gate[0].float()[:, :, 0] if gate else None

    def skipped_line(self, intermediate: Tensor, skipped: str) -> Tensor:
        """Intermediate log probabilities [N, T, vocabulary] -> those of the final line where a frame is skipped.

        "blank": blank for good, whatever the intermediate head made of the frame; no gradient. "intermediate": the
        intermediate head's are passed through, as Hou et al. do, so that the final loss teaches the lower stack on
        frames that the gate skips. `skipped` is one of `training.config.SKIPPED`; ValueError for another.

        A matter of training: a stream says blank either way, as greedy decoding makes of both where thresholds are at
        least 0.5: a frame is skipped by its own blank probability, above the threshold and so above any label's. Not so
        with a learned gate, which may skip what the intermediate head takes for a label: a stream says blank there.
        """
        if skipped == "intermediate":
            return intermediate
        if skipped != "blank":
            raise ValueError(f"a skipped frame cannot say '{skipped}'")
        line = torch.full_like(intermediate, SKIPPED_LOG_PROB)
        line[:, :, self.config.blank_id] = 0.0
        return line

    def run_upper(
        self, handed: Tensor, keep: Tensor, line: Tensor, chunk_frames: int, with_middle: bool = False
    ) -> tuple[Tensor, ...]:
        """Gather kept frames into blocks, run the upper stack, and put the result onto the full time line.

        line float32 [N, T, vocabulary], what frames that are not kept say
        -> final log probabilities [N, T, vocabulary], and those of the middle where asked for.
        """
        blocks = block_table(keep, chunk_frames, self.config.gate.max_wait_chunks, self.config.left_context_frames).to(
            handed.device
        )
        if not len(blocks.frames):
            return (line,) * (2 if with_middle else 1)
        filled = blocks.frames >= 0
        index, utterance = blocks.frames.clamp(min=0), blocks.utterances[:, None].expand_as(blocks.frames)
        rows = handed.flatten(0, 1).index_select(0, (utterance * handed.shape[1] + index).flatten())
        real = torch.cat([blocks.before < filled.numel(), filled], dim=1).to(torch.float32)
        tail = self.config.upper.conv_tail
        neighbours = RowsBefore(blocks.before, blocks.before[:, blocks.before.shape[1] - tail :])
        run: Callable[..., Tensor | tuple[Tensor, ...]] = self.upper.with_middle if with_middle else self.upper
        outputs = run(
            rows.reshape(*index.shape, handed.shape[2]),
            filled.to(torch.float32)[:, :, None],
            *self.upper_rotary(index),
            key_bias(real[:, :, None]),
            [neighbours] * self.config.upper.layers,
        )
        place = (utterance[filled], index[filled])
        each = outputs if isinstance(outputs, tuple) else (outputs,)
        return tuple(line.index_put(place, torch.log_softmax(logits.float(), dim=-1)[filled]) for logits in each)

    def run_chunks(
        self, module: Callable[..., tuple[Tensor, ...]], x: Tensor, valid: Tensor, index: Tensor, chunk_frames: int
    ) -> tuple[Tensor, ...]:
        """Cut [N, T, W] into chunks, run the lower stack's `module` on all of them at once, and join its outputs."""
        utterances, time, _ = x.shape
        left, stack = self.config.left_context_frames, self.config.lower
        neighbours = ChunkNeighbours(utterances, chunk_frames, left, stack.conv_tail)

        def cut(rows: Tensor) -> Tensor:
            return rows.reshape(-1, chunk_frames, *rows.shape[2:])

        chunk_valid = cut(valid.to(torch.float32))[:, :, None]
        cos, sin = self.lower_rotary(cut(index))
        bias = key_bias(neighbours.windows(chunk_valid, utterances, left))
        outputs = module(cut(x), chunk_valid, cos, sin, bias, [neighbours] * stack.layers)
        return tuple(rows.reshape(utterances, time, *rows.shape[2:]) for rows in outputs)

    def decide(self, blank: Tensor, valid: Tensor, thresholds: Tensor, chunk_frames: int) -> Tensor:
        """What the gate reads, probabilities [N, T] -> frames to keep, bool [N, T]."""
        gate = self.config.gate
        utterances, time = valid.shape
        spikes = find_spikes(blank, thresholds[:, None]) * valid
        chunked = spikes.reshape(-1, chunk_frames)
        carry = functional.pad(spikes, (gate.spike_right, 0)).unfold(1, gate.spike_right + chunk_frames, chunk_frames)
        carry = carry[:, :, : gate.spike_right].reshape(len(chunked), gate.spike_right)
        return (extend_spikes(chunked, carry, gate).reshape(utterances, time) > 0) & valid


def key_bias(valid: Tensor) -> Tensor:
    """Valid rows [B, R, 1], 1.0 or 0.0 -> what is added to attention scores, [B, 1, R]."""
    return ((valid - 1.0) * -MASKED).reshape(valid.shape[0], 1, valid.shape[1])


@dataclass(frozen=True)
class BlockTable:
    """Which frames the blocks of the upper stack hold: M blocks of all utterances, F rows each."""

    frames: Tensor  # int64 [M, F], the frame in each row; -1 where it is empty
    utterances: Tensor  # int64 [M], the utterance that each block is of
    before: Tensor  # int64 [M, left], numbers of the rows before each block; M * F where there was none or it was empty

    def to(self, device: torch.device) -> BlockTable:
        return BlockTable(self.frames.to(device), self.utterances.to(device), self.before.to(device))


def block_table(keep: Tensor, chunk_frames: int, max_wait_chunks: int, left_frames: int) -> BlockTable:
    """bool [N, T] -> the blocks that streams with these kept frames run.

    Rows past a block's size (`gate.size_of_block`) are there for the shape of the tensor only and are nobody's past.
    M is rounded up with empty blocks, so that training meets few different shapes.
    """
    blocks = []  # frames, utterance, past
    for utterance, row in enumerate(keep.cpu().numpy()):
        chunks = [
            (chunk.nonzero()[0] + number * chunk_frames).tolist()
            for number, chunk in enumerate(row.reshape(-1, chunk_frames))
        ]
        past: list[tuple[int, int]] = []  # block and row, or -1 and -1
        for block in plan_blocks(chunks, chunk_frames, max_wait_chunks):
            blocks.append((block, utterance, past[-left_frames:]))
            empty = size_of_block(len(block), chunk_frames) - len(block)
            past += [(len(blocks) - 1, number) for number in range(len(block))] + [(-1, -1)] * empty
    longest = max((len(block) for block, _, _ in blocks), default=0)
    rows = chunk_frames if longest <= chunk_frames else block_sizes(chunk_frames)[-1]
    count = -(-len(blocks) // BLOCK_GRANULE) * BLOCK_GRANULE
    frames = torch.full((count, rows), -1, dtype=torch.int64)
    before = torch.full((count, left_frames), count * rows, dtype=torch.int64)
    utterances = torch.zeros(count, dtype=torch.int64)
    for number, (block, utterance, past) in enumerate(blocks):
        frames[number, : len(block)] = torch.tensor(block)
        utterances[number] = utterance
        if past:
            numbers = [at * rows + row if at >= 0 else count * rows for at, row in past]
            before[number, left_frames - len(past) :] = torch.tensor(numbers)
    return BlockTable(frames, utterances, before)
