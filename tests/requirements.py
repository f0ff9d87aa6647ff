"""What tests need of the machine: tools, modules, data, rights. Where something is absent, a test is skipped and says
why; in CI (`CI` set in the environment), where nothing may be absent, it fails. No test skips in another way.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from typing import NoReturn

import pytest

in_ci = bool(os.environ.get("CI"))
Absent: type[BaseException] = pytest.fail.Exception if in_ci else pytest.skip.Exception


def absent(what: str) -> NoReturn:
    """Skip the test that needs `what`, a line that says how to get it; in CI fail it."""
    raise Absent(f"missing in CI: {what}" if in_ci else what)


def require_tool(name: str, package: str, path: str | None = None) -> str:
    """Where a program is, in $PATH or in `path`; Debian's package brings it."""
    found = shutil.which(name, path=path)
    return found if found is not None else absent(f"no {name}: apt install {package}")


def require_module(name: str, extra: str) -> None:
    """A Python module, which an extra of the package brings."""
    if importlib.util.find_spec(name) is None:
        absent(f"no {name}: pip install 'edge-asr[{extra}]'")


def does_not_apply(why: str) -> NoReturn:
    """Skip a test, in CI too, that has nothing to show on this machine: an emulated Arm board on an Arm board."""
    pytest.skip(why)
