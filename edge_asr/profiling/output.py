"""Reports into files that are whole at any time."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from edge_asr.errors import EdgeAsrError


def check_writable(path: Path) -> None:
    """Before anything is measured. Raises EdgeAsrError."""
    folder = path.absolute().parent
    if path.is_dir():
        raise EdgeAsrError(f"{path}: a folder: name a file in it")
    if not folder.is_dir():
        raise EdgeAsrError(f"{path}: there is no folder {folder}: make it first")
    try:
        if path.exists() and not path.is_file():
            return  # a device or a pipe
        with tempfile.TemporaryFile(dir=folder):
            pass
        if path.exists() and not os.access(path, os.W_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise cannot_write(path, error) from None


def write_whole(path: Path, text: str) -> None:
    """Whoever reads it meanwhile finds the text before or this one. Raises EdgeAsrError."""
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")
            return
        descriptor, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(name, 0o666 & ~current_umask())
            os.replace(name, path.resolve())
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise cannot_write(path, error) from None


def cannot_write(path: Path, error: OSError) -> EdgeAsrError:
    return EdgeAsrError(f"{path}: cannot be written ({error.strerror or error}): name another file, or make room")


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
