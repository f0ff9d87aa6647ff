"""What a user types for a target."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.targets.adb import AdbTarget
from edge_asr.profiling.targets.choose import choose_target
from edge_asr.profiling.targets.local import LocalTarget
from edge_asr.profiling.targets.ssh import SshTarget
from edge_asr.profiling.targets.ssh_connection import Address, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("board", Address("board")),
        ("pi@board.local", Address("pi@board.local")),
        ("pi@board.local:2222", Address("pi@board.local", 2222)),
        ("pi@10.0.0.7:22/mnt/data", Address("pi@10.0.0.7", 22, "/mnt/data")),
        ("board/var/tmp", Address("board", None, "/var/tmp")),
        ("pi@[fe80::1%eth0]:2222", Address("pi@fe80::1%eth0", 2222)),
        ("[::1]", Address("::1")),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert str(address) == f"ssh:{text}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@board",
        "pi@",
        "pi@board:",
        "pi@board:0",
        "pi@board:70000",
        "pi@board:ssh",
        "a b",
        "fe80::1",
        "-oProxyCommand=x",
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(EdgeAsrError, match="no address: write ssh:USER@HOST or ssh:USER@HOST:PORT"):
        parse_address(text)


def test_targets() -> None:
    assert isinstance(choose_target("local"), LocalTarget)
    board = choose_target("ssh:pi@board")
    assert isinstance(board, SshTarget)
    assert (board.name, board.emulated) == ("ssh:pi@board", False)
    phone = choose_target("adb:192.168.1.5:5555")
    assert isinstance(phone, AdbTarget)
    assert (choose_target("adb").name, phone.name) == ("adb", "adb:192.168.1.5:5555")


@pytest.mark.parametrize(
    ("prefix", "emulated"),
    [
        ("qemu-aarch64-static -cpu cortex-a76", True),
        ("/opt/bin/qemu-aarch64", True),
        ("chrt -f 50", False),
        ("nice -n -5 qemu-aarch64", False),
        ("", False),
    ],
)
def test_an_emulator_before_the_runner(prefix: str, emulated: bool) -> None:
    assert choose_target("ssh:board", prefix).emulated is emulated


@pytest.mark.parametrize("text", ["", "lokal", "local:", "local:x", "ssh", "pi@board", "usb:1", "SSH:board"])
def test_nonsense(text: str) -> None:
    with pytest.raises(
        EdgeAsrError, match=re.escape("is no target: name local, ssh:USER@HOST[:PORT], or adb[:SERIAL]")
    ):
        choose_target(text)


def test_a_prefix_where_it_means_nothing() -> None:
    with pytest.raises(EdgeAsrError, match="--run-with is for ssh targets, and the target is local"):
        choose_target("local", "nice")
    with pytest.raises(EdgeAsrError, match="cannot be divided into words"):
        choose_target("ssh:board", "nice 'x")


@given(st.sampled_from(["", "ssh:", "adb:"]), st.text())
def test_any_text_is_a_target_or_one_line(kind: str, text: str) -> None:
    with contextlib.suppress(EdgeAsrError):
        assert choose_target(kind + text).name
