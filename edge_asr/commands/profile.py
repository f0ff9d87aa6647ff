"""`edge-asr profile`."""

from __future__ import annotations

import contextlib
import shlex
from pathlib import Path

import click
from click.core import ParameterSource

from edge_asr.commands.report_files import Outputs
from edge_asr.contract import NEVER_SKIP
from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.baselines.choose import NAMES as BASELINES
from edge_asr.profiling.choose import Programs, check_names, names_model, settings
from edge_asr.profiling.meters.choose import MeterOptions, find_meter
from edge_asr.profiling.meters.log_file import parse_options
from edge_asr.profiling.program import read_program
from edge_asr.profiling.recordings import as_waves, sources
from edge_asr.profiling.report import Report
from edge_asr.profiling.session import Plan, Session
from edge_asr.profiling.targets.adb import AdbTarget, Benchmark
from edge_asr.profiling.targets.choose import choose_target
from edge_asr.profiling.targets.local import NAME as LOCAL
from edge_asr.profiling.targets.phone_settings import phone_thresholds, refuse_for_phones
from edge_asr.profiling.targets.protocol import Target
from edge_asr.terminal.model import model_or_shipped
from edge_asr.terminal.options import (
    OFF,
    Finite,
    Threshold,
    anonymous_option,
    cpus_option,
    energy_estimate_option,
    limit_option,
    meter_option,
    model_option,
    threads_option,
)
from edge_asr.terminal.screen import StageBar, notice, progress_bar, stages, working
from edge_asr.terminal.signals import all_like_ctrl_c

NOT_QUOTABLE = 3  # exit code under --strict
DEFAULTS = Plan()


@click.command("profile")
@click.argument("audio", nargs=-1, type=click.Path(path_type=Path), metavar="[AUDIO... | MANIFEST]")
@model_option
@click.option(
    "--threshold",
    "thresholds",
    type=Threshold(),
    multiple=True,
    help="Of the gate: the setting that is profiled. Again: another setting, compared with the first. Default: what "
    "the file recommends.",
)
@click.option(
    "--against",
    multiple=True,
    metavar="off|PTE|SIZE|NAME",
    help="What to compare with, interleaved with it: `off` (the same file, ungated; the default), another .pte "
    "or shipped size, "
    f"{', '.join(BASELINES)} (`pip install '.[baselines]'`), or `none`. May be repeated.",
)
@click.option(
    "--target",
    "target_name",
    default=LOCAL,
    show_default=True,
    metavar="local|ssh:USER@HOST|adb[:SERIAL]",
    help="The device. Nothing is left behind on it.",
)
@click.option(
    "--run-with",
    metavar="PREFIX",
    help="What stands before the runner on an ssh target, such as `chrt -f 50`. An emulator's times are suppressed.",
)
@threads_option
@cpus_option
@click.option(
    "--passes",
    type=click.IntRange(min=1),
    default=DEFAULTS.passes,
    show_default=True,
    help="Of each setting; at least 6 for intervals.",
)
@click.option("--cool-down", "cool_down_s", type=Finite(min=0), default=0.0, metavar="S", help="Rest before each pass.")
@limit_option
@meter_option
@click.option(
    "--energy-log",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="CSV of an external meter, which logs while this runs and is read at the end.",
)
@click.option(
    "--energy-columns",
    default="",
    metavar="KEY=VALUE,...",
    help="What is what in it, where that is not found: time, power, current, voltage, energy name a column (NAME, "
    "NAME:UNIT or a number), volts a constant voltage, rate the samples a second, begin when this began.",
)
@energy_estimate_option
@click.option("--operators", is_flag=True, help="The time of each operator too (needs ExecuTorch's Python packages).")
@click.option("--json", "json_path", metavar="FILE|-", help="Write the report as JSON; - prints it, and nothing else.")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write it as a page for people.")
@anonymous_option
@click.option(
    "--strict", is_flag=True, help=f"Exit with {NOT_QUOTABLE} where the measurement is too noisy to be quoted."
)
@click.pass_context
def command(
    context: click.Context,
    audio: tuple[Path, ...],
    model: Path | None,
    thresholds: tuple[float, ...],
    against: tuple[str, ...],
    target_name: str,
    run_with: str | None,
    threads: int,
    cpus: str | None,
    passes: int,
    cool_down_s: float,
    limit: int | None,
    meter_name: str | None,
    energy_log: Path | None,
    energy_columns: str,
    energy_estimate: float | None,
    operators: bool,
    json_path: str | None,
    html: Path | None,
    anonymous: bool,
    strict: bool,
) -> int:
    """What a model costs on a device: time, memory, energy, and what its gate saves.

    Without arguments: the shipped model on the bundled recording, with the gate on and off, on this machine; under a
    minute. Give a MANIFEST (.jsonl, as for `evaluate`) for accuracy too, and a quiet machine for times that hold.

    \b
    How it measures, each process with `edge-asr-run`:
      cold     some fresh processes: load, first step, peak memory
      warm-up  every recording: texts, first text, end of speech, growth
      passes   fresh processes that are warm before they count, the settings taking turns (A B, B A, ...);
               ratios are medians over pairs of passes, with bootstrap intervals
      energy   a meter of the device, sampled meanwhile; what the device takes at rest is subtracted.
               Where there is none, the report says so and has no figure
      stages   a few steps traced with ExecuTorch's ETDump, where its Python packages are installed
    It says whether the figures may be quoted: passes that spread by more than 10 %, other processes that use more than
    10 % of the CPUs, throttling or an emulator speak against it.

    \b
    Examples:
      edge-asr profile
      edge-asr profile an4/test.jsonl --html profile.html
      edge-asr profile an4/test.jsonl --model mine.pte --against off --against int4.pte --json profile.json
      edge-asr profile talk.wav --target ssh:pi@raspberrypi --cpus 2
      edge-asr profile an4/test.jsonl --against onnxruntime-int8 --against pocketsphinx
      edge-asr profile --json - --strict | jq .ratios

    Ctrl-C keeps the finished passes: they are printed and written, and marked. Exit codes: 0 done, 1 failed, 2 wrong
    usage, 3 not to be quoted (with --strict), 130 interrupted.
    """
    outputs = Outputs(json_path, html, anonymous)
    found = sources(audio, limit, notice)
    outputs.check()
    meter_options = MeterOptions(meter_name, energy_log, parse_options(energy_columns), energy_estimate)
    check_names(against, target_name)
    programs = Programs(
        read_program(model_or_shipped(model)),
        [read_program(model_or_shipped(Path(name))) for name in against if names_model(name)],
    )
    with contextlib.ExitStack() as stack:
        stack.enter_context(all_like_ctrl_c())
        with progress_bar("reading recordings", len(found)) as advance:
            recordings = stack.enter_context(as_waves(found, programs.main.metadata.sample_rate_hz, advance))
        with stages("preparing") as tell:
            target: Target = choose_target(target_name, run_with, tell)
            stack.enter_context(target)
            if isinstance(target, AdbTarget):
                energy = {"--energy": meter_name, "--energy-log": energy_log, "--energy-estimate": energy_estimate}
                refuse_for_phones({"--cpus": cpus, "--operators": operators, **energy})
                at = phone_thresholds(programs.main.metadata.default_threshold, thresholds, against)
                models, line = tuple(programs.paths()), command_line(context)
                report = target.measure(Benchmark(models, at, recordings, threads, passes, cool_down_s, line))
                return finish(report, outputs, strict)
            contenders = list(settings(target, programs, thresholds, against, threads, cpus, tell))
            target.prepare(programs.paths(), recordings.waves)
            meter = find_meter(target.files, meter_options)
        plan = Plan(passes=passes, cool_down_s=cool_down_s, threads=threads, cpus=cpus, operators=operators)
        work = stack.enter_context(working("profiling"))
        session = Session(target, contenders, recordings, plan, meter, command_line(context), work)
        report = run_session(session, outputs, work)
    return finish(report, outputs, strict)


