"""What is sent to a lent machine: the same manifests, the recordings in few bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_asr.audio import read_audio
from edge_asr.manifest import read_manifest
from tests.beeps import write_beeps, write_manifest
from tests.outcome import Run


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "beeps"
    folder.mkdir(parents=True)
    for name in ("one", "two"):
        write_beeps(folder / f"{name}.wav", ".x..x." * 5)
    entries = [{"audio_filepath": f"{name}.wav", "text": f"BEEP {name}", "speaker": name} for name in ("one", "two")]
    return write_manifest(folder / "train.jsonl", entries)


def test_packed_recordings_say_the_same_in_fewer_bytes(run: Run, corpus: Path, tmp_path: Path) -> None:
    config, data, packed = tmp_path / "c.toml", corpus.parent.parent, tmp_path / "packed"
    config.write_text('[training]\nmanifests = ["beeps/train.jsonl"]\n')
    report = run("train", "--config", config, "--data", data, "--pack", packed, "--json").json
    before, after = read_manifest(corpus), read_manifest(packed / "beeps" / "train.jsonl")
    assert [(u.text, u.speaker, u.line) for u in after] == [(u.text, u.speaker, u.line) for u in before]
    for theirs, ours in zip(before, after, strict=True):
        assert ours.audio.is_relative_to(packed)
        assert len(read_audio(ours.audio)) == len(read_audio(theirs.audio))
        assert abs(read_audio(ours.audio) - read_audio(theirs.audio)).mean() < 0.05
    assert report["bytes"] == sum(path.stat().st_size for path in packed.rglob("*") if path.is_file())
    assert report["bytes"] < sum(u.audio.stat().st_size for u in before) / 4
    first = after[0].audio.stat().st_mtime_ns
    run("train", "--config", config, "--data", data, "--pack", packed)
    assert after[0].audio.stat().st_mtime_ns == first


def test_another_recording_of_the_same_line_is_packed_anew(run: Run, corpus: Path, tmp_path: Path) -> None:
    config, data, packed = tmp_path / "c.toml", corpus.parent.parent, tmp_path / "packed"
    config.write_text('[training]\nmanifests = ["beeps/train.jsonl"]\n')
    run("train", "--config", config, "--data", data, "--pack", packed)
    before = read_manifest(packed / "beeps" / "train.jsonl")
    corpus.write_text("\n".join(reversed(corpus.read_text().splitlines())) + "\n")
    run("train", "--config", config, "--data", data, "--pack", packed)
    after = read_manifest(packed / "beeps" / "train.jsonl")
    assert [(u.text, u.audio) for u in after] == [(u.text, u.audio) for u in reversed(before)]


def test_nothing_that_is_read_is_written_over(run: Run, corpus: Path, tmp_path: Path) -> None:
    config, data = tmp_path / "c.toml", corpus.parent.parent
    before = corpus.read_bytes()
    config.write_text('[training]\nmanifests = ["beeps/train.jsonl"]\n')
    run("train", "--config", config, "--data", data, "--pack", data).assert_fails("this is the data folder itself")
    for name in (corpus, "../data/beeps/../../data/beeps/train.jsonl", "../elsewhere.jsonl"):
        config.write_text(f"[training]\nmanifests = ['{name}']\n")
        outcome = run("train", "--config", config, "--data", data, "--pack", tmp_path / "packed")
        outcome.assert_fails("only manifests below the data folder")
    assert corpus.read_bytes() == before
