"""What is peculiar to ExecuTorch's Python runtime. `test_every_backend.py` has what it shares with the others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from executorch.extension.pybindings import portable_lib

from edge_asr.backends.choose import open_backend


@pytest.mark.parametrize("threads", [2, 1])
def test_threads_are_those_of_the_runtimes_pool(toy: Path, threads: int) -> None:
    open_backend(toy, threads, "executorch-python")
    assert portable_lib._threadpool_get_thread_count() == threads


FRESH_PROCESS = """
import logging, sys
from edge_asr.backends.choose import open_backend
open_backend(sys.argv[1], name="executorch-python")
print("loaded", file=sys.stderr)
logging.getLogger("torch._dynamo").warning("torch still logs")
"""


def test_the_first_load_of_a_process_prints_nothing_and_leaves_torchs_log_working(toy: Path) -> None:
    command = [sys.executable, "-c", FRESH_PROCESS, str(toy)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    before, _, after = done.stderr.partition("loaded\n")
    assert (done.stdout, before) == ("", "")
    assert after.strip().endswith("torch still logs")
    assert len(after.splitlines()) == 1
