"""Moonshine's encoder (Jeffries et al. 2024, arXiv 2410.15608) as a gated streaming CTC encoder: samples, three
convolutions, rotary transformer layers, cut in two."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn import functional

from edge_asr.model.attention_past import initial_attention_past
from edge_asr.model.config import StackConfig
from edge_asr.model.gated import BlockTable, GatedCtc, Spec, numbered
from edge_asr.model.layers import ChunkNeighbours, key_bias
from edge_asr.model.moonshine_config import MoonshineConfig
from edge_asr.model.moonshine_front import TAIL_ROWS, TAIL_SAMPLES, FrontEnd
from edge_asr.model.moonshine_layers import LowerStack, PartialRotary, UpperStack
from edge_asr.model.moonshine_streamed import StreamedLower, StreamedOutside, StreamedUpper
from edge_asr.model.moonshine_weights import NEW, own_weights, translated
from edge_asr.model.positions import StreamedPositions


class MoonshineEncoder(GatedCtc):
    """Front end → lower stack → gate → upper stack.

    Moonshine's frame t reads the samples from 384 t to 384 t + 894. In a stream frame t reads those from 384 t - 511 to
    the last of its own, 384 t + 383: what Moonshine's would read if the audio came 511 samples, or 32 ms, later.
    """

    architecture = "moonshine"
    model_types = ("moonshine",)

    def __init__(self, config: MoonshineConfig) -> None:
        super().__init__()
        config.validate()
        self.config = config
        self.front = FrontEnd(config)
        self.lower = LowerStack(config)
        self.upper = UpperStack(config)
        self.rotary = PartialRotary(config)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        return cls(MoonshineConfig.from_dict(values))

    def to_dict(self) -> dict[str, Any]:
        return self.config.to_dict()

    @classmethod
    def outputs_of_source(cls, config: dict[str, Any]) -> None:
        return None  # its decoder is no CTC head

    @classmethod
    def adopt(
        cls, config: dict[str, Any], weights: Mapping[str, Tensor], *, cut: int, vocabulary: int, blank_id: int
    ) -> tuple[Self, list[str]]:
        """Its `whole` gives what Moonshine's encoder gives. Heads are drawn; the conditioning on one is zero."""
        encoder = cls(translated(config, cut, vocabulary, blank_id))
        state = encoder.state_dict()
        new = [name for name in state if name.startswith(NEW)]
        encoder.load_state_dict(own_weights(weights, encoder.config) | {name: state[name] for name in new})
        return encoder.eval(), new

    @property
    def spec(self) -> Spec:
        config = self.config
        return Spec(
            sample_rate_hz=config.SAMPLE_RATE_HZ,
            frame_samples=config.FRAME_SAMPLES,
            feature_rows=1,
            chunk_frames=config.chunk_frames,
            left_context_frames=config.left_context_frames,
            vocabulary=config.vocabulary,
            blank_id=config.blank_id,
            handed_width=config.width,
            lower_layers=config.lower.layers,
            upper_layers=config.upper.layers,
            gate=config.gate,
            labels_wait=False,
        )

    def shortest_chunk(self) -> int:
        return max(1, self.config.gate.spike_right)

    def outside_state(self) -> dict[str, Tensor]:
        return {}

    def lower_state(self) -> dict[str, Tensor]:
        tail = {"samples_tail": torch.zeros(1, TAIL_SAMPLES), "statistics": torch.zeros(1, 1, 3)}
        return tail | numbered("lower_past", self.initial_past(self.config.lower))

    def upper_state(self) -> dict[str, Tensor]:
        return numbered("upper_past", self.initial_past(self.config.upper))

    def initial_past(self, stack: StackConfig) -> list[Tensor]:
        return initial_attention_past(stack.layers, stack.heads, stack.head_width, self.config.left_context_frames)

    def streamed_outside(self) -> StreamedOutside:
        return StreamedOutside(self.rotary)

    def streamed_lower(self) -> StreamedLower:
        return StreamedLower(self.front, self.lower, self.config.blank_id)

    def streamed_positions(self) -> StreamedPositions:
        return StreamedPositions(self.rotary)

    def streamed_upper(self) -> StreamedUpper:
        return StreamedUpper(self.upper)

    def features(self, samples: Tensor, frames: Tensor, chunk_frames: int) -> Tensor:
        """The samples themselves, [N, T, 384]."""
        return samples.reshape(samples.shape[0], -1, self.config.FRAME_SAMPLES)

    def run_lower(
        self, features: Tensor, frames: Tensor, chunk_frames: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        utterances, time, _ = features.shape
        left = self.config.left_context_frames
        index = torch.arange(time, device=features.device).expand(utterances, time)
        valid = index < frames[:, None]
        neighbours = ChunkNeighbours(utterances, chunk_frames, left, conv_tail=0)
        chunk_valid = valid.to(torch.float32).reshape(-1, chunk_frames, 1)
        x = self.all_chunks(features, chunk_valid)
        bias = key_bias(neighbours.windows(chunk_valid, utterances, left))
        angles = self.rotary(index.reshape(-1, chunk_frames))
        outputs = self.lower(x, angles, bias, [neighbours] * self.config.lower.layers)
        logits, handed, *gate = (rows.reshape(utterances, time, rows.shape[2]) for rows in outputs)
        return logits, handed, valid, gate[0].float()[:, :, 0] if gate else None

    def all_chunks(self, features: Tensor, valid: Tensor) -> Tensor:
        """The front end on [N, T, 384], of which frames are real as valid [N C, F, 1] says -> [N C, F, W]. What the
        statistics are made of is float32 under autocast, too."""
        utterances, own = features.shape[0], valid.shape[1] * self.config.FRAME_SAMPLES
        samples = functional.pad(features.reshape(utterances, -1), (TAIL_SAMPLES, 0))
        samples = samples.unfold(1, TAIL_SAMPLES + own, own).flatten(0, 1)
        with torch.autocast(features.device.type, enabled=False):
            rows = self.front.rows(samples.float())
            sums = self.front.sums(rows[:, TAIL_ROWS:], valid)
            statistics = self.front.running(sums.reshape(utterances, -1, 3)).reshape(-1, 1, 3)
        return self.front.frames(rows, statistics)

    def run_upper_blocks(
        self, rows: Tensor, filled: Tensor, index: Tensor, table: BlockTable, with_middle: bool
    ) -> tuple[Tensor, ...]:
        run: Callable[..., Tensor | tuple[Tensor, ...]] = self.upper.with_middle if with_middle else self.upper
        lefts = [table.neighbours(0)] * self.config.upper.layers
        outputs = run(rows, self.rotary(index), key_bias(table.real()), lefts)
        return outputs if isinstance(outputs, tuple) else (outputs,)

    def whole(self, samples: Tensor) -> Tensor:
        """What Moonshine's own encoder gives for whole utterances [N, S] of one length, at least 895 samples: full
        attention, statistics of all of it, frame t beginning at sample 384 t -> [N, T, W]. Nothing is gated."""
        rows = self.front.whole(samples)
        utterances, frames, _ = rows.shape
        alone = ChunkNeighbours(utterances, frames, left_frames=0, conv_tail=0)
        angles = self.rotary(torch.arange(frames, device=samples.device).expand(utterances, frames))
        bias = rows.new_zeros(utterances, 1, frames)
        for stack in (self.lower.stack, self.upper.stack):
            rows = stack(rows, angles, bias, [alone] * len(stack.layers))[-1]
        return self.upper.hidden(rows)
