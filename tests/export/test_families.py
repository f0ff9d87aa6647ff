"""What a `.pte` of every family must show."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from edge_asr.backends.choose import open_backend
from edge_asr.model.checkpoint import Checkpoint, save_checkpoint
from edge_asr.model.streams import lower_example, upper_example
from edge_asr.tokens import Tokens
from edge_asr_export.blocks import Blocks
from edge_asr_export.build import BuildReport, build
from edge_asr_export.inspect import inspect_pte
from edge_asr_export.lower import lower_alone
from edge_asr_export.verify import FP32_TOLERANCE, stream_steps, verification_audio
from tests.families import SMALL, small


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SMALL))
@torch.no_grad()
def test_each_block_is_one_delegate(name: str) -> None:
    encoder = small(name)
    blocks = Blocks.of(encoder)
    assert lower_alone(blocks.lower, lower_example(encoder)).backend == "XnnpackBackend"
    assert lower_alone(blocks.uppers[-1], upper_example(encoder)).backend == "XnnpackBackend"


@pytest.fixture(scope="module", params=sorted(set(SMALL) - {"gated-conformer"}))  # test_streaming_file has ours
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, BuildReport]:
    folder = tmp_path_factory.mktemp(request.param)
    encoder = small(request.param)
    pieces = ("<blank>", *(f"▁{number}" for number in range(1, encoder.spec.vocabulary)))
    checkpoint = Checkpoint(encoder, Tokens(pieces, 0), default_threshold=0.5)
    save_checkpoint(folder / "x.safetensors", checkpoint)
    return folder / "x.pte", build(folder / "x.safetensors", folder / "x.pte", precision="fp32")


@pytest.mark.slow
def test_a_file_equals_eager_and_branches(built: tuple[Path, BuildReport]) -> None:
    """Structure (a branch for each stack, delegates only, no portable matmul) and values are what `build` checks."""
    path, report = built
    assert report.checks["structure"]
    differences = [value for value in report.checks.values() if isinstance(value, float)]
    assert differences
    assert max(differences) <= FP32_TOLERANCE
    assert len(inspect_pte(path)["methods"]["step"]["branches"]) == 6


@pytest.mark.slow
def test_the_native_runtime_hears_what_python_hears(built: tuple[Path, BuildReport], native_build: object) -> None:
    path, _ = built
    native, python = (open_backend(path, threads=1, name=name) for name in ("native", "executorch-python"))
    samples = verification_audio(native.metadata.sample_rate_hz)
    for (_, ours), (_, theirs) in zip(
        stream_steps(native, samples, 0.5), stream_steps(python, samples, 0.5), strict=True
    ):
        assert (ours.keep == theirs.keep).all()
        assert (ours.index == theirs.index).all()
        assert abs(ours.final - theirs.final).max(initial=0.0) <= FP32_TOLERANCE
