"""Dimensions of Wav2Vec2, HuBERT and what is built like them."""

from __future__ import annotations

from dataclasses import dataclass, field

from edge_asr.model.config import GateConfig, check_blank, check_context


@dataclass(frozen=True)
class Wav2Vec2Config:
    """As Hugging Face's configurations have them, and what streaming and the gate add."""

    vocabulary: int  # outputs of both heads, blank included
    blank_id: int  # index of CTC's blank
    cut: int  # layers that run on every frame
    layers: int  # of both stacks together
    width: int  # features of a frame
    heads: int  # attention heads
    inner: int  # feed-forward width
    conv_channels: tuple[int, ...] = (512,) * 7  # of the convolutions over samples
    conv_kernels: tuple[int, ...] = (10, 3, 3, 3, 3, 2, 2)  # their taps
    conv_strides: tuple[int, ...] = (5, 2, 2, 2, 2, 2, 2)  # their strides; the product is a frame
    conv_bias: bool = False  # whether they have one
    layer_normed: bool = False  # a norm for each row after each convolution; else one over time after the first
    projection_norm: bool = True  # a norm before the projection to `width`
    norm_first: bool = False  # "stable" layers: norms before attention and feed-forward, and one at the end
    position_kernel: int = 128  # frames that the convolution for positions spans
    position_groups: int = 16  # its groups
    norm_eps: float = 1e-5  # of the layers' norms
    normalize: bool = True  # the samples are brought to a mean power of 1
    sample_rate_hz: int = 16_000  # of the PCM
    chunk_frames: int = 32  # frames of a step
    left_context_frames: int = 96  # rows before a block that attention reads; a multiple of the chunk
    prior_frames: float = 25.0  # what running statistics start from counts as so many frames
    fade_frames: float = 1_500.0  # running statistics forget in so many frames
    gate: GateConfig = field(default_factory=GateConfig)  # which frames are kept
    dropout: float = 0.0  # training only

    @property
    def frame_samples(self) -> int:
        product = 1
        for stride in self.conv_strides:
            product *= stride
        return product

    @property
    def first_rows(self) -> int:
        """Rows of the first convolution in a frame."""
        return self.frame_samples // self.conv_strides[0]

    @property
    def samples_before(self) -> int:
        """Samples before its own that a frame reads: what the convolutions span beyond one frame."""
        reach, stride = 1, 1
        for kernel, step in zip(self.conv_kernels, self.conv_strides, strict=True):
            reach, stride = reach + (kernel - 1) * stride, stride * step
        return reach - self.frame_samples

    def validate(self) -> None:
        """Raise ValueError, naming the field, where dimensions contradict one another."""
        if not 0 < self.cut < self.layers:
            raise ValueError(f"a cut after layer {self.cut} leaves nothing on one side: there are {self.layers} layers")
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads ({self.heads})")
        if not len(self.conv_channels) == len(self.conv_kernels) == len(self.conv_strides) > 1:
            raise ValueError("conv_channels, conv_kernels and conv_strides differ in length")
        check_context(self.left_context_frames, self.chunk_frames)
        check_blank(self.blank_id, self.vocabulary)
        if min(*self.conv_channels, *self.conv_kernels, *self.conv_strides) < 1:
            raise ValueError("conv_channels, conv_kernels and conv_strides must be 1 or more")
        if self.samples_before < 0:
            raise ValueError("the convolutions leave samples out")
