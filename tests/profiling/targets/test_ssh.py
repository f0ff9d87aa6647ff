"""A machine reached by ssh: a real server on loopback, the real bundle, real speech. It must look untouched after."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_asr.errors import EdgeAsrError
from edge_asr.native.build import Build
from edge_asr.native.bundle import RUNNER, Facts, make_bundle
from edge_asr.native.target import BuildTarget
from edge_asr.profiling.targets import ssh as ssh_target
from edge_asr.profiling.targets.protocol import RunRequest
from edge_asr.profiling.targets.ssh import SshTarget
from edge_asr.profiling.targets.ssh_connection import Address
from tests.native.poison import plant
from tests.profiling.targets.conftest import LIMIT_S, Server, left_behind, use_key
from tests.requirements import absent, does_not_apply, require_tool


@pytest.fixture(scope="module")
def request_all(shipped_pte: Path, speech: list[Path]) -> RunRequest:
    return RunRequest(shipped_pte, tuple(speech), threshold=0.7)


def heard_here(build: Build, request: RunRequest) -> list[dict[str, Any]]:
    line = [build.runner, "--model", request.model, "--threshold", request.threshold, "--json", *request.recordings]
    done = subprocess.run([str(part) for part in line], capture_output=True, text=True, check=True)
    return [json.loads(text) for text in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def target(ssh: Server, request_all: RunRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshTarget]:
    """Connected and prepared; at the end it leaves nothing behind."""
    folder = tmp_path_factory.mktemp("there")
    with SshTarget(ssh.address(folder)) as there:
        there.prepare([request_all.model], request_all.recordings)
        yield there
    assert left_behind(folder) == []


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """A folder on the other machine."""
    (tmp_path / "there").mkdir()
    return tmp_path / "there"


# --- what it is for


def test_it_hears_there_what_is_heard_here(target: SshTarget, request_all: RunRequest, native_build: Build) -> None:
    here = heard_here(native_build, request_all)
    there = list(target.run(request_all))
    assert [answer["text"] for answer in there] == [answer["text"] for answer in here]
    assert [answer["kept_frames"] for answer in there] == [answer["kept_frames"] for answer in here]
    assert [answer["audio"] for answer in there] == [str(path) for path in request_all.recordings]
    assert {answer["model"]["path"] for answer in there} == {str(request_all.model)}
    assert not target.emulated


def test_a_bench_a_second_pass_and_every_update(target: SshTarget, request_all: RunRequest) -> None:
    model, recordings = request_all.model, request_all.recordings
    (bench,) = target.run(RunRequest(model, recordings, 1.0, threads=2, cpus="0", bench=True))
    assert (bench["threads"], bench["threshold"]) == (2, 1.0)
    passes = [answer["pass"] for answer in target.run(RunRequest(model, recordings[:1], 0.7, repeat=3))]
    assert passes == [1, 2, 3]
    updates = list(target.run(RunRequest(model, recordings[:1], 0.7, steps=True)))
    assert sum("update" in update for update in updates) > 3


def test_what_is_there_is_not_copied_again_and_progress_is_told(
    target: SshTarget, request_all: RunRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(target, "_tell", told.append)
    other = Path(shutil.copy(request_all.model, tmp_path / "other.pte"))
    target.prepare([request_all.model, other], request_all.recordings)
    size = f"{other.stat().st_size / 1e6:.1f} MB"
    assert all(re.fullmatch(rf"copying to {re.escape(target.name)}: \d+\.\d of {size}", stage) for stage in told)
    assert len(told) > 3
    (answer,) = target.run(RunRequest(other, request_all.recordings[:1], 0.7))
    assert answer["model"]["path"] == str(other)


def test_its_files_and_programs_are_seen(target: SshTarget) -> None:
    files = target.files
    assert files.read("/proc/sys/kernel/ostype") == "Linux"
    assert files.read("/nonesuch") is None
    assert files.glob("/proc/sys/kernel/os[rt]*") == ["/proc/sys/kernel/osrelease", "/proc/sys/kernel/ostype"]
    assert files.run(["echo", "$HOME", "a  b"]) == "$HOME a  b\n"
    assert files.run(["false"]) is None


def test_sensors_are_sampled_while_it_runs(target: SshTarget, request_all: RunRequest) -> None:
    with target.files.sample("cat /proc/loadavg; cat /nonesuch; echo x", 0.02) as sampler:
        begin_s = target.clock_s()
        list(target.run(request_all))
        end_s = target.clock_s()
    samples = sampler.samples()
    assert all(sample.text.endswith("\nx\n") for sample in samples)
    times = [sample.time_s for sample in samples]
    assert times == sorted(times)
    within = [time_s for time_s in times if begin_s <= time_s <= end_s]
    assert len(within) >= 3
    assert sampler.samples() == samples  # none comes after


# --- other machines


@pytest.mark.slow
def test_an_emulated_arm_machine(
    ssh: Server,
    there: Path,
    request_all: RunRequest,
    qemu_aarch64: list[str],
    aarch64_build: Build,
    native_build: Build,
) -> None:
    """Its times say nothing, which `emulated` tells; what it hears is what is heard here."""
    if not qemu_aarch64:
        does_not_apply("this is such a machine")
    one = replace(request_all, recordings=request_all.recordings[:1])
    with SshTarget(ssh.address(there), qemu_aarch64) as target:
        assert target.emulated
        target.prepare([one.model], one.recordings)
        heard = [answer["text"] for answer in target.run(one)]
    assert heard == [answer["text"] for answer in heard_here(native_build, one)]
    assert left_behind(there) == []


def test_a_wrapper_that_emulates_nothing(ssh: Server, there: Path, request_all: RunRequest) -> None:
    with SshTarget(ssh.address(there), ["nice", "-n", "1"]) as target:
        assert not target.emulated
        target.prepare([request_all.model], request_all.recordings)
        assert len(list(target.run(request_all))) == len(request_all.recordings)


@pytest.fixture
def busybox(ssh: Server) -> Iterator[None]:
    """A machine with nothing but BusyBox, its shell included."""
    program = require_tool("busybox", "busybox-static")
    applets = subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for applet in applets:
        (ssh.programs / applet).symlink_to(program)
    yield
    for applet in applets:
        (ssh.programs / applet).unlink()


@pytest.mark.usefixtures("busybox")
def test_busybox_is_enough(ssh: Server, there: Path, request_all: RunRequest) -> None:
    with SshTarget(ssh.address(there)) as target:
        assert "BusyBox" in (target.files.run(["sh", "-c", "cat --help 2>&1"]) or "")
        target.prepare([request_all.model], request_all.recordings)
        with target.files.sample("cat /proc/loadavg", 0.02) as sampler:
            assert len(list(target.run(request_all))) == len(request_all.recordings)
        assert len(sampler.samples()) >= 3
    assert left_behind(there) == []


# --- other users there


def test_a_library_that_another_user_planted_there_is_not_loaded(
    ssh: Server, there: Path, tiny_pte: Path, speech: list[Path], native_build: Build, tmp_path: Path
) -> None:
    """Any user may make a folder in /tmp: the runner's folder must not be a neighbour of it."""
    plant(there, native_build.library.parent, tmp_path / "mark")
    planted = set(os.listdir(there))
    with SshTarget(ssh.address(there)) as target:
        try:
            target.prepare([tiny_pte], speech[:1])
        finally:
            assert not (tmp_path / "mark").exists()
        assert len(list(target.run(RunRequest(tiny_pte, (speech[0],), 0.7)))) == 1
        assert not (tmp_path / "mark").exists()
        private = Path(target.folder).parent
        assert private.parent == there
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert left_behind(there, expected=planted) == []


