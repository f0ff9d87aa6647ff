"""The losses of a batch and what each weighs at a step of the schedule."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edge_asr.model.gated import EncoderOutput
from edge_asr.model.losses import (
    consistency,
    ctc_per_token,
    distillation,
    divergence_from,
    flat_start,
    gate_cross_entropy,
    valid_frames,
)
from edge_asr.training.batches import Batch
from edge_asr.training.config import TrainingConfig
from edge_asr.training.phones import BLANK_PHONE


class Objective:
    """The sum that training makes small."""

    def __init__(self, training: TrainingConfig, blank_id: int, phone_head: nn.Linear | None) -> None:
        self._training = training
        self._blank_id = blank_id
        self._phone_head = phone_head

    def losses(
        self, output: EncoderOutput, batch: Batch, mel: Tensor, step: int, gated: bool, taught: Tensor | None
    ) -> dict[str, Tensor]:
        """Each loss by its name, and `total`. `step` is that of the run; `gated` whether the gate skipped frames;
        `taught` what a teacher hears, float32 [N, T, vocabulary], where there is one."""
        training, blank = self._training, self._blank_id
        targets, lengths = batch.targets.to(output.final.device), batch.lengths.to(output.final.device)
        intermediate = ctc_per_token(output.intermediate, output.frames, targets, lengths, blank)
        final = ctc_per_token(output.final, output.frames, targets, lengths, blank)
        losses = {"intermediate": intermediate, "final": final}
        if step < training.flat_start_steps:
            total = flat_start(output, mel, targets, lengths, blank)
        else:
            losses["distillation"] = distillation(output, blank, training.distillation)
            total = (
                training.intermediate_weight * intermediate
                + training.final_weight * final
                + training.distillation_weight * losses["distillation"]
            )
            if output.middle is not None:
                losses["middle"] = ctc_per_token(output.middle, output.frames, targets, lengths, blank)
                total = total + training.middle_weight * losses["middle"]
            if output.gate is not None and not gated:
                losses["gate"] = gate_cross_entropy(output, blank)
                total = total + training.gate_weight * losses["gate"]
            if taught is not None:
                losses["teacher"] = divergence_from(taught, output)
                total = total + training.teacher_weight * losses["teacher"]
            if self._phone_head is not None:
                losses["phones"] = phone_loss(self._phone_head, output, batch)
                total = total + training.phone_weight * losses["phones"]
            if training.consistency_weight and step >= training.consistency_from_step:
                losses["consistency"] = self._consistency(output) / lengths.sum().clamp(min=1)
                total = total + training.consistency_weight * losses["consistency"]
        return losses | {"total": total}

    def _consistency(self, output: EncoderOutput) -> Tensor:
        """Of both heads, weighted as their CTC losses are; the final head's on frames that both views kept."""
        training = self._training
        return training.intermediate_weight * consistency(
            output.intermediate, valid_frames(output)
        ) + training.final_weight * consistency(output.final, output.keep)


def phone_loss(head: nn.Linear, output: EncoderOutput, batch: Batch) -> Tensor:
    """CTC loss per phone, on every frame of the lower stack, kept or not."""
    log_probs = torch.log_softmax(head(output.handed.float()), dim=-1)
    targets, lengths = batch.phones.to(log_probs.device), batch.phone_lengths.to(log_probs.device)
    return ctc_per_token(log_probs, output.frames, targets, lengths, BLANK_PHONE)
