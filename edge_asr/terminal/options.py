"""Options and parameter types that several commands share."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from edge_asr.contract import NEVER_SKIP
from edge_asr.native.target import TARGETS
from edge_asr.sound.channels import MIX, Channel

F = TypeVar("F", bound=Callable[..., Any])

OFF = "off"
MIX_NAME = "mix"


class Threshold(click.ParamType):
    """`off`, or a number from 0 to 1."""

    name = "threshold"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return "T|off"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        if str(value).lower() == OFF:
            return NEVER_SKIP
        try:
            threshold = float(value)
        except ValueError:
            threshold = float("nan")
        if not 0 <= threshold <= 1:
            self.fail(f"{value!r} is neither 'off' nor a number from 0 to 1", param, ctx)
        return threshold


class Finite(click.FloatRange):
    """A number in a range: `nan` is in every range of click's, and `inf` in those without an end."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number", param, ctx)
        return number


class ChannelType(click.ParamType):
    """`mix`, or a number from 1."""

    name = "channel"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return "N|mix"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Channel:
        if value is None or isinstance(value, int):
            return value
        text = str(value).lower()
        if text == MIX_NAME:
            return MIX
        if not text.isascii() or not text.isdecimal() or int(text) < 1:
            self.fail(f"{value!r} is neither 'mix' nor a number from 1", param, ctx)
        return int(text)


def model_option(function: F) -> F:
    return click.option(
        "--model",
        type=click.Path(path_type=Path),
        metavar="PTE|SIZE",
        help="The .pte to run, or the size of a shipped model, `base` (the default) or `small`, which is exported once "
        "into the cache folder.",
    )(function)


def threshold_option(function: F) -> F:
    return click.option(
        "--threshold",
        type=Threshold(),
        help="A frame whose blank probability is above T skips the upper layers: lower is faster, higher is safer, "
        "`off` skips nothing. Default: what the file recommends.",
    )(function)


def threads_option(function: F) -> F:
    return click.option(
        "--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads that compute."
    )(function)


def channel_option(function: F) -> F:
    return click.option(
        "--channel",
        type=ChannelType(),
        default=MIX_NAME,
        show_default=True,
        help="Of audio with several channels: that of this number, counted from 1, or the mean of all.",
    )(function)


def cpus_option(function: F) -> F:
    return click.option("--cpus", metavar="LIST", help="CPUs they may run on, such as 0,2-3. Default: any.")(function)


def limit_option(function: F) -> F:
    return click.option("--limit", type=click.IntRange(min=1), help="Only the first N recordings.")(function)


def meter_option(function: F) -> F:
    return click.option(
        "--energy",
        "meter_name",
        metavar="NAME|none",
        help="The meter, as `python -m edge_asr.profiling.meters` lists them. Default: the best that the device has.",
    )(function)


def energy_estimate_option(function: F) -> F:
    return click.option(
        "--energy-estimate",
        type=Finite(min=0, min_open=True),
        metavar="WATTS",
        help="Where there is no meter: busy CPU seconds times so many watts, marked an estimate.",
    )(function)


def anonymous_option(function: F) -> F:
    return click.option(
        "--anonymous", is_flag=True, help="Leave users, hosts, serial numbers and folders out of what is written."
    )(function)


def backend_option(function: F) -> F:
    return click.option(
        "--backend",
        metavar="NAME",
        help="What runs the program: `native` (`edge-asr native build`; no torch) or `executorch-python`. "
        "Default: the first of them that is there.",
    )(function)


def target_option(function: F) -> F:
    return click.option(
        "--target",
        type=click.Choice(list(TARGETS)),
        help="The kind of machine it is for. Default: this one.",
    )(function)


def json_option(function: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout, and nothing else there.")(
        function
    )
