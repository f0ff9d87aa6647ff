"""`GatedCtc` says enough: an encoder that shares nothing with ours streams in the same program, and trains."""

from __future__ import annotations

from typing import Any, Self

import pytest
import torch
from torch import Tensor, nn

from edge_asr.model.config import GateConfig
from edge_asr.model.gated import BlockTable, GatedCtc, Spec
from edge_asr.model.registry import FAMILIES, build_encoder
from edge_asr_export.program import StreamingProgram

FRAME, WIDTH, VOCABULARY, BLANK = 80, 6, 5, 4


class Outside(nn.Module):
    def forward(self, pcm: Tensor, index: Tensor, last: Tensor) -> tuple[tuple[Tensor], tuple[Tensor]]:
        """Each frame's samples, and the last sample of the frame before."""
        frames = torch.cat([last, pcm], dim=1).unfold(1, FRAME + 1, FRAME)
        return (frames,), (pcm[:, -1:],)


class Lower(nn.Module):
    def __init__(self, encoder: Running) -> None:
        super().__init__()
        self.enter, self.head = encoder.enter, encoder.lower_head

    def forward(self, frames: Tensor, valid: Tensor, total: Tensor) -> tuple[Tensor, ...]:
        """Each row knows the sum of those before it."""
        rows = total + torch.cumsum(torch.tanh(self.enter(frames)) * valid, dim=1)
        probabilities = torch.softmax(self.head(rows), dim=2)
        return probabilities.log()[0], probabilities[:, :, BLANK], rows[0], rows[:, -1:]


class Positions(nn.Module):
    def forward(self, index: Tensor) -> tuple[Tensor]:
        return (torch.sin(index.to(torch.float32)).unsqueeze(2),)


class Upper(nn.Module):
    def __init__(self, encoder: Running) -> None:
        super().__init__()
        self.head = encoder.upper_head

    def forward(self, rows: Tensor, valid: Tensor, positions: Tensor, total: Tensor) -> tuple[Tensor, ...]:
        sums = total + torch.cumsum((rows + positions) * valid, dim=1)
        return torch.log_softmax(self.head(sums), dim=2)[0], sums[:, -1:]


class Running(GatedCtc):
    """No log-mel, no attention, no convolution: running sums, which remember the whole past."""

    architecture = "running-sums"

    def __init__(self, chunk_frames: int) -> None:
        super().__init__()
        self.chunk_frames = chunk_frames
        self.enter = nn.Linear(FRAME + 1, WIDTH)
        self.lower_head = nn.Linear(WIDTH, VOCABULARY)
        self.upper_head = nn.Linear(WIDTH, VOCABULARY)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        return {"chunk_frames": self.chunk_frames}

    @property
    def spec(self) -> Spec:
        return Spec(
            sample_rate_hz=8_000,
            frame_samples=FRAME,
            feature_rows=1,
            chunk_frames=self.chunk_frames,
            left_context_frames=4 * self.chunk_frames,
            vocabulary=VOCABULARY,
            blank_id=BLANK,
            handed_width=WIDTH,
            lower_layers=1,
            upper_layers=1,
            gate=GateConfig(),
            labels_wait=False,
        )

    def shortest_chunk(self) -> int:
        return 2

    def outside_state(self) -> dict[str, Tensor]:
        return {"last": torch.zeros(1, 1)}

    def lower_state(self) -> dict[str, Tensor]:
        return {"lower_total": torch.zeros(1, 1, WIDTH)}

    def upper_state(self) -> dict[str, Tensor]:
        return {"upper_total": torch.zeros(1, 1, WIDTH)}

    def streamed_outside(self) -> nn.Module:
        return Outside()

    def streamed_lower(self) -> nn.Module:
        return Lower(self)

    def streamed_positions(self) -> nn.Module:
        return Positions()

    def streamed_upper(self) -> nn.Module:
        return Upper(self)

    def features(self, samples: Tensor, frames: Tensor, chunk_frames: int) -> Tensor:
        return nn.functional.pad(samples, (1, 0)).unfold(1, FRAME + 1, FRAME)

    def run_lower(
        self, features: Tensor, frames: Tensor, chunk_frames: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        valid = torch.arange(features.shape[1]) < frames[:, None]
        rows = torch.cumsum(torch.tanh(self.enter(features)) * valid[:, :, None], dim=1)
        return self.lower_head(rows), rows, valid, None

    def run_upper_blocks(
        self, rows: Tensor, filled: Tensor, index: Tensor, table: BlockTable, with_middle: bool
    ) -> tuple[Tensor, ...]:
        added = ((rows + torch.sin(index.to(torch.float32))[:, :, None]) * filled).flatten(0, 1)
        return (self.upper_head(torch.cumsum(added, dim=0).reshape(rows.shape)),)  # of one utterance


@pytest.fixture
def encoder() -> Running:
    encoder = Running(chunk_frames=4).eval().requires_grad_(False)
    encoder.enter.weight *= 8
    return encoder


@pytest.mark.parametrize("chunk_frames", [4, 8])
def test_another_encoder_streams_as_it_trains(encoder: Running, chunk_frames: int) -> None:
    encoder = encoder.with_chunk(chunk_frames)
    chunks, step_samples = 48 // chunk_frames, chunk_frames * FRAME
    audio = torch.randn(1, chunks * step_samples) * torch.sin(torch.arange(chunks * step_samples) / 300)
    frames = torch.tensor([48])
    features = encoder.features(audio, frames, chunk_frames)
    logits, *_ = encoder.run_lower(features, frames, chunk_frames)
    threshold = torch.softmax(logits, dim=2)[:, :, BLANK].quantile(0.3)[None]
    whole = encoder(features, frames, threshold, chunk_frames)
    assert 0.2 < whole.keep.float().mean() < 0.95

    program = StreamingProgram(encoder)
    heard = whole.final.clone()
    for number in range(chunks):
        pcm = audio[:, number * step_samples : (number + 1) * step_samples]
        flush = torch.tensor([int(number == chunks - 1)])
        partial, keep, final, index, _ = program(
            pcm, torch.tensor([chunk_frames]), threshold, flush, torch.tensor([int(number == 0)])
        )
        here = slice(number * chunk_frames, (number + 1) * chunk_frames)
        assert torch.allclose(partial, whole.intermediate[0, here], atol=1e-5)
        assert torch.equal(keep > 0.5, whole.keep[0, here])
        heard[0, index[index >= 0]] = final[index >= 0]
    assert torch.allclose(heard, whole.final, atol=1e-5)


def test_each_family_is_found_by_its_name_and_builds_itself_again() -> None:
    assert len({family.architecture for family in FAMILIES}) == len(FAMILIES)
    with pytest.raises(ValueError, match=r"'running-sums' is none of .*gated-conformer"):
        build_encoder("running-sums", {"chunk_frames": 4})


def test_a_chunk_that_does_not_fit_is_refused(encoder: Running) -> None:
    assert encoder.with_chunk(8).spec.chunk_frames == 8
    assert torch.equal(encoder.with_chunk(8).enter.weight, encoder.enter.weight)
