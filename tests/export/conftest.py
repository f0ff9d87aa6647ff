"""Small encoders with random weights whose gate really decides, and their `.pte` files."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from edge_asr.contract import CONTRACT_VERSION, Metadata
from edge_asr.model.config import EncoderConfig, StackConfig
from edge_asr.model.encoder import GatedEncoder
from edge_asr_export.lower import build_program
from edge_asr_export.quantize import quantize
from tests.conftest import made_once
from tests.model.conftest import with_learned_gate

CONFIG = EncoderConfig(
    vocabulary=12,
    subsampling_channels=4,
    lower=StackConfig(layers=1, width=32, heads=2, kernel=7),
    upper=StackConfig(layers=2, width=48, heads=2, kernel=7),
    chunk_frames=8,
    left_context_frames=16,
)


def describe(config: EncoderConfig, precision: str) -> Metadata:
    return Metadata(
        contract_version=CONTRACT_VERSION,
        sample_rate_hz=config.front_end.sample_rate_hz,
        chunk_samples=config.chunk_frames * config.frame_samples,
        chunk_frames=config.chunk_frames,
        frame_samples=config.frame_samples,
        blank_id=config.blank_id,
        pieces=("<blank>", *(f"▁{letter}" for letter in "ABCDEFGHIJK")),
        default_threshold=0.5,
        precision=precision,
        lower_layers=config.lower.layers,
        upper_layers=config.upper.layers,
        training={"step": "0"},
        exporter={"edge_asr": "test"},
    )


@pytest.fixture(scope="session")
def small_pcm() -> np.ndarray:
    """float32 [samples]: 4.3 s of tones that come and go in noise; no whole number of chunks, nor of frames."""
    rng = np.random.default_rng(0)
    time_s = np.arange(68_900) / 16_000
    tones = [np.sin(2 * np.pi * hz * time_s) * (np.sin(rate * time_s) > 0.3) for hz, rate in ((300, 5), (1_900, 8))]
    return (0.1 * (tones[0] + tones[1]) + 0.01 * rng.standard_normal(len(time_s))).astype(np.float32)


@pytest.fixture(scope="session")
def small_encoder(small_pcm: np.ndarray) -> GatedEncoder:
    """fp32, in eval mode. Its blank probability spreads around 1/2 on `small_pcm`."""
    torch.manual_seed(0)
    encoder = GatedEncoder(CONFIG).eval().requires_grad_(False)
    encoder.lower.head.weight *= 16
    mel = encoder.features(torch.from_numpy(small_pcm[: 104 * CONFIG.frame_samples])[None], torch.tensor([104]), 8)
    blank = encoder(mel, torch.tensor([104]), torch.ones(1), 8).intermediate[0, :, CONFIG.blank_id].exp()
    encoder.lower.head.bias[CONFIG.blank_id] -= blank.logit().median()
    return encoder


@pytest.fixture(scope="session")
def factorized_encoder(small_pcm: np.ndarray) -> GatedEncoder:
    """As `small_encoder`, factorized."""
    torch.manual_seed(0)
    encoder = GatedEncoder(dataclasses.replace(CONFIG, factorized=True)).eval().requires_grad_(False)
    encoder.lower.head.blank.weight *= 16
    encoder.lower.head.labels.weight *= 16
    mel = encoder.features(torch.from_numpy(small_pcm[: 104 * CONFIG.frame_samples])[None], torch.tensor([104]), 8)
    blank = encoder(mel, torch.tensor([104]), torch.ones(1), 8).intermediate[0, :, CONFIG.blank_id].exp()
    encoder.lower.head.blank.bias -= blank.logit().median()
    return encoder


@pytest.fixture(scope="session")
def learned_encoder(small_encoder: GatedEncoder, small_pcm: np.ndarray) -> GatedEncoder:
    return with_learned_gate(small_encoder, torch.from_numpy(small_pcm))


def exported(encoder: GatedEncoder, precision: str, path: Path) -> Path:
    """The `.pte` of an encoder, which stays as it is."""

    def export(path: Path) -> None:
        copied = copy.deepcopy(encoder)
        quantize(copied, precision)
        path.write_bytes(build_program(copied, describe(CONFIG, precision), lambda _: None))

    return made_once(path, export)


@pytest.fixture(scope="session")
def learned_fp32_pte(learned_encoder: GatedEncoder, shared_folder: Path) -> Path:
    return exported(learned_encoder, "fp32", shared_folder / "learned-fp32.pte")


@pytest.fixture(scope="session")
def factorized_fp32_pte(factorized_encoder: GatedEncoder, shared_folder: Path) -> Path:
    return exported(factorized_encoder, "fp32", shared_folder / "factorized-fp32.pte")


@pytest.fixture(scope="session")
def factorized_int8_pte(factorized_encoder: GatedEncoder, shared_folder: Path) -> Path:
    return exported(factorized_encoder, "int8", shared_folder / "factorized-int8.pte")


@pytest.fixture(scope="session")
def fp32_pte(small_encoder: GatedEncoder, shared_folder: Path) -> Path:
    return exported(small_encoder, "fp32", shared_folder / "fp32.pte")


@pytest.fixture(scope="session")
def int8_pte(small_encoder: GatedEncoder, shared_folder: Path) -> Path:
    return exported(small_encoder, "int8", shared_folder / "int8.pte")
