"""The CSV file of an external meter (PPK2, Joulescope, Monsoon, Otii, a bench supply, ...) -> times and energy.

Columns are found by their names and units, or named. What is taken, the first there is: power; current times voltage
(or a given, constant one); an energy counter.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from edge_asr.errors import EdgeAsrError

# quantity -> unit, in lower case -> how many seconds, W, A, V, J it is
UNITS: dict[str, dict[str, float]] = {
    "time": {"s": 1, "sec": 1, "seconds": 1, "ms": 1e-3, "msec": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60},
    "power": {"w": 1, "watts": 1, "mw": 1e-3, "uw": 1e-6, "kw": 1e3},
    "current": {"a": 1, "amps": 1, "ma": 1e-3, "ua": 1e-6, "na": 1e-9},
    "voltage": {"v": 1, "volts": 1, "mv": 1e-3, "uv": 1e-6},
    "energy": {
        **{"j": 1, "mj": 1e-3, "uj": 1e-6, "ws": 1, "mws": 1e-3, "uws": 1e-6},
        **{"wh": 3600, "mwh": 3.6, "uwh": 3.6e-3, "kwh": 3.6e6},
    },
}
NAMES = {  # whole words, where the header has no unit
    "time": r"time|timestamp|date|datetime|elapsed|t",
    "power": r"power|watts?|p",
    "current": r"current|amps?|i",
    "voltage": r"voltage|volts?|u|v",
    "energy": r"energy|joules?|e",
}
DELIMITERS = ",;\t|"
HEAD_LINES = 100  # among which the data must begin
SURE_LINES = 5  # that tell whether they do
# what a bare number of time can only be: seconds, milliseconds, ... since 1970
EPOCH_UNITS_S = ((1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3), (1e9, 1.0))
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
DECIMAL_COMMA = re.compile(r"(?<=\d),(?=\d)")
ISO_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
ZONE = re.compile(r"(Z|[-+]\d\d:?\d\d)$")


@dataclass(frozen=True)
class LogOptions:
    """What a user says of a log. Columns by name, with its unit or not, or by number; `NAME:UNIT` gives a unit."""

    time: str | None = None
    power: str | None = None
    current: str | None = None
    voltage: str | None = None
    energy: str | None = None  # a counter
    volts: float | None = None  # constant, for logs of current alone
    rate_hz: float | None = None  # for logs without times
    begin_s: float | None = None  # in the log's time, when the profiler began to measure


@dataclass(frozen=True)
class Log:
    times_s: np.ndarray  # float64 (samples), increasing; the meter's clock
    joules: np.ndarray  # float64 (samples): counted since the first
    watts: np.ndarray | None  # float64 (samples), where the log tells it
    absolute: bool  # whether times are seconds since 1970


@dataclass(frozen=True)
class Column:
    index: int
    header: str  # Current(uA)
    name: str  # current
    unit: str | None  # ua
    quantity: str | None


@dataclass(frozen=True)
class Table:
    """Text of a CSV file, cut."""

    lines: Sequence[str]  # data alone
    delimiter: str | None  # None: white space
    columns: Sequence[Column]
    first_line: int  # of the data in the file, from 1

    def cells(self, line: int) -> list[str]:
        return split(self.lines[line], self.delimiter)


def parse_options(text: str) -> LogOptions:
    """`time=Timestamp(ms),current=2:uA,volts=3.7`. Raises EdgeAsrError."""
    known = {option.name for option in fields(LogOptions)}
    given: dict[str, str | float] = {}
    for part in filter(None, text.split(",")):
        key, equals, value = (word.strip() for word in part.partition("="))
        key = {"rate": "rate_hz", "begin": "begin_s"}.get(key, key)
        if not equals or not value or key not in known:
            keys = "time, power, current, voltage, energy, volts, rate, begin"
            raise EdgeAsrError(f"{part.strip()!r} says nothing of a log: write KEY=VALUE with a key of {keys}")
        given[key] = number_given(key, value) if key in ("volts", "rate_hz", "begin_s") else value
    return replace(LogOptions(), **given)  # type: ignore[arg-type]  # the keys tell the types


def number_given(key: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not np.isfinite(number) or (number <= 0 and key != "begin_s"):
        raise EdgeAsrError(f"{key}={value}: not a number that can be meant")
    return number


def read_log(path: Path, options: LogOptions | None = None) -> Log:
    """Raises EdgeAsrError where it is not a log, or does not say what is what."""
    options = options or LogOptions()
    table = table_of(path)
    try:
        return log_of(table, options)
    except EdgeAsrError as error:
        raise EdgeAsrError(f"{path}: {error}") from None


def log_of(table: Table, options: LogOptions) -> Log:
    energy = chosen(table, "energy", options.energy)
    current = chosen(table, "current", options.current)
    power = chosen(table, "power", options.power) if not (options.current or options.energy) else None
    if power:
        return power_log(table, options, [power], 1.0)
    if current and not options.energy:
        if options.volts is not None:
            return power_log(table, options, [current], options.volts)
        voltage = chosen(table, "voltage", options.voltage, like=current)
        if voltage is None:
            raise EdgeAsrError("it has current but no voltage: give it (volts=3.7)")
        return power_log(table, options, [current, voltage], 1.0)
    if energy:
        return energy_log(table, options, energy)
    raise EdgeAsrError(
        "no column of power, current or energy is known by its name: say which it is (time=1,power=2:mW)"
        f"; it has {', '.join(column.header for column in table.columns)}"
    )


def power_log(table: Table, options: LogOptions, factors: Sequence[Column], volts: float) -> Log:
    times_s, values, absolute = load(table, options, factors)
    watts = volts * np.prod(values, axis=1)
    times_s, watts = averaged(times_s, watts)
    steps_j = np.diff(times_s) * (watts[1:] + watts[:-1]) / 2
    return Log(times_s, np.concatenate([[0.0], np.cumsum(steps_j)]), watts, absolute)


def energy_log(table: Table, options: LogOptions, energy: Column) -> Log:
    times_s, values, absolute = load(table, options, [energy])
    times_s, joules = averaged(times_s, values[:, 0])
    if (np.diff(joules) < 0).any():
        raise EdgeAsrError(f"the energy counter {energy.header} falls")
    return Log(times_s, joules - joules[0], None, absolute)


def chosen(table: Table, quantity: str, named: str | None, like: Column | None = None) -> Column | None:
    """The column named, or the only one of that quantity; of several the one named like another. None: there is none.

    Raises EdgeAsrError where there are several.
    """
    if named:
        return named_column(table, quantity, named)
    found = [column for column in table.columns if column.quantity == quantity]
    if len(found) > 1 and like:
        alike = [column for column in found if column.name.split()[:1] == like.name.split()[:1]]
        found = alike if len(alike) == 1 else found
    if len(found) > 1 and quantity != "time":
        names = ", ".join(column.header for column in found)
        raise EdgeAsrError(
            f"several columns may be {quantity}: {names}; say which it is ({quantity}={found[0].header})"
        )
    return found[0] if found else None


def named_column(table: Table, quantity: str, named: str) -> Column:
    name, _, unit = named.rpartition(":") if named.rpartition(":")[2].lower() in UNITS[quantity] else (named, "", "")
    for column in table.columns:
        if name.lower() in (column.header.lower(), column.name.lower(), str(column.index + 1)):
            own = column.unit if column.quantity == quantity else None
            return replace(column, quantity=quantity, unit=unit.lower() or own)
    raise EdgeAsrError(f"no column {name!r}; it has {', '.join(column.header for column in table.columns)}")


def load(table: Table, options: LogOptions, factors: Sequence[Column]) -> tuple[np.ndarray, np.ndarray, bool]:
    """Seconds (rows), values in W, A, V or J (rows, factors), and whether the seconds are since 1970."""
    scales = [UNITS[column.quantity or ""][column.unit] if column.unit else 1.0 for column in factors]
    values = load_numbers(table, [column.index for column in factors]) * scales
    if options.rate_hz is not None:
        return np.arange(len(values)) / options.rate_hz, values, False
    time = chosen(table, "time", options.time)
    if time is None:
        raise EdgeAsrError("no column is known to be time: say which it is (time=1:ms), or the rate (rate=1000)")
    times_s, absolute = load_times(table, time)
    backwards = np.flatnonzero(np.diff(times_s) < 0)
    if len(backwards):
        raise EdgeAsrError(f"time goes backwards in line {table.first_line + int(backwards[0]) + 1}")
    return times_s, values, absolute


def load_times(table: Table, time: Column) -> tuple[np.ndarray, bool]:
    if ISO_TIME.match(table.cells(0)[time.index]):
        return iso_times(table, time.index), True
    times = load_numbers(table, [time.index])[:, 0]
    if time.unit:
        times_s = times * UNITS["time"][time.unit]
        return times_s, bool(times_s[0] > EPOCH_UNITS_S[-1][0])
    for least, unit_s in EPOCH_UNITS_S:
        if times[0] > least:
            return times * unit_s, True
    return times, False


def load_numbers(table: Table, indices: Sequence[int]) -> np.ndarray:
    """float64 (rows, columns)."""
    lines: Sequence[str] = table.lines
    if table.delimiter != "," and any(DECIMAL_COMMA.search(cell) for cell in table.cells(0)):
        lines = [line.replace(",", ".") for line in lines]
    try:
        numbers = np.loadtxt(lines, delimiter=table.delimiter, usecols=indices, ndmin=2, comments=None, quotechar='"')
    except ValueError as error:
        found = re.search(r"row (\d+)", str(error))
        where = f" in line {table.first_line + int(found[1])}" if found else ""
        raise EdgeAsrError(f"a value is missing or is no number{where}") from None
    if not np.isfinite(numbers).all():
        row = int(np.flatnonzero(~np.isfinite(numbers).all(axis=1))[0])
        raise EdgeAsrError(f"a value is missing in line {table.first_line + row}")
    return numbers


def iso_times(table: Table, index: int) -> np.ndarray:
    """Seconds since 1970 of `2026-05-01T12:00:00.001+02:00`. Without a zone, this machine's."""
    stamps = np.loadtxt(
        table.lines, delimiter=table.delimiter, usecols=index, dtype="U40", comments=None, quotechar='"', ndmin=1
    )
    try:
        first = datetime.fromisoformat(str(stamps[0]).strip())
        zone = ZONE.search(str(stamps[0]))
        if zone:
            stamps = np.char.replace(stamps, zone[1], "")
        micros = np.char.strip(stamps).astype("datetime64[us]").astype(np.int64)
    except ValueError as error:
        raise EdgeAsrError(f"a time stamp cannot be read: {error}") from None
    offset = (first if first.tzinfo else first.astimezone()).utcoffset()
    assert offset is not None
    return micros * 1e-6 - offset.total_seconds()


