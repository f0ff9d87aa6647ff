"""`edge-asr synthesize`."""

from __future__ import annotations

from pathlib import Path

import click

from edge_asr.extras import require_extra
from edge_asr.terminal.options import json_option
from edge_asr.terminal.screen import notice, print_json, progress_bar


@click.command("synthesize")
@click.argument("manifests", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    required=True,
    help="Folder for train.jsonl and its audio, 16 kHz FLAC.",
)
@click.option("--utterances", type=click.IntRange(min=1), default=5_000, show_default=True, help="How many to speak.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the texts, voices, speeds and pitches.")
@click.option(
    "--held-out",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Leave out the texts of the first manifest's development speakers: the training configuration's "
    "dev_utterances.",
)
@json_option
def command(
    manifests: tuple[Path, ...], output: Path, utterances: int, seed: int, held_out: int, as_json: bool
) -> None:
    """Make training speech with text-to-speech programs, for texts like those of MANIFESTS.

    Half of the texts are the manifests' own; in the other half, letters, digits, months and the like are exchanged for
    others of their class. espeak-ng gives hundreds of voices, flite a few that are closer to speech: both are used
    where both are installed (apt install espeak-ng flite). The same seed and programs give the same corpus. An
    interrupted run goes on where it was.

    \b
    Example, as the training configurations want it:
      edge-asr synthesize ../shared/data/an4/train.jsonl --held-out 100 -o data/tts/an4
    """
    require_extra("train", "synthesizing training speech")
    from edge_asr.training.synthesis import synthesize

    with progress_bar("speaking", utterances) as advance:
        manifest = synthesize(manifests, output, utterances, seed, held_out, progress=lambda: advance(1))
    if as_json:
        print_json({"manifest": str(manifest), "utterances": utterances, "seed": seed})
    else:
        notice(f"{manifest}: {utterances} utterances")
