"""Standard error belongs to the process: whoever leads it away gives it back, whichever thread comes in between."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import redirect_stderr

import pytest

from edge_asr.backends.runtime_log import quiet_stderr


def test_what_is_printed_meanwhile_does_not_reach_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet_stderr() as captured:
        os.write(2, b"from C++\n")
        captured.seek(0)
        assert captured.read() == "from C++\n"
    os.write(2, b"from us\n")
    assert capfd.readouterr().err == "from us\n"


def test_a_second_thread_waits_and_standard_error_is_whole_again_after_both() -> None:
    """The first to come leaves first: without a lock the second would give back what the first had put there."""
    descriptor, stream = os.fstat(2), sys.stderr
    first_is_in, second_is_in, first_may_leave = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        with quiet_stderr() as captured, redirect_stderr(captured):
            first_is_in.set()
            first_may_leave.wait(10)

    def second() -> None:
        with quiet_stderr() as captured, redirect_stderr(captured):
            second_is_in.set()

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert first_is_in.wait(10)
    threads[1].start()
    came_between = second_is_in.wait(0.2)
    first_may_leave.set()
    for thread in threads:
        thread.join(10)
    assert not came_between
    assert second_is_in.is_set()
    assert sys.stderr is stream
    assert os.path.samestat(os.fstat(2), descriptor)
