"""What a `.pte` of every family must show."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from edge_asr.backends.choose import open_backend
from edge_asr.demo import RECORDING
from edge_asr.manifest import Utterance
from edge_asr.model.streams import lower_example, upper_example
from edge_asr.native.build import Build
from edge_asr.profiling.adoption import measure_adoption, read_material
from edge_asr.recognizer import Recognizer
from edge_asr_export.blocks import Blocks
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
def built(request: pytest.FixtureRequest, family_file: Callable[[str], Path]) -> Path:
    return family_file(request.param)


@pytest.mark.slow
def test_a_file_equals_eager_and_branches(built: Path) -> None:
    """Structure (a branch for each stack, delegates only, no portable matmul) and values are what `build` checks."""
    checks = json.loads(built.with_suffix(".json").read_text(encoding="utf-8"))["checks"]
    assert checks["structure"]
    differences = [value for value in checks.values() if isinstance(value, float)]
    assert differences
    assert max(differences) <= FP32_TOLERANCE
    assert len(inspect_pte(built)["methods"]["step"]["branches"]) == 6


@pytest.mark.slow
def test_the_native_runtime_hears_what_python_hears(built: Path, native_build: Build) -> None:
    native, python = (open_backend(built, threads=1, name=name) for name in ("native", "executorch-python"))
    samples = verification_audio(native.metadata.sample_rate_hz)
    threshold = native.metadata.default_threshold
    for (_, ours), (_, theirs) in zip(
        stream_steps(native, samples, threshold), stream_steps(python, samples, threshold), strict=True
    ):
        assert (ours.keep == theirs.keep).all()
        assert (ours.index == theirs.index).all()
        assert abs(ours.final - theirs.final).max(initial=0.0) <= FP32_TOLERANCE


@pytest.mark.slow
def test_any_cut_of_the_samples_gives_the_same_words_and_the_runner_says_them(
    built: Path, native_build: Build, tmp_path: Path
) -> None:
    with Recognizer.open(built, backend="native") as recognizer:
        samples = verification_audio(recognizer.metadata.sample_rate_hz)
        whole = recognizer.transcribe(samples)
        for blocks in ([samples], np.split(samples, [1, 2, 700, 9_001, 30_000]), np.array_split(samples, 97)):
            cut = recognizer.transcribe(list(blocks))
            assert (cut.words, cut.counters.kept_frames) == (whole.words, whole.counters.kept_frames)
    assert whole.words
    assert whole.counters.kept_frames < whole.counters.frames
    soundfile.write(tmp_path / "x.wav", samples, recognizer.metadata.sample_rate_hz, subtype="FLOAT")
    command = [native_build.runner, "--model", built, tmp_path / "x.wav"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == whole.text + "\n"


@pytest.mark.slow
def test_its_report_finds_the_text_of_pytorch_and_tells_what_streaming_and_gate_cost(built: Path) -> None:
    said = [Utterance(RECORDING, "1 2 3", "", duration_s=0.0, line=1)]
    report = measure_adoption(built, read_material(built.with_suffix(".safetensors"), None, said))
    assert report.agreement == 100.0
    assert report.gate.kept_frame_ratio < 1
    assert report.gate_cost.wer == pytest.approx(report.on.wer - report.off.wer)
    assert report.streaming_cost.wer == pytest.approx(report.off.wer - report.full_context.wer)
    assert report.full_context.wer > 0
    assert report.source is None
