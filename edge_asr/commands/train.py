"""`edge-asr train`."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from pathlib import Path
from typing import Any

import click

from edge_asr.corpora import DATA_VARIABLE
from edge_asr.errors import EdgeAsrError
from edge_asr.extras import require_extra
from edge_asr.terminal.options import json_option
from edge_asr.terminal.quiet import screen
from edge_asr.terminal.screen import notice, print_json, print_rows, progress_bar
from edge_asr.training.config import CONFIGS, RunConfig, read_config

DEFAULT_CONFIG = CONFIGS / "an4-alone.toml"
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
    help="Folder of this run: tokens, development set, state, log, checkpoints.",
)
@click.option(
    "--start",
    "starts",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="What `edge-asr adopt` wrote, in place of the configuration's start_checkpoint. Given more than once, each is "
    "trained in a folder of its own in DIR, one after the other, and they are compared in the end.",
)
@click.option(
    "--pack",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Do not train: write the configuration's manifests and recordings to DIR as Opus, an hour in 6 MB.",
)
@click.option("--fresh", is_flag=True, help="Start over. A run that is in the folder is moved aside, not deleted.")
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="Threads that compute, in each process. Default: 1 under torchrun, else as many as there are cores.",
)
@json_option
def command(
    config: Path,
    data: Path,
    run: Path | None,
    starts: tuple[Path, ...],
    pack: Path | None,
    fresh: bool,
    threads: int | None,
    as_json: bool,
) -> None:
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

    For a machine that is lent for minutes, --pack writes the recordings in few bytes. It is sent that folder, the
    start and the configuration.

    (The batch of `batch_s` seconds is that of one process.)

    \b
    Examples:
      edge-asr train --data ../shared/data --run-dir runs/an4-alone
      edge-asr train --config mine.toml --run-dir runs/mine
      edge-asr train --config mine.toml --run-dir runs/cuts --start start-2.safetensors --start start-4.safetensors
      edge-asr train --config moonshine-tiny-h200.toml --pack packed
      edge-asr export runs/an4-alone/model.safetensors -o model.pte
      edge-asr evaluate runs/an4-alone/development.jsonl --model model.pte --against @off --speeds 0.9,1,1.1
    """
    require_extra("train", "training")
    settings = read_config(config)
    if not data.is_dir():
        raise EdgeAsrError(f"{data}: no such data folder: name it with --data or {DATA_VARIABLE}")
    absent = next((start for start in starts if not start.is_file()), None)
    if absent:
        raise EdgeAsrError(f"{absent}: no such checkpoint: edge-asr adopt writes one")
    if pack and (starts or run):
        raise click.UsageError("--pack writes recordings and trains nothing: leave out --run-dir and --start")
    if pack:
        write_packed(settings, data, pack, as_json)
        return
    if run is None:
        raise click.UsageError("name the folder of the run: --run-dir")
    runs = runs_of(settings, run, starts)
    first = os.environ.get("RANK", "0") == "0"
    if fresh and first:
        move_aside(run)
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", ONEDNN_SHAPES)  # read when torch is loaded
    import torch

    from edge_asr.training.comparison import describe
    from edge_asr.training.loop import Trainer

    if threads is None and "WORLD_SIZE" in os.environ:
        threads = 1
    if threads is not None:
        torch.set_num_threads(threads)
    reports: list[dict[str, Any]] = []
    for folder, settings in runs.items():
        started_s = time.monotonic()
        with contextlib.redirect_stdout(screen()) if as_json else contextlib.nullcontext():
            trainer = Trainer(settings, data, folder, resume=not fresh)
            trainer.train()
        if first:
            made = {"run": str(folder), "checkpoint": str(trainer.model_path), "steps": trainer.progress.step}
            best = {"best_dev_wer": trainer.progress.best_dev_wer, "wall_s": time.monotonic() - started_s}
            reports.append(made | best | (describe(trainer.model_path) if len(runs) > 1 else {}))
    if as_json and first:
        print_json(reports[0] if len(reports) == 1 else {"runs": reports})
    elif len(reports) > 1:
        print_rows([(Path(report["run"]).name, compared(report)) for report in reports])


def write_packed(settings: RunConfig, data: Path, folder: Path, as_json: bool) -> None:
    from edge_asr.training.packing import pack, recordings_of

    with progress_bar("packing", recordings_of(settings.training, data, folder)) as advance:
        size = pack(settings.training, data, folder, advance)
    if as_json:
        print_json({"data": str(folder), "bytes": size})
    else:
        print(f"{folder}: {size / 1e6:.1f} MB; train there with --data")


def runs_of(settings: RunConfig, run: Path, starts: tuple[Path, ...]) -> dict[Path, RunConfig]:
    """The configuration of each folder. Raises UsageError where two starts would have the same one."""
    if not starts:
        return {run: settings}
    names = [start.stem for start in starts]
    if len(set(names)) < len(names):
        raise click.UsageError("two --start files of the same name would be trained in the same folder: rename one")
    folders = [run] if len(starts) == 1 else [run / name for name in names]
    return {
        folder: dataclasses.replace(
            settings, training=dataclasses.replace(settings.training, start_from="", start_checkpoint=str(start))
        )
        for folder, start in zip(folders, starts, strict=True)
    }


def compared(report: dict[str, Any]) -> str:
    """What a choice between runs is made by."""
    return (
        f"{report['lower_layers']} of {report['layers']} layers below, dev WER {report['wer']:.1f} % at threshold "
        f"{report['threshold']:g} ({report['wer_off']:.1f} off), {report['kept']:.1%} kept, intermediate head "
        f"{report['wer_intermediate']:.1f} %, {report['speed_up']:.2f}x by arithmetic"
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
