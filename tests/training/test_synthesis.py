"""Synthetic speech: whose texts, which words, and that it is speech at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_asr.errors import EdgeAsrError
from edge_asr.training import synthesis
from edge_asr.training.synthesis import CLASS_OF, draw_plan, synthesize, vary
from tests.requirements import require_tool

PROGRAMS = ("espeak-ng", "flite")


@pytest.mark.parametrize("seed", range(5))
def test_words_change_within_their_class(seed: int) -> None:
    text = "ENTER A SIX TWENTY MARCH FIRST PITTSBURGH"
    varied = vary(text, np.random.default_rng(seed)).split()
    assert varied != text.split()
    assert varied[-1] == "PITTSBURGH"
    for before, after in zip(text.split()[:-1], varied[:-1], strict=True):
        assert after in CLASS_OF[before]


def test_a_seed_names_the_corpus() -> None:
    texts = ["GO", "A B", "ONE TWO"]
    first, again, other = (draw_plan(texts, 50, PROGRAMS, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert {utterance.program for utterance in first} == set(PROGRAMS)
    assert {utterance.text for utterance in draw_plan(texts, 200, PROGRAMS, 3)} > set(texts)  # as they are, and varied


def manifest(folder: Path) -> Path:
    """Twelve utterances of four speakers, whose texts say who speaks."""
    lines = []
    for number in range(12):
        soundfile.write(folder / f"{number}.wav", np.zeros(1_600), 16_000)
        speaker = f"S{number % 4}"
        lines.append({"audio_filepath": f"{number}.wav", "text": f"WORD OF {speaker}", "speaker": speaker})
    path = folder / "train.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


@pytest.fixture
def programs() -> None:
    for name in PROGRAMS:
        require_tool(name, name)


@pytest.mark.usefixtures("programs")
def test_every_utterance_is_spoken_and_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    source = manifest(tmp_path)
    path = synthesize([source], tmp_path / "tts", 8, seed=1, held_out=3)
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(entries) == 8
    for entry in entries:
        samples, rate = soundfile.read(path.parent / entry["audio_filepath"])
        assert rate == 16_000
        assert len(samples) / rate == pytest.approx(entry["duration"], abs=1e-3)
        assert np.sqrt(np.mean(samples**2)) > 0.01
    first = path.parent / entries[0]["audio_filepath"]
    written = first.stat().st_mtime_ns
    (path.parent / entries[1]["audio_filepath"]).unlink()
    path.unlink()
    assert synthesize([source], tmp_path / "tts", 8, seed=1, held_out=3) == path
    assert [json.loads(line) for line in path.read_text().splitlines()] == entries
    assert first.stat().st_mtime_ns == written
    with pytest.raises(EdgeAsrError, match="another seed"):
        synthesize([source], tmp_path / "tts", 8, seed=2, held_out=3)


@pytest.mark.usefixtures("programs")
def test_texts_of_held_out_speakers_are_not_spoken(tmp_path: Path) -> None:
    source = manifest(tmp_path)
    texts = {utterance.text for utterance in draw_plan([f"WORD OF S{n}" for n in range(4)], 40, PROGRAMS, 1)}
    assert len(texts) == 4
    path = synthesize([source], tmp_path / "tts", 40, seed=1, held_out=3)
    spoken = {json.loads(line)["text"] for line in path.read_text().splitlines()}
    assert len(spoken) == 3
    assert spoken < texts


def test_without_programs_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthesis.shutil, "which", lambda name: None)
    with pytest.raises(EdgeAsrError, match="apt install espeak-ng flite"):
        synthesize([manifest(tmp_path)], tmp_path / "tts", 1)
