"""The parts of `GatedEncoder`: subsampling, and its two stacks with their heads."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge_asr.model.config import EncoderConfig, StackConfig
from edge_asr.model.heads import FactorizedHead, output_head
from edge_asr.model.layers import EncoderLayer, LeftContext, RMSNorm, for_heads, rotation


class Subsampling(nn.Module):
    """80 mel bands at 10 ms to `width` features at 40 ms by two causal stride-2 convolutions."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        channels = config.subsampling_channels
        self.bands = [config.front_end.mels, -(-config.front_end.mels // 2), -(-config.front_end.mels // 4)]
        self.first = nn.Conv2d(1, channels, 3, stride=2, padding=(0, 1))
        self.second = nn.Conv2d(channels, channels, 3, stride=2, padding=(0, 1))
        self.out = nn.Linear(channels * self.bands[2], config.lower.width)
        self.channels = channels

    def forward(self, mel: Tensor, mel_tail: Tensor, first_tail: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """mel [N, 4 F, mels] and the tails of the chunk before -> features [N, F, width] and the new tails.

        mel_tail [N, 1, mels]: the last mel frame; first_tail [N, channels, 1, mels / 2]: the last output of the
        first convolution. Zeros at the start of a stream.
        """
        image, tail = (rows.reshape(rows.shape[0], 1, rows.shape[1], rows.shape[2]) for rows in (mel, mel_tail))
        first = functional.relu(self.first(torch.cat([tail, image], dim=2)))
        second = functional.relu(self.second(torch.cat([first_tail, first], dim=2)))
        flat = second.permute(0, 2, 1, 3).reshape(mel.shape[0], second.shape[2], self.channels * self.bands[2])
        return self.out(flat), mel[:, -1:], first[:, :, -1:]


class Stack(nn.Module):
    """A stack of encoder layers. `lefts` gives each layer its past."""

    def __init__(self, config: StackConfig, dropout: float) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(EncoderLayer(config, dropout) for _ in range(config.layers))

    def forward(
        self, x: Tensor, valid: Tensor, angles: tuple[Tensor, ...], key_bias: Tensor, lefts: list[LeftContext]
    ) -> Tensor:
        return self.all_layers(x, valid, angles, key_bias, lefts)[-1]

    def all_layers(
        self, x: Tensor, valid: Tensor, angles: tuple[Tensor, ...], key_bias: Tensor, lefts: list[LeftContext]
    ) -> list[Tensor]:
        """What enters, and what each layer gives. `angles` are cos and sin of `Rotary`, or none without attention."""
        turn = rotation(*angles) if angles else None
        key_bias = for_heads(key_bias, self.config.heads)
        outputs = [x]
        for layer, left in zip(self.layers, lefts, strict=True):
            outputs.append(layer(outputs[-1], valid, turn, key_bias, left))
        return outputs


class LowerStack(nn.Module):
    """Layers that always run, the intermediate head, and the features handed over to the upper stack.

    The hand-over adds the intermediate head's posterior, projected, to the features (self-conditioned CTC,
    Nozaki and Komatsu 2021), so that the upper stack starts from what the lower one believes. The exported program of a
    factorized model takes it in parts: `hidden` and `blank_probability` on every frame, `hand_over` on kept ones only.
    A learned gate is one more head on the rows of `hidden`.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width = config.lower.width
        self.stack = Stack(config.lower, config.dropout)
        self.norm = RMSNorm(width)
        self.head = output_head(config, width)
        self.condition = nn.Linear(config.vocabulary, width)
        self.gate = nn.Linear(width, 1) if config.gate.learned else None

    def forward(
        self, x: Tensor, valid: Tensor, angles: tuple[Tensor, ...], key_bias: Tensor, lefts: list[LeftContext]
    ) -> tuple[Tensor, Tensor]:
        """[B, F, W] -> intermediate logits [B, F, vocabulary], hand-over [B, F, W]."""
        return self.hand_over(self.hidden(x, valid, angles, key_bias, lefts))

    def hidden(
        self, x: Tensor, valid: Tensor, angles: tuple[Tensor, ...], key_bias: Tensor, lefts: list[LeftContext]
    ) -> Tensor:
        """What the intermediate head reads, [B, F, W]."""
        return self.norm(self.stack(x, valid, angles, key_bias, lefts))

    def blank_probability(self, hidden: Tensor) -> Tensor:
        """Of a factorized model: rows of `hidden` -> [B, F, 1]."""
        assert isinstance(self.head, FactorizedHead)
        return torch.sigmoid(self.head.blank(hidden))

    def hand_over(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """As `forward`, from the rows of `hidden`, each by itself."""
        logits = self.head(hidden)
        return logits, hidden + self.condition(torch.softmax(logits, dim=-1))

    def gate_logits(self, hidden: Tensor) -> Tensor:
        """Of a model with a learned gate: rows of `hidden` -> [B, F, 1]; their sigmoid is the probability that the
        upper stack, had it seen every frame, would call the frame blank."""
        assert self.gate is not None
        return self.gate(hidden)

    def with_gate(
        self, x: Tensor, valid: Tensor, angles: tuple[Tensor, ...], key_bias: Tensor, lefts: list[LeftContext]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As `forward`, and `gate_logits`, in training: their gradient ends at the gate's own head.

        The rows are there for words: both heads' are made of them. Drawn towards foreseeing the upper stack as well,
        they would serve words less, and what is to be foreseen would move with them.
        """
        hidden = self.hidden(x, valid, angles, key_bias, lefts)
        return (*self.hand_over(hidden), self.gate_logits(hidden.detach()))


class UpperStack(nn.Module):
    """Layers that run on kept frames only, and the final head."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.enter = nn.Linear(config.lower.width, config.upper.width)
        self.stack = Stack(config.upper, config.dropout)
        self.norm = RMSNorm(config.upper.width)
        self.head = output_head(config, config.upper.width)

    def forward(
        self, handed: Tensor, valid: Tensor, angles: tuple[Tensor, ...], key_bias: Tensor, lefts: list[LeftContext]
    ) -> Tensor:
        """Kept frames [B, F, lower width] -> final logits [B, F, vocabulary]."""
        return self.head(self.norm(self.stack(self.enter(handed), valid, angles, key_bias, lefts)))

    def with_middle(
        self, handed: Tensor, valid: Tensor, angles: tuple[Tensor, ...], key_bias: Tensor, lefts: list[LeftContext]
    ) -> tuple[Tensor, Tensor]:
        """As `forward`, and what the final head makes of the layer in the middle: a second place for the CTC loss
        (Lee and Watanabe 2021), in training only."""
        outputs = self.stack.all_layers(self.enter(handed), valid, angles, key_bias, lefts)
        middle = outputs[len(self.stack.layers) // 2]
        return self.head(self.norm(outputs[-1])), self.head(self.norm(middle))
