"""CSV files of external meters.

Headers as the programs write them: `Timestamp(ms),Current(uA)` of Nordic's Power Profiler (NordicSemiconductor/
pc-nrfconnect-ppk), `#time,current,voltage,power,charge,energy` of Joulescope's statistics (jetperch/
pyjoulescope_ui), `Time(ms),Main(mA),USB(mA),Aux(mA),Main Voltage(V),USB Voltage(V)` of Monsoon's pyMonsoon.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.meters.log import integrate_log
from edge_asr.profiling.meters.log_file import LogOptions, Table, columns_of, log_of, parse_options, read_log

MONSOON = "Time(ms),Main(mA),USB(mA),Aux(mA),Main Voltage(V),USB Voltage(V)"


@pytest.fixture
def write(tmp_path: Path):
    def write_log(text: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / "meter.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write_log


def energy_j(path: Path, options: str = "") -> float:
    log = read_log(path, parse_options(options))
    return float(log.joules[-1])


def test_a_minute_of_1_khz_is_within_a_thousandth_of_the_known_energy(tmp_path: Path):
    """Steps between 0.8 W and 4 W at times of their own, and ripple: the energy is known in closed form."""
    time_s = np.arange(60_001) / 1000
    ripple_w, base_w, burst_w = 0.3, 0.8, 3.2
    edges_s = np.sort(np.random.default_rng(7).uniform(3, 57, 200))  # on, off, on, ...
    is_burst = np.searchsorted(edges_s, time_s) % 2 == 1
    watts = base_w + burst_w * is_burst + ripple_w * np.sin(2 * np.pi * 13.7 * time_s)
    path = tmp_path / "ppk.csv"
    rows = "".join(f"{1000 * t:.3f},{1e6 * w / 5:.0f}\n" for t, w in zip(time_s, watts, strict=True))
    path.write_text(f"Timestamp(ms),Current(uA)\n{rows}")
    window = integrate_log(read_log(path, LogOptions(volts=5.0)), 3.0, 57.0)
    turns = 2 * np.pi * 13.7
    burst_s = np.sum(edges_s[1::2] - edges_s[::2])
    known_j = base_w * 54 + burst_w * burst_s + ripple_w * (np.cos(turns * 3) - np.cos(turns * 57)) / turns
    assert window.joules == pytest.approx(known_j, rel=1e-3)
    assert window.sample_hz == pytest.approx(1000)
    assert abs(window.joules - known_j) <= window.uncertainty_j < 0.01 * known_j


def test_ten_minutes_of_1_khz_are_read_in_seconds(tmp_path: Path):
    time_ms = np.arange(600_000)
    path = tmp_path / "long.csv"
    np.savetxt(
        path, np.c_[time_ms, 3 + np.sin(time_ms)], delimiter=",", fmt="%.4f", header="time_ms,power_w", comments=""
    )
    begin_s = time.process_time()
    integrate_log(read_log(path), 10, 590)
    assert time.process_time() - begin_s < 5


@pytest.mark.parametrize(
    ("head", "row", "options", "watts"),
    [
        ("Timestamp(ms),Current(uA),D0-D7", "{ms},400000,00000000", "volts=5", 2.0),
        ("#time,current,voltage,power,charge,energy", "{s},0.4,5.0,2.0,0,0", "", 2.0),
        (MONSOON, "{ms},400,0,0,5.0,0", "current=Main(mA)", 2.0),
        ("Time (s);Power (mW)", "{s};2000", "", 2.0),
        ("timestamp,power_mw,temperature", "{s},2000,41.5", "", 2.0),
        ("t/s\tU/V\tI/mA", "{s}\t5\t400", "", 2.0),
        ('"Elapsed, s","Watts"', "{s},2.0", "time=1,power=2", 2.0),
        ("Zeit;Leistung", "{s_comma};2,0", "time=Zeit,power=Leistung:W", 2.0),
        ("when,what", "{ms},2000", "time=when:ms,power=what:mW", 2.0),
        ("sample,power", "7,2.0", "rate=1000", 2.0),
        ("Exported by BenchView 2.1\n\nTime,Volts,Amps\ns,V,A", "{s},5.0,0.4", "", 2.0),
        ("Time [us],Energy [mJ]", "{us},{mj}", "", 2.0),
    ],
)  # fmt: skip
def test_columns_are_found_by_name_and_unit_or_said(write, head: str, row: str, options: str, watts: float):
    rows = [
        row.format(s=ms / 1000, s_comma=str(ms / 1000).replace(".", ","), ms=ms, us=1000 * ms, mj=2.0 * ms)
        for ms in range(1001)
    ]
    assert energy_j(write("\n".join([head, *rows, ""])), options) == pytest.approx(watts)


@given(st.sampled_from(["s", "ms", "us"]), st.sampled_from(["W", "mW", "uW"]), st.floats(0.1, 50), st.floats(0.01, 100))
def test_units_do_not_matter(time_unit: str, power_unit: str, watts: float, seconds: float):
    per_s = {"s": 1, "ms": 1e3, "us": 1e6}[time_unit]
    per_w = {"W": 1, "mW": 1e3, "uW": 1e6}[power_unit]
    rows = [f"{per_s * seconds * i / 20!r},{per_w * watts!r}" for i in range(21)]
    header = f"time ({time_unit}),power ({power_unit})"
    log = log_of(Table(rows, ",", columns_of([header], rows[0], ","), 2), LogOptions())
    assert log.joules[-1] == pytest.approx(watts * seconds)


@pytest.mark.parametrize(
    "stamp",
    ["2026-05-01T12:00:{s:06.3f}Z", "2026-05-01 14:00:{s:06.3f}+02:00", "{unix:.3f}", "{unix_ms:.0f}"],
)
def test_times_of_day_are_seconds_since_1970(write, stamp: str):
    unix_s = 1_777_636_800.0  # 2026-05-01T12:00:00Z
    stamps = [stamp.format(s=i / 10, unix=unix_s + i / 10, unix_ms=1000 * unix_s + 100 * i) for i in range(100)]
    log = read_log(write("time,power\n" + "".join(f"{stamp},3.0\n" for stamp in stamps)))
    assert log.absolute
    assert log.times_s[0] == pytest.approx(unix_s, abs=1e-3)
    assert log.times_s[-1] == pytest.approx(unix_s + 9.9, abs=1e-3)


def test_seconds_from_the_start_are_not_times_of_day(write):
    assert not read_log(write("time,power\n0,1\n1,1\n")).absolute


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_encodings_of_other_systems(write, encoding: str):
    text = "Zeit (s),Leistung über alles,P (W)\r\n0,1,4\r\n1,1,4\r\n"
    assert energy_j(write(text, encoding), "power=3") == pytest.approx(4)


def test_micro_in_any_spelling(write):
    for micro in ("u", "µ", "μ"):
        assert energy_j(write(f"time (s),power ({micro}W)\n0,3e6\n1,3e6\n")) == pytest.approx(3)


def test_stamps_coarser_than_the_samples_are_averaged(write):
    """5 kHz with stamps in milliseconds."""
    rows = "".join(f"{i // 5},{1 + i % 5}\n" for i in range(5000))
    assert energy_j(write(f"time_ms,power_w\n{rows}")) == pytest.approx(3 * 0.999)


def test_a_last_line_cut_short_is_left_out(write):
    assert energy_j(write("time,power\n0,2\n1,2\n2,2\n3")) == pytest.approx(4)


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("", "", "no rows of numbers among its first 100 lines: not a meter's log"),
        ("<html>\n<body>\n", "", "not a meter's log"),
        ("time,temperature\n0,41\n1,42\n", "", "no column of power, current or energy is known by its name"),
        ("0,2\n1,2\n", "", "say which it is (time=1,power=2:mW)"),
        ("time,CPU power,GPU power\n0,1,1\n1,1,1\n", "", "several columns may be power: CPU power, GPU power"),
        ("time,current\n0,1\n1,1\n", "", "it has current but no voltage: give it (volts=3.7)"),
        ("power,temperature\n1,2\n1,2\n", "", "no column is known to be time"),
        ("time,power\n0,1\n2,1\n1,1\n", "", "time goes backwards in line 4"),
        ("time,power\n0,1\n1,oops\n2,1\n3,1\n", "", "a value is missing or is no number in line 3"),
        ("time,power\n0,1\n1,1\n2,\n3,1\n", "", "a value is missing or is no number in line 4"),
        ("time,power\n0,1\n1,nan\n2,1\n", "", "a value is missing in line 3"),
        ("time,energy\n0,5\n1,4\n2,6\n", "", "the energy counter energy falls"),
        ("time,power\n0,1\n", "", "it has fewer than two samples"),
        ("time,power\n0,1\n1,1\n", "power=watt", "no column 'watt'; it has time, power"),
    ],
)
def test_what_cannot_be_understood_is_said_in_one_line(write, text: str, options: str, said: str):
    with pytest.raises(EdgeAsrError) as caught:
        energy_j(write(text), options)
    assert said in str(caught.value)
    assert "meter.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path):
    with pytest.raises(EdgeAsrError, match=r"cannot read the meter's log .*\.csv \(No such file or directory\)"):
        read_log(tmp_path / "nowhere.csv")


@pytest.mark.parametrize("text", ["power", "power=", "colour=red", "volts=much", "volts=-3", "rate=0"])
def test_options_that_say_nothing(text: str):
    with pytest.raises(EdgeAsrError):
        parse_options(text)


def test_options():
    assert parse_options("time=Timestamp(ms), current=2:uA,volts=3.7,begin=-12.5,rate=100") == LogOptions(
        time="Timestamp(ms)", current="2:uA", volts=3.7, begin_s=-12.5, rate_hz=100.0
    )


def test_a_gap_in_the_log_is_refused(write):
    times = [i / 1000 for i in range(2000)] + [5 + i / 1000 for i in range(2000)]
    log = read_log(write("time,power\n" + "".join(f"{t},1\n" for t in times)))
    assert integrate_log(log, 0.5, 1.5).joules == pytest.approx(1)
    with pytest.raises(EdgeAsrError, match=r"a gap of 3\.00 s between samples; at most 0\.10 s"):
        integrate_log(log, 1, 6)
