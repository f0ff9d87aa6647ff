"""A small encoder whose gate really decides, and audio that gives it something to decide on."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from edge_asr.model.config import EncoderConfig, GateConfig, StackConfig
from edge_asr.model.encoder import GatedEncoder

SMALL = EncoderConfig(
    vocabulary=12,
    subsampling_channels=4,
    lower=StackConfig(layers=2, width=32, heads=2, kernel=7),
    upper=StackConfig(layers=2, width=48, heads=2, kernel=5),
    chunk_frames=8,
    left_context_frames=16,
)


@pytest.fixture(autouse=True)
def same_noise_every_time() -> None:
    """Noise that a test draws is the same in every run and order, and so is its result."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def noisy_tones() -> Tensor:
    """float32 [samples], 6 s: tones that come and go in noise."""
    torch.manual_seed(1)
    time_s = torch.arange(96_000) / 16_000
    tones = [torch.sin(6.2832 * hz * time_s) * (torch.sin(rate * time_s) > 0.3) for hz, rate in ((300, 5), (1_900, 8))]
    return 0.1 * (tones[0] + tones[1]) + 0.01 * torch.randn(len(time_s))


@pytest.fixture(scope="session")
def factorized_encoder(noisy_tones: Tensor) -> GatedEncoder:
    """As `small_encoder`, factorized, and blank is neither the first nor the last output."""
    torch.manual_seed(0)
    config = replace(SMALL, factorized=True, blank_id=5)
    encoder = GatedEncoder(config).eval().requires_grad_(False)
    encoder.lower.head.blank.weight *= 16
    encoder.lower.head.labels.weight *= 16
    samples = noisy_tones[: 144 * SMALL.frame_samples]
    out = encoder(
        encoder.features(samples[None], torch.tensor([144]), SMALL.chunk_frames),
        torch.tensor([144]),
        torch.ones(1),
        SMALL.chunk_frames,
    )
    encoder.lower.head.blank.bias -= out.intermediate[0, :, config.blank_id].exp().logit().median()
    return encoder


@pytest.fixture(scope="session")
def learned_encoder(small_encoder: GatedEncoder, noisy_tones: Tensor) -> GatedEncoder:
    return with_learned_gate(small_encoder, noisy_tones)


def with_learned_gate(encoder: GatedEncoder, samples: Tensor, **extension: int) -> GatedEncoder:
    """The same weights, and a gate of its own mind; its probability spreads around 1/2 on the samples."""
    torch.manual_seed(3)
    gate = GateConfig(**{"spike_left": 0, "spike_right": 0, **extension}, learned=True)
    learned = GatedEncoder(replace(encoder.config, gate=gate)).eval().requires_grad_(False)
    learned.load_state_dict({**learned.state_dict(), **encoder.state_dict()})
    assert learned.lower.gate is not None
    learned.lower.gate.weight *= 16
    chunk = learned.config.chunk_frames
    frames = len(samples) // learned.config.frame_samples // chunk * chunk
    mel = learned.features(samples[: frames * learned.config.frame_samples][None], torch.tensor([frames]), chunk)
    learned.lower.gate.bias -= learned(mel, torch.tensor([frames]), torch.ones(1), chunk).gate.median()
    return learned


@pytest.fixture(scope="session")
def small_encoder(noisy_tones: Tensor) -> GatedEncoder:
    """In eval mode. Its blank probability spreads around 1/2 on `noisy_tones`."""
    torch.manual_seed(0)
    encoder = GatedEncoder(SMALL).eval().requires_grad_(False)
    encoder.lower.head.weight *= 16
    samples = noisy_tones[: 144 * SMALL.frame_samples]
    out = encoder(
        encoder.features(samples[None], torch.tensor([144]), SMALL.chunk_frames),
        torch.tensor([144]),
        torch.ones(1),
        SMALL.chunk_frames,
    )
    encoder.lower.head.bias[SMALL.blank_id] -= out.intermediate[0, :, SMALL.blank_id].exp().logit().median()
    return encoder
