"""The streaming program in eager PyTorch: one step of a stream, with its state in buffers.

`StreamingProgram` is both the reference that a `.pte` is verified against and, with its blocks replaced by their
lowered forms, the module that is exported (`edge_asr_export.lower`). It knows no architecture: it owns the gate, the
rows that wait, the blocks, the branches and the copying of state, and asks a `GatedCtc` for everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from edge_asr.model.gate import block_sizes, extend_spikes, find_spikes
from edge_asr.model.gated import GatedCtc
from edge_asr_export.blocks import Blocks


class StreamingProgram(nn.Module):
    """One chunk in, emissions out (`edge_asr.contract`). All shapes are static; the number of kept frames is data.

    What runs outside the delegates is written with few kinds of operators: each kind is a kernel whose code takes
    memory, and a call. Reshapes cost nothing; `unsqueeze` and `x[i]` copy. Never reshape a branch's outputs, among them
    all state: the memory planner assigns the wrong address.
    """

    # Constants.
    positions: Tensor  # int64 [2 F], 0 to 2 F - 1
    ends: Tensor  # int64 [2 F, 1], 1 to 2 F
    zero: Tensor  # int64 [1]
    one: Tensor  # int64 [1]
    almost_full: Tensor  # int64 [1], F - 1
    patience: Tensor  # int64 [1], frames that the oldest waiting frame may be behind the chunk's first
    size_0: Tensor  # int64 [1], the least of the `block_sizes`; the others, but for the last, have one each, too
    # State: what the encoder names, and the gate's and the blocks'. Zeros start a stream.
    next_frame: Tensor  # int64 [1], number of the chunk's first frame
    spikes_tail: Tensor  # [1, spike_right], last spikes of the chunk before
    waiting_rows: Tensor  # [F, handed width], what the lower stack handed over of kept frames that wait for a block
    waiting_index: Tensor  # int64 [F], their frame numbers
    waiting_count: Tensor  # int64 [1], how many there are, less than F

    def __init__(self, encoder: GatedCtc, lowered: Blocks | None = None) -> None:
        """`lowered` stand in for the encoder's own blocks: their lowered forms, when exporting."""
        super().__init__()
        self.spec = spec = encoder.spec
        self.outside = encoder.streamed_outside()
        self.upper_positions = encoder.streamed_positions()
        blocks = lowered or Blocks.of(encoder)
        self.lower, self.uppers = blocks.lower, nn.ModuleList(blocks.uppers)
        own = {
            "next_frame": torch.zeros(1, dtype=torch.int64),
            "spikes_tail": torch.zeros(1, spec.gate.spike_right),
            "waiting_rows": torch.zeros(spec.chunk_frames, spec.handed_width),
            "waiting_index": torch.zeros(spec.chunk_frames, dtype=torch.int64),
            "waiting_count": torch.zeros(1, dtype=torch.int64),
        }
        outside, lower, upper = encoder.outside_state(), encoder.lower_state(), encoder.upper_state()
        self.outside_names, self.lower_names, self.upper_names = list(outside), list(lower), list(upper)
        state = outside | own | lower | upper
        self.state_names = list(state)
        *smaller, capacity = block_sizes(spec.chunk_frames)
        constants = {
            "positions": torch.arange(capacity),
            "ends": torch.arange(1, capacity + 1).reshape(-1, 1),
            "zero": torch.tensor([0]),
            "one": torch.tensor([1]),
            "almost_full": torch.tensor([spec.chunk_frames - 1]),
            "patience": torch.tensor([(spec.gate.max_wait_chunks - 1) * spec.chunk_frames]),
            **{f"size_{number}": torch.tensor([size]) for number, size in enumerate(smaller)},
        }
        for name, value in (constants | state).items():
            self.register_buffer(name, value)

    def forward(
        self, pcm: Tensor, frames: Tensor, threshold: Tensor, flush: Tensor, reset: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """The contract's `step`."""
        state = self.state_at_start(reset)
        chunk = self.positions[: self.spec.chunk_frames]
        index = state["next_frame"] + chunk
        valid = (chunk < frames).to(torch.float32)
        partial, blank, handed = self.run_lower(state, pcm, frames, index, valid)
        keep = self.decide(state, blank, valid, threshold)
        final, block_index, waiting = self.run_upper(state, handed, keep, index, flush)
        self.next_frame.copy_(state["next_frame"] + frames)
        return partial, keep, final, block_index, waiting

    def state_at_start(self, reset: Tensor) -> dict[str, Tensor]:
        """Every buffer of the state by name: as the step before left it, or zeros where `reset` [1] is not 0.

        A branch, not a product with zero: memory that nobody has written may hold what is not a number, and the branch
        that is nearly always taken costs nothing, as it hands the buffers on where they lie.
        """

        def zeros(*buffers):  # type: ignore[no-untyped-def]
            return tuple(torch.zeros_like(buffer) for buffer in buffers)

        def kept(*buffers):  # type: ignore[no-untyped-def]
            return tuple(buffer.clone() for buffer in buffers)

        buffers = tuple(getattr(self, name) for name in self.state_names)
        starts = (self.zero < reset).reshape(())
        return dict(zip(self.state_names, branch(starts, zeros, kept, buffers), strict=True))

    def set_state(self, names: list[str], values: Iterable[Tensor]) -> None:
        for name, value in zip(names, values, strict=True):
            getattr(self, name).copy_(value)

    def run_lower(
        self, state: dict[str, Tensor], pcm: Tensor, frames: Tensor, index: Tensor, valid: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """-> log probabilities of the intermediate head [F, V], blank probability [1, F], and hand-over [F, width].

        A step at the end of the stream, that only empties what waits, takes no frames: then all three are zeros.
        """
        inputs, outside = self.outside(pcm, index, *(state[name] for name in self.outside_names))
        size, vocabulary, width = self.spec.chunk_frames, self.spec.vocabulary, self.spec.handed_width
        given = len(inputs) + 1  # and which frames are real

        def ran(*operands):  # type: ignore[no-untyped-def]
            return self.lower(*operands)

        def skipped(*operands):  # type: ignore[no-untyped-def]
            zeros = [operands[0].new_zeros(shape) for shape in ((size, vocabulary), (1, size), (size, width))]
            return (*zeros, *(value.clone() for value in operands[given:]))

        operands = (*inputs, valid.reshape(1, -1, 1), *(state[name] for name in self.lower_names))
        some = (self.zero < frames).reshape(())
        partial, blank, handed, *new = branch(some, ran, skipped, operands)
        self.set_state(self.outside_names, outside)
        self.set_state(self.lower_names, new)
        return partial, blank, handed

    def decide(self, state: dict[str, Tensor], blank: Tensor, valid: Tensor, threshold: Tensor) -> Tensor:
        """Blank probability [1, F] -> which frames go up: float32 [F], 1.0 or 0.0."""
        right = self.spec.gate.spike_right
        spikes = find_spikes(blank, threshold) * valid
        keep = extend_spikes(spikes, state["spikes_tail"], self.spec.gate)
        if right:
            self.spikes_tail.copy_(spikes[:, spikes.shape[1] - right :])
        return keep.reshape(-1) * valid

    def run_upper(
        self, state: dict[str, Tensor], handed: Tensor, keep: Tensor, index: Tensor, flush: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Append the kept frames [F, handed width] to those that wait; run a block of all of them if it is due, as
        `gate.plan_blocks` says.

        -> log probabilities [2 F, V], their frame numbers [2 F] (-1 where empty), frames still waiting [1].
        """
        size = self.spec.chunk_frames
        rows = torch.cat([state["waiting_rows"], handed], dim=0)
        indices = torch.cat([state["waiting_index"], index], dim=0)
        waited = self.positions[:size] < state["waiting_count"]
        present = torch.cat([waited.to(torch.int64), keep.to(torch.int64)])
        rank = torch.cumsum(present, dim=0)
        total = rank[2 * size - 1 :]
        # source[j] is where the j-th present row lies: as many rows as have a rank of at most j come before it.
        source = (rank.reshape(1, -1) < self.ends).to(torch.int64).sum(dim=1).clamp(max=2 * size - 1)
        rows, indices = torch.index_select(rows, 0, source), torch.index_select(indices, 0, source)
        run = self.is_due(total, total - state["waiting_count"], indices[:1], index[:1], flush)
        taken = run * total
        filled = (self.positions < taken).to(torch.int64)
        final = self.run_block(state, run, taken, rows, filled.to(torch.float32), indices)
        waiting = total - taken
        self.waiting_rows.copy_(rows[:size])
        self.waiting_index.copy_(indices[:size])
        self.waiting_count.copy_(waiting)
        return final, (indices + 1) * filled - 1, waiting + 0

    def is_due(self, total: Tensor, kept: Tensor, oldest: Tensor, first: Tensor, flush: Tensor) -> Tensor:
        """int64 [1], 1 where a block runs: as many frames wait as a chunk has; or some wait, and the chunk keeps none,
        or the stream is flushed, or the oldest frame has waited long enough."""
        smaller = torch.cat([self.almost_full, self.zero, kept, self.zero, oldest + self.patience])
        larger = torch.cat([total, total, self.one, flush, first])
        holds = (smaller < larger).to(torch.int64)
        full, some, reasons = holds[:1], holds[1:2], holds[2:]
        return (full + some * reasons.sum(dim=0, keepdim=True)).clamp(max=1)

    def run_block(
        self, state: dict[str, Tensor], run: Tensor, taken: Tensor, rows: Tensor, filled: Tensor, index: Tensor
    ) -> Tensor:
        """The branch: upper stack or nothing, on rows [2 F, handed width] of which the first `taken` [1] are real, as
        `filled` [2 F] says too.

        -> log probabilities [2 F, V]; zeros where it did not run.
        """
        vocabulary, larger = self.spec.vocabulary, len(self.uppers) - 1

        def on_size(number):  # type: ignore[no-untyped-def]
            """On a block of this size, or of a larger one where it does not hold what was taken."""

            def here(*operands):  # type: ignore[no-untyped-def]
                return self.uppers[number](*operands[larger:])

            def here_or_larger(*operands):  # type: ignore[no-untyped-def]
                return branch(operands[number], on_size(number + 1), here, operands)

            return here_or_larger if number < larger else here

        def ran(index, *operands):  # type: ignore[no-untyped-def]
            """Positions are 6 % of a skipping step, if they are made before it is known that nobody asks for them."""
            too_small, (rows, filled, *past) = operands[:larger], operands[larger:]
            return on_size(0)(*too_small, rows, filled, *self.upper_positions(index.reshape(1, -1)), *past)

        def skipped(index, *operands):  # type: ignore[no-untyped-def]
            rows, _, *past = operands[larger:]
            return (rows.new_zeros(rows.shape[1], vocabulary), *(state.clone() for state in past))

        too_small = [(getattr(self, f"size_{number}") < taken).reshape(()) for number in range(larger)]
        block = (rows.reshape(1, *rows.shape), filled.reshape(1, -1, 1))
        operands = (index, *too_small, *block, *(state[name] for name in self.upper_names))
        final, *past = branch((self.zero < run).reshape(()), ran, skipped, operands)
        self.set_state(self.upper_names, past)
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
