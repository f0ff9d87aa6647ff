"""Every dimension of a gated encoder, frozen and saved beside its weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


def check_context(left_context_frames: int, chunk_frames: int, least: int = 0) -> None:
    """Of any architecture. Raises ValueError."""
    if left_context_frames < least or left_context_frames % chunk_frames:
        raise ValueError(f"left_context_frames {left_context_frames} is not a multiple of chunk_frames {chunk_frames}")


def check_blank(blank_id: int, vocabulary: int) -> None:
    """Of any architecture. Raises ValueError."""
    if not 0 <= blank_id < vocabulary:
        raise ValueError(f"blank_id {blank_id} is outside the vocabulary of {vocabulary}")


@dataclass(frozen=True)
class FrontEndConfig:
    """Log-mel front end. The window looks only into the past, so a chunk never waits for samples after it."""

    sample_rate_hz: int = 16_000  # the only rate the program takes; the host resamples
    hop_samples: int = 160  # 10 ms between mel frames
    window_samples: int = 400  # 25 ms of audio in a mel frame
    fft_size: int = 512  # bins = fft_size / 2 + 1
    mels: int = 80  # triangular bands on the HTK mel scale
    low_hz: float = 20.0  # lower edge of the lowest band
    high_hz: float = 7_600.0  # upper edge of the highest band
    level_release_db_s: float = 3.0  # the level of the speech falls so fast where it is not spoken (`model.level`)
    level_low_hz: float = 100.0  # bands that reach below do not count for the level: hum, rumble
    level_floor: float = 1e-8  # lowest level, in band energy: near the rounding of 16-bit samples
    level_reference: float = 0.4  # band energy that the level is brought to: that of AN4's recordings
    energy_floor: float = 1e-6  # added to band energies before the log; digital silence then looks like a quiet room
    mel_mean: float = -7.0  # subtracted from every log energy
    mel_std: float = 3.5  # divides every log energy

    @property
    def tail_samples(self) -> int:
        """Samples before a chunk that its first window reads."""
        return self.window_samples - self.hop_samples


@dataclass(frozen=True)
class StackConfig:
    """One stack of encoder layers."""

    layers: int  # number of layers
    width: int  # features of a frame
    heads: int = 4  # attention heads; width / heads is even
    expansion: int = 4  # feed-forward width over `width`
    kernel: int = 15  # depth-wise convolution taps, odd; half of them look back, half ahead inside the chunk
    attention: bool = True  # False: convolution and feed-forward only, for a cheap lower stack that need not look far

    @property
    def head_width(self) -> int:
        return self.width // self.heads

    @property
    def conv_tail(self) -> int:
        """Rows before a block that the convolution reads."""
        return self.kernel // 2


@dataclass(frozen=True)
class GateConfig:
    """When a frame skips the upper stack (Hou et al. 2023, arXiv 2401.02046, section 3).

    The gate reads the intermediate head's probability of blank; a learned one reads a head of its own, which training
    teaches (`gate_weight`) which frames the upper stack calls blank. Such a head can keep a spike's neighbours where
    one of them may be the spike, and only there. The fixed extension goes on top of it, by the same defaults: state 0
    and 0 for a learned gate that is to decide alone.
    """

    spike_left: int = 1  # frames kept before a spike, inside its chunk
    spike_right: int = 1  # frames kept after a spike, across chunk borders
    max_wait_chunks: int = 4  # a kept frame waits at most this many chunks for its block to fill
    learned: bool = False  # a head of its own at the lower stack's end tells what the upper one would call blank


@dataclass(frozen=True)
class EncoderConfig:
    """A whole gated CTC encoder: front end, subsampling, lower stack, gate, upper stack, two heads."""

    vocabulary: int  # outputs of both heads, blank included
    blank_id: int = 0  # index of CTC's blank
    front_end: FrontEndConfig = field(default_factory=FrontEndConfig)
    subsampling_channels: int = 32  # channels of the two stride-2 convolutions
    lower: StackConfig = field(default_factory=lambda: StackConfig(layers=3, width=144))  # runs on every frame
    upper: StackConfig = field(default_factory=lambda: StackConfig(layers=8, width=192))  # runs on kept frames
    gate: GateConfig = field(default_factory=GateConfig)
    factorized: bool = False  # blank is its own sigmoid in both heads; labels run on kept frames only (`model.heads`)
    chunk_frames: int = 16  # frames of a chunk, and kept frames at which an upper block runs
    left_context_frames: int = 32  # rows before a block that attention reads, in both stacks; a multiple of the chunk
    rotary_period_frames: int = 2_048  # rotary angles repeat after this many frames, so that they never lose precision
    dropout: float = 0.1  # training only

    SUBSAMPLING = 4  # mel frames in an encoder frame (not a field: the two stride-2 convolutions fix it)

    @property
    def frame_samples(self) -> int:
        """Samples of an encoder frame (640, which is 40 ms)."""
        return self.SUBSAMPLING * self.front_end.hop_samples

    def validate(self) -> None:
        """Raise ValueError, naming the field, where dimensions contradict one another."""
        for name, stack in (("lower", self.lower), ("upper", self.upper)):
            if stack.width % (2 * stack.heads):
                raise ValueError(f"{name}.width {stack.width} is not a multiple of 2 x heads ({2 * stack.heads})")
            if stack.kernel % 2 == 0:
                raise ValueError(f"{name}.kernel {stack.kernel} is even")
            if stack.conv_tail > self.chunk_frames:
                raise ValueError(f"{name}.kernel {stack.kernel} reaches over more than one chunk")
        check_context(self.left_context_frames, self.chunk_frames)
        check_blank(self.blank_id, self.vocabulary)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> EncoderConfig:
        """Inverse of `dataclasses.asdict`. Raises TypeError on unknown fields, ValueError on contradictions."""
        nested = {"front_end": FrontEndConfig, "lower": StackConfig, "upper": StackConfig, "gate": GateConfig}
        config = cls(**{key: nested[key](**value) if key in nested else value for key, value in values.items()})
        config.validate()
        return config
