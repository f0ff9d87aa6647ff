"""`edge-asr demo`: the bundled recording, AN4 where it is found, and what the gate saved."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

from edge_asr.audio import SAMPLE_RATE_HZ
from edge_asr.commands.demo import KEPT, SKIPPED
from edge_asr.demo import RECORDING, TEXT
from edge_asr.profiling import memory
from edge_asr.profiling.memory import MemoryUse
from tests.beeps import write_beeps, write_manifest
from tests.outcome import Run


@pytest.fixture(autouse=True)
def no_second_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The beep model lives in this process only."""
    monkeypatch.setattr(memory, "measure", lambda model, audio, backend: MemoryUse(40_000_000, 60_000_000, 70_000_000))


def make_an4(folder: Path, utterances: int) -> None:
    (folder / "an4").mkdir()
    for number in range(utterances):
        write_beeps(folder / "an4" / f"{number}.wav", ".x.")
    entries = [{"audio_filepath": f"{number}.wav", "text": "BEEP"} for number in range(utterances)]
    write_manifest(folder / "an4" / "test.jsonl", entries)


def test_json_has_texts_strips_times_and_memory(
    run: Run, beep_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_an4(tmp_path, utterances=23)
    monkeypatch.setenv("EDGE_ASR_DATA", str(tmp_path))
    outcome = run("demo", "--json", "--model", beep_model)
    answer = outcome.json
    assert (outcome.code, outcome.err) == (0, "")
    assert answer["recording"]["reference"] == TEXT
    assert len(answer["recording"]["keep"]) == answer["recording"]["counters"]["frames"]
    assert [item["audio"] for item in answer["an4"]] == ["0.wav", "4.wav", "8.wav", "12.wav", "16.wav"]
    assert all(item["text"] == "BEEP" for item in answer["an4"])
    assert answer["an4"][0]["keep"] == SKIPPED * 5 + KEPT * 5 + SKIPPED * 5
    assert answer["gate"]["kept_frame_ratio"] < 1
    assert answer["gate"]["ratio_low"] <= answer["gate"]["ratio"] <= answer["gate"]["ratio_high"]
    assert answer["memory_bytes"]["peak"] == 70_000_000


def test_without_the_corpus_it_shows_the_bundled_recording_and_says_what_is_missing(
    run: Run, beep_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDGE_ASR_DATA", raising=False)
    outcome = run("demo", "--model", beep_model)
    assert outcome.code == 0
    for part in (TEXT, "synthetic", "EDGE_ASR_DATA", KEPT, "less compute", "memory"):
        assert part in outcome.out


def test_the_bundled_recording_is_small_and_labelled_as_synthetic() -> None:
    info = soundfile.info(RECORDING)
    assert (info.samplerate, info.channels) == (SAMPLE_RATE_HZ, 1)
    assert RECORDING.stat().st_size < 150_000
    label = (RECORDING.parent / "README.md").read_text()
    assert "synthetic" in label
    assert TEXT.lower() in label
