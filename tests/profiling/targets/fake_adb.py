"""Stands in for `adb`: answers calls as a transcript has them (see adb_transcript.txt), and notes the calls.

Usage: fake_adb.py TRANSCRIPT SCENE FOLDER ARGUMENT...
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

USUAL = "usual"


@dataclass
class Entry:
    number: int
    pattern: str
    repeated: bool
    answer: list[str] = field(default_factory=list)


def read_scenes(path: Path) -> dict[str, list[Entry]]:
    scenes: dict[str, list[Entry]] = {}
    entries: list[Entry] = []
    for number, line in enumerate(path.read_text().splitlines()):
        if line.startswith("==="):
            entries = scenes.setdefault(line[3:].strip(), [])
        elif line.startswith("$"):
            mark, _, pattern = line.partition(" ")
            entries.append(Entry(number, pattern, mark == "$+"))
        elif line.startswith(("|", "!", "<", ">", "exit")):
            entries[-1].answer.append(line)
    return scenes


def main() -> int:
    transcript, scene, folder, *arguments = sys.argv[1:]
    call = " ".join(arguments)
    log = Path(folder) / "calls"
    used = Path(folder) / "used"
    with log.open("a") as file:
        file.write(call + "\n")
    scenes = read_scenes(Path(transcript))
    before = used.read_text().split() if used.exists() else []
    for entry in (*scenes[scene], *scenes[USUAL]):
        if fnmatchcase(call, entry.pattern) and (entry.repeated or str(entry.number) not in before):
            used.write_text(" ".join([*before, str(entry.number)]))
            return answer(entry, Path(folder))
    print(f"fake adb: not in the transcript: {call}", file=sys.stderr)
    return 99


def answer(entry: Entry, folder: Path) -> int:
    for line in entry.answer:
        mark, _, text = line.partition(" ")
        if mark == "|":
            print(text)
        elif mark == "!":
            print(text, file=sys.stderr)
        elif mark == "<":
            (folder / text).write_bytes(sys.stdin.buffer.read())
        elif mark == ">":
            sys.stdout.write((folder / text).read_text())
        else:
            return int(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
