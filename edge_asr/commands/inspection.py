"""The report of `edge_asr_export.inspect` as lines for a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

KIB, MIB = 2**10, 2**20
INDENT = "  "


def describe(report: dict[str, Any]) -> Iterator[str]:
    """The whole report, a line at a time."""
    file = report["file"]
    yield f"{file['path']}: {size(file['bytes'])}, sha256 {file['sha256']}"
    yield f"checksum {file['crc32']}, right" if file["crc32"] else "no checksum"
    yield from described("metadata", metadata_lines(report["metadata"]))
    yield from described("weights", [f"{size(report['weights']['bytes'])}: {sizes(report['weights']['by_datatype'])}"])
    for name, method in report["methods"].items():
        yield from described(f"method {name}", method_lines(method))


def described(title: str, lines: Iterator[str] | Sequence[str]) -> Iterator[str]:
    yield ""
    yield title
    for line in lines:
        yield INDENT + line


def metadata_lines(metadata: dict[str, Any] | None) -> Iterator[str]:
    if metadata is None:
        yield "none: not made by edge-asr"
        return
    rate_hz = metadata["sample_rate_hz"]
    frame_ms = 1_000 * metadata["frame_samples"] / rate_hz
    chunk_ms = 1_000 * metadata["chunk_samples"] / rate_hz
    yield f"contract {metadata['contract_version']}, {metadata['precision']}, {rate_hz:,} Hz"
    yield f"a step takes {chunk_ms:g} ms: {metadata['chunk_frames']} frames of {frame_ms:g} ms"
    yield f"{metadata['lower_layers']} lower layers, {metadata['upper_layers']} upper layers behind the gate"
    yield f"default threshold {metadata['default_threshold']:g}"
    yield f"{len(metadata['pieces'])} pieces, blank {metadata['blank_id']}: {preview(metadata['pieces'])}"
    for part in ("training", "exporter"):
        yield f"{part}: {', '.join(f'{key} {value}' for key, value in metadata[part].items()) or 'not stated'}"


def method_lines(method: dict[str, Any]) -> Iterator[str]:
    yield f"in   {', '.join(map(tensor, method['inputs'])) or 'nothing'}"
    yield f"out  {', '.join(map(tensor, method['outputs'])) or 'nothing'}"
    if planned := method["memory"]["planned_bytes"]:
        yield f"planned memory  {size(planned)}, state included"
    yield f"{method['instructions']} instructions, {method['loops']} loops, {len(method['branches'])} branches"
    for branch in method["branches"]:
        yield f"branch at instruction {branch['instruction']}"
        for side in ("taken", "not_taken"):
            for line in side_lines(side.replace("_", " "), branch[side], method["delegates"]):
                yield INDENT + line
    inside = {
        number
        for branch in method["branches"]
        for side in ("taken", "not_taken")
        for number in branch[side]["delegates"]
    }
    always = [delegate for number, delegate in enumerate(method["delegates"]) if number not in inside]
    if always:
        yield f"outside branches  {delegates(always)}"
    if method["operators"]:
        yield f"left to portable or optimized kernels  {counts(method['operators'])}"


def side_lines(name: str, side: dict[str, Any], all_delegates: list[dict[str, Any]]) -> Iterator[str]:
    called = [all_delegates[number] for number in side["delegates"]]
    moves = side["instructions"]["moves"]
    yield f"{name}: {delegates(called) if called else 'no delegate'}, {moves} moves"
    yield f"{INDENT}kernels  {counts(side['operators']) or 'none'}"


def delegates(called: Sequence[dict[str, Any]]) -> str:
    """`2 XnnpackBackend delegates: 300 nodes, 28 linears qcint8, 1.2 MiB of weights`."""
    backends = Counter(delegate["backend"] for delegate in called)
    nodes = sum(delegate["nodes"] or 0 for delegate in called)
    linears: Counter[str] = Counter()
    for delegate in called:
        for linear in delegate["linears"]:
            if not linear["sums_squares"]:
                linears[linear["datatype"]] += linear["count"]
    weights = sum(delegate["weights"]["bytes"] for delegate in called)
    heads = ", ".join(f"{count} {name} delegate{'s' * (count > 1)}" for name, count in backends.items())
    kinds = "".join(f", {count} linears {datatype}" for datatype, count in linears.items())
    return f"{heads}: {nodes} nodes{kinds}, {size(weights)} of weights"


def tensor(value: dict[str, Any]) -> str:
    shape = "" if value["shape"] is None else f" {value['shape']}"
    return f"{value['name'] or 'unnamed'} {value['dtype']}{shape}"


def counts(operators: dict[str, int]) -> str:
    return ", ".join(f"{name} x{count}" for name, count in operators.items())


def sizes(by_datatype: dict[str, int]) -> str:
    return ", ".join(f"{name} {size(count)}" for name, count in by_datatype.items())


def size(count: int) -> str:
    return f"{count / MIB:.2f} MiB" if count >= MIB else f"{count / KIB:.1f} KiB"


def preview(pieces: Sequence[str], shown: int = 12) -> str:
    return " ".join(pieces[:shown]) + (" …" if len(pieces) > shown else "")
