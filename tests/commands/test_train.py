"""`edge-asr train`: what is told before training, and a run that is started, interrupted by its end, and resumed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.beeps import write_beeps, write_manifest
from tests.outcome import Run

CONFIG = """
[model]
subsampling_channels = 4
lower = {layers = 1, width = 16, heads = 2, kernel = 7}
upper = {layers = 1, width = 16, heads = 2, kernel = 7}
[training]
manifests = ["train.jsonl"]
dev_manifest = "train.jsonl"
dev_utterances = 2
pieces = 8
steps = STEPS
batch_s = 8.0
evaluate_every = 2
"""


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Six utterances of three speakers."""
    folder = tmp_path / "data"
    folder.mkdir()
    entries = []
    for number in range(6):
        write_beeps(folder / f"{number}.wav", ".x.x..x."[number:] + "...")
        entries.append({"audio_filepath": f"{number}.wav", "text": "BEEP BE PEEP BED", "speaker": f"s{number // 2}"})
    write_manifest(folder / "train.jsonl", entries)
    return folder


def test_the_development_set_can_be_evaluated_at_once(run: Run, corpus: Path, tmp_path: Path, beep_model: Path) -> None:
    folder = tmp_path / "run"
    assert run("train", "--data", corpus, "--run-dir", folder, "--config", write_config(tmp_path), "--json").code == 0
    answer = run("evaluate", folder / "development.jsonl", "--model", beep_model, "--speeds", "0.9,1", "--json").json
    assert (answer["utterances"], answer["words"]) == (2, 2 * 2 * 4)


def write_config(tmp_path: Path, steps: int = 2, more: str = "") -> Path:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.replace("STEPS", str(steps)) + more)
    return path


def test_the_same_command_starts_resumes_and_starts_afresh(run: Run, corpus: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    line = ("train", "--data", corpus, "--run-dir", folder, "--threads", 1, "--json", "--config")
    first = run(*line, write_config(tmp_path, steps=2))
    assert first.code == 0, first
    assert first.json["steps"] == 2
    assert Path(first.json["checkpoint"]).is_file()
    assert "2 development utterances" in first.err  # the log goes to stderr, stdout is JSON alone
    resumed = run(*line, write_config(tmp_path, steps=4))
    assert "from step 2" in resumed.err
    log = [json.loads(entry) for entry in (folder / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in log if "dev" in entry and "default_threshold" not in entry] == [2, 4]
    afresh = run(*line, write_config(tmp_path, steps=2), "--fresh")
    assert "from step 0" in afresh.err
    assert (tmp_path / "run-1" / "model.safetensors").is_file()  # moved aside, not deleted


@pytest.mark.parametrize("more", ["[surprise]\n", "stepps = 3\n", "steps = \n"])
def test_a_broken_configuration_is_named(run: Run, corpus: Path, tmp_path: Path, more: str) -> None:
    config = write_config(tmp_path, more=more)
    run("train", "--config", config, "--data", corpus, "--run-dir", tmp_path / "run").assert_fails("config.toml")


def test_a_missing_configuration(run: Run, corpus: Path, tmp_path: Path) -> None:
    config = tmp_path / "none.toml"
    run("train", "--config", config, "--data", corpus, "--run-dir", tmp_path / "run").assert_fails("none.toml")


def test_a_missing_data_folder(run: Run, tmp_path: Path) -> None:
    run("train", "--data", tmp_path / "none", "--run-dir", tmp_path / "run").assert_fails("none", "--data")


def test_a_data_folder_without_the_manifest(run: Run, tmp_path: Path) -> None:
    run("train", "--data", tmp_path, "--run-dir", tmp_path / "run").assert_fails("train.jsonl", "no such manifest")


def test_no_data_folder_named_is_wrong_usage(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGE_ASR_DATA", raising=False)
    run("train", "--run-dir", tmp_path / "run").assert_fails("--data", code=2)
