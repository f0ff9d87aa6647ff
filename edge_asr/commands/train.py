"""`edge-asr train`."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import click

import edge_asr.training
from edge_asr.corpora import DATA_VARIABLE
from edge_asr.errors import EdgeAsrError
from edge_asr.extras import require_extra
from edge_asr.terminal.options import json_option
from edge_asr.terminal.quiet import screen
from edge_asr.terminal.screen import notice, print_json
from edge_asr.training.config import read_config

DEFAULT_CONFIG = Path(edge_asr.training.__file__).parent / "configs" / "an4-alone.toml"
ONEDNN_SHAPES = "60000"  # compiled shapes that oneDNN keeps: batches differ in length, and compiling one costs seconds


@click.command("train")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="TOML",
    default=DEFAULT_CONFIG,
    show_default="an4-alone.toml: AN4 alone, about an hour",
    help="Model, schedule and augmentation.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="DIR",
    envvar=DATA_VARIABLE,
    show_envvar=True,
    required=True,
    help="Folder that the configuration's manifests lie in.",
)
@click.option(
    "--run-dir",  # not --run: torchrun takes that for an abbreviation of its own --run-path
    "run",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    required=True,
    help="Folder of this run: tokens, development set, state, log, checkpoints.",
)
@click.option("--fresh", is_flag=True, help="Start over. A run that is in the folder is moved aside, not deleted.")
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="Threads that compute, in each process. Default: 1 under torchrun, else as many as there are cores.",
)
@json_option
def command(config: Path, data: Path, run: Path, fresh: bool, threads: int | None, as_json: bool) -> None:
    """Train a gated encoder.

    The same command starts a run and resumes it: after a crash or Ctrl-C it goes on where it was. A development set
    is taken from the training speakers; at each evaluation its WER is printed for several thresholds. The run ends
    with model.safetensors: the averaged weights of the best evaluation, with the default threshold it speaks for.

    A line a 50 steps shows the losses (per token), kept frames, learning rate, steps a second and minutes left.
    log.jsonl in the run's folder holds the same for plots. A GPU is used where there is one.

    development.jsonl beside it is the manifest of the development set, from the start: compare models and thresholds
    on it with `edge-asr evaluate` and `edge-asr sweep`, and keep the test split for what you report.

    On a CPU, two processes of one thread each train faster than one process of two threads:

    \b
      torchrun --nproc-per-node 2 -m edge_asr train --run-dir runs/an4-alone

    (The batch of `batch_s` seconds is that of one process.)

    \b
    Examples:
      edge-asr train --data ../shared/data --run-dir runs/an4-alone
      edge-asr train --config mine.toml --run-dir runs/mine
      edge-asr export runs/an4-alone/model.safetensors -o model.pte
      edge-asr evaluate runs/an4-alone/development.jsonl --model model.pte --against @off --speeds 0.9,1,1.1
    """
    require_extra("train", "training")
    settings = read_config(config)
    if not data.is_dir():
        raise EdgeAsrError(f"{data}: no such data folder: name it with --data or {DATA_VARIABLE}")
    first = os.environ.get("RANK", "0") == "0"
    if fresh and first:
        move_aside(run)
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", ONEDNN_SHAPES)  # read when torch is loaded
    import torch

    from edge_asr.training.loop import Trainer

    if threads is None and "WORLD_SIZE" in os.environ:
        threads = 1
    if threads is not None:
        torch.set_num_threads(threads)
    started_s = time.monotonic()
    with contextlib.redirect_stdout(screen()) if as_json else contextlib.nullcontext():
        trainer = Trainer(settings, data, run, resume=not fresh)
        trainer.train()
    if as_json and first:
        print_json(
            {
                "run": str(run),
                "checkpoint": str(trainer.model_path),
                "steps": trainer.progress.step,
                "best_dev_wer": trainer.progress.best_dev_wer,
                "wall_s": time.monotonic() - started_s,
            }
        )


def move_aside(run: Path) -> None:
    """Rename a folder that holds anything to the first free `RUN-1`, `RUN-2`, …"""
    if not run.is_dir() or not any(run.iterdir()):
        return
    number = 1
    while (aside := run.with_name(f"{run.name}-{number}")).exists():
        number += 1
    run.rename(aside)
    notice(f"the run that was in {run} is now in {aside}")
