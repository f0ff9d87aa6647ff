"""The commit in metadata is that of this package's sources, or none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import edge_asr

PACKAGE = Path(edge_asr.__file__).parent
ASK = "from edge_asr.source_identity import git_commit; print(git_commit())"


def git(folder: Path, *arguments: str) -> str:
    who = {f"GIT_{role}_{what}": "test@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    line = ["git", *arguments]
    return subprocess.run(
        line, cwd=folder, env=os.environ | who, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository of somebody else's, with a commit."""
    git(tmp_path, "init", "-q", ".")
    (tmp_path / "theirs.py").write_text("")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "Theirs")
    return tmp_path


def installed(folder: Path) -> Path:
    """The package's own files, as an installation copies them."""
    (folder / "edge_asr").mkdir(parents=True)
    for name in ("__init__.py", "source_identity.py"):
        shutil.copy(PACKAGE / name, folder / "edge_asr" / name)
    return folder


def commit_of(folder: Path, **environment: str) -> str:
    line = [sys.executable, "-c", ASK]
    env = os.environ | {"PYTHONPATH": str(folder)} | environment
    return subprocess.run(line, cwd=folder, env=env, check=True, capture_output=True, text=True).stdout.strip()


def test_a_virtual_environment_in_another_repository_has_no_commit(project: Path) -> None:
    assert commit_of(installed(project / ".venv" / "lib" / "site-packages")) == "unknown"


def test_a_checkout_has_its_commit(project: Path) -> None:
    installed(project)
    git(project, "add", "edge_asr")
    git(project, "commit", "-q", "-m", "Ours")
    assert commit_of(project) == git(project, "rev-parse", "HEAD")


def test_a_repository_that_the_environment_names_is_not_meant(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As in a git hook of another project."""
    alone = installed(tmp_path_factory.mktemp("alone"))
    named = {"GIT_DIR": str(project / ".git"), "GIT_WORK_TREE": str(project)}
    assert commit_of(alone, **named) == "unknown"


def test_without_git_it_is_unknown(project: Path) -> None:
    assert commit_of(installed(project), PATH="/nonexistent") == "unknown"
