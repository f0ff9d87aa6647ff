"""A model of 8 kHz, as telephony has it, is exported and run at its own rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import torch

from edge_asr.audio import read_audio
from edge_asr.demo import RECORDING
from edge_asr.model.checkpoint import Checkpoint, save_checkpoint
from edge_asr.model.config import EncoderConfig, FrontEndConfig, StackConfig
from edge_asr.model.encoder import GatedEncoder
from edge_asr.native.build import Build
from edge_asr.recognizer import Recognizer
from edge_asr.tokens import BLANK, Tokens
from edge_asr_export.build import build
from tests.conftest import made_once

RATE_HZ = 8_000
FRONT_END = FrontEndConfig(
    sample_rate_hz=RATE_HZ, hop_samples=80, window_samples=200, fft_size=256, mels=40, high_hz=3_800.0
)


@pytest.fixture(scope="module")
def telephony_pte(shared_folder: Path) -> Path:
    """Random weights that hear nonsense, and the same on every backend."""

    def make(path: Path) -> None:
        torch.manual_seed(0)
        pieces = (BLANK, *(f"▁{letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
        config = EncoderConfig(
            front_end=FRONT_END,
            vocabulary=len(pieces),
            subsampling_channels=8,
            lower=StackConfig(layers=1, width=32, heads=2, kernel=7),
            upper=StackConfig(layers=1, width=32, heads=2, kernel=7),
        )
        checkpoint = path.with_suffix(".safetensors")
        model = GatedEncoder(config).eval()
        save_checkpoint(checkpoint, Checkpoint(model, Tokens(pieces, 0), default_threshold=1.0, training={"step": "0"}))
        build(checkpoint, path, precision="fp32")  # compares it with eager PyTorch, at its rate

    return made_once(shared_folder / "telephony.pte", make)


@pytest.mark.slow
def test_a_model_of_8_khz_hears_any_file_at_8_khz(telephony_pte: Path, native_build: Build, tmp_path: Path) -> None:
    narrow = read_audio(RECORDING, RATE_HZ)
    soundfile.write(tmp_path / "wide.wav", soxr.resample(narrow, RATE_HZ, 44_100), 44_100, subtype="FLOAT")
    texts = []
    for backend in ("executorch-python", "native"):
        with Recognizer.open(telephony_pte, backend=backend) as recognizer:
            assert recognizer.metadata.sample_rate_hz == RATE_HZ
            heard = recognizer.transcribe(narrow)
            assert heard.counters.audio_s == len(narrow) / RATE_HZ
            assert heard.words
            assert max(word.end_s for word in heard.words) <= heard.counters.audio_s
            wide = recognizer.transcribe(tmp_path / "wide.wav")
            assert wide.counters.audio_s == pytest.approx(heard.counters.audio_s, abs=0.001)
            assert wide.counters.frames == pytest.approx(heard.counters.frames, abs=1)
            texts.append(heard.text)
            assert heard.text == recognizer.transcribe(np.array_split(narrow, 7)).text
    assert texts[0] == texts[1]
