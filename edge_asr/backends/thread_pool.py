"""ExecuTorch's thread pool belongs to the process, whichever backend loads it, and so does the number of its threads.

A loaded program keeps a pointer to the pool and crashes in its next step where the pool has been replaced meanwhile:
it is replaced only while no program is loaded. `taskset` does not shrink a pool: left alone, its threads fight.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from edge_asr.errors import EdgeAsrError

T = TypeVar("T")

_lock = threading.Lock()
_programs: weakref.WeakSet[object] = weakref.WeakSet()  # loaded, by any backend
_threads = 0  # of the pool they use


class Loaded(Protocol):
    """Says that a program is loaded, and returns it."""

    def __call__(self, program: T) -> T: ...


@contextmanager
def loading(threads: int, resize: Callable[[int], object]) -> Iterator[Loaded]:
    """Load one program inside: nobody else loads meanwhile, and `resize(threads)` has given the pool its size.

    Raises EdgeAsrError where programs are loaded that use another number of threads.
    """
    global _threads
    with _lock:
        if _programs and threads != _threads:
            raise EdgeAsrError(
                f"the threads belong to the process, and a model is open in it with {_threads}: "
                f"close that recognizer first, or ask for {_threads} too"
            )
        if not _programs:
            resize(threads)
            _threads = threads
        yield _add


def _add(program: T) -> T:
    _programs.add(program)
    return program
