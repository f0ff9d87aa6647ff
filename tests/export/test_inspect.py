"""What `inspect_pte` reports of our own files and of one that is not ours."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import random
import zlib
from pathlib import Path
from typing import Any

import pytest
import torch
from executorch.exir import to_edge
from executorch.exir._serialize._program import deserialize_pte_binary
from torch import Tensor, nn

from edge_asr.contract import TRAILER, sealed
from edge_asr.errors import EdgeAsrError
from edge_asr.model.encoder import GatedEncoder
from edge_asr_export.inspect import inspect_pte
from edge_asr_export.program import StreamingProgram
from tests.export.conftest import CONFIG, describe

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def int8_report(int8_pte: Path) -> dict[str, Any]:
    return inspect_pte(int8_pte)


@pytest.fixture(scope="module")
def fp32_report(fp32_pte: Path) -> dict[str, Any]:
    return inspect_pte(fp32_pte)


@pytest.fixture(scope="module")
def foreign_pte(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program of somebody else."""

    class Twice(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + x

    path = tmp_path_factory.mktemp("foreign") / "twice.pte"
    path.write_bytes(to_edge(torch.export.export(Twice(), (torch.zeros(2, 3),))).to_executorch().buffer)
    return path


def test_the_file_and_its_metadata(int8_report: dict[str, Any], int8_pte: Path) -> None:
    content = int8_pte.read_bytes()
    assert int8_report["file"] == {
        "path": str(int8_pte),
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "crc32": f"{zlib.crc32(content[: -TRAILER.size]):08x}",
    }
    assert int8_report["metadata"] == dataclasses.asdict(describe(CONFIG, "int8"))


def test_the_report_is_json(int8_report: dict[str, Any]) -> None:
    json.dumps(int8_report, allow_nan=False)


def test_inputs_and_outputs_bear_the_names_of_the_contract(int8_report: dict[str, Any]) -> None:
    assert list(int8_report["methods"]) == ["step", "metadata"]
    step = int8_report["methods"]["step"]
    assert [(v["name"], v["dtype"], v["shape"]) for v in step["inputs"]] == [
        ("pcm", "float32", [1, 5_120]),
        ("frames", "int64", [1]),
        ("threshold", "float32", [1]),
        ("flush", "int64", [1]),
        ("reset", "int64", [1]),
    ]
    assert [(v["name"], v["dtype"], v["shape"]) for v in step["outputs"]] == [
        ("partial", "float32", [8, 12]),
        ("keep", "float32", [8]),
        ("final", "float32", [16, 12]),
        ("index", "int64", [16]),
        ("waiting", "int64", [1]),
    ]


def test_the_branches_hold_the_stacks(int8_report: dict[str, Any]) -> None:
    step = int8_report["methods"]["step"]
    for branch in step["branches"]:
        taken, not_taken = branch["taken"], branch["not_taken"]
        assert branch["instruction"] + 1 == taken["instructions"]["first"]
        assert taken["instructions"]["end"] + 1 == not_taken["instructions"]["first"]  # the jump over the other side
        assert not_taken["instructions"]["end"] < step["instructions"]
    start, lower, upper, *sizes = step["branches"]
    assert len(sizes) == 3
    assert list(start["taken"]["operators"]) == ["aten::full_like.out"]
    assert not start["not_taken"]["operators"]  # the state is handed on
    for around, size in zip([upper, *sizes], sizes, strict=False):
        assert around["taken"]["delegates"] == size["taken"]["delegates"] + size["not_taken"]["delegates"]
    for side in (*(size["not_taken"] for size in sizes), sizes[-1]["taken"]):
        delegates = [step["delegates"][number] for number in side["delegates"]]
        learnt = [item for delegate in delegates for item in delegate["linears"] if not item["sums_squares"]]
        assert sum(item["count"] for item in learnt) == 1 + 6 * CONFIG.upper.layers + 1
        assert {"inputs": 48, "outputs": 144, "datatype": "qcint8", "sums_squares": False, "count": 2} in learnt
    for branch in (lower, upper):
        assert branch["not_taken"]["delegates"] == []
        assert list(branch["not_taken"]["operators"]) == ["aten::full.out"]  # empty results; caches are handed on


def test_sums_of_squares_are_told_from_learnt_linears(int8_report: dict[str, Any]) -> None:
    delegates = int8_report["methods"]["step"]["delegates"]
    sums = [item for delegate in delegates for item in delegate["linears"] if item["sums_squares"]]
    shapes = sorted((item["inputs"], item["outputs"], item["datatype"]) for item in sums)
    norms = [(32, 1), *[(48, 1)] * 4]
    bands = [(2 * bins, 16) for bins in (16, 25, 40, 66, 107)]  # sixteen together, from the bins that they hear
    assert shapes == sorted((*shape, "float32") for shape in norms + bands)


def test_calls_are_counted(int8_report: dict[str, Any], int8_pte: Path) -> None:
    plans = {plan.name: plan for plan in deserialize_pte_binary(int8_pte.read_bytes()).program.execution_plan}
    for name, method in int8_report["methods"].items():
        calls = [type(i.instr_args).__name__ for chain in plans[name].chains for i in chain.instructions]
        assert method["instructions"] == len(calls)
        assert sum(method["operators"].values()) == calls.count("KernelCall")
        assert len(method["delegates"]) == len(plans[name].delegates)
        for delegate in method["delegates"]:
            assert delegate["nodes"] == sum(delegate["operators"].values()) > 0
    totals = int8_report["operators"]
    assert totals["aten::copy_"] == sum(m["operators"].get("aten::copy_", 0) for m in int8_report["methods"].values())


def test_weights_are_counted_once(int8_report: dict[str, Any], fp32_report: dict[str, Any], int8_pte: Path) -> None:
    named = deserialize_pte_binary(int8_pte.read_bytes()).named_data
    delegated = sum(len(item) for item in named.buffers)
    assert (
        delegated <= int8_report["weights"]["bytes"] < delegated + 7_000
    )  # besides: window, its spectrum, rotary steps
    assert sum(int8_report["weights"]["by_datatype"].values()) == int8_report["weights"]["bytes"]
    assert int8_report["other_bytes"] + int8_report["weights"]["bytes"] == int8_report["file"]["bytes"]
    assert int8_report["other_bytes"] > 0


def test_weights_by_datatype(
    int8_report: dict[str, Any], fp32_report: dict[str, Any], small_encoder: GatedEncoder
) -> None:
    linears = [layer for layer in small_encoder.modules() if isinstance(layer, nn.Linear)]
    weights = sum(layer.weight.numel() for layer in linears)
    channels = sum(layer.out_features for layer in linears)
    assert int8_report["weights"]["by_datatype"]["qcint8"] == weights
    assert int8_report["weights"]["by_datatype"]["scales"] == 4 * channels
    assert set(fp32_report["weights"]["by_datatype"]) == {"float32", "int64"}
    saved = fp32_report["weights"]["bytes"] - int8_report["weights"]["bytes"]
    assert saved == 3 * weights - 4 * channels


def test_planned_memory_holds_the_state(int8_report: dict[str, Any], small_encoder: GatedEncoder) -> None:
    program = StreamingProgram(small_encoder)
    state = sum(getattr(program, name).nbytes for name in program.state_names)
    assert int8_report["methods"]["step"]["memory"]["planned_bytes"] > state


def test_a_foreign_program_has_no_metadata(foreign_pte: Path) -> None:
    report = inspect_pte(foreign_pte)
    assert report["metadata"] is None
    assert report["file"]["crc32"] is None
    method = report["methods"]["forward"]
    assert method["inputs"] == [{"name": None, "dtype": "float32", "shape": [2, 3]}]
    assert method["operators"] == {"aten::add.out": 1}
    assert method["delegates"] == []
    assert report["weights"] == {"bytes": 0, "by_datatype": {}}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no such model file"),
        (b"", "empty"),
        (b"just text, and some more of it to fill a header or two, no program at all", "not an ExecuTorch program"),
        (random.Random(0).randbytes(50_000), "not an ExecuTorch program"),
    ],
    ids=["missing", "empty", "text", "random"],
)
def test_what_is_no_program_is_named(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "bad.pte"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EdgeAsrError, match=rf"bad\.pte: .*{reason}"):
        inspect_pte(path)


