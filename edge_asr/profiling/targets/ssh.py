"""Another machine, reached by ssh: the runner, the models and the recordings go there, its JSON lines come back."""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from edge_asr.errors import EdgeAsrError
from edge_asr.native.bundle import MODEL, RUNNER, make_bundle
from edge_asr.native.target import TARGETS, BuildTarget
from edge_asr.profiling.targets.emulation import emulated_machine
from edge_asr.profiling.targets.protocol import RunRequest
from edge_asr.profiling.targets.runner_line import parse_line, runner_arguments
from edge_asr.profiling.targets.shell_files import ShellFiles
from edge_asr.profiling.targets.ssh_connection import LOST, ORPHAN_AFTER_S, Address, Connection, RemoteProcess
from edge_asr.profiling.targets.tar_stream import Named, Tell, send, size_of

CANNOT_EXECUTE, NOT_FOUND = 126, 127  # exit statuses of a shell


class SshTarget:
    """`Target` of the protocol. `prefix` stands before the runner's name there; an emulator decides the bundle.

    `tell` gets each stage, for a person to see.
    """

    def __init__(
        self,
        address: Address,
        prefix: Sequence[str] = (),
        tell: Tell | None = None,
        orphan_after_s: float = ORPHAN_AFTER_S,
    ) -> None:
        self.name = str(address)
        self.prefix = tuple(prefix)
        self.emulated = emulated_machine(self.prefix) is not None
        self._address = address
        self._tell = tell or (lambda _: None)
        self._connection = Connection(address, orphan_after_s)
        self.files = ShellFiles(self._connection.start)
        self._there: dict[Path, str] = {}  # file here -> its name in the folder there

    def __enter__(self) -> SshTarget:
        self._tell(f"connecting to {self.name}")
        try:
            self.folder = self._connection.open()
        except BaseException:
            self._connection.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.files.close()
        self._connection.close()

    def prepare(self, models: Sequence[Path], recordings: Sequence[Path]) -> None:
        """May be called again, with more of either: what is there is not copied twice. Raises EdgeAsrError."""
        if not self._there:
            self._bring_bundle(models[0])
        new = [path for path in dict.fromkeys((*models, *recordings)) if path not in self._there]
        names = {path: f"{len(self._there) + number:04}{path.suffix}" for number, path in enumerate(new)}
        self._copy([(path, name) for path, name in names.items()])
        self._there |= names

    def run(self, request: RunRequest) -> Iterator[dict[str, Any]]:
        """The runner there ends where this iterator is closed before its end. Raises EdgeAsrError."""
        model = self._there[request.model]
        recordings = [self._there[path] for path in request.recordings]
        names = {name: str(path) for path, name in self._there.items()}
        command = [*self.prefix, f"./{RUNNER}", *runner_arguments(request, model, recordings)]
        with self._connection.session(self._in_folder(command)) as session:
            yield from self._lines(session, names)

    def clock_s(self) -> float:
        uptime_s = self.files.uptime_s()
        if uptime_s is None:
            raise self._gone() if not self._connection.is_up() else EdgeAsrError(f"{self.name}: it has no /proc/uptime")
        return uptime_s

    def _lines(self, session: RemoteProcess, names: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        assert session.process.stdout
        lines = 0
        for line in session.process.stdout:
            if not line.endswith(b"\n"):
                break  # cut off
            yield parse_line(line.decode(errors="replace"), names, self.name)
            lines += 1
        code = session.process.wait()
        if code == LOST or (code and not self._connection.is_up()):
            raise self._gone(lines)
        if code:
            raise EdgeAsrError(f"{self.name}: {runner_trouble(code, session.complaint())}")

    def _gone(self, lines: int | None = None) -> EdgeAsrError:
        came = "" if lines is None else f" after {lines} results of this run"
        return EdgeAsrError(f"{self.name}: the connection was lost{came}: is it still on, and in this network?")

    # --- getting there

    def _bring_bundle(self, model: Path) -> None:
        machine = self._machine()
        with tempfile.TemporaryDirectory(prefix="edge-asr-bundle-") as name:
            folder = Path(name) / "bundle"
            facts = make_bundle(machine, folder, model, tell=lambda stage: self._tell(f"bundling: {stage}"))
            self._copy([(folder / file, file) for file in facts.files])
        self._there[model] = MODEL
        with self._connection.session(self._in_folder([*self.prefix, f"./{RUNNER}", "--version"])) as session:
            code = session.process.wait()
            if code:
                raise EdgeAsrError(f"{self.name}: {self._start_trouble(code, session.complaint(), facts.glibc)}")

    def _machine(self) -> BuildTarget:
        """What the bundle must be for. Raises EdgeAsrError."""
        system, _, machine = (self.files.ask("uname -sm") or "").strip().partition(" ")
        wanted = emulated_machine(self.prefix) or machine
        fits = [target for target in TARGETS.values() if target.machine == wanted]
        if not fits or system != "Linux":
            known = " and ".join(target.machine for target in TARGETS.values())
            found = f"{system or 'unknown'} on {wanted or 'unknown'}"
            raise EdgeAsrError(f"{self.name}: it is {found}, and the runner is for Linux on {known}")
        return fits[0]

    def _start_trouble(self, code: int, said: str, glibc: str) -> str:
        """Why the runner, which runs elsewhere, does not start there."""
        if "GLIBC" in said:
            has = (self.files.ask("getconf GNU_LIBC_VERSION") or "an older one").strip()
            return f"the runner needs glibc {glibc} or newer, and there is {has}: it takes a newer system there"
        if code == CANNOT_EXECUTE:
            return f"programs may not be run in {self._address.folder} there: name another folder, {self._elsewhere()}"
        if code == NOT_FOUND and self.prefix:
            return f"'{self.prefix[0]}' cannot be run there: {said}"
        if code == NOT_FOUND:
            return "no loader for the runner there: its system is 32-bit, or without glibc (musl)"
        return runner_trouble(code, said)

    def _copy(self, files: Named) -> None:
        """(file here, name there) as one tar stream. Raises EdgeAsrError."""
        self._require_space(size_of(files))
        with self._connection.session(f"cd {shlex.quote(self.folder)} && exec tar xf -") as session:
            assert session.process.stdin
            send(files, session.process.stdin, self.name, self._tell)
            code = session.process.wait()
            if code:
                raise EdgeAsrError(f"{self.name}: {self._copy_trouble(code, session.said())}")

    def _require_space(self, wanted_bytes: int) -> None:
        table = (self.files.ask(f"df -Pk {shlex.quote(self.folder)}") or "").splitlines()
        found = re.search(r"\s\d+\s+\d+\s+(\d+)\s+\d+%", table[-1]) if table else None
        free_bytes = 1_024 * int(found[1]) if found else None
        if free_bytes is not None and free_bytes < wanted_bytes:
            raise EdgeAsrError(
                f"{self.name}: no space: {wanted_bytes / 1e6:.1f} MB are to go to {self._address.folder} there, which "
                f"has {free_bytes / 1e6:.1f} MB: make room, or name another folder, {self._elsewhere()}"
            )

    def _copy_trouble(self, code: int, said: str) -> str:
        if code == LOST:
            return "the connection was lost while copying"
        if "No space" in said or "quota" in said:
            return f"no space in {self._address.folder} there: make room, or name another folder, {self._elsewhere()}"
        return f"the files could not be unpacked there ({said.partition(chr(10))[0] or f'tar ended with {code}'})"

    def _elsewhere(self) -> Address:
        return Address(self._address.host, self._address.port, "/var/tmp")

    def _in_folder(self, command: Sequence[str]) -> str:
        """A line of shell that runs it in our folder there, and ends it where we go."""
        run = f"{shlex.join(command)} 3<&- & p=$!"  # what is started with & has no stdin
        watch = "{ read -r _ <&3; kill $p; } >/dev/null 2>&1 & w=$!"
        return f"cd {shlex.quote(self.folder)} && exec 3<&0 && {{ {run}; {watch}; wait $p; s=$?; kill $w; exit $s; }}"


def runner_trouble(code: int, said: str) -> str:
    """A line for a runner that failed; it says itself why, but for one that was killed."""
    if code > 128 and not said.startswith("edge-asr-run"):
        return f"edge-asr-run was ended by signal {code - 128}{f' ({said})' if said else ''}: out of memory there?"
    return said.removeprefix(f"{RUNNER}: ") or f"edge-asr-run ended with {code}"