# --- leaving, whatever happens


def mid_run(target: SshTarget, request: RunRequest) -> Iterator[dict[str, Any]]:
    """A run that would take minutes, after its first result."""
    run = target.run(RunRequest(request.model, request.recordings, request.threshold, repeat=100_000))
    next(run)
    return run


def test_a_run_that_is_given_up_ends_there(target: SshTarget, request_all: RunRequest) -> None:
    run = mid_run(target, request_all)
    assert runners(target)
    run.close()  # type: ignore[attr-defined]
    limit_s = time.monotonic() + LIMIT_S
    while runners(target) and time.monotonic() < limit_s:
        time.sleep(0.05)
    assert not runners(target)


def runners(target: SshTarget) -> list[str]:
    """Processes of the runner in its folder, this test's shells aside."""
    found = (target.files.ask("for p in /proc/[0-9]*; do readlink $p/exe; done; true") or "").splitlines()
    return [path for path in found if path == f"{target.folder}/{RUNNER}"]


def test_a_connection_that_is_cut(ssh: Server, there: Path, request_all: RunRequest) -> None:
    before = ssh.connections()
    with SshTarget(ssh.address(there)) as target:
        target.prepare([request_all.model], request_all.recordings)
        run = mid_run(target, request_all)
        results = [next(run), next(run)]
        ssh.cut(set(ssh.connections()) - set(before))
        with pytest.raises(EdgeAsrError, match=r"the connection was lost after \d+ results of this run"):
            results += run
        assert all(result["text"] for result in results)
        assert target.files.read("/proc/uptime") is None
        with pytest.raises(EdgeAsrError, match="the connection was lost"):
            target.clock_s()
    assert left_behind(there) == []


