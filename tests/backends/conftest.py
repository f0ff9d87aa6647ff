"""A tiny program that honours the contract, exported once a test run: no training, no XNNPACK."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower
from torch import nn

from edge_asr.contract import CONTRACT_VERSION, METADATA, STEP, Metadata, sealed

FRAME_SAMPLES, CHUNK_FRAMES = 160, 4
HOLD = 0.25  # the threshold with which the toy lets frames wait
TOY = Metadata(
    contract_version=CONTRACT_VERSION,
    sample_rate_hz=16_000,
    chunk_samples=FRAME_SAMPLES * CHUNK_FRAMES,
    chunk_frames=CHUNK_FRAMES,
    frame_samples=FRAME_SAMPLES,
    blank_id=0,
    pieces=("<blank>", "▁A", "B", "▁C"),
    default_threshold=0.9,
    precision="fp32",
    lower_layers=1,
    upper_layers=1,
    training={},
    exporter={},
)


class State(nn.Module):
    """Frames since the start of the stream, and what its frames that wait were heard as."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(1, dtype=torch.int64))
        self.register_buffer("waiting", torch.zeros(1, dtype=torch.int64))
        self.register_buffer("held", torch.zeros(CHUNK_FRAMES, len(TOY.pieces)))


class Step(nn.Module):
    """Keeps every frame and resolves it at once. A frame's token is ten times its first sample, rounded.

    With a threshold of HOLD a full chunk waits, where nothing waits yet and the stream does not end: its frames are
    resolved in the next step, with that step's own, and fill a whole block.
    """

    def __init__(self, state: State) -> None:
        super().__init__()
        self.state = state

    def forward(
        self,
        pcm: torch.Tensor,
        frames: torch.Tensor,
        threshold: torch.Tensor,
        flush: torch.Tensor,
        reset: torch.Tensor,
    ) -> tuple[torch.Tensor, ...]:
        level = pcm.view(CHUNK_FRAMES, FRAME_SAMPLES)[:, :1] * 10.0
        off = level - torch.arange(len(TOY.pieces)).view(1, -1)
        scores = torch.log_softmax(-8.0 * off * off, dim=1)
        rows = torch.arange(TOY.block_frames)
        goes_on = 1 - reset
        seen, before, held = self.state.seen * goes_on, self.state.waiting * goes_on, self.state.held + 0.0
        waiting = frames * (threshold == HOLD) * (before == 0) * (flush == 0)  # all of the chunk's, or none
        resolved = (before + frames) * (waiting == 0)
        index = torch.where(rows < resolved, seen - before + rows, torch.full_like(rows, -1))
        final = torch.where(before > 0, torch.cat([held, scores]), torch.cat([scores, scores]))
        self.state.seen.copy_(seen + frames)
        self.state.waiting.copy_(waiting)
        self.state.held.copy_(scores)
        keep = torch.ones(CHUNK_FRAMES) * (threshold >= 0)
        return scores, keep, final, index, waiting


class OneChunkStep(Step):
    """Its block has the rows of a chunk, as blocks had up to contract 2."""

    def forward(
        self,
        pcm: torch.Tensor,
        frames: torch.Tensor,
        threshold: torch.Tensor,
        flush: torch.Tensor,
        reset: torch.Tensor,
    ) -> tuple[torch.Tensor, ...]:
        partial, keep, final, index, waiting = super().forward(pcm, frames, threshold, flush, reset)
        return partial, keep, final[:CHUNK_FRAMES] + 0.0, index[:CHUNK_FRAMES] + 0, waiting


class FourInputStep(Step):
    """As a step was up to contract 3: a second method reset the state that both shared."""

    def forward(self, pcm: torch.Tensor, frames: torch.Tensor, threshold: torch.Tensor, flush: torch.Tensor) -> tuple:  # type: ignore[override]
        return super().forward(pcm, frames, threshold, flush, torch.zeros(1, dtype=torch.int64))


def export_toy(path: Path, metadata: str, step: type[Step] = Step, method: str = STEP) -> Path:
    one = torch.zeros(1, dtype=torch.int64)
    inputs = (torch.zeros(1, TOY.chunk_samples), one, torch.zeros(1), one.clone(), one.clone())
    if step is FourInputStep:
        inputs = inputs[:4]
    edge = to_edge_transform_and_lower(
        {method: torch.export.export(step(State()), inputs, strict=True)},
        constant_methods={METADATA: torch.tensor(list(metadata.encode()), dtype=torch.uint8)},
        compile_config=EdgeCompileConfig(_check_ir_validity=False),
    )
    path.write_bytes(sealed(bytes(edge.to_executorch().buffer)))
    return path


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_toy(tmp_path_factory.mktemp("toy") / "toy.pte", TOY.to_json())


@pytest.fixture(scope="session")
def toy_without_step(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_toy(tmp_path_factory.mktemp("toy") / "other.pte", TOY.to_json(), method="forward")


@pytest.fixture(scope="session")
def toy_of_four_inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_toy(tmp_path_factory.mktemp("toy") / "four.pte", TOY.to_json(), step=FourInputStep)


@pytest.fixture(scope="session")
def toy_of_small_blocks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_toy(tmp_path_factory.mktemp("toy") / "small.pte", TOY.to_json(), step=OneChunkStep)
