"""A real ssh server on loopback, for these tests alone: its own port, keys and configuration, nothing of the user's."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import soundfile

from edge_asr.audio import SAMPLE_RATE_HZ, read_audio
from edge_asr.manifest import read_manifest
from edge_asr.profiling.targets.ssh_connection import Address
from tests.requirements import require_tool

LIMIT_S = 30  # that anything here may take on a machine that is busy


@dataclass(frozen=True)
class Server:
    """A running sshd, and what a client needs."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path  # of its files
    programs: Path  # empty, and first in the PATH there

    def address(self, folder: Path, host: str = "localhost") -> Address:
        """With the folder in which temporary ones are made."""
        return Address(f"{getpass.getuser()}@{host}", self.port, str(folder))

    def connections(self) -> list[int]:
        """Processes of the server that serve one connection each."""
        return children(self.process.pid)

    def cut(self, connections: Iterable[int]) -> None:
        """Those connections, at once; what they started goes on until it notices."""
        for connection in connections:
            for process in [*children(connection), connection]:  # it has given up its rights in a child
                if "sshd" in Path(f"/proc/{process}/cmdline").read_text():
                    os.kill(process, signal.SIGKILL)


def children(parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def left_behind(folder: Path, expected: Collection[str] = ()) -> list[str]:
    """What is in a folder beside what is expected there, and processes that work there, once they had time to go."""
    limit_s = time.monotonic() + LIMIT_S
    while found := [*(name for name in os.listdir(folder) if name not in expected), *processes_in(folder)]:
        if time.monotonic() > limit_s:
            break
        time.sleep(0.1)
    return found


def processes_in(folder: Path) -> list[str]:
    """Command lines of processes that work in a folder or name it, the client's aside."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            works_there = os.readlink(process / "cwd").startswith(f"{folder}/")
            client = os.readlink(process / "exe").endswith("/ssh")
        except OSError:
            continue
        if (works_there or f"{folder}/edge-asr." in line) and not client and int(process.name) != os.getpid():
            found.append(line)
    return found


@pytest.fixture(scope="session")
def ssh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    sshd = require_tool("sshd", "openssh-server", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    for tool in ("ssh", "ssh-keygen"):
        require_tool(tool, "openssh-client")
    folder = tmp_path_factory.mktemp("sshd")
    for name in ("host_key", "user_key", "wrong_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
    programs = tmp_path_factory.mktemp("programs")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\nPidFile none\nStrictModes no\nUsePAM no\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\nPasswordAuthentication no\nPermitRootLogin yes\n"
        f"KbdInteractiveAuthentication no\nMaxStartups 100\nSetEnv PATH={programs}:/usr/bin:/bin\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where it gives up its rights; the system's service makes it otherwise
    host = (folder / "host_key.pub").read_text().split()[:2]
    (folder / "known_hosts").write_text(f"[localhost]:{port} {' '.join(host)}\n")
    log = (folder / "log").open("wb")
    process = subprocess.Popen([sshd, "-D", "-e", "-f", folder / "sshd_config"], stderr=log)
    server = Server(process, port, folder, programs)
    try:
        wait_for_port(server)
        yield server
    finally:
        for connection in server.connections():
            os.kill(connection, signal.SIGTERM)
        process.terminate()
        process.wait()
        log.close()


def wait_for_port(server: Server) -> None:
    limit_s = time.monotonic() + LIMIT_S
    while time.monotonic() < limit_s and server.process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", server.port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    pytest.fail(f"sshd does not listen: {(server.folder / 'log').read_text()}")


@pytest.fixture(scope="module")
def ssh(ssh_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server, and an `ssh` in the PATH that knows it and its key, and nothing of the user's configuration."""
    with pytest.MonkeyPatch.context() as patch:
        use_key(ssh_server, "user_key", tmp_path_factory.mktemp("client"), patch)
        yield ssh_server


def use_key(server: Server, key: str, folder: Path, patch: pytest.MonkeyPatch) -> None:
    (folder / "ssh_config").write_text(
        f"IdentityFile {server.folder}/{key}\nIdentitiesOnly yes\nIdentityAgent none\n"
        f"UserKnownHostsFile {server.folder}/known_hosts\nGlobalKnownHostsFile none\nUpdateHostKeys no\n"
    )
    programs = folder / "bin"
    programs.mkdir()
    (programs / "ssh").write_text(
        f'#!/bin/sh\nexec {shutil.which("ssh", path=os.defpath)} -F {folder}/ssh_config "$@"\n'
    )
    (programs / "ssh").chmod(0o755)
    patch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture(scope="session")
def speech(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three utterances of AN4's test split, as 16-bit WAV, under names that a shell could trip over."""
    folder = tmp_path_factory.mktemp("speech")
    written = []
    for number, utterance in enumerate(read_manifest(data_folder / "an4" / "test.jsonl")[:3]):
        path = folder / f"it's {number} $HOME.wav"
        soundfile.write(path, read_audio(utterance.audio), SAMPLE_RATE_HZ, subtype="PCM_16")
        written.append(path)
    return written
