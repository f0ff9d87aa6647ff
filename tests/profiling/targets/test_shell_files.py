"""A file system seen through a shell: dash or whatever `sh` is, bash, BusyBox's."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_asr.profiling.targets import shell_files
from edge_asr.profiling.targets.shell_files import ShellFiles
from tests.requirements import require_tool

SHELLS = {"sh": ["sh"], "bash": ["bash"], "busybox": ["busybox", "sh"]}


@pytest.fixture(params=SHELLS)
def files(request: pytest.FixtureRequest) -> Iterator[ShellFiles]:
    shell = SHELLS[request.param]
    require_tool(shell[0], f"{shell[0]}-static" if shell[0] == "busybox" else shell[0])

    def start(script: str | None) -> subprocess.Popen[bytes]:
        line = shell if script is None else [*shell, "-c", script]
        return subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    found = ShellFiles(start)
    yield found
    found.close()


def test_a_file_is_read_without_its_last_newline(files: ShellFiles, tmp_path: Path) -> None:
    path = tmp_path / "it's a $(file) *"
    path.write_text("one\n\ntwo\n\n")
    assert files.read(str(path)) == "one\n\ntwo\n"
    path.write_text("no newline")
    assert files.read(str(path)) == "no newline"
    path.write_text("")
    assert files.read(str(path)) == ""
    path.write_bytes(b"board\0\xff" * 100_000)
    assert (files.read(str(path)) or "").count("board\0") == 100_000
    assert files.read(str(tmp_path / "absent")) is None
    assert files.read(str(tmp_path)) is None


def test_patterns(files: ShellFiles, tmp_path: Path) -> None:
    for name in ("b 1", "a$1", "c1", "d2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "temp1_input").touch()
    found = files.glob(f"{tmp_path}/*[1]/temp?_input")
    assert found == [f"{tmp_path}/{name}/temp1_input" for name in ("a$1", "b 1", "c1")]
    assert files.glob(f"{tmp_path}/b 1/*") == [f"{tmp_path}/b 1/temp1_input"]
    assert files.glob(f"{tmp_path}/nonesuch*") == []
    assert files.glob(f"{tmp_path}/$(echo c1)/*") == []


def test_programs(files: ShellFiles) -> None:
    assert files.run(["printf", "%s|", "a b", "$HOME", "'"]) == "a b|$HOME|'|"
    assert files.run(["cat"]) == ""  # it does not wait for ours
    assert files.run(["sh", "-c", "echo lost; exit 3"]) is None
    assert files.run(["nonesuch"]) is None


def test_a_program_that_hangs_is_given_up(files: ShellFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell_files, "ANSWER_WITHIN_S", 0.2)
    monkeypatch.setattr(shell_files, "END_WITHIN_S", 0.2)
    assert files.run(["sleep", "10"]) is None
    monkeypatch.setattr(shell_files, "ANSWER_WITHIN_S", 20.0)
    assert files.run(["echo", "again"]) == "again\n"


def test_a_shell_that_dies_is_replaced(files: ShellFiles) -> None:
    assert files.ask("exit 0") is None
    assert files.run(["echo", "again"]) == "again\n"


def test_samples_carry_the_time_at_which_they_were_taken(files: ShellFiles, tmp_path: Path) -> None:
    (tmp_path / "power").write_text("1\n2\n")
    begin_s = files.uptime_s()
    with files.sample(f"cat '{tmp_path}/power'; cat nonesuch", 0.02) as sampler:
        time.sleep(1)
        during = len(sampler.samples())
    end_s = files.uptime_s()
    samples = sampler.samples()
    assert begin_s is not None
    assert end_s is not None
    assert during >= 5
    assert {sample.text for sample in samples} == {"1\n2\n"}
    assert begin_s <= samples[0].time_s <= samples[-1].time_s <= end_s
    assert samples[-1].time_s - samples[0].time_s > 0.5


def test_no_sample_is_left_running(files: ShellFiles, tmp_path: Path) -> None:
    with files.sample(f"echo x >>{tmp_path}/log", 0.01):
        time.sleep(0.3)
    time.sleep(0.2)
    before = (tmp_path / "log").stat().st_size
    time.sleep(0.2)
    assert 0 < before == (tmp_path / "log").stat().st_size


def test_a_reading_that_takes_long_is_stamped_in_its_middle(files: ShellFiles) -> None:
    with files.sample("sleep 0.4; echo $(cut -d' ' -f1 /proc/uptime)", 0.01) as sampler:
        time.sleep(1)
    for sample in sampler.samples():
        assert float(sample.text) - sample.time_s == pytest.approx(0.2, abs=0.15)
