"""Pipes in and out: read once, as they come; written word by word; blocking or not."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from tests.beep_program import (
    PATIENCE_S,
    lines,
    open_fifo,
    read_until,
    start,
    transcribe,
    transcribe_line,
    wait_until_read,
)
from tests.beeps import beep_pcm, beep_samples, riff, write_beeps

TEXT = b"BEEP BEEP\n"
PATTERN = ".x..x."


def compressed(folder: Path) -> bytes:
    soundfile.write(folder / "a.flac", beep_samples(PATTERN), 16_000)
    return (folder / "a.flac").read_bytes()


def wave(folder: Path) -> bytes:
    return riff(beep_pcm(PATTERN))


def unending_wave(folder: Path) -> bytes:
    return riff(beep_pcm(PATTERN), size=0xFFFFFFFF)


def telephone_wave(folder: Path) -> bytes:
    """libsndfile decodes it."""
    soundfile.write(folder / "a.wav", beep_samples(PATTERN, 8_000), 8_000, subtype="ULAW")
    return (folder / "a.wav").read_bytes()


KINDS = [wave, unending_wave, telephone_wave, compressed]


@pytest.mark.parametrize("make", KINDS)
def test_a_fifo_is_opened_once_and_read_once(tmp_path: Path, make: Callable[[Path], bytes]) -> None:
    fifo = tmp_path / "live"
    os.mkfifo(fifo)
    content = make(tmp_path)
    threading.Thread(target=fifo.write_bytes, args=(content,), daemon=True).start()
    done = transcribe(fifo)
    assert (done.returncode, done.stdout, done.stderr) == (0, TEXT, b"")


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("name", ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"])
def test_an_open_descriptor_is_an_input(tmp_path: Path, name: str, make: Callable[[Path], bytes]) -> None:
    done = transcribe(name, input=make(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, TEXT, b"")


def test_a_substituted_process_is_an_input(tmp_path: Path) -> None:
    line = " ".join(map(str, transcribe_line()))
    write_beeps(tmp_path / "a.wav", PATTERN)
    done = subprocess.run(["bash", "-c", f"{line} <(cat a.wav) <(cat a.wav)"], cwd=tmp_path, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, 2 * TEXT, b"")


def test_stdin_may_be_a_file_that_stands_in_its_middle(tmp_path: Path) -> None:
    path = tmp_path / "two"
    path.write_bytes(b"nothing of ours" + riff(beep_pcm(PATTERN)))
    with path.open("rb") as file:
        os.lseek(file.fileno(), 15, os.SEEK_SET)
        done = transcribe("/dev/stdin", stdin=file)
    assert (done.returncode, done.stdout, done.stderr) == (0, TEXT, b"")


def test_a_socket_is_an_input() -> None:
    """What Node gives a child as stdin; it cannot be opened by a name."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(riff(beep_pcm(PATTERN)))
        ours.shutdown(socket.SHUT_WR)
        done = transcribe("/dev/stdin", stdin=theirs)
    assert (done.returncode, done.stdout, done.stderr) == (0, TEXT, b"")


def test_words_come_while_the_input_goes_on() -> None:
    running = start("-")
    assert running.stdin
    assert running.stdout
    running.stdin.write(beep_pcm(PATTERN + "....x" + "." * 10))
    running.stdin.flush()
    text = read_until(running.stdout.fileno(), b"BEEP BEEP")  # would wait for ever, came they at the end
    out, err = running.communicate(timeout=PATIENCE_S)
    assert (running.returncode, text + out, err) == (0, b"BEEP BEEP BEEP\n", b"")


def test_words_come_from_a_wave_pipe_too() -> None:
    running = start("/dev/stdin")
    assert running.stdin
    assert running.stdout
    running.stdin.write(riff(beep_pcm(PATTERN + "....x" + "." * 10), size=0x7FFFFFFF))
    running.stdin.flush()
    text = read_until(running.stdout.fileno(), b"BEEP BEEP")
    out, err = running.communicate(timeout=PATIENCE_S)
    assert (running.returncode, text + out, err) == (0, b"BEEP BEEP BEEP\n", b"")


def test_a_pipe_that_breaks_off_is_an_error_after_its_text() -> None:
    pcm = beep_pcm(PATTERN)
    done = transcribe("/dev/stdin", input=riff(pcm, size=2 * len(pcm)))
    assert (done.returncode, done.stdout) == (1, TEXT)
    assert lines(done.stderr) == [
        "edge-asr: /dev/stdin: damaged or cut short after 1.20 s of the 2.40 s that its header states: "
        "copy or record it again"
    ]


def test_stdin_that_does_not_block_is_waited_for() -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    with start("-", stdin=reader) as running:
        os.close(reader)
        assert running.stdout
        os.write(writer, beep_pcm(PATTERN + "....x" + "." * 6))  # a word is final once the next one has begun
        text = read_until(running.stdout.fileno(), b"BEEP BEEP")
        wait_until_read(writer)
        os.write(writer, beep_pcm("x" + "." * 6))
        os.close(writer)
        out, err = running.communicate(timeout=PATIENCE_S)
    assert (running.returncode, text + out, err) == (0, b"BEEP BEEP BEEP BEEP\n", b"")


@pytest.mark.parametrize("as_json", [True, False])
def test_a_full_stdout_that_does_not_block_is_waited_for(tmp_path: Path, as_json: bool) -> None:
    count = 20_000
    path = write_beeps(tmp_path / "long.wav", ".x" * count, rate_hz=2_000)  # more text than a pipe holds
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    running = start(path, *(["--json"] if as_json else []), stdout=writer, stdin=subprocess.DEVNULL)
    room = select.poll()
    room.register(writer, select.POLLOUT)
    while room.poll(0) and running.poll() is None:
        time.sleep(0.01)
    os.close(writer)
    with open(reader, "rb") as out:
        text = out.read()
    assert running.stderr
    assert (running.wait(timeout=PATIENCE_S), running.stderr.read()) == (0, b"")
    assert text.count(b"BEEP") == (2 * count if as_json else count)
    assert text.endswith(b"\n")


def test_a_fifo_has_no_length_and_is_no_reason_to_hang(tmp_path: Path) -> None:
    """Its header is not looked at beforehand: the writer has not even begun."""
    fifo = tmp_path / "later"
    os.mkfifo(fifo)
    first = write_beeps(tmp_path / "one.wav", PATTERN)
    running = start(first, fifo, stdin=subprocess.DEVNULL)
    assert running.stdout
    text = read_until(running.stdout.fileno(), TEXT)
    with os.fdopen(open_fifo(fifo, running), "wb") as writer:
        writer.write(riff(beep_pcm(PATTERN)))
    out, err = running.communicate(timeout=PATIENCE_S)
    assert (running.returncode, text + out, err) == (0, 2 * TEXT, b"")
