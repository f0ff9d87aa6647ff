"""What the exported program runs in delegates: the lower stack on a chunk, the upper one on a block of kept frames."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from edge_asr.model.gate import block_sizes
from edge_asr.model.gated import GatedCtc
from edge_asr.model.streams import example_positions


class UpperBlock(nn.Module):
    """What a taken branch runs: the upper stack on a block of `size` rows, of as many as the largest block has: it
    leaves out those after its own, which are empty."""

    def __init__(self, upper: nn.Module, size: int, positions: int) -> None:
        """`upper`, of `GatedCtc.streamed_upper`, takes so many tensors of positions after its rows and which of them
        are real."""
        super().__init__()
        self.upper = upper
        self.size = size
        self.by_row = 2 + positions

    def forward(self, *operands: Tensor) -> tuple[Tensor, ...]:
        """rows [1, 2 F, handed width], valid [1, 2 F, 1], positions, state -> log probs [2 F, V], state."""
        by_row, state = operands[: self.by_row], operands[self.by_row :]
        missing = by_row[0].shape[1] - self.size
        if missing:
            by_row = tuple(part[:, : self.size] for part in by_row)
        final, *state = self.upper(*by_row, *state)
        if missing:
            final = functional.pad(final, (0, 0, 0, missing))
        return (final, *state)


@dataclass(frozen=True)
class Blocks:
    """The modules that do the arithmetic."""

    lower: nn.Module  # of `GatedCtc.streamed_lower`
    uppers: tuple[nn.Module, ...]  # `UpperBlock` of each of `gate.block_sizes`

    @classmethod
    def of(cls, encoder: GatedCtc) -> Blocks:
        upper, positions = encoder.streamed_upper(), len(example_positions(encoder))
        sizes = block_sizes(encoder.spec.chunk_frames)
        return cls(encoder.streamed_lower(), tuple(UpperBlock(upper, size, positions) for size in sizes))