def averaged(times_s: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Samples of the same time stamp become one: a fast meter may write coarse stamps."""
    distinct_s, first, count = np.unique(times_s, return_index=True, return_counts=True)
    if len(distinct_s) < 2:
        raise EdgeAsrError("it has fewer than two samples")
    return distinct_s, np.add.reduceat(values, first) / count


def table_of(path: Path) -> Table:
    """Raises EdgeAsrError where the file cannot be read, or holds no rows of numbers."""
    lines = text_of(path).splitlines()
    head = lines[:HEAD_LINES]
    for start in range(len(head)):
        delimiter = delimiter_of(head[start])
        if are_data(lines[start : start + SURE_LINES], delimiter):
            data = [line for line in lines[start:] if line.strip()]
            if len(data) > 1 and len(split(data[-1], delimiter)) < len(split(data[0], delimiter)):
                data.pop()  # the meter was switched off while it wrote
            return Table(data, delimiter, columns_of(head[:start], data[0], delimiter), start + 1)
    raise EdgeAsrError(f"{path}: no rows of numbers among its first {HEAD_LINES} lines: not a meter's log")


def text_of(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise EdgeAsrError(f"cannot read the meter's log {path} ({error.strerror})") from None
    wide = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return raw.decode("utf-16" if wide else "utf-8-sig", errors="replace").replace("µ", "u").replace("μ", "u")


def delimiter_of(line: str) -> str | None:
    """The rarest kind that cuts it: `0,5;1,2` is cut at the semicolon."""
    for delimiter in reversed(DELIMITERS):
        if delimiter in line:
            return delimiter
    return None


def split(line: str, delimiter: str | None) -> list[str]:
    return [cell.strip().strip('"') for cell in line.split(delimiter)]


def are_data(lines: Sequence[str], delimiter: str | None) -> bool:
    """The first line, and half of those after it: a value may be missing."""
    after = [is_data(line, delimiter) for line in lines[1:] if line.strip()]
    return is_data(lines[0], delimiter) and 2 * sum(after) >= len(after)


def is_data(line: str, delimiter: str | None) -> bool:
    """Whether it begins with a number or a time, and has another number."""
    cells = split(line, delimiter) or [""]
    numbers = [bool(NUMBER.fullmatch(cell.replace(",", ".")) or ISO_TIME.match(cell)) for cell in cells]
    return numbers[0] and (sum(numbers) > 1 or len(cells) == 1)


def columns_of(head: Sequence[str], data: str, delimiter: str | None) -> list[Column]:
    """From the line above the data; between them there may be one of units."""
    count = len(split(data, delimiter))
    above = [cells for line in head if len(cells := split(line.lstrip("# "), delimiter)) == count]
    units = [""] * count
    if len(above) > 1 and all(unit_of(cell) or not cell for cell in above[-1]):
        units = above.pop()
    headers = above[-1] if above else [""] * count
    return [column_of(i, header, unit) for i, (header, unit) in enumerate(zip(headers, units, strict=True))]


def column_of(index: int, header: str, below: str) -> Column:
    """`Main Voltage(V)` -> `main voltage`, `v`, voltage."""
    found = re.fullmatch(r"(.*?)[\s_/,]*[(\[]\s*([^)\]]+?)\s*[)\]]\s*|(.+?)[\s_/]+(\w+)\s*", header)
    name, unit = header, unit_of(below)
    if found and unit_of(found[2] or found[4]):
        name, unit = (found[1] if found[2] else found[3]) or header, unit_of(found[2] or found[4])
    words = re.sub(r"[\W_]+", " ", name).strip().lower()
    quantity = next((quantity for quantity, units in UNITS.items() if unit in units), None)
    for known, pattern in NAMES.items():
        if quantity is None and "%" not in header and re.search(rf"\b(?:{pattern})\b", words):
            quantity = known
    return Column(index, header or str(index + 1), words, unit, quantity)


def unit_of(text: str) -> str | None:
    unit = text.strip().lower()
    return unit if any(unit in units for units in UNITS.values()) else None
