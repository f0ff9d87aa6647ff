"""What the two sides of a cut cost, by arithmetic alone."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from edge_asr.model.gated import GatedCtc
from edge_asr.model.streams import lower_example, upper_example


@dataclass(frozen=True)
class Part:
    """One side of the cut."""

    layers: int
    parameters: int
    mmac_s: float  # millions of multiply-accumulates for a second of audio, where every frame runs through it


@dataclass(frozen=True)
class Cost:
    """Of an encoder."""

    lower: Part  # runs on every frame; its Fourier transform, where it has one, is not counted
    upper: Part  # runs on kept frames

    def speed_up(self, kept: float) -> float:
        """To expect where this share of the frames is kept: a skipped frame saves its share of the upper stack."""
        return (self.lower.mmac_s + self.upper.mmac_s) / (self.lower.mmac_s + kept * self.upper.mmac_s)


def cost_of(model: GatedCtc) -> Cost:
    spec = model.spec
    lower_input, upper_input = lower_example(model), upper_example(model)
    frames_s = spec.sample_rate_hz / spec.frame_samples
    upper = model.streamed_upper()
    lower_mmac = mmac(model.streamed_lower(), lower_input) / spec.chunk_frames * frames_s
    upper_mmac = mmac(upper, upper_input) / upper_input[0].shape[1] * frames_s
    above, all_of_it = (sum(parameter.numel() for parameter in part.parameters()) for part in (upper, model))
    return Cost(
        lower=Part(spec.lower_layers, all_of_it - above, lower_mmac),
        upper=Part(spec.upper_layers, above, upper_mmac),
    )


def mmac(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> float:
    """Millions of multiply-accumulates of one call: of matrix products and convolutions, as torch counts them."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(*inputs)
    return float(counter.get_total_flops()) / 2e6
