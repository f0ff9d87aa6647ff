"""Our own encoder: log-mel, two convolutions, rotary attention and convolution layers."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge_asr.model.config import EncoderConfig
from edge_asr.model.front_end import FrontEnd
from edge_asr.model.gated import BlockTable, GatedCtc, Spec, numbered
from edge_asr.model.layers import ChunkNeighbours, key_bias
from edge_asr.model.positions import Rotary, StreamedPositions
from edge_asr.model.stacks import LowerStack, Subsampling, UpperStack
from edge_asr.model.streamed import StreamedLower, StreamedOutside, StreamedUpper, initial_past


class GatedEncoder(GatedCtc):
    """Front end → subsampling → lower stack → gate → upper stack."""

    architecture = "gated-conformer"

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        config.validate()
        self.config = config
        self.front_end = FrontEnd(config.front_end)
        self.subsampling = Subsampling(config)
        self.lower = LowerStack(config)
        self.upper = UpperStack(config)
        self.lower_rotary = Rotary(config.lower.head_width, config.rotary_period_frames)
        self.upper_rotary = Rotary(config.upper.head_width, config.rotary_period_frames)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        return cls(EncoderConfig.from_dict(values))

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self.config)

    @property
    def spec(self) -> Spec:
        config = self.config
        return Spec(
            sample_rate_hz=config.front_end.sample_rate_hz,
            frame_samples=config.frame_samples,
            feature_rows=config.SUBSAMPLING,
            chunk_frames=config.chunk_frames,
            left_context_frames=config.left_context_frames,
            vocabulary=config.vocabulary,
            blank_id=config.blank_id,
            handed_width=config.lower.width,
            lower_layers=config.lower.layers,
            upper_layers=config.upper.layers,
            gate=config.gate,
            labels_wait=config.factorized,
        )

    def shortest_chunk(self) -> int:
        return max(self.config.lower.conv_tail, self.config.upper.conv_tail)

    def outside_state(self) -> dict[str, Tensor]:
        return {"samples_tail": torch.zeros(1, self.config.front_end.tail_samples)}

    def lower_state(self) -> dict[str, Tensor]:
        config = self.config
        return {
            "level": torch.zeros(1, 1, 1),
            "mel_tail": torch.zeros(1, 1, config.front_end.mels),
            "first_tail": torch.zeros(1, config.subsampling_channels, 1, self.subsampling.bands[1]),
            **numbered("lower_past", initial_past(config.lower, config.left_context_frames)),
        }

    def upper_state(self) -> dict[str, Tensor]:
        return numbered("upper_past", initial_past(self.config.upper, self.config.left_context_frames))

    def streamed_outside(self) -> StreamedOutside:
        return StreamedOutside(self.front_end, self.lower_rotary if self.config.lower.attention else None)

    def streamed_lower(self) -> StreamedLower:
        return StreamedLower(self.config, self.front_end, self.subsampling, self.lower)

    def streamed_positions(self) -> StreamedPositions:
        return StreamedPositions(self.upper_rotary if self.config.upper.attention else None)

    def streamed_upper(self) -> StreamedUpper:
        return StreamedUpper(self.config, self.lower, self.upper)

    def always_run(self) -> Counter[tuple[int, int]]:
        modules = [*self.subsampling.modules(), *self.lower.stack.modules()]
        return Counter((layer.in_features, layer.out_features) for layer in modules if isinstance(layer, nn.Linear))

    def features(self, samples: Tensor, frames: Tensor, chunk_frames: int) -> Tensor:
        """Log-mel [N, 4 T, mels]. float32 under autocast, too."""
        with torch.autocast(samples.device.type, enabled=False):
            padded = functional.pad(samples, (self.config.front_end.tail_samples, 0))
            time = torch.arange(samples.shape[1] // self.config.frame_samples, device=samples.device)
            return self.front_end(padded, (time < frames[:, None]).to(samples.dtype), chunk_frames)

    def run_lower(
        self, features: Tensor, frames: Tensor, chunk_frames: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        config = self.config
        utterances = features.shape[0]
        first_tail = features.new_zeros(utterances, config.subsampling_channels, 1, self.subsampling.bands[1])
        x, _, _ = self.subsampling(features, torch.zeros_like(features[:, :1]), first_tail)
        time = x.shape[1]
        index = torch.arange(time, device=features.device).expand(utterances, time)
        valid = index < frames[:, None]
        run = self.lower.with_gate if config.gate.learned else self.lower
        logits, handed, *gate = self.run_chunks(run, x, valid, index, chunk_frames)
        return logits, handed, valid, gate[0].float()[:, :, 0] if gate else None

    def run_chunks(
        self, module: Callable[..., tuple[Tensor, ...]], x: Tensor, valid: Tensor, index: Tensor, chunk_frames: int
    ) -> tuple[Tensor, ...]:
        """Cut [N, T, W] into chunks, run the lower stack's `module` on all of them at once, and join its outputs."""
        utterances, time, _ = x.shape
        left, stack = self.config.left_context_frames, self.config.lower
        neighbours = ChunkNeighbours(utterances, chunk_frames, left, stack.conv_tail)

        def cut(rows: Tensor) -> Tensor:
            return rows.reshape(-1, chunk_frames, *rows.shape[2:])

        chunk_valid = cut(valid.to(torch.float32))[:, :, None]
        angles = self.lower_rotary(cut(index))
        bias = key_bias(neighbours.windows(chunk_valid, utterances, left))
        outputs = module(cut(x), chunk_valid, angles, bias, [neighbours] * stack.layers)
        return tuple(rows.reshape(utterances, time, *rows.shape[2:]) for rows in outputs)

    def run_upper_blocks(
        self, rows: Tensor, filled: Tensor, index: Tensor, table: BlockTable, with_middle: bool
    ) -> tuple[Tensor, ...]:
        stack = self.config.upper
        run: Callable[..., Tensor | tuple[Tensor, ...]] = self.upper.with_middle if with_middle else self.upper
        lefts = [table.neighbours(stack.conv_tail)] * stack.layers
        outputs = run(rows, filled, self.upper_rotary(index), key_bias(table.real()), lefts)
        return outputs if isinstance(outputs, tuple) else (outputs,)
