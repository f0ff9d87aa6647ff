"""A library that another local user plants where the loader might look: it writes a file as soon as it is loaded."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.requirements import require_tool

SOURCE = r"""
#include <fcntl.h>
#include <unistd.h>
__attribute__((constructor)) static void loaded(void) { close(open(MARK, O_WRONLY | O_CREAT, 0600)); }
"""
SEARCHED = ("lib", "backends/cuda", "src/executorch/lib")  # beside a bundle, by the RUNPATHs that ExecuTorch ships


def plant(beside: Path, libraries: Path, mark: Path) -> None:
    """In every folder that a RUNPATH with `..` in it would reach from a folder in `beside`: a library under the name of
    each one in the folder `libraries`. Whichever is loaded makes the file `mark`."""
    planted = mark.with_suffix(".so")
    exports = subprocess.run(
        [require_tool("nm", "binutils"), "-D", "--defined-only", libraries / "libedge_asr.so"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout  # the runner asks for these before any constructor runs
    functions = "".join(f"int {name}(void) {{ return 1; }}\n" for name in re.findall(r" T (\w+)$", exports, re.M))
    line = [require_tool("gcc", "gcc"), "-shared", "-fPIC", f'-DMARK="{mark}"', "-x", "c", "-", "-o", str(planted)]
    subprocess.run(line, input=SOURCE + functions, text=True, check=True)
    for folder in SEARCHED:
        (beside / folder).mkdir(parents=True)
        for library in libraries.glob("*.so"):
            (beside / folder / library.name).symlink_to(planted)
