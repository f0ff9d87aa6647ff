"""Calls side by side, each in a process of its own: exporting is Python on one core, minutes of it."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import pickle
import platform
import signal
import traceback
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection, wait
from multiprocessing.synchronize import Semaphore
from typing import Any, TypeVar

import torch

from edge_asr.errors import EdgeAsrError

PR_SET_PDEATHSIG = 1  # of Linux's prctl

T = TypeVar("T")


def run_side_by_side(calls: Mapping[str, Callable[[], T]], told: Callable[[int], None]) -> dict[str, T]:
    """What each call returns, which must be something that can be pickled, by the call's name. `told` hears how many
    have returned so far. As many run at a time as there are cores to run on.

    The processes are forks, which see what this one sees, so that calls need not be pickled. Where there is a single
    core to fork onto, the calls run here. They end when this process does, however it ends. Raises what a call raises,
    and EdgeAsrError where its process was killed.
    """
    cores = available_cores()
    if cores == 1:
        results = {}
        for name, call in calls.items():
            results[name] = call()
            told(len(results))
        return results
    return run_forks(calls, told, cores)


def available_cores() -> int:
    """To fork onto: 1 but on Linux, as macOS has forks, in which its own libraries crash, and Windows none."""
    return len(os.sched_getaffinity(0)) if platform.system() == "Linux" else 1


def run_forks(calls: Mapping[str, Callable[[], T]], told: Callable[[int], None], at_once: int) -> dict[str, T]:
    context: Any = multiprocessing.get_context("fork")
    parent = os.getpid()
    turns = context.Semaphore(at_once)
    running = {}
    results: dict[str, T] = {}
    try:
        for name, call in calls.items():
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=run_fork, args=(call, theirs, turns, parent), daemon=True)
            process.start()
            theirs.close()  # so that nothing more comes once the process has ended
            running[ours] = name, process
        while running:
            for connection in wait(list(running)):
                name, process = running[connection]
                results[name] = receive(connection, name)
                process.join()
                del running[connection]
                told(len(results))
    finally:  # after an error or Ctrl-C, the others
        for _, process in running.values():
            process.kill()
            process.join()
    return {name: results[name] for name in calls}


def run_fork(call: Callable[[], object], connection: Connection, turns: Semaphore, parent: int) -> None:
    end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent too, which kills its children
    torch.set_num_threads(1)  # the others did not come along with the fork, and OpenMP would wait for them
    with turns:
        try:
            outcome: tuple[object, Exception | None] = (call(), None)
        except Exception as error:
            error.add_note(f"in a process of its own, where it happened here:\n{traceback.format_exc()}")
            outcome = (None, error)
        connection.send_bytes(pickle.dumps(outcome))  # `send` would leave tensors in memory that goes with this process


def end_with(parent: int) -> None:
    """Let the kernel kill this process when its parent ends: one that is killed itself cannot do it."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it had ended already
        os._exit(1)


def receive(connection: Any, name: str) -> Any:
    try:
        result, error = pickle.loads(connection.recv_bytes())
    except EOFError:
        raise EdgeAsrError(f"{name}: the process at work on it was killed, for want of memory perhaps") from None
    if error is not None:
        raise error
    return result
