"""The protocol says enough: an encoder that shares nothing with `GatedEncoder` streams in the same program."""

from __future__ import annotations

import torch
from edge_asr_export.program import StreamingProgram
from torch import Tensor, nn

from edge_asr.model.config import EncoderConfig, StackConfig
from edge_asr.model.gate import extend_spikes, find_spikes
from edge_asr.model.layers import LeftContext
from edge_asr.model.protocol import StreamableEncoder

CONFIG = EncoderConfig(
    vocabulary=5,
    blank_id=4,
    subsampling_channels=1,
    lower=StackConfig(layers=1, width=8, heads=2, kernel=5),
    upper=StackConfig(layers=1, width=12, heads=2, kernel=3),
    chunk_frames=4,
    left_context_frames=8,
)


class HopEnergies(nn.Module):
    def spectrum(self, samples: Tensor) -> Tensor:
        return samples[:, CONFIG.front_end.tail_samples :].reshape(len(samples), -1, 80, 2)

    def log_mel(self, spectrum: Tensor, valid: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        return spectrum.square().sum(dim=3), level


class Averages(nn.Module):
    bands = (80, 40, 20)

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(80, CONFIG.lower.width)

    def forward(self, mel: Tensor, mel_tail: Tensor, first_tail: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.out(mel.unflatten(1, (-1, 4)).mean(dim=2)), mel_tail, first_tail


class NoPosition(nn.Module):
    def __init__(self, stack: StackConfig) -> None:
        super().__init__()
        self.head_width = stack.head_width

    def forward(self, frame_index: Tensor) -> tuple[Tensor, Tensor]:
        still = torch.ones(*frame_index.shape, 1, self.head_width)
        return still, still


class PastSum(nn.Module):
    """A layer with no attention: the masked sum of the rows that the convolution's cache reaches."""

    def __init__(self, tail: int) -> None:
        super().__init__()
        self.tail = tail

    def forward(self, rows: Tensor, valid: Tensor, left: LeftContext) -> Tensor:
        past_and_now = left.convolution(rows * valid)[:, : self.tail + rows.shape[1]]
        return past_and_now.unfold(1, self.tail + 1, 1).sum(dim=3)


class Lower(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = PastSum(CONFIG.lower.conv_tail)
        self.head = nn.Linear(CONFIG.lower.width, CONFIG.vocabulary)

    def forward(
        self, x: Tensor, valid: Tensor, cos: Tensor, sin: Tensor, key_bias: Tensor, lefts: list[LeftContext]
    ) -> tuple[Tensor, Tensor]:
        hidden = torch.tanh(self.layer(x, valid, lefts[0]))
        return self.head(hidden), hidden


class Upper(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Linear(CONFIG.lower.width, CONFIG.upper.width)
        self.layer = PastSum(CONFIG.upper.conv_tail)
        self.head = nn.Linear(CONFIG.upper.width, CONFIG.vocabulary)

    def forward(
        self, handed: Tensor, valid: Tensor, cos: Tensor, sin: Tensor, key_bias: Tensor, lefts: list[LeftContext]
    ) -> Tensor:
        return self.head(self.layer(torch.tanh(self.enter(handed)), valid, lefts[0]))


class OtherEncoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.config = CONFIG
        self.front_end = HopEnergies()
        self.subsampling = Averages()
        self.lower, self.upper = Lower(), Upper()
        self.lower_rotary, self.upper_rotary = NoPosition(CONFIG.lower), NoPosition(CONFIG.upper)


class WholePast:
    """The left context of an utterance taken in one piece."""

    def __init__(self, tail: int) -> None:
        self.tail = tail

    def attention(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        raise AssertionError("this encoder has no attention")

    def convolution(self, rows: Tensor) -> Tensor:
        return nn.functional.pad(rows, (0, 0, self.tail, self.tail))


def test_another_encoder_streams() -> None:
    torch.manual_seed(0)
    encoder = OtherEncoder().requires_grad_(False)
    chunks, chunk, samples = 6, 4, 4 * CONFIG.frame_samples
    audio = 0.3 * torch.randn(1, chunks * samples) * torch.linspace(0, 1, chunks * samples)

    padded = nn.functional.pad(audio, (CONFIG.front_end.tail_samples, 0))
    real, level = torch.ones(1, chunks * chunk, 1), torch.zeros(1, 1, 1)
    features, _ = encoder.front_end.log_mel(encoder.front_end.spectrum(padded), real, level)
    x, _, _ = encoder.subsampling(features, features[:, :1], features[:, :1])
    unused = torch.zeros(1)
    logits, handed = encoder.lower(x, real, unused, unused, unused, [WholePast(2)])
    blank = torch.softmax(logits, dim=2)[0, :, CONFIG.blank_id]
    ordered = blank.sort().values
    threshold = float(ordered[9:11].mean())
    spikes = find_spikes(blank, threshold).reshape(chunks, chunk)
    carry = torch.cat([torch.zeros(1, 1), spikes[:-1, -1:]])
    keep = extend_spikes(spikes, carry, CONFIG.gate).flatten() > 0
    assert 0.2 < keep.float().mean() < 0.9
    kept = handed[:, keep]
    final = torch.log_softmax(encoder.upper(kept, real[:, keep], unused, unused, unused, [WholePast(1)]), dim=2)

    streamable: StreamableEncoder = encoder  # type: ignore[assignment]
    program = StreamingProgram(streamable)  # type: ignore[arg-type]
    partials, rows, indices = [], [], []
    for number in range(chunks + 1):  # the last step takes no frames and flushes
        pcm = audio[:, number * samples : (number + 1) * samples] if number < chunks else torch.zeros(1, samples)
        count, flush = torch.tensor([chunk if number < chunks else 0]), torch.tensor([int(number >= chunks - 1)])
        partial, _, block, index, _ = program(
            pcm, count, torch.tensor([threshold]), flush, torch.tensor([int(number == 0)])
        )
        partials.append(partial[: int(count)])
        rows.append(block[index >= 0])
        indices.append(index[index >= 0])
    assert torch.allclose(torch.cat(partials), torch.log_softmax(logits[0], dim=1), atol=1e-5)
    assert torch.cat(indices).tolist() == keep.nonzero().flatten().tolist()
    assert torch.allclose(torch.cat(rows), final[0], atol=1e-5)
