"""The training objective: CTC at both heads, distillation between them, a learned gate, and a flat start."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from edge_asr.model.config import EncoderConfig
from edge_asr.model.gated import EncoderOutput


def ctc_per_token(log_probs: Tensor, frames: Tensor, targets: Tensor, lengths: Tensor, blank_id: int) -> Tensor:
    """CTC loss of a batch divided by its tokens. log_probs [N, T, V]; targets [N, U]; frames, lengths int64 [N]."""
    loss = functional.ctc_loss(
        log_probs.transpose(0, 1), targets, frames, lengths, blank=blank_id, reduction="sum", zero_infinity=True
    )
    return loss / lengths.sum().clamp(min=1)


def distillation(output: EncoderOutput, blank_id: int, form: str = "kept") -> Tensor:
    """Divergence of the intermediate head from the final one, which is the teacher and gets no gradient, per frame.

    `form` is one of `training.config.DISTILLATIONS`; KeyError for another:

    - "kept": KL(final || intermediate) on kept frames;
    - "all": the same on every frame of the utterances; a skipped frame's final line is the teacher as it is, so blank,
      which teaches what the gate did, too (and nothing where the intermediate head is passed through there);
    - "blank": the same on kept frames between blank and anything else, which is the binary cross-entropy less what no
      student can help: only the gate learns from the upper stack;
    - "labels": the same on kept frames between labels, renormalized without blank and weighted by the teacher's
      probability of not blank: what is said is taught, and the gate is left alone.

    "blank" and "labels" add up to "kept".
    """
    taught = valid_frames(output) if form == "all" else output.keep
    teacher = output.final.detach()[taught]
    student = output.intermediate[taught]
    if teacher.shape[0] == 0:
        return student.sum()
    return DIVERGENCES[form](student, teacher, blank_id) / teacher.shape[0]


def divergence_from(teacher: Tensor, output: EncoderOutput) -> Tensor:
    """KL(teacher || final) on kept frames, per frame. `teacher` are log probabilities [N, T, vocabulary] of the same
    frames."""
    student = output.final[output.keep]
    if student.shape[0] == 0:
        return output.final.sum() * 0.0
    return whole_divergence(student, teacher[output.keep]) / student.shape[0]


def whole_divergence(student: Tensor, teacher: Tensor, blank_id: int = 0) -> Tensor:
    """KL(teacher || student), summed over frames. Log probabilities [R, V] each."""
    return functional.kl_div(student, teacher, log_target=True, reduction="sum")


def blank_divergence(student: Tensor, teacher: Tensor, blank_id: int) -> Tensor:
    """As `whole_divergence`, all labels being one."""

    def blank_or_not(log_probs: Tensor) -> Tensor:
        spoken = torch.logsumexp(without_blank(log_probs, blank_id), dim=1)
        return torch.stack([log_probs[:, blank_id], spoken], dim=1)

    return functional.kl_div(blank_or_not(student), blank_or_not(teacher), log_target=True, reduction="sum")


def label_divergence(student: Tensor, teacher: Tensor, blank_id: int) -> Tensor:
    """As `whole_divergence`, given that a frame is not blank; a frame weighs what the teacher gives to that."""
    student, teacher = without_blank(student, blank_id), without_blank(teacher, blank_id)
    weight = torch.logsumexp(teacher, dim=1).exp()
    student, teacher = torch.log_softmax(student, dim=1), torch.log_softmax(teacher, dim=1)
    return (weight * functional.kl_div(student, teacher, log_target=True, reduction="none").sum(dim=1)).sum()


def without_blank(log_probs: Tensor, blank_id: int) -> Tensor:
    """[R, V] -> [R, V - 1]"""
    return torch.cat([log_probs[:, :blank_id], log_probs[:, blank_id + 1 :]], dim=1)


DIVERGENCES = {
    "kept": whole_divergence,
    "all": whole_divergence,
    "blank": blank_divergence,
    "labels": label_divergence,
}


def valid_frames(output: EncoderOutput) -> Tensor:
    """bool [N, T], frames that are of an utterance and not padding."""
    return torch.arange(output.keep.shape[1], device=output.frames.device) < output.frames[:, None]


def gate_cross_entropy(output: EncoderOutput, blank_id: int) -> Tensor:
    """Binary cross-entropy of the learned gate from the final head's probability of blank, per frame of an utterance.

    The final head is the teacher and gets no gradient. It must have seen every frame: of a skipped one it says nothing,
    and utterances of which a gate happens to keep all are no fair sample of speech.

    The target of a frame is its own blank, not its neighbours'. A label can only be told on a kept frame, so that of a
    spike must be kept. A neighbour is wanted where it may be the spike itself: the lower stack cannot tell to the frame
    where the upper one will spike, so its probability is spread over several, and a threshold near 1 keeps these. What
    else of its surroundings a frame needs is in its row already, by convolution, and gated batches teach the upper
    stack to be content with that. That spikes are few is left to the threshold: were they weighed, the gate's
    probability would be none.
    """
    assert output.gate is not None
    valid = valid_frames(output)
    blank = output.final.detach()[:, :, blank_id].exp().clamp(max=1.0)
    return functional.binary_cross_entropy_with_logits(output.gate[valid], blank[valid])


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
