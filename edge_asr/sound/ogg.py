"""Where an Ogg file ends (RFC 3533, section 6)."""

from __future__ import annotations

import os

MAGIC, FLAGS_AT, LAST_PAGE = b"OggS", 5, 0x04
HEADER_BYTES = 27  # before the table of segments, whose length is the last of them
LARGEST_PAGE_BYTES = 65_307


def ogg_is_whole(descriptor: int) -> bool:
    """Whether the file ends with a whole page that is marked as the last of its stream (RFC 3533, section 6)."""
    size = os.fstat(descriptor).st_size
    start = max(0, size - 2 * LARGEST_PAGE_BYTES)
    tail = os.pread(descriptor, size - start, start)
    page = tail[tail.rfind(MAGIC) :]
    if len(page) < HEADER_BYTES:
        return False
    segments = page[HEADER_BYTES - 1]
    length = HEADER_BYTES + segments + sum(page[HEADER_BYTES : HEADER_BYTES + segments])
    return len(page) >= length and bool(page[FLAGS_AT] & LAST_PAGE)