@pytest.mark.parametrize("share", [0.0001, 0.1, 0.5, 0.9999])
def test_a_truncated_file_is_named(int8_pte: Path, tmp_path: Path, share: float) -> None:
    content = int8_pte.read_bytes()
    path = tmp_path / "bad.pte"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(EdgeAsrError, match="cut short"):
        inspect_pte(path)


def test_a_damaged_file_is_one_line(int8_pte: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Damaged before it was sealed: the checksum says nothing, the parsers stumble."""
    program = bytearray(int8_pte.read_bytes()[: -TRAILER.size])
    program[64:9_000] = random.Random(0).randbytes(9_000 - 64)
    (tmp_path / "program.pte").write_bytes(sealed(bytes(program)))
    program = bytearray(int8_pte.read_bytes()[: -TRAILER.size])
    start = program.rfind(b"XN01") - 4  # in the graph of a delegate
    program[start : start + 400] = b"\xff" * 400
    (tmp_path / "delegate.pte").write_bytes(sealed(bytes(program)))
    for name in ("program", "delegate"):
        with pytest.raises(EdgeAsrError, match=rf"{name}\.pte: damaged") as caught:
            inspect_pte(tmp_path / f"{name}.pte")
        assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_flipped_bit_is_told(int8_pte: Path, tmp_path: Path) -> None:
    content = bytearray(int8_pte.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "flipped.pte").write_bytes(content)
    with pytest.raises(EdgeAsrError, match=r"flipped\.pte: damaged \(checksum"):
        inspect_pte(tmp_path / "flipped.pte")


@pytest.mark.parametrize("version", [1, 9])
@pytest.mark.parametrize("trailer", [True, False])
def test_another_contract_is_told(int8_pte: Path, tmp_path: Path, version: int, trailer: bool) -> None:
    """Files of contract 1 have no trailer."""
    program = int8_pte.read_bytes()[: -TRAILER.size]
    assert program.count(b'"contract_version": 4') == 1
    program = program.replace(b'"contract_version": 4', b'"contract_version": %d' % version)
    path = tmp_path / "other.pte"
    path.write_bytes(sealed(program) if trailer else program)
    with pytest.raises(EdgeAsrError, match=rf"other\.pte: made for contract {version}, this edge-asr reads contract 4"):
        inspect_pte(path)
