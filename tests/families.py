"""A small encoder of each family, with drawn weights whose gate has something to decide."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from edge_asr.contract import CONTRACT_VERSION, Metadata
from edge_asr.model.config import EncoderConfig, StackConfig
from edge_asr.model.encoder import GatedEncoder
from edge_asr.model.gated import EncoderOutput, GatedCtc
from edge_asr.model.moonshine import MoonshineEncoder
from edge_asr.model.moonshine_config import MoonshineConfig
from edge_asr.model.parakeet import ParakeetEncoder
from edge_asr.model.parakeet_config import ParakeetConfig
from edge_asr.model.wav2vec2 import Wav2Vec2Encoder
from edge_asr.model.wav2vec2_config import Wav2Vec2Config
from edge_asr.tokens import BLANK


def gated_conformer() -> GatedCtc:
    lower, upper = (
        StackConfig(layers=2, width=32, heads=2, kernel=7),
        StackConfig(layers=2, width=48, heads=2, kernel=5),
    )
    config = EncoderConfig(12, subsampling_channels=4, lower=lower, upper=upper, chunk_frames=8, left_context_frames=16)
    return GatedEncoder(config)


def wav2vec2(layer_normed: bool, norm_first: bool) -> GatedCtc:
    config = Wav2Vec2Config(
        vocabulary=12,
        blank_id=0,
        cut=2,
        layers=4,
        width=32,
        heads=4,
        inner=48,
        conv_channels=(24,) * 7,
        conv_bias=layer_normed,
        layer_normed=layer_normed,
        norm_first=norm_first,
        position_kernel=16,
        position_groups=4,
        chunk_frames=8,
        left_context_frames=24,
    )
    return Wav2Vec2Encoder(config)


def moonshine() -> GatedCtc:
    config = MoonshineConfig(
        vocabulary=12,
        width=32,
        layers=4,
        cut=2,
        heads=2,
        inner=48,
        rotary_width=8,
        chunk_frames=8,
        left_context_frames=24,
    )
    return MoonshineEncoder(config)


def parakeet() -> GatedCtc:
    config = ParakeetConfig(
        vocabulary=12,
        blank_id=0,
        width=32,
        layers=4,
        cut=2,
        heads=8,
        inner=48,
        kernel=5,
        mels=96,
        subsampling_channels=6,
        chunk_frames=8,
        left_context_frames=24,
    )
    return ParakeetEncoder(config)


SMALL: dict[str, Callable[[], GatedCtc]] = {
    "gated-conformer": gated_conformer,
    "moonshine": moonshine,
    "parakeet": parakeet,
    "wav2vec2-group": lambda: wav2vec2(layer_normed=False, norm_first=False),
    "wav2vec2-layer": lambda: wav2vec2(layer_normed=True, norm_first=True),
}


def small(name: str) -> GatedCtc:
    """The same weights in every process: frozen, in eval mode."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder = SMALL[name]().eval().requires_grad_(False)
        for key, value in encoder.named_parameters():
            if "head" in key and value.dim() == 2:
                value *= 8  # opinions
    return encoder


def run_whole(encoder: GatedCtc, samples: Tensor, threshold: float = 1.0) -> EncoderOutput:
    """One utterance [S], all chunks at once."""
    spec = encoder.spec
    frames = -(-len(samples) // spec.frame_samples)
    padded_frames = -(-frames // spec.chunk_frames) * spec.chunk_frames
    padded = torch.zeros(1, padded_frames * spec.frame_samples)
    padded[0, : len(samples)] = samples
    counts = torch.tensor([frames])
    features = encoder.features(padded, counts, spec.chunk_frames)
    output: EncoderOutput = encoder(features, counts, torch.tensor([threshold]), spec.chunk_frames)
    return output


def a_threshold(encoder: GatedCtc, samples: Tensor, share: float) -> float:
    """With which about this share of the frames are spikes: half-way between two blank probabilities."""
    frames = -(-len(samples) // encoder.spec.frame_samples)
    intermediate = run_whole(encoder, samples).intermediate[0, :frames]
    ordered = intermediate[:, encoder.spec.blank_id].exp().sort().values
    at = int(share * frames)
    return float(ordered[at - 1 : at + 1].mean())


def metadata_of(encoder: GatedCtc, precision: str = "fp32") -> Metadata:
    """Of its file."""
    spec = encoder.spec
    words = [f"▁{number}" for number in range(1, spec.vocabulary)]
    return Metadata(
        contract_version=CONTRACT_VERSION,
        sample_rate_hz=spec.sample_rate_hz,
        chunk_samples=spec.chunk_frames * spec.frame_samples,
        chunk_frames=spec.chunk_frames,
        frame_samples=spec.frame_samples,
        blank_id=spec.blank_id,
        pieces=(*words[: spec.blank_id], BLANK, *words[spec.blank_id :]),
        default_threshold=0.5,
        precision=precision,
        lower_layers=spec.lower_layers,
        upper_layers=spec.upper_layers,
        training={},
        exporter={},
    )


def apart(found: Tensor, expected: Tensor) -> float:
    """The largest difference."""
    return float((found - expected).abs().max())
