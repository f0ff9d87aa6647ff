"""SIGINT, SIGTERM and SIGHUP: `edge-asr-run` finishes the stream and prints it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_asr.audio import read_audio
from edge_asr.native.build import Build
from tests.beeps import write_beeps
from tests.native.runs import LIMIT_S, wait_for, waits_for_input

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
Popen = subprocess.Popen[bytes]


@contextmanager
def start(native_build: Build, pte: Path, *arguments: object, **streams: object) -> Iterator[Popen]:
    """It ends where the test does."""
    command = [str(part) for part in (native_build.runner, "--model", pte, *arguments)]
    piped = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    running: Popen
    with subprocess.Popen(command, **{**piped, **streams}) as running:  # type: ignore[call-overload]
        try:
            yield running
        finally:
            running.kill()


def ended(running: Popen) -> tuple[bytes, bytes]:
    """What it printed on stdout and stderr. Its stdin stays open until it has ended."""
    running.wait(LIMIT_S)
    assert running.stdout
    assert running.stderr
    return running.stdout.read(), running.stderr.read()


def send(running: Popen, audio: bytes) -> None:
    assert running.stdin
    running.stdin.write(audio)
    running.stdin.flush()
    wait_for(lambda: waits_for_input(running.pid))


def pcm_of(recording: Path) -> bytes:
    return read_audio(recording).astype("<f4").tobytes()


def has_open(running: Popen, file: Path) -> bool:
    links = [link for link in Path(f"/proc/{running.pid}/fd").iterdir() if link.is_symlink()]
    return any(link.exists() and link.resolve() == file.resolve() for link in links)


@pytest.mark.parametrize("form", [[], ["--json"], ["--json-steps"]])
@pytest.mark.parametrize("number", SIGNALS)
def test_nothing_that_was_heard_is_lost(
    native_build: Build, tiny_pte: Path, beeps: Path, text: str, number: signal.Signals, form: list[str]
) -> None:
    """A microphone goes on for ever; who stops it gets the words so far, as if the speaker had stopped there."""
    with start(native_build, tiny_pte, "--raw", "f32le", *form, "-", "no-such-file.wav") as running:
        send(running, pcm_of(beeps))
        running.send_signal(number)
        out, err = ended(running)
    assert (running.returncode, err) == (128 + number, b"")
    if not form:
        assert out.decode() == text
        return
    *updates, last = map(json.loads, out.splitlines())
    words = last.get("words", []) + [word for update in updates for word in update["new_words"]]
    assert " ".join(word["text"] for word in words) + "\n" == text
    assert (last["interrupted"], last["audio_s"]) == (True, pytest.approx(1.2))
    assert bool(updates) == (form == ["--json-steps"])


def test_what_lies_in_the_pipe_is_heard_too(native_build: Build, tiny_pte: Path, beeps: Path) -> None:
    with start(native_build, tiny_pte, "--raw", "f32le", "--json", "-") as running:
        send(running, pcm_of(beeps)[:8_000])
        running.send_signal(signal.SIGSTOP)
        assert running.stdin
        running.stdin.write(pcm_of(beeps)[8_000:64_000])
        running.stdin.flush()
        running.send_signal(signal.SIGTERM)
        running.send_signal(signal.SIGCONT)
        out, _ = ended(running)
    assert json.loads(out)["audio_s"] == pytest.approx(1.0)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_file_ends_where_it_is_and_the_others_are_not_begun(
    native_build: Build, tiny_pte: Path, tmp_path: Path, number: signal.Signals
) -> None:
    long = write_beeps(tmp_path / "long.wav", ".x..x." * 1_000)
    with start(native_build, tiny_pte, "--json", long, long) as running:
        wait_for(lambda: has_open(running, long))
        running.send_signal(number)
        out, err = ended(running)
    (line,) = map(json.loads, out.splitlines())
    assert (running.returncode, err, line["interrupted"]) == (128 + number, b"", True)
    assert line["audio_s"] < 1_200
    assert line["text"] == " ".join(word["text"] for word in line["words"])


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_fifo_without_a_writer_is_given_up(
    native_build: Build, tiny_pte: Path, tmp_path: Path, form: list[str]
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with start(native_build, tiny_pte, *form, fifo) as running:
        wait_for(lambda: has_open(running, fifo))
        running.send_signal(signal.SIGTERM)
        out, err = ended(running)
    assert (running.returncode, err) == (143, b"")
    if form:
        line = json.loads(out)
        assert (line["text"], line["interrupted"], line["frames"]) == ("", True, 0)
    else:
        assert out == b"\n"


def test_a_second_signal_ends_at_once(native_build: Build, tiny_pte: Path, beeps: Path) -> None:
    """It hangs on a stdout that nobody reads: the first signal leaves it there, as not all is printed yet."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, bytes(4_096))
    except BlockingIOError:
        os.set_blocking(writer, True)
    with start(native_build, tiny_pte, "--raw", "f32le", "-", stdout=writer) as running:
        send(running, pcm_of(beeps)[:8_000])
        running.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert running.poll() is None
        running.send_signal(signal.SIGINT)
        assert running.wait(LIMIT_S) == -signal.SIGINT
    for descriptor in (reader, writer):
        os.close(descriptor)


def test_timeout_sends_its_signal_twice(native_build: Build, tiny_pte: Path, beeps: Path, text: str) -> None:
    with start(native_build, tiny_pte, "--raw", "f32le", "-") as running:
        send(running, pcm_of(beeps))
        running.send_signal(signal.SIGTERM)
        running.send_signal(signal.SIGTERM)
        out, _ = ended(running)
    assert (running.returncode, out.decode()) == (143, text)


def test_nohup_stays(native_build: Build, tiny_pte: Path, beeps: Path, text: str) -> None:
    ignored = {"preexec_fn": lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)}
    with start(native_build, tiny_pte, "--raw", "f32le", "-", **ignored) as running:
        send(running, pcm_of(beeps)[:8_000])
        running.send_signal(signal.SIGHUP)
        send(running, pcm_of(beeps)[8_000:])
        out, _ = running.communicate(timeout=LIMIT_S)
    assert (running.returncode, out.decode()) == (0, text)


def test_words_come_while_a_pipe_is_open(native_build: Build, tiny_pte: Path, beeps: Path) -> None:
    with start(native_build, tiny_pte, "--raw", "f32le", "-", bufsize=0) as running:
        for _ in range(8):
            send(running, pcm_of(beeps))
        assert running.stdout
        before = os.read(running.stdout.fileno(), 100_000)
        rest, _ = running.communicate(timeout=LIMIT_S)
    assert before.split()
    assert b"\n" not in before
    assert rest.endswith(b"\n")
    assert rest.startswith(b" ")
