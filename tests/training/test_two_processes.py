"""Two processes under gloo train one model: their gradients are averaged, so their weights stay the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from edge_asr.training.loop import Trainer
from tests.training.conftest import REPOSITORY, run_config

STEPS = 12  # the gate joins at 8
RANK_PROGRAM = """
import sys, torch
from pathlib import Path
from edge_asr.training.loop import Trainer
from tests.training.conftest import run_config

torch.set_num_threads(1)
trainer = Trainer(run_config(steps={steps}), Path(sys.argv[1]), Path(sys.argv[2]))
batches = trainer.batches()
seen = []
for _ in range({steps}):
    batch = next(batches)
    seen.append(batch.samples.double().sum().item())
    trainer.step(batch)
torch.save({{"model": trainer.model.state_dict(), "seen": seen}}, Path(sys.argv[2]) / f"rank-{{trainer.rank}}.pt")
"""


@pytest.mark.slow
def test_two_ranks_see_different_batches_and_keep_the_same_weights(tones: Path, tmp_path: Path) -> None:
    program = tmp_path / "rank.py"
    program.write_text(RANK_PROGRAM.format(steps=STEPS))
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    subprocess.run([*launcher, str(program), str(tones), str(tmp_path)], env=environment, check=True)
    first, second = (torch.load(tmp_path / f"rank-{rank}.pt", weights_only=True) for rank in (0, 1))
    assert all(a != b for a, b in zip(first["seen"], second["seen"], strict=True))
    for name, value in first["model"].items():
        assert torch.equal(value, second["model"][name]), name


def test_the_shared_gradient_is_the_mean(tones: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the other process sends is a gradient twice ours, and one for a parameter that our loss left out."""
    trainer = Trainer(run_config(steps=1), tones, tmp_path)
    trainer.world = 2
    parameters = list(trainer.model.parameters())
    for parameter in parameters:
        parameter.grad = torch.randn_like(parameter)
    own = [parameter.grad.clone() for parameter in parameters if parameter.grad is not None]
    parameters[0].grad = None
    monkeypatch.setattr(
        torch.distributed, "all_reduce", lambda flat: flat.add_(2 * torch.cat([grad.flatten() for grad in own]))
    )
    trainer.share_gradients()
    for number, (parameter, before) in enumerate(zip(parameters, own, strict=True)):
        assert parameter.grad is not None
        assert torch.allclose(parameter.grad, before if number == 0 else 1.5 * before)
