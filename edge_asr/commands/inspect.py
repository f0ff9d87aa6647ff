"""`edge-asr inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edge_asr.commands.model import model_or_shipped
from edge_asr.commands.options import json_option
from edge_asr.commands.screen import print_json

INLINE_ITEMS = 12  # of a list that is shown in one line


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


def print_facts(facts: Any, indent: int = 0) -> None:
    """Nested facts as an indented list. What has a name is headed by it."""
    space = "  " * indent
    for key, value in facts.items():
        label = click.style(str(key), dim=True)
        if isinstance(value, dict) and value:
            click.echo(f"{space}{label}")
            print_facts(value, indent + 1)
        elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
            for number, item in enumerate(value):
                item = dict(item)
                click.echo(f"{space}{label} {item.pop('name', number)}")
                print_facts(item, indent + 1)
        else:
            click.echo(f"{space}{label}  {inline(value)}")


def inline(value: Any) -> str:
    if isinstance(value, list):
        shown = ", ".join(str(item) for item in value[:INLINE_ITEMS])
        return shown if len(value) <= INLINE_ITEMS else f"{shown}, … ({len(value)})"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
