"""A tiny program that honours the contract, exported once a test run: no training, no XNNPACK."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from executorch.exir import EdgeCompileConfig, ExecutorchBackendConfig, to_edge_transform_and_lower
from executorch.exir.passes import MemoryPlanningPass
from torch import nn

from edge_asr.contract import CONTRACT_VERSION, METADATA, RESET, STEP, Metadata, sealed

FRAME_SAMPLES, CHUNK_FRAMES = 160, 4
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
    """What the methods share: frames since the start of the stream."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(1, dtype=torch.int64))


class Step(nn.Module):
    """Keeps every frame and resolves it at once. A frame's token is ten times its first sample, rounded."""

    def __init__(self, state: State) -> None:
        super().__init__()
        self.state = state

    def forward(
        self, pcm: torch.Tensor, frames: torch.Tensor, threshold: torch.Tensor, flush: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        level = pcm.view(CHUNK_FRAMES, FRAME_SAMPLES)[:, :1] * 10.0
        off = level - torch.arange(len(TOY.pieces)).view(1, -1)
        scores = torch.log_softmax(-8.0 * off * off, dim=1)
        rows = torch.arange(CHUNK_FRAMES)
        first = self.state.seen + 0
        index = torch.where(rows < frames, first + rows, torch.full_like(rows, -1))
        self.state.seen.copy_(first + frames)
        keep = torch.ones(CHUNK_FRAMES) * (threshold >= 0)
        return scores, keep, scores + 0.0, index, flush * 0


class Reset(nn.Module):
    def __init__(self, state: State) -> None:
        super().__init__()
        self.state = state

    def forward(self, unused: torch.Tensor) -> torch.Tensor:
        self.state.seen.copy_(self.state.seen * 0)
        return unused + 0.0


def export_toy(path: Path, metadata: str, methods: tuple[str, ...] = (STEP, RESET)) -> Path:
    state = State()
    one = torch.zeros(1, dtype=torch.int64)
    programs = {
        STEP: (Step(state), (torch.zeros(1, TOY.chunk_samples), one, torch.zeros(1), one.clone())),
        RESET: (Reset(state), (torch.zeros(1),)),
    }
    edge = to_edge_transform_and_lower(
        {name: torch.export.export(*programs[name], strict=True) for name in methods},
        constant_methods={METADATA: torch.tensor(list(metadata.encode()), dtype=torch.uint8)},
        compile_config=EdgeCompileConfig(_check_ir_validity=False),
    )
    # shared, or each method would have a state of its own
    planning = MemoryPlanningPass(share_mutable_buffers=True)
    path.write_bytes(sealed(bytes(edge.to_executorch(ExecutorchBackendConfig(memory_planning_pass=planning)).buffer)))
    return path


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_toy(tmp_path_factory.mktemp("toy") / "toy.pte", TOY.to_json())


@pytest.fixture(scope="session")
def toy_without_reset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_toy(tmp_path_factory.mktemp("toy") / "other.pte", TOY.to_json(), methods=(STEP,))
