"""The `edge-asr` command. Each subcommand is a file in `edge_asr/commands`, imported when it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

import click

from edge_asr import __version__
from edge_asr.terminal.process import run

# in the order of the help
COMMANDS = (
    *("transcribe", "evaluate", "export", "inspect", "adopt", "train", "synthesize", "demo", "native", "bundle"),
    *("profile", "sweep", "compare"),
)


class LazyGroup(click.Group):
    """Subcommands whose modules load when they are needed, so that `--help` answers at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"edge_asr.commands.{cmd_name}").command
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="edge-asr")
def cli() -> None:
    """Streaming speech recognition on CPUs whose compute follows the speech.

    One int8 ExecuTorch file (.pte) holds the whole recognizer. Its gate sends only frames that may hold a
    token through the upper layers; --threshold moves it at run time, from `off` (never skip) to 0 (skip all it can).

    \b
    Start here:
      edge-asr demo                          see it work
      edge-asr transcribe talk.flac          text as it comes
      edge-asr evaluate test.jsonl --json    WER and compute of a manifest
      edge-asr native build                  run models without torch from now on
      edge-asr bundle -o board               a folder for a board: no Python, no pip
      edge-asr profile                       time, memory and energy on a device, gate on and off

    Without --model, commands use the shipped checkpoint, exported once into your cache folder.

    \b
    Environment:
      EDGE_ASR_CACHE            another cache folder
      EDGE_ASR_DATA             folder of the corpora (an4/train.jsonl, an4/test.jsonl, ...)
      EDGE_ASR_NATIVE_LIBRARY   a libedge_asr.so to take instead of the one built here
      EDGE_ASR_VERBOSE          1: show warnings, native log lines and tracebacks
      NO_COLOR                  plain text, without escapes, as with TERM=dumb

    Errors are one line on stderr. Exit codes: 0 done, 1 failed, 2 wrong usage; 130, 143 or 129 ended by Ctrl-C, SIGTERM
    or SIGHUP.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code."""
    return run(cli, "edge-asr", arguments)
