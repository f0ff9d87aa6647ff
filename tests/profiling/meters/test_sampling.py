"""Sampling for real: this machine's files, read by a thread and by a shell, as a remote target's are."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_asr.profiling.meters import estimate, hwmon
from edge_asr.profiling.meters.energy import energy_of
from edge_asr.profiling.meters.protocol import Span
from edge_asr.profiling.meters.sampled import reading_line
from edge_asr.profiling.targets.local import LocalFiles
from edge_asr.profiling.targets.protocol import Files
from edge_asr.profiling.targets.shell_files import ShellFiles


def uptime_s() -> float:
    return float(Path("/proc/uptime").read_text().split()[0])


@pytest.fixture
def shell() -> Iterator[ShellFiles]:
    def start(script: str | None) -> subprocess.Popen[bytes]:
        line = ["sh", "-c", script] if script else ["sh"]
        return subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    files = ShellFiles(start)
    yield files
    files.close()


@pytest.mark.parametrize("kind", ["thread", "shell"])
def test_cpus_that_work_are_seen(kind: str, shell: ShellFiles):
    """A second of one busy CPU at 10 W is 10 J above idle, whatever else runs here."""
    files: Files = shell if kind == "shell" else LocalFiles()
    clock = uptime_s if kind == "shell" else time.monotonic
    meter = estimate.meter(files, watts_per_cpu=10)
    meter.start(files)
    begin_s = clock()
    worked_s = time.process_time()
    while clock() - begin_s < 2:
        pass
    worked_s = time.process_time() - worked_s
    end_s = clock()
    meter.stop()
    window = meter.window(begin_s, end_s)
    assert window.joules >= 10 * worked_s - window.uncertainty_j - 0.2
    assert window.joules <= 10 * 2.2 * (os.cpu_count() or 1)
    assert energy_of(meter, [Span(begin_s, end_s)], [Span(begin_s, end_s)], 1.0).joules[0] == pytest.approx(0)


def test_a_shell_reads_the_same_as_a_thread(tmp_path: Path, shell: ShellFiles):
    folder = tmp_path / "hwmon0"
    folder.mkdir()
    for name, text in {"name": "ina226", "power1_input": "2500000"}.items():
        (folder / name).write_text(f"{text}\n")
    line = reading_line([f"{folder}/power1_input", f"{folder}/missing", f"{folder}/power1_input"])
    texts = []
    for files in (shell, LocalFiles()):
        with files.sample(line, 0.05) as sampler:
            until_s = time.monotonic() + 5
            while not sampler.samples() and time.monotonic() < until_s:
                time.sleep(0.01)
            texts.append(sampler.samples()[0].text)
    assert texts == ["2500000\n2500000\n"] * 2


def test_a_meter_samples_at_its_rate(tmp_path: Path):
    folder = tmp_path / "sys/class/hwmon/hwmon0"
    folder.mkdir(parents=True)
    for name, text in {"name": "ina226", "power1_input": "2500000"}.items():
        (folder / name).write_text(f"{text}\n")
    files = LocalFiles(tmp_path)
    (meter,) = hwmon.find(files)
    meter.start(files)
    begin_s = time.monotonic()
    time.sleep(1.5)
    end_s = time.monotonic()
    meter.stop()
    window = meter.window(begin_s, end_s)
    assert window.joules == pytest.approx(2.5 * (end_s - begin_s))
    assert window.sample_hz == pytest.approx(10, rel=0.3)
