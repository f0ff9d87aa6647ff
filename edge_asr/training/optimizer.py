"""The optimizer, and which parameters learn how fast."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from edge_asr.training.config import TrainingConfig


def make_optimizer(parameters: Sequence[nn.Parameter], body: set[int], training: TrainingConfig) -> torch.optim.AdamW:
    """`body` are ids of the parameters that an adopted model's source had; of any other model, none. Vectors have no
    weight decay."""
    groups = []
    for in_body in (False, True):
        for vector, decay in ((False, training.weight_decay), (True, 0.0)):
            chosen = [p for p in parameters if (p.dim() <= 1) == vector and (id(p) in body) == in_body]
            if chosen or not in_body:
                groups.append({"params": chosen, "weight_decay": decay, "body": in_body})
    return torch.optim.AdamW(groups, lr=training.peak_rate, betas=(0.9, 0.98))


def set_rates(optimizer: torch.optim.Optimizer, rate: float, step: int, training: TrainingConfig) -> None:
    """What is new learns at the rate from the first step on; the body later, at its share of it, with a warm-up of its
    own: Adam's first steps are as long as any, and would undo what it has learnt."""
    opened = max(0.0, (step + 1 - training.heads_first_steps) / training.warmup_steps)
    share = training.body_rate * min(1.0, opened) if training.heads_first_steps else training.body_rate
    for group in optimizer.param_groups:
        group["lr"] = rate * share if group.get("body") else rate
