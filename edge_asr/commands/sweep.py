"""`edge-asr sweep`."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from edge_asr.commands.report_files import tell_what_is_inside
from edge_asr.contract import NEVER_SKIP
from edge_asr.errors import EdgeAsrError
from edge_asr.extras import require_extra
from edge_asr.profiling.anonymous import Anonymizer
from edge_asr.profiling.baselines.choose import NAMES, Ingredients, choose_baseline
from edge_asr.profiling.contenders import Contender, Gated, gated
from edge_asr.profiling.meters.choose import MeterOptions, find_meter
from edge_asr.profiling.program import Program, read_program
from edge_asr.profiling.recordings import Recordings, as_waves, sources
from edge_asr.profiling.sweep.files import write
from edge_asr.profiling.sweep.journal import Circumstances, Journal
from edge_asr.profiling.sweep.measure import measure
from edge_asr.profiling.sweep.plan import check_names, is_test_split, own_of, settings
from edge_asr.profiling.sweep.result import Occasion, Sweep, summarize
from edge_asr.profiling.sweep.run import SweepSession, due
from edge_asr.profiling.targets.adb import AdbTarget
from edge_asr.profiling.targets.choose import choose_target
from edge_asr.profiling.targets.protocol import Target
from edge_asr.shipped import names_size
from edge_asr.terminal.model import model_or_shipped
from edge_asr.terminal.options import (
    Finite,
    Threshold,
    anonymous_option,
    cpus_option,
    energy_estimate_option,
    json_option,
    limit_option,
    meter_option,
    threads_option,
)
from edge_asr.terminal.screen import notice, print_json, progress_bar, stages
from edge_asr.terminal.signals import all_like_ctrl_c

TYPED = "edge_asr.typed"


class Thresholds(click.ParamType):
    """`off,0.95,0.7`."""

    name = "thresholds"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return "T,T,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        one = Threshold()
        return tuple(one.convert(part.strip(), param, ctx) for part in str(value).split(","))


@dataclass(frozen=True)
class Asked:
    """The command line."""

    manifest: Path
    models: tuple[Path, ...]
    thresholds: tuple[float, ...]
    against: tuple[str, ...]
    checkpoint: Path | None
    output: Path
    at_most: float
    passes: int
    limit: int | None
    threads: int
    cpus: str | None
    target: str
    meter_name: str | None
    energy_estimate: float | None
    anonymous: bool
    line: str  # as it was typed


class AsTyped(click.Command):
    """Remembers its arguments, for the line that reproduces what it did."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[TYPED] = shlex.join([*ctx.command_path.split(), *args])
        return super().parse_args(ctx, args)


@click.command("sweep", cls=AsTyped)
@click.argument("manifest", type=click.Path(path_type=Path))
@click.option(
    "--model",
    "models",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PTE|SIZE",
    help="A .pte, or a shipped model's size (`base`, `small`); name as many as are to be compared. Default: `base`.",
)
@click.option("--thresholds", type=Thresholds(), default=(), help="Of each file. Default: seven, from off to 0.5.")
@click.option(
    "--against",
    multiple=True,
    metavar="NAME|PTE|SIZE",
    help=f"Another runtime beside ours ({', '.join(NAMES)}), or a .pte or shipped size that is measured with its gate "
    "off: a static model, say.",
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The weights of the first model, for ONNX Runtime. Default: those of the shipped one.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Gets sweep.json, .md, .png, .svg, .html, and the passes.",
)
@click.option(
    "--at-most",
    type=Finite(min=0),
    default=0.2,
    show_default=True,
    metavar="POINTS",
    help="WER that a recommendation may add to that with the gate off.",
)
@click.option("--passes", type=click.IntRange(min=1), default=7, show_default=True, help="Of each setting.")
@limit_option
@threads_option
@cpus_option
@click.option(
    "--target",
    default="local",
    show_default=True,
    metavar="local|ssh:USER@HOST",
    help="The device. Nothing is left behind on it.",
)
@meter_option
@energy_estimate_option
@anonymous_option
@json_option
def command(as_json: bool, **options: Any) -> None:
    """What each threshold and each file costs and buys, and which to choose.

    Every setting hears all of MANIFEST, in a fresh process, once a pass; the settings take turns, so that a slow minute
    slows all of them. DIR then has the same figures five times: as JSON, as a table, as a picture (PNG and SVG), and
    as a page to look at.

    Interrupt it at any time: what is finished is kept and shown, and the same command goes on from there. More models
    or thresholds may be added later.

    The recommendation is the cheapest setting whose WER is at most --at-most points above that of the first model
    with its gate off. Its interval is a paired bootstrap over utterances: where it reaches beyond the budget, more
    speech is needed to be sure. Choose thresholds on held-out speech, never on the split that you report: a manifest
    whose name has `test` or `eval` in it judges the threshold that the first file itself recommends, and chooses none.
    Without texts in the manifest there is no WER, and no recommendation.

    \b
    Examples:
      edge-asr sweep dev.jsonl -o dial
      edge-asr sweep dev.jsonl --model int8.pte --model int4.pte --model fp32.pte --thresholds off,0.9,0.7 -o files
      edge-asr sweep dev.jsonl --thresholds off,0.7 --against onnxruntime-int8 --against pocketsphinx -o others
    """
    asked = Asked(**options, line=click.get_current_context().meta[TYPED])
    require_extra("sweep", "the picture of a sweep")
    found = sources([asked.manifest], asked.limit, notice)
    programs = [read_program(model_or_shipped(model)) for model in asked.models or (None,)]
    if is_test_split(asked.manifest):
        notice(f"{asked.manifest.name} looks like a test split: it judges the model's own threshold, and chooses none")
    with contextlib.ExitStack() as stack:
        stack.enter_context(all_like_ctrl_c())
        advance = stack.enter_context(progress_bar("reading", len(found)))
        recordings = stack.enter_context(as_waves(found, programs[0].metadata.sample_rate_hz, advance))
        target = stack.enter_context(reached(asked.target, stack.enter_context(stages("preparing"))))
        failures = sweep(asked, programs, recordings, target, as_json)
    if failures:
        name, reason = next(iter(failures.items()))
        more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        raise EdgeAsrError(f"{name} was left out: {reason}{more}; the others are in {asked.output}")


