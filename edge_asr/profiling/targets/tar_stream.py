"""Files as one tar archive into a pipe: the copy that every small system can receive."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

BLOCK_BYTES = 1 << 18

Tell = Callable[[str], None]
Named = Sequence[tuple[Path, str]]  # (file here, name there)


def size_of(files: Named) -> int:
    """Bytes of all of them. Raises OSError."""
    return sum(path.stat().st_size for path, _ in files)


def send(files: Named, pipe: IO[bytes], receiver: str, tell: Tell) -> None:
    """Write them, and close the pipe; `tell` hears how far it is. A receiver that has ended is left to say why.

    Raises OSError where a file cannot be read.
    """
    sent, total = 0, size_of(files)
    try:
        for block in tar_blocks(files):
            pipe.write(block)
            sent += len(block)
            tell(f"copying to {receiver}: {min(sent, total) / 1e6:.1f} of {total / 1e6:.1f} MB")
        pipe.close()
    except BrokenPipeError:
        pass


def tar_blocks(files: Named) -> Iterator[bytes]:
    """The archive, in the format that every `tar` reads."""
    for path, name in files:
        entry = tarfile.TarInfo(name)
        entry.size = path.stat().st_size
        entry.mode = path.stat().st_mode & 0o777
        yield entry.tobuf(tarfile.USTAR_FORMAT)
        with path.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                yield block
        yield bytes(-entry.size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)
