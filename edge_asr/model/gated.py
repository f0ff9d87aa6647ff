"""What an encoder of any architecture offers, and what all of them share: the gate over whole utterances.

`GatedCtc` is what the exporter and the trainer take. The exported program (`edge_asr_export.program`) owns the gate,
the rows that wait, the blocks, the branches and the copying of state; it asks the encoder for four modules and for the
zeros that its state begins with. Whatever belongs to the architecture (front end, positions, caches, factorized heads,
a learned gate) is in the encoder's own file, which `registry` names.

Rules that no signature shows:

- **Frames.** A frame is `spec.frame_samples` samples. What is said of frame t may depend on samples of its own chunk
  and of the past, nothing later.
- **State** is tensors of fixed shapes. At the start of a stream they are zeros, and zeros must mean silence. A module
  is given its state and gives it back, in the same order; it stores none.
- **Rows that are not real** (the end of a stream, empty slots of an upper block) have `valid` 0. They must not change
  any real row: mask them before a convolution, keep attention from them, normalize over features and never over time.
- **Positions** are original frame numbers. Skipped frames leave gaps in them, at any hour of a stream.
- **The upper stack** must take whatever rows are kept, in blocks of `gate.block_sizes`, and no result may depend on
  how frames were shared out to blocks but through the left context.
- **Precision.** Every learnt linear is an `nn.Linear`, which is what `edge_asr_export.quantize` replaces; constants go
  through `functional.linear` or a buffer. Shapes are static under export. `StreamedLower` and `StreamedUpper` use only
  operators that XNNPACK takes (`layers` lists the traps), so that each is one delegate.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge_asr.model.config import GateConfig
from edge_asr.model.gate import block_sizes, extend_spikes, find_spikes, plan_blocks, size_of_block
from edge_asr.model.layers import RowsBefore

BLOCK_GRANULE = 8  # blocks of a training batch are a multiple of it
SKIPPED_LOG_PROB = -12.0  # log probability of every label on a skipped frame, whose blank has 0


@dataclass(frozen=True)
class Spec:
    """What exporter, trainer and hosts know of an encoder, whatever its architecture."""

    sample_rate_hz: int  # of the PCM that it takes
    frame_samples: int  # samples of a frame
    feature_rows: int  # rows of `GatedCtc.features` in a frame
    chunk_frames: int  # frames of a step
    left_context_frames: int  # rows before a block that a layer reads at most, a multiple of the chunk
    vocabulary: int  # outputs of both heads, blank included
    blank_id: int  # index of CTC's blank
    handed_width: int  # features of a row that the lower stack hands over
    lower_layers: int  # run on every frame
    upper_layers: int  # run on kept frames
    gate: GateConfig  # which frames are kept
    labels_wait: bool  # factorized: labels of both heads run on kept frames only

    @property
    def frame_ms(self) -> float:
        return 1_000 * self.frame_samples / self.sample_rate_hz


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


class GatedCtc(nn.Module, ABC):
    """A CTC encoder cut in two, with an intermediate head before the cut.

    For streams: states and modules. For training: `features` and `forward`, which computes for all chunks in parallel
    exactly what a stream computes chunk by chunk.
    """

    architecture: ClassVar[str]  # what a checkpoint's header calls it; see `registry`
    model_types: ClassVar[tuple[str, ...]] = ()  # of Hugging Face's configurations that `adopt` takes

    @classmethod
    @abstractmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """An encoder of these dimensions, weights drawn. Raises TypeError on unknown ones, ValueError where they
        contradict one another."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Inverse of `from_dict`, but for the weights."""

    @classmethod
    def outputs_of_source(cls, config: dict[str, Any]) -> int | None:
        """Outputs of the CTC head of a pretrained model with this configuration; None where it has no such head."""
        raise NotImplementedError

    @classmethod
    def adopt(
        cls, config: dict[str, Any], weights: Mapping[str, Tensor], *, cut: int, vocabulary: int, blank_id: int
    ) -> tuple[Self, list[str]]:
        """A pretrained model of one of `model_types`, with `cut` layers below the gate -> the encoder, and the names of
        its parameters that are new. What only training uses (layer drop, masks) is switched off. Raises KeyError naming
        a tensor or dimension that is missing, ValueError where they do not fit."""
        raise NotImplementedError

    @property
    @abstractmethod
    def spec(self) -> Spec: ...

    @abstractmethod
    def shortest_chunk(self) -> int:
        """Frames that a chunk must have at least."""

    def possible_chunks(self) -> list[int]:
        """Numbers of frames that `with_chunk` takes, ascending: the left context is a multiple of a chunk."""
        left = self.spec.left_context_frames
        return [frames for frames in range(self.shortest_chunk(), left + 1) if left % frames == 0]

    def with_chunk(self, chunk_frames: int) -> Self:
        """The same weights at another chunk length. Raises ValueError where the dimensions do not allow it."""
        changed = self.from_dict(self.to_dict() | {"chunk_frames": chunk_frames})
        changed.load_state_dict(self.state_dict())
        return changed.train(self.training)

    @abstractmethod
    def outside_state(self) -> dict[str, Tensor]:
        """Zeros by name: the state of what runs outside of delegates. No other state of the encoder has these names."""

    @abstractmethod
    def lower_state(self) -> dict[str, Tensor]:
        """Zeros by name: the state of the lower stack, with what runs in its delegate before it."""

    @abstractmethod
    def upper_state(self) -> dict[str, Tensor]:
        """Zeros by name: the state of the upper stack."""

    @abstractmethod
    def streamed_outside(self) -> nn.Module:
        """What no delegate takes, such as a Fourier transform: a module from PCM [1, chunk_samples], frame numbers
        int64 [F] and state -> what the lower stack is given, a tuple, and the new state, a tuple."""

    @abstractmethod
    def streamed_lower(self) -> nn.Module:
        """A module from what `streamed_outside` gives, valid [1, F, 1] and state -> log probabilities of the
        intermediate head [F, V], what the gate reads as blank probability [1, F], rows [F, handed_width], new state."""

    @abstractmethod
    def streamed_positions(self) -> nn.Module:
        """A module from frame numbers int64 [1, R], with gaps -> what tells the upper stack of them: a tuple of tensors
        [1, R, ...], empty where it need not know. It runs outside of delegates, and only where the upper stack does."""

    @abstractmethod
    def streamed_upper(self) -> nn.Module:
        """A module from rows [1, R, handed_width], valid [1, R, 1], positions as above and state -> log probabilities
        of the final head [R, V], new state."""

    def always_run(self) -> Counter[tuple[int, int]]:
        """Where `spec.labels_wait`: inputs and outputs of the linears of the lower stack, its head left out -> how many
        have them."""
        raise NotImplementedError

    @abstractmethod
    def features(self, samples: Tensor, frames: Tensor, chunk_frames: int) -> Tensor:
        """Whole utterances float32 [N, S], of which `frames` int64 [N] are real, as a stream with the given chunk would
        read them, silence before the first sample -> [N, feature_rows T, D], with T = S / frame_samples."""

    @abstractmethod
    def run_lower(
        self, features: Tensor, frames: Tensor, chunk_frames: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """-> intermediate logits [N, T, vocabulary], hand-over [N, T, handed_width], valid frames bool [N, T], and
        logits of the gate float32 [N, T] where it is learned."""

    @abstractmethod
    def run_upper_blocks(
        self, rows: Tensor, filled: Tensor, index: Tensor, table: BlockTable, with_middle: bool
    ) -> tuple[Tensor, ...]:
        """Rows [M, F, handed_width] of the blocks in `table`, which of them are filled [M, F, 1], and their frame
        numbers int64 [M, F] -> final logits [M, F, vocabulary], and those from half-way up where asked for."""

    def forward(
        self,
        features: Tensor,
        frames: Tensor,
        thresholds: Tensor,
        chunk_frames: int,
        gate: bool = True,
        with_middle: bool = False,
        skipped: str = "blank",
    ) -> EncoderOutput:
        """Run whole utterances as a stream with the given chunk would.

        features [N, feature_rows T, D] with T a multiple of chunk_frames; frames int64 [N]; thresholds float32 [N].
        `gate=False` keeps every frame whatever the thresholds are; `with_middle` fills `EncoderOutput.middle`;
        `skipped` is what a skipped frame says on the final line: see `skipped_line`.
        """
        logits, handed, valid, gate_logits = self.run_lower(features, frames, chunk_frames)
        intermediate = torch.log_softmax(logits.float(), dim=-1)
        blank = intermediate[:, :, self.spec.blank_id].exp() if gate_logits is None else torch.sigmoid(gate_logits)
        keep = self.decide(blank.detach(), valid, thresholds, chunk_frames) if gate else valid
        line = self.skipped_line(intermediate, skipped)
        final, *middle = self.run_upper(handed, keep, line, chunk_frames, with_middle)
        return EncoderOutput(frames, intermediate, final, keep, handed, middle[0] if middle else None, gate_logits)

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
        line[:, :, self.spec.blank_id] = 0.0
        return line

    def run_upper(
        self, handed: Tensor, keep: Tensor, line: Tensor, chunk_frames: int, with_middle: bool = False
    ) -> tuple[Tensor, ...]:
        """Gather kept frames into blocks, run the upper stack, and put the result onto the full time line.

        line float32 [N, T, vocabulary], what frames that are not kept say
        -> final log probabilities [N, T, vocabulary], and those of the middle where asked for.
        """
        spec = self.spec
        table = block_table(keep, chunk_frames, spec.gate.max_wait_chunks, spec.left_context_frames).to(handed.device)
        if not len(table.frames):
            return (line,) * (2 if with_middle else 1)
        filled = table.frames >= 0
        index, utterance = table.frames.clamp(min=0), table.utterances[:, None].expand_as(table.frames)
        rows = handed.flatten(0, 1).index_select(0, (utterance * handed.shape[1] + index).flatten())
        rows = rows.reshape(*index.shape, handed.shape[2])
        each = self.run_upper_blocks(rows, filled.to(torch.float32)[:, :, None], index, table, with_middle)
        place = (utterance[filled], index[filled])
        return tuple(line.index_put(place, torch.log_softmax(logits.float(), dim=-1)[filled]) for logits in each)

    def decide(self, blank: Tensor, valid: Tensor, thresholds: Tensor, chunk_frames: int) -> Tensor:
        """What the gate reads, probabilities [N, T] -> frames to keep, bool [N, T]."""
        gate = self.spec.gate
        utterances, time = valid.shape
        spikes = find_spikes(blank, thresholds[:, None]) * valid
        chunked = spikes.reshape(-1, chunk_frames)
        carry = functional.pad(spikes, (gate.spike_right, 0)).unfold(1, gate.spike_right + chunk_frames, chunk_frames)
        carry = carry[:, :, : gate.spike_right].reshape(len(chunked), gate.spike_right)
        return (extend_spikes(chunked, carry, gate).reshape(utterances, time) > 0) & valid


def numbered(name: str, tensors: list[Tensor]) -> dict[str, Tensor]:
    """Tensors of a state that are told apart by their number only."""
    return {f"{name}_{number}": tensor for number, tensor in enumerate(tensors)}


@dataclass(frozen=True)
class BlockTable:
    """Which frames the blocks of the upper stack hold: M blocks of all utterances, F rows each."""

    frames: Tensor  # int64 [M, F], the frame in each row; -1 where it is empty
    utterances: Tensor  # int64 [M], the utterance that each block is of
    before: Tensor  # int64 [M, left], numbers of the rows before each block; M * F where there was none or it was empty

    def real(self) -> Tensor:
        """Which rows of the left context and of the blocks are real, [M, left + F, 1], 1.0 or 0.0."""
        filled = self.frames >= 0
        return torch.cat([self.before < filled.numel(), filled], dim=1).to(torch.float32)[:, :, None]

    def neighbours(self, conv_tail: int) -> RowsBefore:
        """The left context of a layer whose convolution reads so many rows before the block."""
        return RowsBefore(self.before, self.before[:, self.before.shape[1] - conv_tail :])

    def to(self, device: torch.device) -> BlockTable:
        return BlockTable(self.frames.to(device), self.utterances.to(device), self.before.to(device))


def block_table(keep: Tensor, chunk_frames: int, max_wait_chunks: int, left_frames: int) -> BlockTable:
    """bool [N, T] -> the blocks that streams with these kept frames run.

    Rows beyond a block's size (`gate.size_of_block`) only fill the tensor's shape: they are nobody's left context. M is
    rounded up with empty blocks, so that training meets few different shapes.
    """
    blocks = []  # frames, utterance, left context
    for utterance, row in enumerate(keep.cpu().numpy()):
        chunks = [
            (chunk.nonzero()[0] + number * chunk_frames).tolist()
            for number, chunk in enumerate(row.reshape(-1, chunk_frames))
        ]
        left: list[tuple[int, int]] = []  # block and row, or -1 and -1
        for block in plan_blocks(chunks, chunk_frames, max_wait_chunks):
            blocks.append((block, utterance, left[-left_frames:]))
            empty = size_of_block(len(block), chunk_frames) - len(block)
            left += [(len(blocks) - 1, number) for number in range(len(block))] + [(-1, -1)] * empty
    longest = max((len(block) for block, _, _ in blocks), default=0)
    rows = chunk_frames if longest <= chunk_frames else block_sizes(chunk_frames)[-1]
    count = -(-len(blocks) // BLOCK_GRANULE) * BLOCK_GRANULE
    frames = torch.full((count, rows), -1, dtype=torch.int64)
    before = torch.full((count, left_frames), count * rows, dtype=torch.int64)
    utterances = torch.zeros(count, dtype=torch.int64)
    for number, (block, utterance, left) in enumerate(blocks):
        frames[number, : len(block)] = torch.tensor(block)
        utterances[number] = utterance
        if left:
            numbers = [at * rows + row if at >= 0 else count * rows for at, row in left]
            before[number, left_frames - len(left) :] = torch.tensor(numbers)
    return BlockTable(frames, utterances, before)
