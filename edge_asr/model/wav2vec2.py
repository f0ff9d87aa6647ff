"""Wav2Vec2 and HuBERT (Baevski et al. 2020, arXiv 2006.11477; Hsu et al. 2021, arXiv 2106.07447) as gated streams.

What a stream changes: samples and the first convolution are normalized by what was heard so far, attention sees its
chunk and a bounded past, and the convolution for positions sees zeros after its chunk.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge_asr.model.attention_past import AttentionPast, initial_attention_past
from edge_asr.model.config import GateConfig
from edge_asr.model.gated import BlockTable, GatedCtc, Spec, numbered
from edge_asr.model.heads import log_of, log_probabilities, of_one_stream, rows_of_one
from edge_asr.model.layers import ChunkNeighbours, LayerNorm, LeftContext, key_bias
from edge_asr.model.positions import StreamedPositions
from edge_asr.model.running import faded, over_chunks, sums_of_frames
from edge_asr.model.wav2vec2_config import Wav2Vec2Config
from edge_asr.model.wav2vec2_parts import Convolutions, PositionalConvolution, Stack
from edge_asr.model.wav2vec2_source import config_of, weights_of

SHORTEST_CHUNK = 8  # frames
LEAST_POWER = 1e-7  # of samples; it counts for one frame


class FrontEnd(nn.Module):
    """Samples to frames of `width` features, positions included."""

    white: Tensor  # [1, C, 1, 1], mean power of the first convolution's channels where the samples are white noise

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.config = config
        self.convolutions = Convolutions(config)
        self.norm = LayerNorm(config.conv_channels[-1], config.norm_eps) if config.projection_norm else nn.Identity()
        self.project = nn.Linear(config.conv_channels[-1], config.width)
        self.positions = PositionalConvolution(config)
        self.after_positions = nn.Identity() if config.norm_first else LayerNorm(config.width, config.norm_eps)
        self.register_buffer("white", torch.ones(1, config.conv_channels[0], 1, 1))

    def scale(self, power: Tensor, count: Tensor) -> Tensor:
        """Running sums of the samples' power and of frames -> what the samples are multiplied with."""
        return torch.rsqrt((power + LEAST_POWER) / (count + 1.0))

    def frame_power(self, samples: Tensor, valid: Tensor) -> Tensor:
        """A chunk's samples [N, S] -> the sum of its frames' mean power [N, 1, 1, 1]."""
        framed = samples.reshape(samples.shape[0], 1, valid.shape[2], self.config.frame_samples)
        return sums_of_frames(framed * framed, valid)

    def of_frames(self, first: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """What the first convolution gave for a chunk and the samples before it -> sums over its frames of each
        channel's mean and mean power [N, C, 1, 1]."""
        frames = valid.shape[2]
        newest = first[:, first.shape[1] - frames * self.config.first_rows :].permute(0, 2, 1)
        framed = newest.reshape(first.shape[0], first.shape[2], frames, self.config.first_rows)
        return sums_of_frames(framed, valid), sums_of_frames(framed * framed, valid)

    def mean_power(self, mean: Tensor, power: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
        """Running sums -> running means, from a prior on."""
        weight = count + self.config.prior_frames
        return mean / weight, (power + self.white * self.config.prior_frames) / weight

    def rows(self, first: Tensor, mean: Tensor | None, power: Tensor | None) -> Tensor:
        """-> frames [N, F, W], positions not yet among them."""
        return self.project(self.norm(self.convolutions.rest(first, mean, power)))

    def with_positions(self, rows: Tensor, context: Tensor) -> Tensor:
        return self.after_positions(rows + self.positions(context))


class LowerStack(nn.Module):
    """Layers that always run, the intermediate head, and the hand-over: rows, and what the head makes of them."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.layers = Stack(config, config.cut)
        self.norm = LayerNorm(config.width, config.norm_eps)
        self.head = nn.Linear(config.width, config.vocabulary)
        self.condition = nn.Linear(config.vocabulary, config.width)

    def forward(self, x: Tensor, bias: Tensor, lefts: list[LeftContext]) -> tuple[Tensor, Tensor]:
        """[B, F, W] -> intermediate logits [B, F, vocabulary], hand-over [B, F, W]."""
        x = self.layers(x, bias, lefts)[-1]
        logits = self.head(self.norm(x))
        return logits, x + self.condition(torch.softmax(logits, dim=-1))


class UpperStack(nn.Module):
    """Layers that run on kept frames only, and the final head."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.layers = Stack(config, config.layers - config.cut)
        self.norm = LayerNorm(config.width, config.norm_eps) if config.norm_first else nn.Identity()
        self.head = nn.Linear(config.width, config.vocabulary)

    def forward(self, x: Tensor, bias: Tensor, lefts: list[LeftContext]) -> Tensor:
        """[B, F, W] -> final logits [B, F, vocabulary]."""
        return self.logits(self.layers(x, bias, lefts)[-1])

    def with_middle(self, x: Tensor, bias: Tensor, lefts: list[LeftContext]) -> tuple[Tensor, Tensor]:
        """As `forward`, and what the final head makes of the layer in the middle."""
        outputs = self.layers(x, bias, lefts)
        return self.logits(outputs[-1]), self.logits(outputs[(len(self.layers) + 1) // 2])

    def logits(self, rows: Tensor) -> Tensor:
        return self.head(self.norm(rows))


class StreamedOutside(nn.Module):
    """A delegate takes all of it."""

    def forward(self, pcm: Tensor, index: Tensor) -> tuple[tuple[Tensor], tuple[()]]:
        return (pcm,), ()


class StreamedLower(nn.Module):
    def __init__(self, config: Wav2Vec2Config, front: FrontEnd, lower: LowerStack) -> None:
        super().__init__()
        self.config, self.front, self.lower = config, front, lower
        self.running = 5 if front.convolutions.normed_over_time else 3  # tensors of running state, `samples_tail` first
        self.register_buffer("ahead", torch.zeros(1, front.positions.after, config.width), persistent=False)

    ahead: Tensor

    def forward(self, pcm: Tensor, valid: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        running, (position_tail, *past) = state[: self.running], state[self.running :]
        rows, running = self.front_rows(pcm, valid, running)
        rows = rows * valid
        context = torch.cat([position_tail, rows, self.ahead], dim=1)
        x = self.front.with_positions(rows, context)
        stack = AttentionPast(valid, tuple(past))
        logits, handed = self.lower(x, *stack.context())
        probabilities = torch.softmax(logits, dim=-1)
        blank_id, frames = self.config.blank_id, rows.shape[1]
        blank = probabilities[:, :, blank_id : blank_id + 1]
        position_tail = context[:, frames : frames + position_tail.shape[1]]
        emitted = of_one_stream(log_of(probabilities), blank, handed)
        return (*emitted, *running, position_tail, *stack.renewed())

    def front_rows(self, pcm: Tensor, valid: Tensor, running: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        tail, count, level, *sums = running
        frames, fade = valid.shape[1], self.config.fade_frames
        four = valid.reshape(1, 1, frames, 1)
        count = faded(count, sums_of_frames(four, four), frames, fade)
        level = faded(level, self.front.frame_power(pcm, four), frames, fade)
        scaled = pcm * self.front.scale(level, count).reshape(1, 1) if self.config.normalize else pcm
        samples = torch.cat([tail, scaled], dim=1)
        first = self.front.convolutions.first(samples)
        if sums:
            own = self.front.of_frames(first, four)
            sums = [faded(before, new, frames, fade) for before, new in zip(sums, own, strict=True)]
            rows = self.front.rows(first, *self.front.mean_power(sums[0], sums[1], count))
        else:
            rows = self.front.rows(first, None, None)
        return rows, (samples[:, samples.shape[1] - tail.shape[1] :], count, level, *sums)


class StreamedUpper(nn.Module):
    def __init__(self, upper: UpperStack) -> None:
        super().__init__()
        self.upper = upper

    def forward(self, rows: Tensor, valid: Tensor, *past: Tensor) -> tuple[Tensor, ...]:
        stack = AttentionPast(valid, past)
        return (rows_of_one(log_probabilities(self.upper(rows, *stack.context()))), *stack.renewed())


class Wav2Vec2Encoder(GatedCtc):
    """Convolutions → transformer layers → gate → the other layers."""

    architecture = "wav2vec2"
    model_types = ("wav2vec2", "hubert")

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        config.validate()
        self.config = config
        self.front = FrontEnd(config)
        self.lower = LowerStack(config)
        self.upper = UpperStack(config)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        convolutions = {
            name: tuple(value) for name, value in values.items() if name.startswith("conv_") and name != "conv_bias"
        }
        return cls(Wav2Vec2Config(**values | convolutions | {"gate": GateConfig(**values["gate"])}))

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self.config)

    @classmethod
    def outputs_of_source(cls, config: dict[str, Any]) -> int | None:
        with_head = any(name.endswith("ForCTC") for name in config.get("architectures") or ())
        return int(config["vocab_size"]) if with_head else None

    @classmethod
    def adopt(
        cls, config: dict[str, Any], weights: Mapping[str, Tensor], *, cut: int, vocabulary: int, blank_id: int
    ) -> tuple[Self, list[str]]:
        """Both heads start as the source's, where it has one; the hand-over adds nothing at first."""
        encoder = cls(config_of(config, cut, vocabulary, blank_id))
        prefix = f"{config['model_type']}."
        headless = not any(name.startswith(prefix) for name in weights)  # then its names begin with nothing
        taken = weights_of(weights, encoder.config, "" if headless else prefix)
        new = [name for name, _ in encoder.named_parameters() if name not in taken]
        nn.init.zeros_(encoder.lower.condition.weight)
        nn.init.zeros_(encoder.lower.condition.bias)
        if "lm_head.weight" in weights:
            for head in ("lower.head", "upper.head"):
                taken |= {f"{head}.{part}": weights[f"lm_head.{part}"] for part in ("weight", "bias")}
            if encoder.config.norm_first:
                taken |= {f"lower.norm.{part}": taken[f"upper.norm.{part}"] for part in ("weight", "bias")}
            new = [name for name in new if not name.startswith("upper.head.")]
        encoder.load_state_dict(encoder.state_dict() | taken)
        return encoder, new

    @property
    def spec(self) -> Spec:
        config = self.config
        return Spec(
            sample_rate_hz=config.sample_rate_hz,
            frame_samples=config.frame_samples,
            feature_rows=1,
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
        return SHORTEST_CHUNK

    def outside_state(self) -> dict[str, Tensor]:
        return {}

    def lower_state(self) -> dict[str, Tensor]:
        config, channels = self.config, self.config.conv_channels[0]
        running = {
            "samples_tail": torch.zeros(1, config.samples_before),
            "heard_frames": torch.zeros(1, 1, 1, 1),
            "level": torch.zeros(1, 1, 1, 1),
        }
        if self.front.convolutions.normed_over_time:
            running |= {name: torch.zeros(1, channels, 1, 1) for name in ("channel_mean", "channel_power")}
        tail = {"position_tail": torch.zeros(1, self.front.positions.before, config.width)}
        return running | tail | self.attention_state("lower", config.cut)

    def upper_state(self) -> dict[str, Tensor]:
        return self.attention_state("upper", self.config.layers - self.config.cut)

    def attention_state(self, stack: str, layers: int) -> dict[str, Tensor]:
        config = self.config
        past = initial_attention_past(layers, config.heads, config.width // config.heads, config.left_context_frames)
        return numbered(f"{stack}_past", past)

    def streamed_outside(self) -> StreamedOutside:
        return StreamedOutside()

    def streamed_lower(self) -> StreamedLower:
        return StreamedLower(self.config, self.front, self.lower)

    def streamed_positions(self) -> StreamedPositions:
        return StreamedPositions(None)  # they are in the rows

    def streamed_upper(self) -> StreamedUpper:
        return StreamedUpper(self.upper)

    def features(self, samples: Tensor, frames: Tensor, chunk_frames: int) -> Tensor:
        """Samples at a running level, a row for each frame: [N, T, frame_samples]. float32 under autocast, too."""
        utterances, size = samples.shape[0], self.config.frame_samples
        with torch.autocast(samples.device.type, enabled=False):
            rows = samples.reshape(utterances, -1, size)
            if not self.config.normalize:
                return rows
            valid = self.chunk_valid(frames, rows.shape[1], chunk_frames)
            count = self.running(sums_of_frames(valid, valid), utterances, chunk_frames)
            power = self.front.frame_power(samples.reshape(-1, chunk_frames * size), valid)
            level = self.running(power, utterances, chunk_frames)
            return (samples.reshape(-1, chunk_frames, size) * self.front.scale(level, count)[:, 0]).reshape(rows.shape)

    def running(self, own: Tensor, utterances: int, chunk_frames: int) -> Tensor:
        """Sums of each chunk [N * C, ...] -> running sums, as a stream has them."""
        chunks = own.reshape(utterances, -1, *own.shape[1:])
        return over_chunks(chunks, chunk_frames, self.config.fade_frames).reshape(own.shape)

    def chunk_valid(self, frames: Tensor, time: int, chunk_frames: int) -> Tensor:
        """Which frames are real, [N * C, 1, F, 1]."""
        valid = torch.arange(time, device=frames.device) < frames[:, None]
        return valid.to(torch.float32).reshape(-1, 1, chunk_frames, 1)

    def run_lower(
        self, features: Tensor, frames: Tensor, chunk_frames: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        config = self.config
        utterances, time, _ = features.shape
        valid = self.chunk_valid(frames, time, chunk_frames)
        chunk_valid = valid.reshape(-1, chunk_frames, 1)
        rows = self.chunk_rows(features, valid, chunk_frames) * chunk_valid
        positions, left = self.front.positions, config.left_context_frames
        neighbours = ChunkNeighbours(utterances, chunk_frames, left, positions.before)
        context = neighbours.windows(rows.reshape(utterances, time, -1), utterances, positions.before)
        x = self.front.with_positions(rows, functional.pad(context, (0, 0, 0, positions.after)))
        bias = key_bias(neighbours.windows(chunk_valid, utterances, left))
        logits, handed = self.lower(x, bias, [neighbours] * config.cut)
        real = valid.reshape(utterances, time) > 0
        return logits.reshape(utterances, time, -1), handed.reshape(utterances, time, -1), real, None

    def chunk_rows(self, features: Tensor, valid: Tensor, chunk_frames: int) -> Tensor:
        """Frames of all chunks [N * C, F, W], positions not yet among them."""
        utterances, before = features.shape[0], self.config.samples_before
        step = chunk_frames * self.config.frame_samples
        samples = functional.pad(features.reshape(utterances, -1), (before, 0)).unfold(1, before + step, step)
        first = self.front.convolutions.first(samples.reshape(-1, before + step))
        if not self.front.convolutions.normed_over_time:
            return self.front.rows(first, None, None)
        count = self.running(sums_of_frames(valid, valid), utterances, chunk_frames)
        mean, power = (self.running(own, utterances, chunk_frames) for own in self.front.of_frames(first, valid))
        return self.front.rows(first, *self.front.mean_power(mean, power, count))

    def run_upper_blocks(
        self, rows: Tensor, filled: Tensor, index: Tensor, table: BlockTable, with_middle: bool
    ) -> tuple[Tensor, ...]:
        lefts: list[LeftContext] = [table.neighbours(0)] * len(self.upper.layers)
        bias = key_bias(table.real())
        return self.upper.with_middle(rows, bias, lefts) if with_middle else (self.upper(rows, bias, lefts),)

    def whole(self, samples: Tensor) -> Tensor:
        """Full context, no gate: samples [N, S], normalized already -> final logits [N, T, vocabulary], as the source
        has them while the hand-over adds nothing."""
        first = self.front.convolutions.first(samples)
        mean, power = (values.mean(1)[:, :, None, None] for values in (first, first * first))
        rows = self.front.rows(first, mean, power)
        positions = self.front.positions
        x = self.front.with_positions(rows, functional.pad(rows, (0, 0, positions.before, positions.after)))
        alone = ChunkNeighbours(len(samples), x.shape[1], 0, 0)
        bias = torch.zeros(len(samples), 1, x.shape[1])
        _, handed = self.lower(x, bias, [alone] * self.config.cut)
        return self.upper(handed, bias, [alone] * len(self.upper.layers))
