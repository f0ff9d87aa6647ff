"""`edge-asr export`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_asr.errors import EdgeAsrError
from edge_asr.extras import require_extra
from edge_asr.manifest import read_manifest
from edge_asr.metrics import ErrorRates, WerDifference
from edge_asr.profiling.output import check_writable
from edge_asr.profiling.prediction import speed_up_text
from edge_asr.rate_text import interval_text, rate_text
from edge_asr.shipped import earlier_export
from edge_asr.terminal.model import checkpoint_or_shipped
from edge_asr.terminal.options import json_option
from edge_asr.terminal.screen import notice, print_json, print_rows, progress_bar, stages

if TYPE_CHECKING:
    from edge_asr.profiling.adoption import AdoptionReport, Material

NOTHING_SKIPPED = "none to speak of: at this threshold the gate has skipped nothing"


@click.command("export")
@click.argument("checkpoint", required=False, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The .pte to write."
)
@click.option(
    "--precision",
    type=click.Choice(["int8", "int4", "fp32"]),
    default="int8",
    show_default=True,
    help="Of the weights of the linear layers.",
)
@click.option(
    "--chunk-ms",
    type=click.IntRange(min=1),
    metavar="N",
    help="Audio a step takes: more is faster and a little more accurate, less answers sooner. Default: as trained.",
)
@click.option(
    "--report",
    "manifest",
    type=click.Path(path_type=Path),
    metavar="MANIFEST",
    help="Measure what the file hears in these recordings, gate on and off, and what adoption and gate have cost.",
)
@click.option(
    "--source",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="With --report: what `edge-asr adopt` wrote, whose own words at full context are the mark to reach.",
)
@json_option
def command(
    checkpoint: Path | None,
    output: Path,
    precision: str,
    chunk_ms: int | None,
    manifest: Path | None,
    source: Path | None,
    as_json: bool,
) -> None:
    """Write a checkpoint as one ExecuTorch program.

    The program takes PCM and holds everything: front end, lower layers, gate, upper layers behind a branch, both
    heads, the state of the stream, and the metadata a host needs. The threshold stays a run-time input.

    What was written is checked before it gets its name: against eager PyTorch over a whole stream, and its structure
    (branches whose layers are delegate calls, no matrix multiplication outside a delegate). A failed check
    leaves no file behind. It takes one to four minutes. Without CHECKPOINT, the shipped one is exported;
    CHECKPOINT may also be the size of a shipped one, `base` or `small`. What another command has already exported
    of these, by the same sources, is copied from the cache.

    \b
      int8    a quarter of the bytes of fp32 and the fastest; what is shipped
      int4    the smallest file; not faster, and less accurate
      fp32    for comparison with PyTorch

    \b
    Examples:
      edge-asr export -o model.pte
      edge-asr export small -o small.pte
      edge-asr export runs/an4/model.safetensors -o mine.pte --precision int4
      edge-asr export -o low-latency.pte --chunk-ms 320
      edge-asr export tuned.safetensors -o tuned.pte --report dev.jsonl --source start.safetensors
    """
    exported = checkpoint_or_shipped(checkpoint)
    require_extra("export", "an export")
    require_writable(output)
    for read in (checkpoint, source, manifest):
        if read and read.exists() and output.exists() and output.samefile(read):
            raise EdgeAsrError(f"{output}: this is what is read: name another file to write")
    if source and not manifest:
        raise click.UsageError("--source is heard in the recordings of --report: name them, too")
    material = to_report(exported, manifest, source) if manifest else None
    report = copy_earlier(exported, output, precision, chunk_ms)
    if report is None:
        from edge_asr_export.build import build  # needs torch

        with stages("exporting") as progress:
            report = build(exported, output, precision=precision, chunk_ms=chunk_ms, progress=progress).to_dict()
    outcome = measured(output, material) if material else None
    if as_json:
        print_json(report | ({"adoption": outcome.to_dict()} if outcome else {}))
        return
    print(f"{report['path']}: {report['precision']}, {report['bytes'] / 1e6:.2f} MB, sha256 {report['sha256'][:12]}…")
    for name, value in report["checks"].items():
        print(f"  {name}: {f'{value:.3g}' if isinstance(value, float) else value}")
    if outcome:
        print_rows(rows_of(outcome))


def to_report(exported: Path, manifest: Path, source: Path | None) -> Material:
    """All that the report needs. Raises EdgeAsrError."""
    from edge_asr.profiling.adoption import read_material  # needs torch

    return read_material(exported, source, read_manifest(manifest))


def measured(output: Path, material: Material) -> AdoptionReport:
    from edge_asr.profiling.adoption import measure_adoption, work  # needs torch

    with progress_bar("measuring", work(material)) as advance:
        return measure_adoption(output, material, advance)


def rows_of(outcome: AdoptionReport) -> list[tuple[str, str]]:
    gate, saved = outcome.gate, outcome.speed_up
    rows = [
        (
            "gate on",
            f"{wer_text(outcome.on)}, threshold {gate.threshold:g}, {gate.kept_frame_ratio:.1%} of frames kept",
        ),
        ("gate off", f"{wer_text(outcome.off)}; the gate costs {change_text(outcome.gate_cost)}"),
        ("full context", f"{wer_text(outcome.full_context)}; streaming costs {change_text(outcome.streaming_cost)}"),
    ]
    if outcome.source and outcome.adoption_cost:
        cost = change_text(outcome.adoption_cost)
        rows.append(("source", f"{wer_text(outcome.source)} at full context; all of it costs {cost}"))
    return [
        *rows,
        ("speed-up", speed_up_text(saved) if gate.kept_frame_ratio < 1 else NOTHING_SKIPPED),
        ("agreement", f"{outcome.agreement:.1f} % of the words that fp32 PyTorch hears"),
        ("size", f"{outcome.bytes / 1e6:.2f} MB"),
        (
            "measured on",
            f"{outcome.on.utterances} utterances, {outcome.on.reference_words} words, {gate.audio_s:.0f} s",
        ),
    ]


def wer_text(rates: ErrorRates) -> str:
    return f"WER {rate_text(rates.wer, 1)} % ({interval_text(rates.wer_ci95)})"


def change_text(change: WerDifference) -> str:
    least, most = change.wer_ci95
    return f"{change.wer:+.1f} points ({least:+.1f} to {most:+.1f})"


def copy_earlier(checkpoint: Path, output: Path, precision: str, chunk_ms: int | None) -> dict[str, Any] | None:
    """The file that these sources made of a shipped checkpoint before, under the name asked for: its report. None where
    the cache does not have it. Raises EdgeAsrError where the file cannot be written."""
    earlier = earlier_export(checkpoint, precision, chunk_ms)
    if earlier is None:
        return None
    path, report = earlier
    notice(f"this was exported before, by the same sources and libraries: copied from {path}")
    partial = output.with_name(f"{output.name}.{os.getpid()}.partial")
    try:
        shutil.copyfile(path, partial)
        partial.replace(output)
    except OSError as error:
        raise EdgeAsrError(f"{output}: cannot be written ({error.strerror})") from None
    finally:
        partial.unlink(missing_ok=True)
    return report | {"path": str(output)}


def require_writable(output: Path) -> None:
    """Tell what is wrong with the output before minutes are spent on it. Raises EdgeAsrError."""
    check_writable(output)
    if output.exists() and not output.is_file():
        raise EdgeAsrError(f"{output}: a pipe or device, which a file cannot be written to whole: name a file")
