"""How every command ends: exit codes, one line on stderr, no traceback, a quiet screen."""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import click
import pytest

from edge_asr.errors import EdgeAsrError
from edge_asr.terminal import process
from edge_asr.terminal.screen import notice
from edge_asr.terminal.signals import all_like_ctrl_c
from tests.beep_program import BEEP_PROGRAM, PATIENCE_S
from tests.beeps import write_beeps, write_manifest
from tests.outcome import Run

COMMANDS = ["transcribe", "evaluate", "export", "inspect", "train", "demo", "native", "bundle"]


def end_of(action: object, capfd: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command that does `action`."""

    @click.command()
    def command() -> None:
        if isinstance(action, BaseException):
            raise action
        action()  # type: ignore[operator]

    code = process.run(command, "edge-asr", [])
    return code, *capfd.readouterr()


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (EdgeAsrError("a.wav: broken\n  in two lines"), 1, "edge-asr: a.wav: broken in two lines\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "/x/m.pte"),
            1,
            "edge-asr: No space left on device: /x/m.pte\n",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 1, "edge-asr: Permission denied: /x\n"),
        (MemoryError(), 1, "edge-asr: out of memory\n"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 141, ""),
    ],
)
def test_errors_are_one_line(error: Exception, code: int, line: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert end_of(error, capfd) == (code, "", line)


def test_a_bug_is_one_line_that_says_how_to_see_more(capfd: pytest.CaptureFixture[str]) -> None:
    code, _, err = end_of(ZeroDivisionError("division by zero"), capfd)
    assert code == 1
    assert len(err.splitlines()) == 1
    assert "ZeroDivisionError" in err
    assert "EDGE_ASR_VERBOSE=1" in err


def test_verbose_shows_the_traceback(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_ASR_VERBOSE", "1")
    assert "Traceback" in end_of(ZeroDivisionError(), capfd)[2]


def test_ctrl_c_exits_130_without_a_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = end_of(KeyboardInterrupt(), capfd)
    assert (code, out, err.strip()) == (130, "", "")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_signals_that_end_a_command_let_it_clear_up(
    capfd: pytest.CaptureFixture[str], number: signal.Signals, code: int
) -> None:
    cleared = []

    def work() -> None:
        with all_like_ctrl_c():
            try:
                signal.raise_signal(number)
            finally:
                cleared.append(number)

    before = signal.getsignal(number)
    assert (*end_of(work, capfd), cleared) == (code, "", "", [number])
    assert signal.getsignal(number) is before


def test_a_killed_evaluation_keeps_what_it_wrote(tmp_path: Path) -> None:
    write_beeps(tmp_path / "a.wav", ".x.")
    (tmp_path / "m.pte").write_bytes(b"m")
    write_manifest(tmp_path / "m.jsonl", [{"audio_filepath": "a.wav", "text": "BEEP"}] * 20_000)
    heard = tmp_path / "heard.jsonl"
    line = [*BEEP_PROGRAM, "evaluate", tmp_path / "m.jsonl", "--model", tmp_path / "m.pte", "--hypotheses", heard]
    running = subprocess.Popen(list(map(str, line)), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while not heard.is_file() or not heard.stat().st_size:
        assert running.poll() is None
        time.sleep(0.05)
    running.send_signal(signal.SIGTERM)
    out, err = running.communicate(timeout=PATIENCE_S)
    assert (running.returncode, out, err) == (143, b"", b"")
    entries = [json.loads(entry) for entry in heard.read_text().splitlines()]
    assert 0 < len(entries) < 20_000
    assert heard.read_text().endswith("\n")


def chatter() -> None:
    warnings.warn("an experimental feature", stacklevel=1)
    logging.getLogger("executorch").error("cannot find something nobody needs")
    os.write(2, b"[program.cpp:142] a line from C++\n")
    print("a library speaks Python", file=sys.stderr)
    notice("a notice of ours")


def test_libraries_are_silent_and_we_are_not(capfd: pytest.CaptureFixture[str]) -> None:
    assert end_of(chatter, capfd) == (0, "", "edge-asr: a notice of ours\n")


def test_stderr_is_whole_again_after_a_command(capfd: pytest.CaptureFixture[str]) -> None:
    end_of(chatter, capfd)
    os.write(2, b"from C\n")
    print("from Python", file=sys.stderr)
    assert capfd.readouterr().err == "from C\nfrom Python\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_with_examples(command: str, run: Run) -> None:
    outcome = run(command, "--help")
    assert outcome.code == 0
    assert "Examples:" in outcome.out
    assert f"edge-asr {command}" in outcome.out.split("Examples:")[1]


def test_help_lists_every_command(run: Run) -> None:
    out = run("--help").out
    assert all(f"\n  {command} " in out for command in COMMANDS)


def test_an_unknown_command_is_wrong_usage(run: Run) -> None:
    run("transcibe").assert_fails("transcibe", code=2)


def test_commands_and_benchmarks_import_without_torch() -> None:
    """A device that only recognizes has no torch."""
    code = """
import sys
sys.modules["torch"] = sys.modules["executorch"] = None
import edge_asr.cli, edge_asr.evaluation, edge_asr.profiling.gate_benchmark, edge_asr.profiling.memory, edge_asr.shipped
for name in edge_asr.cli.COMMANDS:
    edge_asr.cli.cli.get_command(None, name)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_full_disk_behind_stdout_is_told() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "edge_asr", "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (1, "edge-asr: No space left on device\n")


def test_a_closed_pipe_is_quiet() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "edge_asr", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    process.stdout.close()
    assert process.stderr
    err = process.stderr.read()
    assert (process.wait(), err) == (141, "")