def finish(report: Report, outputs: Outputs, strict: bool) -> int:
    """Returns the exit code."""
    outputs.show(report)
    return NOT_QUOTABLE if strict and not report.verdict.quotable else 0


def run_session(session: Session, outputs: Outputs, work: StageBar) -> Report:
    """Files hold what was measured so far after each round. What ends it early is raised after that was kept."""
    rounds = session.run()
    try:
        for _ in rounds:
            if outputs.files():
                outputs.keep(session.report("not finished"))
    except (KeyboardInterrupt, EdgeAsrError) as error:
        rounds.close()
        reason = "interrupted" if isinstance(error, KeyboardInterrupt) else f"it failed: {error}"
        report = session.report(reason)
        work.hide()
        if report is not None:
            outputs.show(report)
            where = ", ".join(map(str, outputs.files()))
            notice(f"{reason}; the finished passes are above" + (f" and in {where}" if where else ""))
        raise
    report = session.report()
    assert report is not None
    return report


def command_line(context: click.Context) -> str:
    """What reproduces this run: what the user gave."""
    words = [*context.command_path.split()]
    for parameter in context.command.params:
        if context.get_parameter_source(str(parameter.name)) is not ParameterSource.COMMANDLINE:
            continue
        value = context.params[str(parameter.name)]
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(parameter, click.Option):
                words.append(parameter.opts[-1] if parameter.opts[-1].startswith("--") else parameter.opts[0])
            if not (isinstance(parameter, click.Option) and parameter.is_flag):
                words.append(threshold_text(item) if isinstance(parameter.type, Threshold) else str(item))
    return shlex.join(words)


def threshold_text(value: float) -> str:
    return OFF if value >= NEVER_SKIP else f"{value:g}"