def reached(name: str, tell: Callable[[str], None]) -> Target:
    """Not connected yet. Raises EdgeAsrError."""
    target = choose_target(name, tell=tell)
    if isinstance(target, AdbTarget):
        raise EdgeAsrError(f"{name}: a phone is measured by its app: `edge-asr profile` takes several --threshold")
    return target


def sweep(
    asked: Asked, programs: Sequence[Program], recordings: Recordings, target: Target, as_json: bool
) -> dict[str, str]:
    """Measure, write, show. Returns what failed, by the setting's name."""
    if target.emulated:
        raise EdgeAsrError(
            f"{target.name} is emulated: its times mean nothing, so there is nothing to weigh WER against"
        )
    hide = Anonymizer(target.name, asked.line) if asked.anonymous else None
    circumstances = Circumstances(recordings.sha256, target.name, asked.threads, asked.cpus)
    with contextlib.closing(Journal(asked.output, circumstances, hide)) as journal:
        ours = settings(target, programs, asked.thresholds, asked.threads, asked.cpus)
        contenders: list[Contender] = [*ours, *others(asked, programs[0], target)]
        check_names(contenders)
        meter = MeterOptions(name=asked.meter_name, watts_per_cpu=asked.energy_estimate)
        session = SweepSession(target, find_meter(target.files, meter))
        try:
            prepare_and_measure(asked, session, contenders, recordings, journal)
        finally:  # also after Ctrl-C: what is finished is shown
            journal.reread()
            occasion = Occasion(
                created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
                command=asked.line,
                manifest=asked.manifest,
                passes_wanted=asked.passes,
                at_most_points=asked.at_most,
                failures=session.failures,
                own=own_of(ours, programs[0]) if is_test_split(asked.manifest) else None,
            )
            whole = summarize(contenders, ours[0].setting.name, recordings, journal, occasion)
            result = hide(whole) if hide else whole
            write(result, asked.output)
    show(result, asked.output, as_json)
    if not hide:
        tell_what_is_inside(result, target.name, asked.line)
    return session.failures


def others(asked: Asked, first: Program, target: Target) -> list[Contender]:
    """What --against names. Raises EdgeAsrError."""
    found: list[Contender] = []
    for name in asked.against:
        if name not in NAMES and not names_size(name) and Path(name).suffix != ".pte":
            raise EdgeAsrError(f"--against {name}: neither {', '.join(NAMES)}, nor a .pte file or a shipped size")
        if name not in NAMES:
            program = read_program(model_or_shipped(Path(name)))
            found.append(gated(target, program, NEVER_SKIP, asked.threads, asked.cpus, program.name))
            continue
        if target.name != "local":
            raise EdgeAsrError(
                f"--against {name}: other runtimes are measured on this machine only, not on {target.name}"
            )
        with stages(f"preparing {name}") as progress:
            ingredients = Ingredients(first.metadata, asked.checkpoint, asked.threads, asked.cpus)
            found.append(choose_baseline(name, ingredients, progress))
    return found


def prepare_and_measure(
    asked: Asked, session: SweepSession, contenders: Sequence[Contender], recordings: Recordings, journal: Journal
) -> None:
    """Take the passes that the journal lacks."""
    target = session.target
    models = [contender.program.path for contender in contenders if isinstance(contender, Gated)]
    with stages("preparing") as progress:
        progress(target.name)
        target.prepare(models, recordings.waves)
    wanted = sum(map(len, due(contenders, asked.passes, journal).values()))
    with progress_bar("sweeping", wanted) as advance:
        measure(session, contenders, recordings, journal, asked.passes, asked.threads, asked.cpus, advance)


def show(result: Sweep, folder: Path, as_json: bool) -> None:
    if as_json:
        print_json(result.to_dict())
        return
    from edge_asr.profiling.sweep.page import markdown

    click.echo(markdown(result), nl=False)
    notice(f"to look at: {folder / 'sweep.html'}")
