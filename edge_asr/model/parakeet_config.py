"""Dimensions of Parakeet's FastConformer encoder with a CTC head."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from edge_asr.model.config import GateConfig, StackConfig, check_blank, check_context


@dataclass(frozen=True)
class ParakeetConfig:
    """As Hugging Face's configurations have them, and what streaming and the gate add."""

    vocabulary: int  # outputs of both heads, blank included
    blank_id: int  # index of CTC's blank
    cut: int  # layers that run on every frame
    layers: int  # of both stacks together
    width: int  # features of a frame, even
    heads: int  # attention heads
    inner: int  # features between the two linears of a feed-forward module
    kernel: int = 9  # taps of the depth-wise convolution, odd; half of them look back, half ahead inside the chunk
    mels: int = 80  # mel bands, a multiple of `subsampling`
    subsampling: int = 8  # mel rows in a frame: a power of two, with a stride-2 convolution for each factor of two
    subsampling_channels: int = 256  # channels of those convolutions
    chunk_frames: int = 16  # frames of a step
    left_context_frames: int = 64  # rows of the past that attention reads; a multiple of the chunk
    fade_frames: float = 375.0  # mean and variance of the mel bands forget in so many frames (30 s)
    gate: GateConfig = field(default_factory=GateConfig)  # which frames are kept
    dropout: float = 0.0  # training only

    SAMPLE_RATE_HZ = 16_000  # (not fields: the defaults of `ParakeetFeatureExtractor`:
    HOP_SAMPLES = 160  # 10 ms between mel rows,
    WINDOW_SAMPLES = 400  # 25 ms of audio in each of them,
    FFT_SIZE = 512  # zeros included,
    PREEMPHASIS = 0.97  # share of the sample before that is taken off each sample)

    @property
    def frame_samples(self) -> int:
        return self.subsampling * self.HOP_SAMPLES

    @property
    def tail_samples(self) -> int:
        """Samples of the past that a chunk reads: those of its first window, and the one that pre-emphasis takes."""
        return self.WINDOW_SAMPLES - self.HOP_SAMPLES + 1

    @property
    def lower(self) -> StackConfig:
        return self.stack(self.cut)

    @property
    def upper(self) -> StackConfig:
        return self.stack(self.layers - self.cut)

    def stack(self, layers: int) -> StackConfig:
        """What `streamed.Past` reads of a stack."""
        return StackConfig(layers=layers, width=self.width, heads=self.heads, kernel=self.kernel)

    def validate(self) -> None:
        """Raise ValueError, naming the field, where dimensions contradict one another."""
        if not 0 < self.cut < self.layers:
            raise ValueError(f"a cut after layer {self.cut} leaves nothing on one side: there are {self.layers} layers")
        if self.width % self.heads or self.width % 2:
            raise ValueError(f"width {self.width} is odd or not a multiple of heads ({self.heads})")
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel {self.kernel} is even")
        if self.subsampling < 2 or self.subsampling & (self.subsampling - 1):
            raise ValueError(f"subsampling {self.subsampling} is no power of two")
        if self.mels < 1 or self.mels % self.subsampling:
            raise ValueError(f"mels {self.mels} is not a multiple of subsampling ({self.subsampling})")
        if self.chunk_frames < max(1, self.gate.spike_right):
            raise ValueError(f"chunk_frames {self.chunk_frames} is less than the gate's spike_right, or than 1")
        check_context(self.left_context_frames, self.chunk_frames, least=1)
        if self.kernel // 2 > self.left_context_frames:
            raise ValueError(f"kernel {self.kernel} reaches beyond left_context_frames ({self.left_context_frames})")
        check_blank(self.blank_id, self.vocabulary)
        if self.fade_frames <= 0:
            raise ValueError(f"fade_frames {self.fade_frames} is not positive")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ParakeetConfig:
        """Inverse of `to_dict`. Raises TypeError on unknown fields, ValueError on contradictions."""
        gate = {"gate": GateConfig(**values["gate"])} if "gate" in values else {}
        config = cls(**(values | gate))
        config.validate()
        return config

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)
