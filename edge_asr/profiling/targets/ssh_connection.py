"""One connection to a machine by the system's `ssh`, with a folder there that goes when the connection does.

The first session on it is a guard: a shell there that makes the folder and waits for its stdin to end. It ends where
we close it, where this process dies, and where the connection is lost; then the folder is removed. A network that goes
silent ends nothing by itself, so the guard also wants to hear from us now and then. All other sessions share the
connection, and end what they started when their stdin ends.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.targets.shell_files import end_shell

CONNECT_WITHIN_S = 10
SILENT_FOR_S = 30.0  # then this side takes the other for gone
ORPHAN_AFTER_S = 60.0  # of not hearing from us, the other side cleans up
LOST = 255  # ssh's exit status where it is ssh that failed
READY = "edge-asr folder "


@dataclass(frozen=True)
class Address:
    """`ssh:USER@HOST[:PORT][/FOLDER]`; an IPv6 address stands in brackets."""

    host: str  # as ssh takes it: with the user, or a name of ~/.ssh/config
    port: int | None = None  # ssh's own choice where none is named
    folder: str = "/tmp"  # where the temporary folder is made

    def __str__(self) -> str:
        host = re.sub(r"([^@]*:.*)", r"[\1]", self.host)  # IPv6
        port = f":{self.port}" if self.port else ""
        return f"ssh:{host}{port}{'' if self.folder == '/tmp' else self.folder}"


ADDRESS = re.compile(
    r"(?P<user>[^\s@:/\[\]]+@)?(?:\[(?P<v6>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[^\s@:/\[\]]+))(?::(?P<port>\d+))?(?P<folder>/.*)?"
)


def parse_address(text: str) -> Address:
    """What follows `ssh:`. Raises EdgeAsrError."""
    found = ADDRESS.fullmatch(text)
    # a host that begins with a dash would be an option of ssh
    if not found or text.startswith("-") or not 0 < int(found["port"] or 22) < 65_536:
        raise EdgeAsrError(
            f"ssh:{text}: no address: write ssh:USER@HOST or ssh:USER@HOST:PORT, such as ssh:pi@board.local"
        )
    host = (found["user"] or "") + (found["v6"] or found["host"])
    return Address(host, int(found["port"]) if found["port"] else None, found["folder"] or "/tmp")


class Connection:
    """Open from `open` to `close`, both of which may be called once."""

    def __init__(self, address: Address, orphan_after_s: float = ORPHAN_AFTER_S) -> None:
        self.address = address
        self._orphan_after_s = orphan_after_s
        self._closing = threading.Event()
        self._sockets: Path | None = None

    def open(self) -> str:
        """The folder there: new, empty, ours alone. Raises EdgeAsrError."""
        if shutil.which("ssh") is None:
            raise EdgeAsrError("ssh is missing: on Debian, sudo apt install openssh-client")
        # not where $TMPDIR says: a socket's path has room for about 100 characters
        self._sockets = Path(tempfile.mkdtemp(prefix="edge-asr-ssh-", dir="/tmp"))
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 `close` closes it
        options = ["-M", "-o", "ControlPersist=no"]
        script = guard_script(self.address.folder, self._orphan_after_s)
        self._guard = self._ssh(options, ["sh", "-c", script], self._complaints)
        assert self._guard.stdout
        # a login script may print
        for line in self._guard.stdout:
            if line.decode(errors="replace").startswith(READY):
                threading.Thread(target=self._beat, name="ssh beat", daemon=True).start()
                return line.decode().removeprefix(READY).rstrip("\n")
        code = self._guard.wait()
        raise EdgeAsrError(f"{self.address}: {refusal(self.address, code, text_of(self._complaints))}")

    def start(self, script: str | None, complaints: IO[bytes] | int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """A session: one line of shell, or None for a shell that takes commands from stdin. Pipes for stdin, stdout."""
        # were the shared connection lost, ssh would make one of its own
        options = ["-o", "ControlMaster=no", "-o", "ProxyCommand=false"]
        return self._ssh(options, ["sh"] if script is None else ["sh", "-c", script], complaints)

    @contextmanager
    def session(self, script: str) -> Iterator[RemoteProcess]:
        """The same, ended in any case. Its stdin stays open until then."""
        with tempfile.TemporaryFile() as complaints:
            process = self.start(script, complaints)
            try:
                yield RemoteProcess(process, complaints)
            finally:
                end_shell(process)

    def is_up(self) -> bool:
        return self._guard.poll() is None

    def close(self) -> None:
        """The folder goes, and the connection. Harmless where it is lost."""
        if self._sockets is None:
            return
        self._closing.set()
        if hasattr(self, "_guard"):
            assert self._guard.stdin
            with contextlib.suppress(OSError):
                self._guard.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._guard.wait(CONNECT_WITHIN_S)  # it has removed the folder
            end_shell(self._guard)
        self._complaints.close()
        shutil.rmtree(self._sockets, ignore_errors=True)
        self._sockets = None

    def _ssh(self, options: list[str], command: list[str], complaints: IO[bytes] | int) -> subprocess.Popen[bytes]:
        port = ["-p", str(self.address.port)] if self.address.port else []
        # the user's shell there may be of any kind, but all know a program and its quoted arguments
        line = [
            *("ssh", "-T", "-a", "-x", "-S", f"{self._sockets}/c", *OPTIONS, *options, *port),
            *("--", self.address.host, "exec " + shlex.join(command)),
        ]
        # a session of its own: Ctrl-C on the terminal is ours to act on, and must not cut the line
        return subprocess.Popen(
            line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints, start_new_session=True
        )

    def _beat(self) -> None:
        assert self._guard.stdin
        while not self._closing.wait(self._orphan_after_s / 4):
            try:
                self._guard.stdin.write(b"\n")
                self._guard.stdin.flush()
            except (OSError, ValueError):
                return


OPTIONS = [
    f"-o{option}"
    for option in (
        "BatchMode=yes",  # nobody is asked anything
        f"ConnectTimeout={CONNECT_WITHIN_S}",
        f"ServerAliveInterval={round(SILENT_FOR_S / 3)}",
        "ServerAliveCountMax=3",
        "LogLevel=ERROR",
        "RemoteCommand=none",
        "ClearAllForwardings=yes",
        "PermitLocalCommand=no",
    )
]


@dataclass(frozen=True)
class RemoteProcess:
    """A process there."""

    process: subprocess.Popen[bytes]
    complaints: IO[bytes]

    def said(self) -> str:
        """All of its stderr so far."""
        return text_of(self.complaints).strip()

    def complaint(self) -> str:
        """The last line of that, or an empty one."""
        return (self.said().splitlines() or [""])[-1]


def text_of(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def guard_script(folder: str, orphan_after_s: float) -> str:
    """Makes a folder inside one that no other user may write to, prints its name, and removes both when stdin ends:
    what a program finds beside its own folder is ours too. A watch beside it ends the guard, and the
    connection with all that runs on it, where no line has come for long."""
    watch = (
        f"( b=1; trap b=1 USR1; trap 'kill $s; exit' TERM; while [ $b = 1 ]; do b=0; sleep {orphan_after_s:g} & s=$!; "
        "while kill -0 $s; do wait $s; done; done; kill $$ $PPID ) </dev/null >/dev/null 2>&1 & w=$!"
    )
    return "; ".join(
        (
            "umask 077",
            f"d=$(mktemp -d {shlex.quote(folder.rstrip('/'))}/edge-asr.XXXXXX) || exit 1",
            "w=",
            "trap 'rm -rf \"$d\"; kill $w 2>/dev/null' EXIT",
            "trap 'exit 1' HUP INT TERM PIPE",
            watch,
            'mkdir "$d/run" || exit 1',
            f"printf '{READY}%s\\n' \"$d/run\"",
            "while read -r _; do kill -USR1 $w; done",
        )
    )


# what ssh says -> what is wrong, and what to do
REFUSALS = (
    (r"Could not resolve hostname", "no such host: check its name, or write its address"),
    (r"Connection refused", "the connection was refused: is an ssh server running there, and at this port?"),
    (r"timed out|No route to host|Network is unreachable", "no answer: is it on, and in this network?"),
    (r"IDENTIFICATION HAS CHANGED", "its host key has changed: another machine, or installed anew? ssh tells more"),
    (
        r"Host key verification failed|host key is known",
        "its host key is not known here: run `{ssh}` once and accept it",
    ),
    (r"Permission denied \(", "it takes none of your keys: try `{ssh}`; `ssh-copy-id` brings a key there"),
    (
        r"mktemp: .*(?:Permission denied|Read-only)",
        "{folder} there cannot be written: name another folder, {elsewhere}",
    ),
    (r"mktemp: .*No space", "no space in {folder} there: make room, or name another folder, {elsewhere}"),
    (r"mktemp: .*No such file", "there is no folder {folder} there: name another one, {elsewhere}"),
)


def refusal(address: Address, code: int, said: str) -> str:
    """Why no session came about."""
    port = f"-p {address.port} " if address.port else ""
    elsewhere = Address(address.host, address.port, "/var/tmp")
    for pattern, advice in REFUSALS:
        if re.search(pattern, said):
            return advice.format(ssh=f"ssh {port}{address.host}", folder=address.folder, elsewhere=elsewhere)
    last = (said.strip().splitlines() or [f"ssh ended with {code}"])[-1]
    return f"no session there ({last})"
