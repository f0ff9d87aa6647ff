"""The training objective: CTC at both heads, distillation between them, and a flat start."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from edge_asr.model.config import EncoderConfig
from edge_asr.model.encoder import EncoderOutput


def ctc_per_token(log_probs: Tensor, frames: Tensor, targets: Tensor, lengths: Tensor, blank_id: int) -> Tensor:
    """CTC loss of a batch divided by its tokens. log_probs [N, T, V]; targets [N, U]; frames, lengths int64 [N]."""
    loss = functional.ctc_loss(
        log_probs.transpose(0, 1), targets, frames, lengths, blank=blank_id, reduction="sum", zero_infinity=True
    )
    return loss / lengths.sum().clamp(min=1)


def distillation(output: EncoderOutput) -> Tensor:
    """KL(final || intermediate) per kept frame; the final head is the teacher and gets no gradient."""
    teacher = output.final.detach()[output.keep]
    student = output.intermediate[output.keep]
    if teacher.shape[0] == 0:
        return student.sum()
    return functional.kl_div(student, teacher, log_target=True, reduction="sum") / teacher.shape[0]


def consistency(log_probs: Tensor, count: Tensor) -> Tensor:
    """Symmetric KL between two views of each utterance, summed over the frames counted, as in CR-CTC (Yao et al. 2025).

    log_probs [2 N, T, V], the second half being other views of the first; count bool [2 N, T]. A view is no teacher
    where it did not count. Each view is taught by the other, which gets no gradient.
    """
    one, other = log_probs.chunk(2)
    both = torch.logical_and(*count.chunk(2))
    one, other = one[both], other[both]
    to_one = functional.kl_div(one, other.detach(), log_target=True, reduction="sum")
    to_other = functional.kl_div(other, one.detach(), log_target=True, reduction="sum")
    return (to_one + to_other) / 2


def flat_start(output: EncoderOutput, mel: Tensor, targets: Tensor, lengths: Tensor, blank_id: int) -> Tensor:
    """Cross-entropy of both heads on a uniform alignment of the tokens inside the energetic region.

    It lifts a model that starts from nothing over the plateau where CTC answers blank everywhere.
    """
    labels = uniform_alignment(mel, output.frames, targets, lengths, blank_id)
    return sum(
        (functional.nll_loss(head.flatten(0, 1), labels.flatten(), ignore_index=-1) for head in heads(output)),
        start=torch.zeros((), device=mel.device),
    )


def heads(output: EncoderOutput) -> tuple[Tensor, Tensor]:
    return output.intermediate, output.final


def uniform_alignment(mel: Tensor, frames: Tensor, targets: Tensor, lengths: Tensor, blank_id: int) -> Tensor:
    """int64 [N, T]: each token on the middle half of its share of the region, blank elsewhere, -1 past the end.

    Where no frame is louder than another, the region is the whole utterance. Computed on the CPU, row by row.
    """
    energy = mel.mean(dim=2).unflatten(1, (-1, EncoderConfig.SUBSAMPLING)).mean(dim=2).cpu()
    targets = targets.cpu()
    labels = torch.full(energy.shape, -1, dtype=torch.int64)
    for row, (count, tokens) in enumerate(zip(frames.tolist(), lengths.tolist(), strict=True)):
        labels[row, :count] = blank_id
        if tokens == 0:
            continue
        levels = energy[row, :count]
        loud = (levels > levels.min() + 0.4 * (levels.max() - levels.min())).nonzero().flatten()
        start, end = (int(loud[0]), int(loud[-1]) + 1) if len(loud) else (0, count)
        share = (torch.arange(start, end) - start + 0.5) * tokens / (end - start)
        middle = (share.frac() - 0.5).abs() <= 0.25
        labels[row, start:end] = torch.where(middle, targets[row, share.long()], blank_id)
    return labels.to(mel.device)
