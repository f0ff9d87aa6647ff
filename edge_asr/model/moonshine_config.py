"""Every dimension of a gated Moonshine encoder, frozen and saved beside its weights."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from edge_asr.model.config import GateConfig, StackConfig, check_blank, check_context


@dataclass(frozen=True)
class MoonshineConfig:
    """Moonshine's encoder (Jeffries et al. 2024, arXiv 2410.15608), cut in two. Defaults are those of its size tiny.

    The convolutions' kernels and strides are no fields: Moonshine has no others, and frames of 24 ms hang on them.
    """

    vocabulary: int  # outputs of both heads, blank included
    blank_id: int = 0  # index of CTC's blank
    width: int = 288  # features of a frame, and channels of the first convolution
    layers: int = 6  # of both stacks together
    cut: int = 3  # layers of the lower stack, which run on every frame
    heads: int = 8  # attention heads; width / heads is even
    inner: int = 1_152  # features between a layer's two linears
    rotary_width: int = 32  # features of a head that are turned with the frame number; the others are not
    rotary_theta: float = 10_000.0  # how much slower the last pair of them would turn than the first
    chunk_frames: int = 32  # frames of a chunk (0.768 s), and kept frames at which an upper block runs
    left_context_frames: int = 320  # rows before a block that attention reads, in both stacks; a multiple of the chunk
    gate: GateConfig = field(default_factory=GateConfig)  # which frames the upper stack sees
    prior_frames: int = 64  # 1.5 s: what is presumed of a voice before it speaks weighs as much as so many frames
    prior_mean: float = 0.0  # presumed mean of what the first convolution gives, over channels and time
    prior_square: float = 0.01  # presumed mean square of it: Moonshine's for a voice at -24 dB of full scale
    memory_frames: int = 1_280  # 31 s: running statistics weigh as many frames at most, and so forget older ones
    dropout: float = 0.0  # training only

    SAMPLE_RATE_HZ = 16_000  # (not fields: the weights are made for this rate,
    FRAME_SAMPLES = 384  # and the strides 64, 3 and 2 make a frame of so many samples)

    @property
    def lower(self) -> StackConfig:
        return self.stack(self.cut)

    @property
    def upper(self) -> StackConfig:
        return self.stack(self.layers - self.cut)

    def stack(self, layers: int) -> StackConfig:
        """What `layers.Attention` reads of a stack."""
        return StackConfig(layers=layers, width=self.width, heads=self.heads)

    def validate(self) -> None:
        """Raise ValueError, naming the field, where dimensions contradict one another."""
        if self.width % (2 * self.heads):
            raise ValueError(f"width {self.width} is not a multiple of 2 x heads ({2 * self.heads})")
        if not 0 < self.rotary_width <= self.width // self.heads:
            raise ValueError(f"rotary_width {self.rotary_width} is not within a head of {self.width // self.heads}")
        if not 0 < self.cut < self.layers:
            raise ValueError(f"cut {self.cut} leaves one of the two stacks without any of the {self.layers} layers")
        if self.chunk_frames < max(1, self.gate.spike_right):
            raise ValueError(f"chunk_frames {self.chunk_frames} is less than the gate's spike_right")
        check_context(self.left_context_frames, self.chunk_frames, least=1)
        if self.prior_square <= self.prior_mean**2 or self.prior_frames <= 0:
            raise ValueError(f"prior_square {self.prior_square} leaves no variance, or prior_frames is not positive")
        if self.memory_frames <= 0:
            raise ValueError(f"memory_frames {self.memory_frames} is not positive")
        check_blank(self.blank_id, self.vocabulary)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> MoonshineConfig:
        """Inverse of `to_dict`. Raises TypeError on unknown fields, ValueError on contradictions."""
        gate = {"gate": GateConfig(**values["gate"])} if "gate" in values else {}
        config = cls(**(values | gate))
        config.validate()
        return config

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)
