"""What tests need of the machine: tools, data, rights. Where something is absent, a test is skipped and says why; in CI
(`CI` set in the environment), where nothing may be absent, it fails."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def absent(what: str) -> NoReturn:
    """Skip the test that needs `what`, a line that says how to get it; fail it in CI."""
    if os.environ.get("CI"):
        pytest.fail(f"missing in CI: {what}", pytrace=False)
    pytest.skip(what)


def require_tool(name: str, package: str) -> str:
    """The path of a program in $PATH, which a Debian package brings."""
    found = shutil.which(name)
    return found if found is not None else absent(f"no {name}: apt install {package}")
