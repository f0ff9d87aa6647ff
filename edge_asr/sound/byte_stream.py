"""Bytes of a file, a pipe or a device, in order. Each is opened once and read once."""

from __future__ import annotations

import os
import re
import select
import stat
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from edge_asr.errors import EdgeAsrError

STDIN = "-"
SPOOL_BYTES = 65_536

# Waits until a descriptor has bytes or has ended; False where the input should end here.
Wait = Callable[[int], bool]


def wait_readable(descriptor: int) -> bool:
    """Wait for bytes, or the end, without a limit. Always True."""
    if os.name == "nt":  # has no poll for files; a read waits by itself
        return True
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    poll.poll()
    return True


def open_descriptor_of(name: str) -> int | None:
    """N where the name is `-`, /dev/stdin, /dev/fd/N or /proc/self/fd/N: a descriptor that is open already."""
    if name in (STDIN, "/dev/stdin"):
        return 0
    found = re.fullmatch(r"/(?:dev|proc/self)/fd/(\d+)", name)
    return int(found[1]) if found else None


class ByteStream:
    """One input, read once. Use it in a `with` block, which closes it.

    An open descriptor (`-`, /dev/stdin, /dev/fd/N) is read where it stands: opening it again would fail for sockets
    and take the bytes from another reader. A descriptor that does not block is waited for.
    """

    def __init__(self, name: Path | str, wait: Wait = wait_readable) -> None:
        """Open it. Raises EdgeAsrError that names it: absent, a folder, empty, not permitted."""
        self.name = str(name)
        self.title = "stdin" if self.name == STDIN else self.name  # for messages
        self.stopped = False  # `wait` ended the input
        self._wait = wait
        self._ahead = b""
        self._marked: list[bytes] | None = None  # what was read since the mark
        self.descriptor = self._open()
        try:
            mode = os.fstat(self.descriptor)
        except OSError:
            os.close(self.descriptor)
            raise
        self.is_file = stat.S_ISREG(mode.st_mode)  # and so can be sought in
        self.size = mode.st_size if self.is_file else None  # bytes
        self._refuse(mode)

    def _open(self) -> int:
        already = open_descriptor_of(self.name)
        try:
            if already is None:
                # a FIFO without a writer must not block here: `wait` waits, and a signal ends that
                return os.open(self.name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
            if already == 0 and sys.stdin is None:  # whatever has descriptor 0 now, it is not the user's
                raise EdgeAsrError(f"{self.title}: closed: pipe audio into it, or name a file")
            return os.dup(already)
        except FileNotFoundError:
            raise EdgeAsrError(f"{self.title}: no such audio file") from None
        except OSError as error:
            raise EdgeAsrError(f"{self.title}: cannot be opened ({error.strerror})") from None

    def _refuse(self, about: os.stat_result) -> None:
        trouble = ""
        if stat.S_ISDIR(about.st_mode):
            trouble = "a folder, not an audio file: name one of its files"
        elif self.size == 0 and self.name != STDIN:
            trouble = "the file is empty (0 bytes): record or copy it again"
        if trouble:
            self.close()
            raise EdgeAsrError(f"{self.title}: {trouble}")

    def read(self, most: int) -> bytes:
        """What is there, at most `most` bytes, after waiting for the first; b"" at the end. Raises EdgeAsrError."""
        data = self._read(most)
        if self._marked is not None:
            self._marked.append(data)
        return data

    def mark(self) -> None:
        """From here on, keep what is read for `rewind`."""
        self._marked = []

    def rewind(self) -> None:
        """Read again from the mark on, which is then forgotten."""
        self._ahead = b"".join(self._marked or []) + self._ahead
        self._marked = None

    def forget_mark(self) -> None:
        """Keep nothing more for `rewind`."""
        self._marked = None

    def _read(self, most: int) -> bytes:
        if self._ahead:
            taken, self._ahead = self._ahead[:most], self._ahead[most:]
            return taken
        while not self.stopped:
            if not self._wait(self.descriptor):
                self.stopped = True
                break
            try:
                return os.read(self.descriptor, most)
            except BlockingIOError:  # another reader was faster
                continue
            except OSError as error:
                raise EdgeAsrError(f"{self.title}: cannot be read ({error.strerror})") from None
        return b""

    def read_exactly(self, count: int) -> bytes:
        """`count` bytes; fewer only at the end."""
        parts = []
        while count > 0 and (part := self.read(count)):
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def peek(self, count: int) -> bytes:
        """The next `count` bytes, which stay to be read; fewer only at the end."""
        if len(self._ahead) < count:
            held, self._ahead = self._ahead, b""
            while len(held) < count and (part := self._read(count - len(held))):
                held += part
            self._ahead = held
        return self._ahead[:count]

    def skip(self, count: int) -> bool:
        """False where there were not so many."""
        while count > 0:
            part = self.read(min(count, SPOOL_BYTES))
            if not part:
                return False
            count -= len(part)
        return True

    def spool(self) -> int:
        """A descriptor of all that is still to come, which can be sought in and stands at its start; the caller closes
        it. Of a pipe that is an anonymous temporary file. Raises EdgeAsrError where the disk is full."""
        if self.is_file:
            os.lseek(self.descriptor, -len(self._ahead), os.SEEK_CUR)
            self._ahead = b""
            return os.dup(self.descriptor)
        try:
            with tempfile.TemporaryFile() as file:
                while part := self.read(SPOOL_BYTES):
                    file.write(part)
                file.seek(0)
                return os.dup(file.fileno())
        except OSError as error:
            raise EdgeAsrError(
                f"{self.title}: no room to keep this input ({error.strerror}): set TMPDIR, or pass WAV"
            ) from None

    def close(self) -> None:
        """Harmless where it is closed."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> ByteStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
