"""`python -m edge_asr.profiling.meters`"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge_asr.profiling.meters import __main__ as module
from edge_asr.profiling.targets.local import LocalTarget
from edge_asr.terminal.process import run as run_command
from tests.outcome import Outcome


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file system of the machine that is looked at."""
    root = tmp_path / "device"
    root.mkdir()
    monkeypatch.setattr(module, "choose_target", lambda name: LocalTarget(root))
    return root


@pytest.fixture
def meters(capfd: pytest.CaptureFixture[str]):
    def run_line(*arguments: object) -> Outcome:
        code = run_command(module.command, "meters", [str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Outcome(code, out, err)

    return run_line


def write(root: Path, tree: dict[str, object]) -> None:
    for path, text in tree.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"{text}\n")


def test_a_machine_without_meters_is_told_what_was_looked_for(device: Path, meters):
    done = meters()
    assert done.code == 0
    assert "rapl" in done.out
    assert "not there: looked for /sys/class/powercap/intel-rapl:*" in done.out
    assert done.out.splitlines()[-1].startswith("not measured: no meter on the target")


def test_what_is_there_is_listed_with_what_it_covers(device: Path, meters):
    rails = {"in1_label": "VDD_IN", "in1_input": 19_000, "curr1_input": 400}
    write(device, {f"sys/class/hwmon/hwmon1/{name}": value for name, value in {"name": "ina3221", **rails}.items()})
    write(device, {"sys/class/power_supply/BAT0/type": "Battery", "sys/class/power_supply/BAT0/status": "Charging"})
    write(device, {"sys/class/power_supply/BAT0/power_now": 9_000_000})
    told = json.loads(meters("--json").out)
    assert told["taken"] == "hwmon:ina3221"
    assert [(meter["name"], meter["problem"] is None) for meter in told["meters"]] == [
        ("hwmon:ina3221", True),
        ("battery:BAT0", False),
    ]
    lines = meters().out.splitlines()
    assert lines[0].split(maxsplit=1) == ["hwmon:ina3221", "the module's input (VDD_IN)"]
    assert "unplug the charger" in lines[1]
    assert lines[-1] == "measured with: hwmon:ina3221"


def test_a_measurement(device: Path, meters):
    write(device, {"sys/class/hwmon/hwmon1/name": "ina226", "sys/class/hwmon/hwmon1/power1_input": 2_500_000})
    told = json.loads(meters("--measure", 1, "--json").out)
    assert told["watts"] == pytest.approx(2.5)
    assert told["seconds"] == pytest.approx(1, abs=0.3)
    assert told["source"] == "hwmon:ina226 (what ina226 is wired to)"


def test_a_measurement_without_a_meter_fails_and_says_why(device: Path, meters):
    done = meters("--measure", 1)
    assert (done.code, done.out) == (1, "")
    assert "not measured: no meter on the target" in done.err


def test_the_energy_of_a_log(tmp_path: Path, meters):
    path = tmp_path / "ppk.csv"
    rows = np.c_[np.arange(10_001), np.full(10_001, 400_000)]
    np.savetxt(path, rows, delimiter=",", header="Timestamp(ms),Current(uA)", comments="", fmt="%d")
    told = json.loads(meters("--log", path, "--columns", "volts=5", "--from", 1, "--to", 9, "--json").out)
    assert told["joules"] == pytest.approx(16)
    assert told["sample_hz"] == pytest.approx(1000)
    assert "energy   16 ± " in meters("--log", path, "--columns", "volts=5", "--from", 1, "--to", 9).out


def test_a_log_that_cannot_be_read_is_one_line(tmp_path: Path, meters):
    done = meters("--log", tmp_path / "none.csv")
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert "cannot read the meter's log" in done.err
