"""`edge-asr bundle`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from edge_asr.native.build import require_tools
from edge_asr.native.bundle import DEMO, RUNNER, make_bundle, require_free
from edge_asr.native.target import named_target
from edge_asr.terminal.model import model_or_shipped
from edge_asr.terminal.options import json_option, model_option, target_option
from edge_asr.terminal.screen import print_json, print_rows, stages


@click.command("bundle")
@target_option
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The folder to write: a new or empty one.",
)
@model_option
@click.option("--force", is_flag=True, help="Replace a bundle that is there. Other folders are never touched.")
@json_option
def command(target: str | None, output: Path, model: Path | None, force: bool, as_json: bool) -> None:
    """Put all that a board needs into one folder: no Python and no pip there.

    DIR gets the runner, the libraries it needs (all but the C library), the .pte, a recording to try it with, the
    licences, and a README of five lines that says how to run it and which C library (glibc) it asks for. Copy the
    folder to the board, anywhere, and run it from anywhere. The .pte is the same on every kind of machine.

    For another kind of machine than this one it cross-compiles; what that needs is told where it is missing. A bundle
    for this machine is tried before it gets its name.

    \b
    Examples:
      edge-asr bundle --target linux-aarch64 -o board
      scp -r board pi: && ssh pi board/edge-asr-run board/demo.wav
      edge-asr bundle -o here --model small.pte --force
    """
    chosen = named_target(target)
    require_free(output, force)
    require_tools(chosen)  # before minutes are spent on an export
    path = model_or_shipped(model)
    with stages("bundling") as progress:
        facts = make_bundle(chosen, output, path, force=force, tell=progress)
    size = sum((output / name).stat().st_size for name in facts.files)
    if as_json:
        print_json({"folder": str(output), "bytes": size, **asdict(facts)})
        return
    heard = f"heard: {facts.demo_text}" if facts.demo_text is not None else "not run here: it is for another machine"
    print_rows(
        [
            ("bundle", f"{output}, {size / 1e6:.1f} MB, {len(facts.files)} files, for {facts.target}"),
            ("needs", f"glibc {facts.glibc} or newer, and nothing else"),
            ("try", f"{output / RUNNER} {output / DEMO}"),
            ("demo", heard),
        ]
    )
