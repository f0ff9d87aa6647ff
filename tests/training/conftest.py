"""Utterances whose words are tones, and a configuration small enough to train on them in seconds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_asr.training.config import AugmentationConfig, RunConfig, TrainingConfig

REPOSITORY = Path(__file__).parents[2]
TONES_HZ = {"LOW": 300, "MID": 900, "TOP": 2_700}  # each word is a tone
MODEL = {
    "subsampling_channels": 4,
    "lower": {"layers": 1, "width": 32, "heads": 2, "kernel": 7},
    "upper": {"layers": 1, "width": 32, "heads": 2, "kernel": 7},
    "chunk_frames": 8,
    "left_context_frames": 16,
    "dropout": 0.1,
}


@pytest.fixture(scope="session")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder: 24 utterances of two words by four speakers."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    lines = []
    for number in range(24):
        words = rng.choice(list(TONES_HZ), 2)
        pieces = [np.zeros(3_200)]
        for word in words:
            time_s = np.arange(4_800) / 16_000
            pieces += [0.3 * np.sin(2 * np.pi * TONES_HZ[word] * time_s), np.zeros(3_200)]
        name = f"{number}.wav"
        soundfile.write(folder / name, np.concatenate(pieces), 16_000)
        lines.append({"audio_filepath": name, "text": " ".join(words), "speaker": f"s{number % 4}", "duration": 1.2})
    (folder / "tones.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return folder


def run_config(**training: object) -> RunConfig:
    values: dict[str, object] = {
        "manifests": ("tones.jsonl",),
        "dev_manifest": "tones.jsonl",
        "dev_utterances": 4,
        "pieces": 13,
        "batch_s": 12.0,
        "peak_rate": 5e-3,
        "warmup_steps": 5,
        "flat_start_steps": 6,
        "spec_augment_from_step": 3,
        "gate_from_step": 8,  # so that the interrupted run resumes with the gate in the loop
        "chunk_frames": (8, 4),
        "dev_thresholds": (1.0, 0.9),
    }
    augmentation = AugmentationConfig(speeds=(1.0, 1.1), lead_s=0.1, trail_s=0.1)
    return RunConfig(model=MODEL, training=TrainingConfig(**{**values, **training}), augmentation=augmentation)  # type: ignore[arg-type]
