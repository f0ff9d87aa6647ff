"""`edge-asr adopt`."""

from __future__ import annotations

from pathlib import Path

import click

from edge_asr.commands.export import require_writable
from edge_asr.errors import EdgeAsrError
from edge_asr.extras import require_extra
from edge_asr.terminal.options import json_option
from edge_asr.terminal.screen import print_json, print_rows, stages


@click.command("adopt")
@click.argument("source")
@click.option("--cut", type=click.IntRange(min=1), required=True, metavar="K", help="Layers that always run.")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The checkpoint to write."
)
@click.option(
    "--pieces",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A sentencepiece model: what the outputs of a source without a CTC head stand for. Default: English letters.",
)
@json_option
def command(source: str, cut: int, output: Path, pieces: Path | None, as_json: bool) -> None:
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
      edge-asr adopt UsefulSensors/moonshine-tiny --cut 2 -o start.safetensors
      edge-asr export start.safetensors -o start.pte
    """
    require_extra("adopt", "an adoption")
    require_writable(output)
    if output.exists() and output.resolve().parent == Path(source).resolve():
        raise EdgeAsrError(f"{output}: this is a file of the source: name another")
    from edge_asr.adoption.adopt import TYPICAL_KEPT, adopt  # needs torch
    from edge_asr.model.checkpoint import save_checkpoint

    with stages("adopting") as progress:
        progress("reading the source")
        adoption = adopt(source, cut, pieces)
        progress("writing the checkpoint")
        save_checkpoint(output, adoption.checkpoint)
    if as_json:
        print_json(adoption.to_dict() | {"path": str(output)})
        return
    spec, new = adoption.checkpoint.model.spec, adoption.new
    parts = [
        (name, f"{part.layers} layers, {part.parameters / 1e6:.2f} M parameters, {part.mmac_s:.0f} MMAC a second")
        for name, part in (("below", adoption.lower), ("above", adoption.upper))
    ]
    print_rows(
        [
            ("written", f"{output}: {adoption.checkpoint.model.architecture}, {spec.vocabulary} outputs"),
            *parts,
            ("frames", f"{spec.frame_ms:g} ms, {spec.chunk_frames} in a chunk"),
            ("speed-up", f"{adoption.speed_up:.2f} expected where {TYPICAL_KEPT:.0%} of the frames are kept"),
            ("copied", f"{adoption.copied} tensors"),
            ("new", f"{len(new)}: {', '.join(new)}"),
        ]
    )
