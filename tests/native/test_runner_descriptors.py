"""stdin, stdout and stderr of `edge-asr-run` as other programs hand them on: non-blocking, closed, full, a terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
import time
from pathlib import Path

import pytest

from edge_asr.native.build import Build
from tests.beeps import write_beeps
from tests.native.runs import LIMIT_S, Runner, drain, fails
from tests.outcome import Outcome

# non-blocking


def test_stdin_that_does_not_block_is_waited_for(native_build: Build, tiny_pte: Path, beeps: Path, text: str) -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    command = [native_build.runner, "--model", tiny_pte, "-"]
    with subprocess.Popen(command, stdin=reader, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        os.close(reader)
        for part in (beeps.read_bytes()[:20_000], beeps.read_bytes()[20_000:]):
            time.sleep(0.3)
            os.write(writer, part)
        os.close(writer)
        out, err = running.communicate(timeout=LIMIT_S)
    assert Outcome(running.returncode, out.decode(), err.decode()) == Outcome(0, text, "")


def test_stdout_that_does_not_block_is_waited_for(
    native_build: Build, tiny_pte: Path, tmp_path: Path, runner: Runner
) -> None:
    long = write_beeps(tmp_path / "long.wav", ".x..x." * 30)
    expected = runner(long, "--json-steps", "--repeat", "3").out.count("\n")
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4_096)
    os.set_blocking(writer, False)
    command = [native_build.runner, "--model", tiny_pte, "--json-steps", "--repeat", "3", long]
    with subprocess.Popen(command, stdout=writer, stderr=subprocess.PIPE) as running:
        os.close(writer)
        time.sleep(1)  # it fills the pipe meanwhile
        with open(reader, "rb") as pipe:
            found = pipe.read()
        _, err = running.communicate(timeout=LIMIT_S)
    assert (running.returncode, err, found.count(b"\n")) == (0, b"", expected)
    assert len(found) > 4 * 4_096


# closed


def of_shell(native_build: Build, tiny_pte: Path, rest: str) -> Outcome:
    line = f'"{native_build.runner}" --model "{tiny_pte}" {rest}'
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=LIMIT_S)
    return Outcome(done.returncode, done.stdout, done.stderr)


def test_a_closed_descriptor_is_an_error_where_it_is_needed(
    native_build: Build, tiny_pte: Path, beeps: Path, text: str
) -> None:
    fails(of_shell(native_build, tiny_pte, f'"{beeps}" >&-'), "stdout is closed")
    fails(of_shell(native_build, tiny_pte, "--help >&-"), "stdout is closed")
    fails(of_shell(native_build, tiny_pte, "- <&-"), "stdin", "closed")
    assert of_shell(native_build, tiny_pte, f'"{beeps}" <&-') == Outcome(0, text, "")
    assert of_shell(native_build, tiny_pte, f'"{beeps}" 2>&-') == Outcome(0, text, "")
    assert of_shell(native_build, tiny_pte, f'"{beeps}" none.wav <&- 2>&-') == Outcome(1, text, "")
    assert of_shell(native_build, tiny_pte, f'"{beeps}" <&- >&- 2>&-') == Outcome(1, "", "")


def test_a_closed_pipe_ends_it_quietly(native_build: Build, tiny_pte: Path, beeps: Path) -> None:
    command = [native_build.runner, "--model", tiny_pte, "--json", "--repeat", "10000", beeps]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout
        assert running.stderr
        running.stdout.readline()
        running.stdout.close()
        assert (running.wait(LIMIT_S), running.stderr.read()) == (141, b"")


@pytest.mark.parametrize("arguments", [["beeps"], ["--help"], ["--version"]])
def test_a_full_disk_is_an_error(native_build: Build, tiny_pte: Path, beeps: Path, arguments: list[str]) -> None:
    named = [str(beeps) if argument == "beeps" else argument for argument in arguments]
    with open("/dev/full", "wb") as full:
        command = [native_build.runner, "--model", tiny_pte, *named]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=LIMIT_S)
    fails(Outcome(done.returncode, "", done.stderr), "No space left")


def test_no_home_and_no_name(native_build: Build, tiny_pte: Path, beeps: Path, text: str) -> None:
    command = [native_build.runner, "--model", tiny_pte, beeps]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, env={})
    assert Outcome(done.returncode, done.stdout, done.stderr) == Outcome(0, text, "")


# terminals


def on_terminal(
    native_build: Build, tiny_pte: Path, *arguments: object, columns: int = 80, **environment: str
) -> tuple[int, str]:
    """Exit status, and what a terminal shows of stdout and stderr."""
    terminal, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    command = [native_build.runner, "--model", tiny_pte, *arguments]
    env = {"TERM": "xterm", **environment}
    with subprocess.Popen(command, stdout=side, stderr=side, stdin=subprocess.DEVNULL, env=env) as running:
        os.close(side)
        shown = drain(terminal)
    return running.returncode, shown.replace("\r\n", "\n")


def test_on_a_terminal_partial_text_is_dim_and_gives_way(
    native_build: Build, tiny_pte: Path, beeps: Path, text: str
) -> None:
    code, shown = on_terminal(native_build, tiny_pte, beeps)
    assert code == 0
    assert "\x1b[2m" in shown
    *_, last, end = shown.split("\r\x1b[K")[-1].split("\n")
    assert (last, end) == (text.strip(), "")


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"TERM": ""}, {"NO_COLOR": "1"}])
def test_a_plain_terminal_gets_plain_text(
    native_build: Build, tiny_pte: Path, beeps: Path, text: str, environment: dict[str, str]
) -> None:
    assert on_terminal(native_build, tiny_pte, beeps, beeps, **environment) == (0, text + text)
    code, shown = on_terminal(native_build, tiny_pte, "--json", "--repeat", "300", beeps, **environment)
    assert code == 0
    assert "\x1b" not in shown


@pytest.mark.parametrize("columns", [1, 2, 3, 7])
def test_a_terminal_of_one_column_gets_every_letter(
    native_build: Build, tiny_pte: Path, tmp_path: Path, runner: Runner, columns: int
) -> None:
    long = write_beeps(tmp_path / "long.wav", ".x..x." * 10)
    code, shown = on_terminal(native_build, tiny_pte, long, columns=columns)
    settled = [line.split("\r\x1b[K")[-1] for line in shown.split("\n")]
    assert code == 0
    assert "".join(settled).replace(" ", "") == runner(long).out.strip().replace(" ", "")
    assert max(map(len, settled)) <= max(columns - 1, 1)


def test_a_name_cannot_move_the_cursor(native_build: Build, tiny_pte: Path, beeps: Path, tmp_path: Path) -> None:
    odd = tmp_path / "a\x1b[2J\n.wav"
    odd.write_bytes(beeps.read_bytes())
    _, shown = on_terminal(native_build, tiny_pte, odd, beeps)
    assert "\x1b[2J" not in shown
