"""What a run keeps on disk, to go on from or to be started from."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edge_asr.errors import EdgeAsrError
from edge_asr.model.checkpoint import load_checkpoint
from edge_asr.model.gated import GatedCtc
from edge_asr.model.heads import factorized_start
from edge_asr.source_identity import git_commit
from edge_asr.tokens import Tokens
from edge_asr.training.config import RunConfig
from edge_asr.training.evaluation import Results


@dataclass
class Progress:
    """What a resumed run must know beside weights and optimizer."""

    step: int = 0
    epoch: int = 0
    batch: int = 0  # batches of this epoch that are done
    best_dev_wer: float = math.inf
    evaluated: int = 0  # the last step that was


@dataclass
class RunState:
    """All that training changes."""

    model: GatedCtc
    average: GatedCtc
    phone_head: nn.Linear | None
    optimizer: torch.optim.Optimizer
    identity: str  # of what the run trains: see `identity_of_model`
    progress: Progress = field(default_factory=Progress)

    def save(self, path: Path) -> None:
        """The file is whole, or as it was."""
        partial = path.with_suffix(".partial")
        torch.save(
            {
                "model": self.model.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "phone_head": self.phone_head.state_dict() if self.phone_head else None,
                "progress": asdict(self.progress),
                "identity": self.identity,
            },
            partial,
        )
        partial.replace(path)

    def load(self, path: Path, device: torch.device) -> None:
        """Raises EdgeAsrError where the file is damaged, or of a run that trains another model."""
        try:
            state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        except Exception as error:  # of whatever kind the unpickler has
            reason = str(error).splitlines()[0]
            raise EdgeAsrError(f"{path}: damaged ({reason}): start over with --fresh") from None
        if state.get("identity", self.identity) != self.identity:
            raise EdgeAsrError(
                f"{path}: of a run of another model, start or alphabet: name another --run-dir, or start over (--fresh)"
            )
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        if self.phone_head:
            self.phone_head.load_state_dict(state["phone_head"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.progress = Progress(**state["progress"])


def take_over(model: GatedCtc, checkpoint: Path) -> None:
    """Start from another run's weights. The gate may be cut differently, as it has none, or learned where the other
    was not: then its head is fresh. There may be fewer upper layers: then the lowest are taken. Heads may become
    factorized ones: see `factorized_start`. Raises EdgeAsrError where anything else differs."""
    start = load_checkpoint(checkpoint).model
    weights, own = start.state_dict(), model.state_dict()
    if model.spec.labels_wait and not start.spec.labels_wait:
        for prefix in ("lower.head.", "upper.head."):
            head = {name: weights.pop(prefix + name) for name in ("weight", "bias")}
            parts = factorized_start(head, start.spec.blank_id)
            weights |= {prefix + name: value for name, value in parts.items()}
    above = [name for name in weights if name.startswith("upper.stack.layers.") and name not in own]
    fresh = {name: value for name, value in own.items() if name.startswith("lower.gate.") and name not in weights}
    try:
        model.load_state_dict(fresh | {name: value for name, value in weights.items() if name not in above})
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise EdgeAsrError(f"{checkpoint}: its weights do not fit this run's [model] ({reason})") from None


def mixed_with_start(weights: dict[str, Tensor], checkpoint: Path, share: float) -> dict[str, Tensor]:
    """Weights of which `share` are those of the checkpoint that the run started from, of the same shape (Wortsman et
    al. 2022): what a short run learns anew is kept, and most of what it forgets comes back."""
    start = load_checkpoint(checkpoint).model.state_dict()
    return {name: torch.lerp(value, start[name], share) for name, value in weights.items()}


def identity_of_model(model: GatedCtc, tokens: Tokens) -> str:
    """Of its architecture, dimensions and pieces: weights of another identity mean something else."""
    values = [model.architecture, model.to_dict(), tokens.pieces, tokens.blank_id]
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def identity_of(config: RunConfig, step: int, dev: Results | None = None) -> dict[str, str]:
    """What a checkpoint says of the run that made it, and of how it does on the development set."""
    identity = {
        "config_sha256": hashlib.sha256(json.dumps(asdict(config), sort_keys=True).encode()).hexdigest(),
        "step": str(step),
        "git_commit": git_commit(),
    }
    if dev is not None:
        identity["dev"] = json.dumps({name: {k: round(v, 4) for k, v in r.items()} for name, r in dev.items()})
    return identity
