"""Parakeet's FastConformer (Rekesh et al. 2023, arXiv 2305.05084) with a CTC head as a gated streaming encoder.

What a stream changes: mel bands are normalized by what was heard so far, attention sees its chunk and a bounded past,
convolutions over frames see zeros after their chunk, and frames are those of 2.5 ms earlier (`parakeet_front`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge_asr.model.gated import BlockTable, GatedCtc, Spec, numbered
from edge_asr.model.layers import ChunkNeighbours, LeftContext, key_bias
from edge_asr.model.parakeet_config import ParakeetConfig
from edge_asr.model.parakeet_front import FrontEnd, Moments, Subsampling
from edge_asr.model.parakeet_layers import FrameAngles, LowerStack, Positions, UpperStack
from edge_asr.model.parakeet_source import WITH_HEAD, Weights, config_of, encoder_of
from edge_asr.model.parakeet_streamed import StreamedLower, StreamedUpper, initial_stack_past
from edge_asr.model.positions import StreamedPositions
from edge_asr.model.streamed import StreamedOutside


class ParakeetEncoder(GatedCtc):
    """Log-mel → subsampling → lower stack → gate → upper stack.

    Where a chunk is the whole utterance, nothing is gated and the hand-over adds nothing, it gives what `transformers`
    gives of the same samples 40 samples later.
    """

    architecture = "parakeet"
    model_types = (WITH_HEAD, "parakeet_encoder")

    def __init__(self, config: ParakeetConfig) -> None:
        super().__init__()
        config.validate()
        self.config = config
        self.front = FrontEnd(config)
        self.subsampling = Subsampling(config)
        self.lower = LowerStack(config)
        self.upper = UpperStack(config)
        self.angles = FrameAngles(config.width)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        return cls(ParakeetConfig.from_dict(values))

    def to_dict(self) -> dict[str, Any]:
        return self.config.to_dict()

    @classmethod
    def outputs_of_source(cls, config: dict[str, Any]) -> int | None:
        return int(config["vocab_size"]) if config["model_type"] == WITH_HEAD else None

    @classmethod
    def adopt(
        cls, config: dict[str, Any], weights: Mapping[str, Tensor], *, cut: int, vocabulary: int, blank_id: int
    ) -> tuple[Self, list[str]]:
        """Both heads start as the source's, where it has one; the hand-over adds nothing at first. Biases that the
        source does not have start from zero."""
        encoder = cls(config_of(config, cut, vocabulary, blank_id))
        with_head = config["model_type"] == WITH_HEAD
        prefix = "encoder." if with_head else ""
        taken = Weights(weights, prefix, encoder.config, encoder_of(config)).all()
        new = [name for name, _ in encoder.named_parameters() if name not in taken]
        nn.init.zeros_(encoder.lower.condition.weight)
        nn.init.zeros_(encoder.lower.condition.bias)
        if with_head:
            for head in ("lower.head", "upper.head"):
                taken[f"{head}.weight"] = weights["ctc_head.weight"].squeeze(2)
                taken[f"{head}.bias"] = weights["ctc_head.bias"]
            new = [name for name in new if not name.startswith("upper.head.")]
        encoder.load_state_dict(encoder.state_dict() | taken)
        return encoder, new

    @property
    def spec(self) -> Spec:
        config = self.config
        return Spec(
            sample_rate_hz=config.SAMPLE_RATE_HZ,
            frame_samples=config.frame_samples,
            feature_rows=config.subsampling,
            chunk_frames=config.chunk_frames,
            left_context_frames=config.left_context_frames,
            vocabulary=config.vocabulary,
            blank_id=config.blank_id,
            handed_width=config.width,
            lower_layers=config.cut,
            upper_layers=config.layers - config.cut,
            gate=config.gate,
            labels_wait=False,
        )

    def shortest_chunk(self) -> int:
        return max(1, self.config.gate.spike_right)

    def outside_state(self) -> dict[str, Tensor]:
        return {"samples_tail": torch.zeros(1, self.config.tail_samples)}

    def lower_state(self) -> dict[str, Tensor]:
        config = self.config
        bands = torch.zeros(1, config.mels, 1, 1)
        moments = Moments(torch.zeros(1, 1, 1, 1), bands, bands.clone())._asdict()
        return {
            **{f"heard_{name}": value for name, value in moments.items()},
            **numbered("subsampling_tail", self.subsampling.tails(1)),
            **numbered("lower_past", initial_stack_past(config.lower, config.left_context_frames)),
        }

    def upper_state(self) -> dict[str, Tensor]:
        return numbered("upper_past", initial_stack_past(self.config.upper, self.config.left_context_frames))

    def streamed_outside(self) -> StreamedOutside:
        return StreamedOutside(self.front, self.angles)

    def streamed_lower(self) -> StreamedLower:
        return StreamedLower(self.config, self.front, self.subsampling, self.lower)

    def streamed_positions(self) -> StreamedPositions:
        return StreamedPositions(self.angles)

    def streamed_upper(self) -> StreamedUpper:
        return StreamedUpper(self.config, self.upper)

    def features(self, samples: Tensor, frames: Tensor, chunk_frames: int) -> Tensor:
        """Normalized log-mel [N, 8 T, mels]. float32 under autocast, too."""
        with torch.autocast(samples.device.type, enabled=False):
            padded = functional.pad(samples, (self.config.tail_samples, 0))
            time = torch.arange(samples.shape[1] // self.config.frame_samples, device=samples.device)
            return self.front(padded, (time < frames[:, None]).to(samples.dtype), chunk_frames)

    def run_lower(
        self, features: Tensor, frames: Tensor, chunk_frames: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        config = self.config
        utterances, left = features.shape[0], config.left_context_frames
        tails = [tail.to(features.device) for tail in self.subsampling.tails(utterances)]
        x, _ = self.subsampling(features, tails)
        time = x.shape[1]
        index = torch.arange(time, device=features.device).expand(utterances, time)
        valid = index < frames[:, None]
        chunk_valid = valid.to(torch.float32).reshape(-1, chunk_frames, 1)
        neighbours = ChunkNeighbours(utterances, chunk_frames, left, config.lower.conv_tail)
        cos, sin = self.angles(index.reshape(-1, chunk_frames))
        positions = Positions.in_training(cos, sin, neighbours)
        bias = key_bias(neighbours.windows(chunk_valid, utterances, left))
        lefts: list[LeftContext] = [neighbours] * config.cut
        outputs = self.lower(x.reshape(-1, chunk_frames, config.width), chunk_valid, positions, bias, lefts)
        logits, handed, *gate = (rows.reshape(utterances, time, rows.shape[2]) for rows in outputs)
        return logits, handed, valid, gate[0].float()[:, :, 0] if gate else None

    def run_upper_blocks(
        self, rows: Tensor, filled: Tensor, index: Tensor, table: BlockTable, with_middle: bool
    ) -> tuple[Tensor, ...]:
        before = table.neighbours(self.config.upper.conv_tail)
        cos, sin = self.angles(index)
        positions = Positions.in_training(cos, sin, before)
        lefts: list[LeftContext] = [before] * len(self.upper.layers)
        given = (rows, filled, positions, key_bias(table.real()), lefts)
        return self.upper.with_middle(*given) if with_middle else (self.upper(*given),)
