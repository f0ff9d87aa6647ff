"""The native backend decodes in its library what Python's time line would decode: word for word, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_asr import ctc
from edge_asr.audio import read_audio
from edge_asr.backends import choose, native
from edge_asr.backends.protocol import StepResult
from edge_asr.demo import RECORDING
from edge_asr.errors import EdgeAsrError
from edge_asr.manifest import read_manifest
from edge_asr.native.build import Build
from edge_asr.native.library import LIBRARY_VARIABLE
from edge_asr.recognizer import Recognizer, Result, Update
from tests.native.programs import export_breaking

BLOCK = 7_000  # samples between two updates: no multiple of a chunk or a frame


class StepsOnly:
    """A backend without a decoder: the native program's steps."""

    name = "native"

    def __init__(self, path: Path) -> None:
        self._inner = choose.open_backend(path, name="native")
        self.metadata = self._inner.metadata

    def step(self, pcm: np.ndarray, frames: int, threshold: float, flush: bool) -> StepResult:
        return self._inner.step(pcm, frames, threshold, flush)

    def reset(self) -> None:
        self._inner.reset()


@pytest.fixture(autouse=True)
def this_library(native_build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIBRARY_VARIABLE, str(native_build.library))


def answers(recognizer: Recognizer, samples: np.ndarray, threshold: float | None) -> Iterator[Update | Result]:
    with recognizer.stream(threshold) as stream:
        for start in range(0, len(samples), BLOCK):
            yield stream.accept(samples[start : start + BLOCK])
        yield stream.finish()


def said(answer: Update | Result) -> tuple[object, ...]:
    """All of an answer but wall clock. Words compare as they are: their times and confidences are not rounded."""
    c = answer.counters
    return (
        answer.text,
        answer.new_words,
        answer.partial_words if isinstance(answer, Update) else answer.words,
        [(step.keep, step.upper_ran, step.waiting) for step in answer.new_steps],
        (c.frames, c.kept_frames, c.upper_runs, c.steps, c.audio_s),
    )


def assert_decoded_alike(path: Path, samples: np.ndarray, threshold: float | None) -> int:
    """Two streams, as the second finds the program reset; returns the number of words."""
    with Recognizer.open(path, backend="native") as ours, Recognizer(lambda: StepsOnly(path)) as theirs:
        for _ in range(2):
            pairs = zip(answers(ours, samples, threshold), answers(theirs, samples, threshold), strict=True)
            for mine, other in pairs:
                assert said(mine) == said(other)
    return len(mine.words) if isinstance(mine, Result) else 0


@pytest.mark.parametrize("threshold", [None, 0.5, 1.0])
def test_both_decoders_say_the_same_bit_for_bit(tiny_pte: Path, threshold: float | None) -> None:
    assert assert_decoded_alike(tiny_pte, read_audio(RECORDING), threshold) > 3


@pytest.mark.slow
@pytest.mark.parametrize("threshold", [None, 1.0])
def test_both_decoders_say_the_same_of_the_shipped_model(
    shipped_pte: Path, an4_test: Path, threshold: float | None
) -> None:
    samples = np.concatenate([read_audio(utterance.audio) for utterance in read_manifest(an4_test)[:40]])
    assert assert_decoded_alike(shipped_pte, samples, threshold) > 150


def test_no_word_is_decoded_in_python_and_no_log_probability_copied(
    tiny_pte: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(ctc.TimeLine, "add", forbidden)
    monkeypatch.setattr(native, "copied", forbidden)
    with Recognizer.open(tiny_pte, backend="native") as recognizer:
        assert recognizer.transcribe(RECORDING).words


@pytest.fixture(scope="module")
def breaking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_breaking(tmp_path_factory.mktemp("breaking") / "breaking.pte")


@pytest.mark.parametrize("trigger", [20.0, 30.0, 40.0, 50.0])
def test_a_broken_contract_has_the_same_line(breaking: Path, trigger: float) -> None:
    samples = np.concatenate([np.full(640, value, np.float32) for value in (0.1, trigger)])
    lines = []
    for recognizer in (Recognizer.open(breaking, backend="native"), Recognizer(lambda: StepsOnly(breaking))):
        with pytest.raises(EdgeAsrError) as caught:
            recognizer.transcribe(samples)
        lines.append(str(caught.value))
        assert recognizer.transcribe(samples[:640]).counters.steps == 1  # with another program
    assert lines[0] == lines[1]
    assert "export it again" in lines[0]
