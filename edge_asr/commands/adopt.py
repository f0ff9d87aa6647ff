"""`edge-asr adopt`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_asr.commands.export import require_writable
from edge_asr.errors import EdgeAsrError
from edge_asr.extras import require_extra
from edge_asr.manifest import read_manifest
from edge_asr.terminal.options import json_option
from edge_asr.terminal.screen import print_json, print_rows, stages

if TYPE_CHECKING:
    from edge_asr.adoption.adopt import Adoption

CUT = "{cut}"


@click.command("adopt")
@click.argument("source")
@click.option(
    "--cut",
    "cuts",
    type=click.IntRange(min=1),
    multiple=True,
    required=True,
    metavar="K",
    help="Layers that always run. Given more than once, a checkpoint is written for each.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The checkpoint to write. With more than one cut, {cut} in its name stands for each.",
)
@click.option(
    "--pieces",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A sentencepiece model: what the outputs of a source without a CTC head stand for. Default: English letters.",
)
@click.option(
    "--learn-pieces",
    type=click.IntRange(min=2),
    metavar="N",
    help="Learn so many pieces on the texts of --texts instead. They travel with the checkpoint.",
)
@click.option(
    "--texts",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="MANIFEST",
    help="With --learn-pieces: what the model will be trained on. May be repeated.",
)
@json_option
def command(
    source: str,
    cuts: tuple[int, ...],
    output: Path,
    pieces: Path | None,
    learn_pieces: int | None,
    texts: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Cut a pretrained encoder in two and write it as a checkpoint.

    SOURCE is a Hugging Face folder (config.json, model.safetensors, vocabulary), or a name on the Hub.
    The first K layers will run on every frame, the others on frames that the gate keeps. Weights are copied;
    what the source does not have is new: the intermediate head, the hand-over between the parts, and a CTC head
    where it has none. The encoder becomes a streaming one: chunks, and a bounded past.

    What is new knows nothing yet, and a pretrained encoder is not used to chunks: fine-tune the checkpoint
    before use. Until then its threshold is that of never skipping.

    \b
    Examples:
      edge-asr adopt ./wav2vec2-base-960h --cut 4 -o start.safetensors
      edge-asr adopt UsefulSensors/moonshine-tiny --cut 2 --learn-pieces 256 --texts train.jsonl -o start.safetensors
      edge-asr adopt ./moonshine-tiny --cut 2 --cut 3 --cut 4 -o start-{cut}.safetensors
      edge-asr export start.safetensors -o start.pte
    """
    require_extra("adopt", "an adoption")
    outputs = outputs_of(output, cuts)
    for path in outputs.values():
        require_writable(path)
        if path.exists() and Path(source).is_dir() and is_part_of(path, Path(source)):
            raise EdgeAsrError(f"{path}: this is a file of the source: name another")
    if pieces and learn_pieces:
        raise click.UsageError("--pieces and --learn-pieces exclude each other")
    if bool(learn_pieces) != bool(texts):
        raise click.UsageError("--learn-pieces and --texts come together")
    from edge_asr.adoption.adopt import adopt_source  # needs torch
    from edge_asr.adoption.source import read_source
    from edge_asr.model.checkpoint import save_checkpoint

    with stages("adopting") as progress, tempfile.TemporaryDirectory() as folder:
        if learn_pieces:
            progress("learning the pieces")
            pieces = learnt(learn_pieces, texts, Path(folder))
        progress("reading the source")
        read = read_source(source)
        progress("cutting it")
        adoptions = {path: adopt_source(read, source, cut, pieces) for cut, path in outputs.items()}
        progress("writing")
        for path, adoption in adoptions.items():
            save_checkpoint(path, adoption.checkpoint)
    reports = []
    for path, adoption in adoptions.items():
        if not as_json:
            print_rows(rows_of(adoption, path))
        reports.append(adoption.to_dict() | {"path": str(path)})
    if as_json:
        print_json(reports[0] if len(reports) == 1 else {"adoptions": reports})


def is_part_of(path: Path, folder: Path) -> bool:
    """Whether it lies in the folder, or is what a link there leads to."""
    return path.parent.resolve() == folder.resolve() or any(
        path.samefile(part) for part in folder.iterdir() if part.exists()
    )


def learnt(count: int, manifests: tuple[Path, ...], folder: Path) -> Path:
    """A sentencepiece model of the texts of manifests, in the folder."""
    from edge_asr.training.data import learn_pieces

    learn_pieces([said.text for name in manifests for said in read_manifest(name)], count, folder / "pieces")
    return folder / "pieces.model"


def outputs_of(output: Path, cuts: tuple[int, ...]) -> dict[int, Path]:
    """The file of each cut. Raises UsageError where several would be one file."""
    if len(set(cuts)) > 1 and CUT not in output.name:
        raise click.UsageError(f"several cuts are several files: write {CUT} into the name of the output")
    return {cut: output.with_name(output.name.replace(CUT, str(cut))) for cut in dict.fromkeys(cuts)}


def rows_of(adoption: Adoption, path: Path) -> list[tuple[str, str]]:
    from edge_asr.adoption.adopt import TYPICAL_KEPT

    spec, cost, new = adoption.checkpoint.model.spec, adoption.cost, adoption.new
    parts = [
        (name, f"{part.layers} layers, {part.parameters / 1e6:.2f} M parameters, {part.mmac_s:.0f} MMAC a second")
        for name, part in (("below", cost.lower), ("above", cost.upper))
    ]
    left = f"{len(adoption.left)}: {', '.join(adoption.left)}" if adoption.left else "nothing"
    return [
        ("written", f"{path}: {adoption.checkpoint.model.architecture}, {spec.vocabulary} outputs"),
        *parts,
        ("frames", f"{spec.frame_ms:g} ms, {spec.chunk_frames} in a chunk"),
        ("speed-up", f"{cost.speed_up(TYPICAL_KEPT):.2f} expected where {TYPICAL_KEPT:.0%} of the frames are kept"),
        ("copied", f"{adoption.copied} tensors"),
        ("left", left),
        ("new", f"{len(new)}: {', '.join(new)}"),
    ]
