"""The sources as a user gets them, without what lies about in a developer's folder."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent


def copy_sources(folder: Path) -> Path:
    """Copies what git tracks; returns the folder."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    for name in filter(None, tracked.stdout.split("\0")):
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, folder / name)
    return folder


def clean_environment(**variables: str) -> dict[str, str]:
    """Of a process that must not see this one's sources or settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "EDGE_ASR", "VIRTUAL"))}
    return kept | variables
