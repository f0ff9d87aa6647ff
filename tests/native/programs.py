"""Programs that no exporter of ours writes: one that breaks its contract on demand, one with room for any metadata."""

from __future__ import annotations

from pathlib import Path

import torch

from tests.backends import conftest as toy

HOLE, LEAP, STUCK, NAN = 20.0, 30.0, 40.0, 50.0  # first samples of a chunk, and what they make the program break


class BreakingStep(toy.Step):
    """The toy, until the first sample of a chunk asks for something else."""

    def forward(
        self,
        pcm: torch.Tensor,
        frames: torch.Tensor,
        threshold: torch.Tensor,
        flush: torch.Tensor,
        reset: torch.Tensor,
    ) -> tuple[torch.Tensor, ...]:
        partial, keep, final, index, waiting = super().forward(pcm, frames, threshold, flush, reset)
        first = pcm[0, :1]

        def asked(what: float) -> torch.Tensor:
            return (first > what - 1) & (first < what + 1)

        rows = torch.arange(toy.TOY.block_frames)
        index = torch.where(asked(HOLE) & (rows == 1), torch.full_like(index, -1), index)
        index = torch.where(asked(LEAP) & (index >= 0), index + 1, index)
        waiting = waiting + 5 * asked(STUCK).to(torch.int64) + 5 * (frames == 0).to(torch.int64)  # then for good
        wrong = torch.where(asked(NAN), torch.full((1,), torch.nan), torch.zeros(1))
        return partial + wrong, keep, final + wrong, index, waiting


def export_breaking(path: Path) -> Path:
    return toy.export_toy(path, toy.TOY.to_json(), step=BreakingStep)


def export_roomy(path: Path, room_bytes: int) -> Path:
    """The toy, whose metadata has `room_bytes` bytes, most of them spaces."""
    return toy.export_toy(path, toy.TOY.to_json().ljust(room_bytes))
