"""Output heads of both stacks: a softmax over all outputs, or blank as a decision of its own (factorized CTC)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edge_asr.model.config import EncoderConfig

SMALLEST_PROBABILITY = 1e-30  # keeps log probabilities finite where a softmax underflows


def log_of(probabilities: Tensor) -> Tensor:
    return torch.log(probabilities.clamp(min=SMALLEST_PROBABILITY))


def log_probabilities(logits: Tensor) -> Tensor:
    """log softmax, written so that a delegate takes it: the runtime's own log_softmax is 20 times slower."""
    return log_of(torch.softmax(logits, dim=-1))


def rows_of_one(rows: Tensor) -> Tensor:
    """[1, F, W] -> [F, W]"""
    return rows.reshape(rows.shape[1], rows.shape[2])


def of_one_stream(log_probs: Tensor, blank: Tensor, handed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What a lower stack makes of a chunk, [1, F, V], [1, F, 1] and [1, F, W], as `GatedCtc.streamed_lower` gives it:
    [F, V], [1, F] and [F, W]."""
    return rows_of_one(log_probs), blank.reshape(1, handed.shape[1]), rows_of_one(handed)


class FactorizedHead(nn.Module):
    """p(blank) = sigmoid(z), p(label) = (1 - p(blank)) softmax(labels), as Hou et al. factorize CTC, and HAT before.

    The gate asks for blank alone, which one output tells; the labels can wait until a frame is kept.
    """

    def __init__(self, width: int, vocabulary: int, blank_id: int) -> None:
        super().__init__()
        self.blank_id = blank_id
        self.blank = nn.Linear(width, 1)
        self.labels = nn.Linear(width, vocabulary - 1)

    def forward(self, hidden: Tensor) -> Tensor:
        """[..., width] -> logits [..., vocabulary], whose softmax is that distribution: the labels' sum to 1."""
        labels = self.labels(hidden)
        if torch.compiler.is_exporting():
            labels = log_probabilities(labels)
        else:  # exact in its gradient too, however unlikely a label
            labels = torch.log_softmax(labels.float(), dim=-1)
        return torch.cat(self.in_order(self.blank(hidden), labels), dim=-1)

    def in_order(self, blank: Tensor, labels: Tensor) -> list[Tensor]:
        """Blank at its place between labels. A slice that cuts nothing off is no operator of a delegate."""
        if self.blank_id == 0:
            return [blank, labels]
        if self.blank_id == labels.shape[-1]:
            return [labels, blank]
        return [labels[..., : self.blank_id], blank, labels[..., self.blank_id :]]


def factorized_start(head: dict[str, Tensor], blank_id: int) -> dict[str, Tensor]:
    """`weight` and `bias` of a head that is one softmax -> those of a FactorizedHead to go on from: the labels keep
    their probabilities among each other; blank stands against their mean, before against the sum of exponentials."""
    start = {}
    for name, rows in head.items():
        labels = torch.cat([rows[:blank_id], rows[blank_id + 1 :]])
        start[f"blank.{name}"] = rows[blank_id : blank_id + 1] - labels.mean(dim=0, keepdim=True)
        start[f"labels.{name}"] = labels
    return start


def output_head(config: EncoderConfig, width: int) -> nn.Module:
    """A module from rows [..., width] to logits [..., vocabulary]."""
    if config.factorized:
        return FactorizedHead(width, config.vocabulary, config.blank_id)
    return nn.Linear(width, config.vocabulary)
