"""ExecuTorch's own front end, extension::Module with its defaults, which is what its Android library wraps: one module
hears several streams, at several thresholds, as our native runtime does, step by step and bit by bit."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from edge_asr.audio import read_audio
from edge_asr.native.build import Build
from tests.backends.conftest import HOLD, TOY, export_toy
from tests.native.drivers import compile_module_driver

SAMPLES = (30_000, 25_000, 41_000)


@dataclass(frozen=True)
class Heard:
    """What both heard in a stream."""

    steps: int
    kept: int  # frames
    resolved: int  # frames
    first: int  # the first that was resolved


class Driver:
    def __init__(self, program: Path, folder: Path) -> None:
        self._program = program
        self._folder = folder

    def hear(self, model: Path, streams: Sequence[tuple[float, np.ndarray]]) -> list[Heard]:
        """A threshold and samples for each. Fails where the two differ."""
        arguments = []
        for number, (threshold, samples) in enumerate(streams):
            path = self._folder / f"{number}.pcm"
            samples.astype(np.float32).tofile(path)
            arguments += [str(threshold), str(path)]
        command = [str(self._program), str(model), *arguments]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return [Heard(*map(int, line.split("\t"))) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def driver(native_build: Build, tmp_path_factory: pytest.TempPathFactory) -> Driver:
    folder = tmp_path_factory.mktemp("extension-module")
    return Driver(compile_module_driver(native_build, folder), folder)


def noise() -> list[np.ndarray]:
    chance = np.random.default_rng(0)
    return [0.1 * chance.standard_normal(samples) for samples in SAMPLES]


def test_a_program_whose_frames_wait_is_heard_the_same(driver: Driver, tmp_path: Path) -> None:
    toy = export_toy(tmp_path / "toy.pte", TOY.to_json())
    heard = driver.hear(toy, list(zip((1.0, HOLD, 1.0), noise(), strict=True)))
    assert [stream.first for stream in heard] == [0, 0, 0]
    assert [stream.resolved for stream in heard] == [-(-samples // TOY.frame_samples) for samples in SAMPLES]


def test_streams_of_the_tiny_model_are_heard_the_same_at_every_threshold(driver: Driver, tiny_pte: Path) -> None:
    first, second, _ = noise()
    thresholds = np.linspace(0.04, 0.09, 101)  # some of them lie among the blank probabilities of random weights
    begun, *gated, again = driver.hear(tiny_pte, [(1.0, first), *((gate, second) for gate in thresholds), (1.0, first)])
    frames = -(-len(second) // 640)
    assert begun == again
    assert begun.kept == begun.resolved == -(-len(first) // 640)
    assert any(0 < stream.kept < frames for stream in gated)
    assert all(stream.resolved == stream.kept for stream in gated)


@pytest.mark.slow
def test_an4_is_heard_the_same_by_the_shipped_model(driver: Driver, shipped_pte: Path, an4_test: Path) -> None:
    lines = an4_test.read_text(encoding="utf-8").splitlines()[:3]
    recordings = [read_audio(an4_test.parent / json.loads(line)["audio_filepath"]) for line in lines]
    streams = [(threshold, pcm) for threshold in (0.7, 1.0) for pcm in recordings]
    heard = driver.hear(shipped_pte, streams)
    assert all(0 < gated.kept < off.kept for gated, off in zip(heard[:3], heard[3:], strict=True))
