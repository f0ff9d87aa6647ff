"""What can be measured here, a measurement of a few seconds, or the energy of an external meter's log."""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from edge_asr.profiling.meters.choose import find_meter, find_meters, why_none
from edge_asr.profiling.meters.log import integrate_log
from edge_asr.profiling.meters.log_file import parse_options, read_log
from edge_asr.profiling.meters.protocol import Meter, Window
from edge_asr.profiling.targets.choose import choose_target
from edge_asr.profiling.targets.protocol import Target
from edge_asr.terminal.options import Finite
from edge_asr.terminal.process import run
from edge_asr.terminal.screen import print_json, print_rows, progress_bar

PROGRESS_STEP_S = 0.1


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--target", "target_name", default="local", show_default=True, metavar="TARGET", help="As for profile.")
@click.option("--measure", "measure_s", type=Finite(min=1), metavar="SECONDS", help="Mean power over so long.")
@click.option("--meter", metavar="NAME", help="The meter to measure with: a name of the list. Default: the first.")
@click.option("--log", type=click.Path(path_type=Path), metavar="FILE", help="The energy of an external meter's CSV.")
@click.option(
    "--columns",
    metavar="KEY=VALUE,...",
    default="",
    help="What is what in the log: time, power, current, voltage, energy name a column (NAME, NAME:UNIT or a number), "
    "volts a constant voltage, rate the samples a second.",
)
@click.option("--from", "from_s", type=float, metavar="SECONDS", help="Of the log, after its first sample. Default: 0.")
@click.option(
    "--to", "to_s", type=float, metavar="SECONDS", help="Of the log, after its first sample. Default: its end."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(
    target_name: str,
    measure_s: float | None,
    meter: str | None,
    log: Path | None,
    columns: str,
    from_s: float | None,
    to_s: float | None,
    as_json: bool,
) -> None:
    """List the energy meters of this machine or of another, with why some cannot be used.

    \b
    python -m edge_asr.profiling.meters                                   what is there
    python -m edge_asr.profiling.meters --measure 10                      mean power of ten seconds
    python -m edge_asr.profiling.meters --target ssh:pi@board             of another machine
    python -m edge_asr.profiling.meters --log ppk.csv --columns volts=3.7 energy of a log
    """
    if log is not None:
        show_log(log, columns, from_s, to_s, as_json)
        return
    target: Target = choose_target(target_name)
    with target:
        if measure_s is not None:
            show_measurement(target, meter, measure_s, as_json)
        else:
            show_meters(target, as_json)


def show_meters(target: Target, as_json: bool) -> None:
    found = find_meters(target.files)
    taken = find_meter(target.files)
    if as_json:
        print_json(
            {
                "target": target.name,
                "taken": None if taken.problem else taken.name,
                "meters": [described(meter) for meter in found.meters],
                "looked_for": dict(found.missing),
            }
        )
        return
    rows = [(meter.name, meter.problem or meter.covers) for meter in found.meters]
    rows += [(name, f"not there: looked for {what}") for name, what in found.missing]
    print_rows(rows)
    click.echo(f"not measured: {why_none(found)}" if taken.problem else f"measured with: {taken.name}")


def described(meter: Meter) -> dict[str, Any]:
    return {
        "name": meter.name,
        "covers": meter.covers,
        "problem": meter.problem,
        "automatic": meter.automatic,
    }


def show_measurement(target: Target, name: str | None, measure_s: float, as_json: bool) -> None:
    meter = find_meter(target.files, name)
    if meter.problem:
        raise click.ClickException(f"not measured: {meter.problem}")
    meter.start(target.files)
    try:
        begin_s = target.clock_s()
        with progress_bar(meter.name, measure_s) as advance:
            for _ in range(math.ceil(measure_s / PROGRESS_STEP_S)):
                time.sleep(PROGRESS_STEP_S)
                advance(PROGRESS_STEP_S)
        end_s = target.clock_s()
    finally:
        meter.stop()
    show_window(meter.window(begin_s, end_s), f"{meter.name} ({meter.covers})", as_json)


def show_log(path: Path, columns: str, from_s: float | None, to_s: float | None, as_json: bool) -> None:
    log = read_log(path, parse_options(columns))
    first_s, last_s = float(log.times_s[0]), float(log.times_s[-1])
    window = integrate_log(log, first_s + (from_s or 0.0), last_s if to_s is None else first_s + to_s)
    show_window(window, str(path), as_json)


def show_window(window: Window, source: str, as_json: bool) -> None:
    if as_json:
        print_json({"source": source, "watts": window.joules / window.seconds, **asdict(window)})
        return
    watts, uncertainty_w = window.joules / window.seconds, window.uncertainty_j / window.seconds
    print_rows(
        [
            ("source", source),
            ("energy", f"{window.joules:.4g} ± {window.uncertainty_j:.2g} J"),
            ("time", f"{window.seconds:.3f} s"),
            ("power", f"{watts:.4g} ± {uncertainty_w:.2g} W"),
            ("samples", f"{window.samples} at {window.sample_hz:.1f} Hz"),
        ]
    )


if __name__ == "__main__":
    raise SystemExit(run(command, "meters"))
