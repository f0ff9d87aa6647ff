"""Ends of a command that are closed, of a small encoding, or a terminal that takes no escapes."""

from __future__ import annotations

import json
import os
import pty
import resource
import subprocess
import sys
import termios
import threading
from pathlib import Path

import pytest

from tests.beep_program import BEEP_PROGRAM, PATIENCE_S, REPOSITORY, transcribe, transcribe_line
from tests.beeps import beep_pcm, riff, write_beeps, write_manifest

PATTERN = ".x..x."


def shell(line: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """`edge-asr` in the line stands for the program with the beep model."""
    program = " ".join(f"'{word}'" for word in BEEP_PROGRAM)
    return subprocess.run(
        ["bash", "-c", line.replace("edge-asr", program)],
        cwd=folder,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
        env=os.environ | variables,
        stdin=subprocess.DEVNULL,
    )


def test_a_closed_stdout_is_told_before_the_work(tmp_path: Path) -> None:
    write_beeps(tmp_path / "a.wav", PATTERN)
    done = shell("edge-asr transcribe --model m a.wav >&-", tmp_path)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode().splitlines() == [
        "edge-asr: stdout is closed: leave it open, or send it to a file or to /dev/null"
    ]


def test_a_closed_stderr_changes_nothing(tmp_path: Path) -> None:
    write_beeps(tmp_path / "a.wav", PATTERN)
    done = shell("edge-asr transcribe --model m a.wav gone.wav 2>&-", tmp_path)
    assert (done.returncode, done.stdout) == (1, b"BEEP BEEP\n")


def test_a_closed_stdin_is_told(tmp_path: Path) -> None:
    write_beeps(tmp_path / "a.wav", PATTERN)
    done = shell("edge-asr transcribe --model m a.wav - <&-", tmp_path)
    assert (done.returncode, done.stdout) == (1, b"BEEP BEEP\n")
    assert done.stderr.decode().splitlines() == ["edge-asr: stdin: closed: pipe audio into it, or name a file"]


def test_all_three_closed_end_with_an_exit_code(tmp_path: Path) -> None:
    write_beeps(tmp_path / "a.wav", PATTERN)
    done = shell("edge-asr transcribe --model m a.wav <&- >&- 2>&-", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_the_figure_of_an_evaluation_survives_a_small_encoding(tmp_path: Path, encoding: str) -> None:
    write_beeps(tmp_path / "a.wav", PATTERN)
    write_manifest(tmp_path / "m.jsonl", [{"audio_filepath": "a.wav", "text": "BEEP BOP"}])
    (tmp_path / "m.pte").write_bytes(b"m")
    done = shell("edge-asr evaluate m.jsonl --model m.pte", tmp_path, PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "50.00 %" in done.stdout.decode("latin-1")


def test_json_is_json_in_a_small_encoding(tmp_path: Path) -> None:
    name = "тон.wav"
    write_beeps(tmp_path / name, PATTERN)
    done = shell(f"edge-asr transcribe --json --model m {name}", tmp_path, PYTHONIOENCODING="latin-1")
    assert (done.returncode, json.loads(done.stdout)["audio"]) == (0, name)


def test_a_message_in_a_small_encoding(tmp_path: Path) -> None:
    done = shell("edge-asr transcribe --model m тон.wav", tmp_path, PYTHONIOENCODING="latin-1")
    assert (done.returncode, done.stderr.decode("latin-1")) == (1, "edge-asr: ???.wav: no such audio file\n")


def on_a_terminal(line: list[str | bytes], columns: int, **variables: str) -> tuple[int, str]:
    """Exit code and all that the terminal gets, stdout and stderr."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")}
    running = subprocess.Popen(
        line,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env=environment | variables,
        cwd=REPOSITORY,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31)),  # an endless loop ends there
    )
    os.close(theirs)
    seen = b""
    try:
        while part := os.read(ours, 65_536):
            seen += part
            assert len(seen) < 1_000_000, "it does not end"
    except OSError:  # the other end is closed
        pass
    finally:
        os.close(ours)  # a program that still writes ends with that
    return running.wait(timeout=PATIENCE_S), seen.decode()


@pytest.mark.parametrize("variables", [{"TERM": "dumb"}, {"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": ""}])
@pytest.mark.parametrize("as_json", [False, True])
def test_plain_terminals_get_plain_text(tmp_path: Path, variables: dict[str, str], as_json: bool) -> None:
    paths = [write_beeps(tmp_path / "a.wav", PATTERN), write_beeps(tmp_path / "b.wav", ".x.")]
    code, seen = on_a_terminal(transcribe_line(*paths, *(["--json"] if as_json else [])), 80, **variables)
    assert code == 0
    assert "\x1b" not in seen
    if not as_json:
        assert seen.splitlines() == [str(paths[0]), "BEEP BEEP", str(paths[1]), "BEEP"]


def test_a_terminal_with_escapes_gets_live_text(tmp_path: Path) -> None:
    code, seen = on_a_terminal(transcribe_line(write_beeps(tmp_path / "a.wav", PATTERN)), 80, TERM="xterm")
    assert code == 0
    assert "\x1b[2m" in seen


@pytest.mark.parametrize("columns", [1, 2])
def test_a_narrow_terminal_is_no_endless_loop(tmp_path: Path, columns: int) -> None:
    path = write_beeps(tmp_path / "a.wav", PATTERN)
    code, seen = on_a_terminal(transcribe_line(path), columns, TERM="xterm")
    assert code == 0
    assert seen.count("B") >= 2


def test_progress_of_a_pipe_has_no_length(tmp_path: Path) -> None:
    fifo = tmp_path / "live"
    os.mkfifo(fifo)
    threading.Thread(target=fifo.write_bytes, args=(riff(beep_pcm(PATTERN)),), daemon=True).start()
    code, seen = on_a_terminal(transcribe_line(fifo, "--json"), 80, TERM="xterm")
    assert (code, '"text": "BEEP BEEP"' in seen) == (0, True)
    assert "/?" in seen.split("transcribing, seconds of audio")[1]


WITHOUT_A_NAME = """
import pwd, sys

def unknown(user):
    raise KeyError(f"getpwuid(): uid not found: {user}")

pwd.getpwuid = unknown  # what the system answers for such a user
from edge_asr.cli import main
raise SystemExit(main())
"""


def test_a_user_without_home_or_name_needs_no_cache_folder(tmp_path: Path, tiny_pte: Path) -> None:
    write_beeps(tmp_path / "a.wav", PATTERN)
    line = [sys.executable, "-c", WITHOUT_A_NAME, "transcribe", str(tmp_path / "a.wav")]
    without = {"PYTHONPATH": str(REPOSITORY), "PATH": os.environ["PATH"]}
    done = subprocess.run([*line, "--model", str(tiny_pte)], capture_output=True, env=without, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.endswith(b"\n")
    done = subprocess.run(line, capture_output=True, env=without, check=False)  # the shipped model wants one
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == [
        "edge-asr: no home folder, and so no cache folder: set EDGE_ASR_CACHE to one"
    ]


HOSTILE = "raise SystemExit('a file of the user was run')"


@pytest.mark.parametrize("as_module", [True, False])
def test_files_of_the_working_folder_are_never_imported(tmp_path: Path, as_module: bool, tiny_pte: Path) -> None:
    names = ["export", "edge_asr_export", "click", "numpy", "soundfile", "tests"]
    for name in names if as_module else [*names, "edge_asr"]:
        (tmp_path / f"{name}.py").write_text(HOSTILE)
    write_beeps(tmp_path / "a.wav", PATTERN)
    script = "from edge_asr.__main__ import main; raise SystemExit(main())"  # what pip writes
    start = ["-m", "edge_asr"] if as_module else ["-P", "-c", script]
    environment = os.environ | {"PYTHONPATH": f"{REPOSITORY}{os.pathsep}"}  # whose empty entry is the working folder
    for command in (["inspect", tiny_pte], ["export", "--help"], ["export", "gone.safetensors", "-o", "x.pte"]):
        done = subprocess.run(
            [sys.executable, *start, *map(str, command)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            check=False,
        )
        assert b"a file of the user" not in done.stdout + done.stderr
    assert b"gone.safetensors" in done.stderr


def test_a_module_in_a_process_of_its_own_leaves_the_working_folder_out(tmp_path: Path) -> None:
    from edge_asr.terminal.import_path import run_module

    for name in ("edge_asr", "click", "psutil", "json"):
        (tmp_path / f"{name}.py").write_text(HOSTILE)
    line = [*run_module("edge_asr.profiling.memory"), "--help"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "resident memory" in done.stdout


def test_transcribing_nothing_but_names_closes_all_it_opens(tmp_path: Path) -> None:
    """More inputs than a process may have open files."""
    paths = [write_beeps(tmp_path / "a.wav", ".x."), tmp_path / "gone.wav"] * 60
    few = resource.RLIMIT_NOFILE, (48, 48)
    done = transcribe(*paths, preexec_fn=lambda: resource.setrlimit(*few))
    assert done.stdout == b"BEEP\n" * 60