def test_a_network_that_goes_silent(ssh: Server, there: Path, request_all: RunRequest) -> None:
    """Nothing tells the other side. It cleans up by itself."""
    with SshTarget(ssh.address(there), orphan_after_s=1.0) as target:
        target.prepare([request_all.model], request_all.recordings)
        mid_run(target, request_all)
        client = target._connection._guard
        time.sleep(2.5)  # longer than that, and it lives as long as we do
        assert Path(target.folder).is_dir()
        os.kill(client.pid, signal.SIGSTOP)
        try:
            assert left_behind(there) == []
        finally:
            os.kill(client.pid, signal.SIGCONT)


MEASURE = """
import sys
from pathlib import Path
from edge_asr.profiling.targets.protocol import RunRequest
from edge_asr.profiling.targets.ssh import SshTarget
from edge_asr.profiling.targets.ssh_connection import parse_address

address, model, *recordings = sys.argv[1:]
paths = tuple(map(Path, recordings))
with SshTarget(parse_address(address)) as target:
    print(target._connection._sockets, flush=True)
    target.prepare([Path(model)], paths)
    for _ in target.run(RunRequest(Path(model), paths, 0.7, repeat=100_000)):
        print("result", flush=True)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "killed"])
def test_a_profiler_that_is_ended(ssh: Server, there: Path, request_all: RunRequest, how: signal.Signals) -> None:
    """With its whole process group, as a terminal does it."""
    address = str(ssh.address(there)).removeprefix("ssh:")
    line = [sys.executable, "-c", MEASURE, address, request_all.model, *request_all.recordings]
    with subprocess.Popen(
        [str(part) for part in line], stdout=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0
    ) as running:
        assert running.stdout
        sockets = Path(running.stdout.readline().decode().strip())
        assert running.stdout.readline() == b"result\n"
        assert os.listdir(there)
        os.killpg(running.pid, how)
        running.communicate(timeout=60)
    assert left_behind(there) == []
    if how == signal.SIGKILL:
        sockets.rmdir()  # all that is left, here: it is empty
    assert not sockets.exists()


# --- what can be wrong


def open_fails(address: Address, *parts: str) -> None:
    with pytest.raises(EdgeAsrError) as caught, SshTarget(address):
        pass
    message = str(caught.value)
    assert message.startswith("ssh:")
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_a_wrong_key(ssh_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_key(ssh_server, "wrong_key", tmp_path, monkeypatch)
    open_fails(ssh_server.address(tmp_path), "it takes none of your keys", f"ssh -p {ssh_server.port} ")


def test_a_host_that_is_not_known(ssh: Server, there: Path) -> None:
    """By name: 127.0.0.1 is not `localhost`, as which it is known."""
    open_fails(ssh.address(there, host="127.0.0.1"), "host key is not known here: run `ssh -p")


def test_a_host_key_that_has_changed(ssh: Server, there: Path) -> None:
    known = ssh.folder / "known_hosts"
    before = known.read_text()
    other = (ssh.folder / "wrong_key.pub").read_text().split()[:2]
    try:
        known.write_text(f"[localhost]:{ssh.port} {' '.join(other)}\n")
        open_fails(ssh.address(there), "its host key has changed")
    finally:
        known.write_text(before)


@pytest.mark.usefixtures("ssh")
def test_a_host_that_is_not_there() -> None:
    open_fails(Address("someone@nowhere.invalid"), "no such host")


@pytest.mark.usefixtures("ssh")
def test_a_port_where_nobody_listens() -> None:
    open_fails(Address("localhost", port=9), "the connection was refused")


def test_no_ssh_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EdgeAsrError, match="ssh is missing: on Debian, sudo apt install openssh-client"):
        SshTarget(Address("localhost")).__enter__()


def test_a_folder_that_is_not_there(ssh: Server, there: Path) -> None:
    open_fails(ssh.address(there / "nonesuch"), "there is no folder")


@pytest.fixture
def small(ssh: Server, tmp_path: Path) -> Iterator[Callable[..., Address]]:
    """`small("size=1m")` -> an address whose folder is a small file system of its own."""
    if os.geteuid() != 0:
        absent("mounting a file system takes root")
    mounted = []

    def mount(options: str) -> Address:
        folder = tmp_path / f"mount{len(mounted)}"
        folder.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True)
        if done.returncode:
            absent(f"no file system may be mounted here: {done.stderr.decode().strip()}")
        mounted.append(folder)
        return ssh.address(folder)

    yield mount
    for folder in mounted:
        subprocess.run(["umount", folder], check=True)


def prepare_fails(address: Address, request: RunRequest, *parts: str, prefix: tuple[str, ...] = ()) -> None:
    with SshTarget(address, prefix) as target:
        with pytest.raises(EdgeAsrError) as caught:
            target.prepare([request.model], request.recordings)
        for part in parts:
            assert part in str(caught.value)
        assert "\n" not in str(caught.value)
    assert os.listdir(address.folder) == []


def test_a_folder_that_cannot_be_written(small: Callable[..., Address]) -> None:
    open_fails(small("ro"), "cannot be written: name another folder")


def test_no_space(small: Callable[..., Address], request_all: RunRequest) -> None:
    prepare_fails(small("size=3m"), request_all, "no space", "MB are to go to", "which has 3.1 MB")


def test_no_space_that_is_only_seen_while_copying(small: Callable[..., Address], request_all: RunRequest) -> None:
    prepare_fails(small("size=100m,nr_inodes=5"), request_all, "no space in /", "make room, or name another folder")


def test_a_folder_where_nothing_may_be_run(small: Callable[..., Address], request_all: RunRequest) -> None:
    prepare_fails(small("noexec"), request_all, "programs may not be run in", "/var/tmp")


def test_a_machine_that_is_not_supported(ssh: Server, there: Path, request_all: RunRequest) -> None:
    uname = ssh.programs / "uname"
    uname.write_text("#!/bin/sh\necho Linux armv7l\n")
    uname.chmod(0o755)
    try:
        prepare_fails(
            ssh.address(there), request_all, "it is Linux on armv7l, and the runner is for Linux on x86_64 and"
        )
    finally:
        uname.unlink()


def test_a_c_library_that_is_too_old(
    ssh: Server, there: Path, request_all: RunRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loader itself refuses a runner that asks for a C library of the future."""

    def for_the_future(machine: BuildTarget, output: Path, model: Path, **options: Any) -> Facts:
        facts = make_bundle(machine, output, model, **options)
        content = (output / RUNNER).read_bytes()
        assert b"GLIBC_2.34" in content
        (output / RUNNER).write_bytes(content.replace(b"GLIBC_2.34", b"GLIBC_9.99"))
        return facts

    monkeypatch.setattr(ssh_target, "make_bundle", for_the_future)
    prepare_fails(ssh.address(there), request_all, "the runner needs glibc ", "and there is glibc 2.")


def test_an_emulator_that_is_not_there(ssh: Server, there: Path, request_all: RunRequest) -> None:
    prepare_fails(ssh.address(there), request_all, "'nonesuch' cannot be run there", prefix=("nonesuch",))


def test_a_runner_that_refuses_says_why(target: SshTarget, request_all: RunRequest) -> None:
    with pytest.raises(EdgeAsrError, match=r"^ssh:.*CPU"):
        list(target.run(RunRequest(request_all.model, request_all.recordings, 0.7, cpus="999")))


def test_a_runner_that_is_killed(target: SshTarget, request_all: RunRequest) -> None:
    run = mid_run(target, request_all)
    target.files.ask(
        f'for p in /proc/[0-9]*; do if [ "$(readlink $p/exe)" = {target.folder}/{RUNNER} ]; then '
        "kill -9 ${p#/proc/}; fi; done"
    )
    with pytest.raises(EdgeAsrError, match=r"ended by signal 9.*out of memory there"):
        list(run)
