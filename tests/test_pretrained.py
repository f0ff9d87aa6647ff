"""A pretrained encoder from its folder to text on the screen: Moonshine tiny with its own weights, on AN4, in minutes.
What it hears after so short a training is worth nothing; that each command does its part is what this shows.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_asr.demo import RECORDING
from edge_asr.model.checkpoint import load_checkpoint
from tests.beeps import write_manifest
from tests.outcome import Run

STEPS = 60
CONFIG = f"""
like = "adopted.toml"
[training]
start_checkpoint = "START"
manifests = ["train.jsonl"]
dev_manifest = "train.jsonl"
dev_utterances = 6
dev_speeds = [1.0]
dev_thresholds = [1.0, 0.9]
batch_s = 12.0
steps = {STEPS}
peak_rate = 2e-3
warmup_steps = 10
heads_first_steps = 20
chunks_from_step = 40
gate_from_step = 50
evaluate_every = {STEPS}
"""


@pytest.fixture
def corpus(data_folder: Path, tmp_path: Path) -> Path:
    """Some speakers of AN4's training split."""
    folder = data_folder / "an4"
    lines = (folder / "train.jsonl").read_text(encoding="utf-8").splitlines()[::8]
    entries = [json.loads(line) for line in lines]
    for entry in entries:
        entry["audio_filepath"] = str(folder / entry["audio_filepath"])
    write_manifest(tmp_path / "train.jsonl", entries)
    return tmp_path


@pytest.mark.slow
def test_adopted_trained_exported_and_heard(run: Run, pretrained_tiny: Path, corpus: Path) -> None:
    start, config, runs, pte = (corpus / name for name in ("start.safetensors", "c.toml", "run", "tuned.pte"))
    adopted = run("adopt", pretrained_tiny, "--cut", 3, "-o", start, "--json").json
    assert (adopted["architecture"], adopted["frame_ms"], adopted["cut"]) == ("moonshine", 24.0, 3)
    assert adopted["left_tensors"] == []
    assert adopted["lower"]["parameters"] + adopted["upper"]["parameters"] > 7.6e6

    config.write_text(CONFIG.replace("START", str(start)))
    line = ("train", "--config", config, "--data", corpus, "--run-dir", runs, "--threads", 1, "--json")
    trained = run(*line).json
    assert trained["steps"] == STEPS
    log = [json.loads(entry) for entry in (runs / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    (losses,) = [entry["losses"] for entry in log if "losses" in entry]  # told after 50 steps
    assert losses["final"] < 0.5 * log_of_chance(adopted["vocabulary"])
    assert losses["intermediate"] < 0.5 * log_of_chance(adopted["vocabulary"])
    assert load_checkpoint(runs / "model.safetensors").training["step"] == str(STEPS)

    exported = run("export", runs / "model.safetensors", "-o", pte, "--precision", "fp32", "--json").json
    assert exported["checks"]["structure"]
    heard = run("transcribe", RECORDING, "--model", pte, "--json")
    assert heard.code == 0, heard
    assert heard.json["frames"] == pytest.approx(heard.json["audio_s"] / 0.024, abs=1)


def log_of_chance(outputs: int) -> float:
    """What an untrained head costs a letter: AN4 has some 25 frames of 24 ms for each."""
    from math import log

    return 25 * log(outputs)
