"""Calls run side by side in processes of their own, and nothing of them is left when one fails."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
import torch

from edge_asr.errors import EdgeAsrError
from edge_asr_export import processes
from edge_asr_export.processes import run_side_by_side

WAIT_S = 60.0
FORK = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "available_cores", lambda: 2)


def ignore(done: int) -> None:
    pass


def sleep_on() -> None:
    time.sleep(WAIT_S)


def children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def test_results_come_by_name_in_the_order_of_the_calls() -> None:
    told: list[int] = []
    numbers = {f"call {n}": n for n in range(5)}
    calls = {name: lambda n=n: (torch.full((3,), float(n)), os.getpid()) for name, n in numbers.items()}
    results = run_side_by_side(calls, told.append)
    assert list(results) == list(numbers)
    assert all(torch.equal(results[name][0], torch.full((3,), float(n))) for name, n in numbers.items())
    assert len({pid for _, pid in results.values()} | {os.getpid()}) == 6
    assert told == [1, 2, 3, 4, 5]


def test_two_run_at_once_and_no_more() -> None:
    met = FORK.Barrier(2)
    running = FORK.Value("i", 0)

    def meet() -> int:
        with running:
            running.value += 1
        met.wait(WAIT_S)  # nobody passes alone
        with running:
            seen: int = running.value
            running.value -= 1
        return seen

    assert max(run_side_by_side({str(n): meet for n in range(4)}, ignore).values()) == 2


def test_an_error_is_raised_here_and_ends_the_others() -> None:
    before = children()

    def fail() -> None:
        raise EdgeAsrError("no")

    started_s = time.monotonic()
    with pytest.raises(EdgeAsrError, match=r"^no\n") as caught:
        run_side_by_side({"long": sleep_on, "failing": fail, "waiting": sleep_on}, ignore)
    assert "in fail" in caught.value.__notes__[0]
    assert children() == before
    assert time.monotonic() - started_s < WAIT_S / 2


def test_a_killed_process_is_told_by_its_name() -> None:
    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(EdgeAsrError, match=r"^the upper stack: the process at work on it was killed"):
        run_side_by_side({"the upper stack": die, "another": sleep_on}, ignore)


def test_ctrl_c_ends_them_all() -> None:
    """A terminal sends it to all of them."""
    before = children()

    def interrupt() -> None:
        time.sleep(1.0)  # in the moment of a fork Python drops what a signal raises
        os.kill(os.getpid(), signal.SIGINT)  # which it does not mind
        os.kill(os.getppid(), signal.SIGINT)
        sleep_on()

    with pytest.raises(KeyboardInterrupt):
        run_side_by_side({"long": sleep_on, "interrupting": interrupt}, ignore)
    assert children() == before


FORKING = """
import os, time
from edge_asr_export import processes

def sleep_on():
    print(os.getpid(), flush=True)
    time.sleep(3600)

processes.available_cores = lambda: 2
processes.run_side_by_side({"one": sleep_on, "another": sleep_on}, print)
"""


def test_kill_9_ends_them_all() -> None:
    with subprocess.Popen([sys.executable, "-c", FORKING], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        forks = [psutil.Process(int(parent.stdout.readline())) for _ in range(2)]
        assert all(fork.ppid() == parent.pid for fork in forks)
        parent.kill()
        _, left = psutil.wait_procs(forks, timeout=WAIT_S / 2)
        for fork in left:
            fork.kill()
    assert left == []


def test_a_fork_whose_parent_has_ended_already_ends() -> None:
    """Between the fork and its first line."""
    reading, writing = os.pipe()
    fork = os.fork()
    if fork == 0:
        with contextlib.suppress(BaseException):
            processes.end_with(os.getpid())  # which is not its parent
            os.write(writing, b"goes on")
        os._exit(0)
    os.close(writing)
    assert os.read(reading, 100) == b""
    assert os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1]) == 1
    os.close(reading)


def test_on_one_core_they_run_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "available_cores", lambda: 1)
    told: list[int] = []
    assert run_side_by_side({"a": os.getpid, "b": os.getpid}, told.append) == {"a": os.getpid(), "b": os.getpid()}
    assert told == [1, 2]
