"""`edge-asr inspect`."""

from __future__ import annotations

from pathlib import Path

import click

from edge_asr.commands.options import json_option
from edge_asr.commands.screen import model_or_shipped, print_json


@click.command("inspect")
@click.argument("pte", required=False, type=click.Path(path_type=Path))
@json_option
def command(pte: Path | None, as_json: bool) -> None:
    """Show what is inside a .pte, without running it. Without PTE, inside the shipped model's.

    \b
    methods      inputs, outputs, planned memory
    branches     each side of each conditional jump: the delegates that run there, and what else does
    operators    those left to portable or optimized kernels, with counts: only cheap ones should be here
    weights      bytes in the file
    metadata     what a host needs to run it, and where it comes from

    \b
    Examples:
      edge-asr inspect model.pte
      edge-asr inspect model.pte --json | jq .branches
    """
    path = model_or_shipped(pte)
    from export.inspect import inspect_pte  # needs ExecuTorch's Python packages

    facts = inspect_pte(path)
    if as_json:
        print_json(facts)
    else:
        print_facts(facts)
