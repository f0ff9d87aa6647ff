"""`edge-asr inspect`."""

from __future__ import annotations

from pathlib import Path

import click

from edge_asr.commands.inspection import describe
from edge_asr.extras import require_extra
from edge_asr.terminal.model import model_or_shipped
from edge_asr.terminal.options import json_option
from edge_asr.terminal.screen import print_json


@click.command("inspect")
@click.argument("pte", required=False, type=click.Path(path_type=Path))
@json_option
def command(pte: Path | None, as_json: bool) -> None:
    """Show what is inside a .pte, without running it. PTE may be the size of a shipped model,
    `base` (the default) or `small`.

    \b
    metadata     what a host needs to run it, and where it comes from
    weights      bytes in the file: qcint8 is int8 with a scale for each output channel
    methods      inputs, outputs, planned memory, and
      branches   each side of each conditional jump: the delegates that run there, and what else does
      kernels    what is left to portable or optimized kernels, with counts: nothing that multiplies
                 matrices should be here

    \b
    Examples:
      edge-asr inspect model.pte
      edge-asr inspect model.pte --json | jq '.methods.step.branches'
    """
    require_extra("export", "looking into a program")
    path = model_or_shipped(pte)
    from edge_asr_export.inspect import inspect_pte  # needs ExecuTorch's Python packages

    report = inspect_pte(path)
    if as_json:
        print_json(report)
        return
    for line in describe(report):
        print(line)
