"""SIGINT, SIGTERM and SIGHUP end the input: what was heard is decoded to its end and printed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.beep_program import (
    PATIENCE_S,
    catches,
    open_fifo,
    read_until,
    start,
    transcribe,
    wait_until,
    wait_until_read,
)
from tests.beeps import beep_pcm, riff, write_beeps

SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
HEARD = beep_pcm(".x..x..x..." + "." * 20)  # two words are final long before its end


@contextlib.contextmanager
def killed_at_the_end(running: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def live(*arguments: object) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    return killed_at_the_end(start(*arguments))


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_what_was_heard_of_a_pipe_is_printed(number: signal.Signals, code: int) -> None:
    with live("-") as running:
        assert running.stdin
        assert running.stdout
        running.stdin.write(HEARD + beep_pcm("...x"))  # its last word ends in a chunk that is not full
        running.stdin.flush()
        text = read_until(running.stdout.fileno(), b"BEEP BEEP")
        wait_until_read(running.stdin.fileno())
        running.send_signal(number)
        out, err = running.communicate(timeout=PATIENCE_S)
    assert (running.returncode, text + out, err) == (code, b"BEEP BEEP BEEP BEEP\n", b"")


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_json_is_whole_and_says_that_it_was_interrupted(tmp_path: Path, number: signal.Signals, code: int) -> None:
    fifo = tmp_path / "live.wav"
    os.mkfifo(fifo)
    with live("--json", write_beeps(tmp_path / "one.wav", ".x.x."), fifo, tmp_path / "never.wav") as running:
        assert running.stdout
        before = read_until(running.stdout.fileno(), b"}\n")  # so the FIFO is next
        with os.fdopen(open_fifo(fifo, running), "wb") as writer:
            writer.write(riff(HEARD, size=0xFFFFFFFF))
            writer.flush()
            wait_until_read(writer.fileno())
            running.send_signal(number)
            out, err = running.communicate(timeout=PATIENCE_S)
    first, second = [json.loads(line) for line in (before + out).decode().splitlines()]
    assert (running.returncode, err) == (code, b"")
    assert (first["text"], first["interrupted"]) == ("BEEP BEEP", False)
    assert (second["text"], second["interrupted"]) == ("BEEP BEEP BEEP", True)
    assert second["audio"] == str(fifo)
    assert {"text", "words", "frames", "audio_s", "warnings"} <= set(second)


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_json_of_a_pipe_is_printed_though_nothing_was_before(number: signal.Signals, code: int) -> None:
    with live("-", "--json") as running:
        assert running.stdin
        running.stdin.write(HEARD + beep_pcm("...x"))
        running.stdin.flush()
        wait_until_read(running.stdin.fileno())
        running.send_signal(number)
        out, err = running.communicate(timeout=PATIENCE_S)
    assert (running.returncode, err) == (code, b"")
    answer = json.loads(out)
    assert (answer["text"], answer["interrupted"]) == ("BEEP BEEP BEEP BEEP", True)


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_file_ends_where_the_signal_comes_and_the_next_is_not_begun(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    long = write_beeps(tmp_path / "long.wav", ".x." * 10_000)
    with live(long, tmp_path / "never.wav") as running:
        assert running.stdout
        text = read_until(running.stdout.fileno(), b"BEEP")
        running.send_signal(number)
        out, err = running.communicate(timeout=PATIENCE_S)
    heard = (text + out).decode()
    assert (running.returncode, err) == (code, b"")
    assert heard.endswith("BEEP\n")
    assert 1 <= heard.count("BEEP") < 10_000


def test_a_signal_before_any_sample_of_stdin_prints_an_empty_text() -> None:
    with live("-") as running:
        assert running.stdin
        running.stdin.write(b"\0")  # half a sample
        running.stdin.flush()
        wait_until_read(running.stdin.fileno())
        running.send_signal(signal.SIGTERM)
        out, err = running.communicate(timeout=PATIENCE_S)
    assert (running.returncode, out, err) == (143, b"\n", b"")


def test_a_signal_before_the_header_of_a_fifo_prints_an_empty_text(tmp_path: Path) -> None:
    fifo = tmp_path / "silent.wav"
    os.mkfifo(fifo)
    with live(fifo) as running, os.fdopen(open_fifo(fifo, running), "wb"):
        running.send_signal(signal.SIGTERM)
        out, err = running.communicate(timeout=PATIENCE_S)
    assert (running.returncode, out, err) == (143, b"\n", b"")


def test_a_signal_while_nobody_has_opened_a_fifo_ends_the_wait(tmp_path: Path) -> None:
    fifo = tmp_path / "nobody.wav"
    os.mkfifo(fifo)
    with live(write_beeps(tmp_path / "one.wav", ".x.x."), fifo) as running:
        assert running.stdout
        text = read_until(running.stdout.fileno(), b"BEEP\n")
        running.send_signal(signal.SIGTERM)
        out, err = running.communicate(timeout=PATIENCE_S)
    assert (running.returncode, err) == (143, b"")
    assert text + out in (b"BEEP BEEP\n", b"BEEP BEEP\n\n")  # it had not begun, or heard nothing


def test_a_second_signal_ends_it_at_once() -> None:
    end, room = os.pipe()  # nobody reads what is printed
    os.set_blocking(room, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(room, b" ")
    os.set_blocking(room, True)
    with killed_at_the_end(start("-", stdout=room)) as running:
        wait_until(lambda: catches(running, signal.SIGTERM))  # it is at the input
        running.send_signal(signal.SIGINT)
        wait_until(lambda: not catches(running, signal.SIGTERM))
        assert running.poll() is None  # there is no room for its text
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=PATIENCE_S) == -signal.SIGTERM
    os.close(end)
    os.close(room)


def test_an_ignored_signal_stays_ignored() -> None:
    """As under nohup."""
    with killed_at_the_end(start("-", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))) as running:
        assert running.stdin
        assert running.stdout
        running.stdin.write(HEARD)
        running.stdin.flush()
        text = read_until(running.stdout.fileno(), b"BEEP BEEP")
        running.send_signal(signal.SIGHUP)
        out, _ = running.communicate(beep_pcm("x...."), timeout=PATIENCE_S)
    assert (running.returncode, text + out) == (0, b"BEEP BEEP BEEP BEEP\n")


def test_a_closed_stdout_ends_it_quietly(tmp_path: Path) -> None:
    long = write_beeps(tmp_path / "long.wav", ".x." * 3_000)
    with live(long) as running:
        assert running.stdout
        read_until(running.stdout.fileno(), b"BEEP")
        running.stdout.close()
        assert running.stderr
        assert (running.wait(timeout=PATIENCE_S), running.stderr.read()) == (141, b"")


def test_without_a_signal_the_text_is_that_of_before(tmp_path: Path) -> None:
    done = transcribe(write_beeps(tmp_path / "a.wav", ".x..x."), "--json")
    assert json.loads(done.stdout)["interrupted"] is False
