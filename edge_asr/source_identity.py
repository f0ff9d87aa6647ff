"""Which sources made a file: the git commit, for metadata."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

UNKNOWN = "unknown"


def git_commit() -> str:
    """The commit of the checkout this package runs from, or 'unknown'.

    It is unknown too where the package lies in a repository that does not track it: a virtual environment inside
    another project.
    """
    here = Path(__file__)
    tracked = git(here.parent, "ls-files", "--error-unmatch", here.name)
    return (git(here.parent, "rev-parse", "HEAD") if tracked else None) or UNKNOWN


def git(folder: Path, *arguments: str) -> str | None:
    """What git prints; None where it fails. A repository that the environment names, as in a hook, is not meant."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return None if done.returncode else done.stdout.strip()
