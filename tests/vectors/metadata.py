"""Writes `metadata.jsonl`: metadata texts, and what every reader makes of them.

usage: python -m tests.vectors.metadata

A line has `name`, and `text`, or `utf8` where the bytes are no text (hexadecimal). It has `accepted`, with the values
that are read, or `refused`: `foreign`, `contract` (of another version), or the key that breaks the contract.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge_asr.contract import CONTRACT_VERSION

FILE = Path(__file__).with_name("metadata.jsonl")
ORDER = ("format", "contract_version")  # as written by the exporter, the first keys
FOREIGN = "foreign"

PLAIN: dict[str, Any] = {
    "format": "edge-asr",
    "contract_version": CONTRACT_VERSION,
    "sample_rate_hz": 16_000,
    "chunk_samples": 10_240,
    "chunk_frames": 16,
    "frame_samples": 640,
    "blank_id": 0,
    "pieces": ["<blank>", "▁HE", "L"],
    "default_threshold": 0.75,
    "precision": "int8",
    "lower_layers": 4,
    "upper_layers": 8,
    "training": {"step": "1200"},
    "exporter": {"torch": "2.13.0"},
}
TELEPHONY = {"sample_rate_hz": 8_000, "chunk_samples": 5_120, "frame_samples": 320}
MOST = 4_096  # frames of a chunk, and samples of a frame
KEYS = [key for key in PLAIN if key not in ORDER]
INTEGERS = (
    "sample_rate_hz",
    "chunk_frames",
    "frame_samples",
    "chunk_samples",
    "blank_id",
    "lower_layers",
    "upper_layers",
)
WHOLE = json.dumps(PLAIN, ensure_ascii=False)


def lines() -> Iterator[dict[str, Any]]:
    yield from accepted()
    yield from foreign()
    yield from other_contracts()
    yield from missing_and_of_another_type()
    yield from out_of_range()


# --- taken


def taken(name: str, text: str, **changes: Any) -> dict[str, Any]:
    return {"name": name, "text": text, "accepted": {key: ({**PLAIN, **changes})[key] for key in KEYS}}


def changed(name: str, **changes: Any) -> dict[str, Any]:
    return taken(name, json.dumps({**PLAIN, **changes}, ensure_ascii=False), **changes)


def written(key: str, value: str) -> str:
    """The plain text, with another spelling of one value."""
    old = f'"{key}": {json.dumps(PLAIN[key], ensure_ascii=False)}'
    assert WHOLE.count(old) == 1
    return WHOLE.replace(old, f'"{key}": {value}')


def accepted() -> Iterator[dict[str, Any]]:
    yield taken("plain", WHOLE)
    yield taken("escaped", json.dumps(PLAIN))
    yield taken("spaced", "\r\n\t " + json.dumps(PLAIN, indent=2, ensure_ascii=False) + " \n" * 3)
    yield taken("dense", json.dumps(PLAIN, separators=(",", ":"), ensure_ascii=False))
    yield taken("keys in another order", json.dumps(dict(reversed(PLAIN.items())), ensure_ascii=False))
    yield taken("unknown keys", json.dumps({"front_end": {"level": [1.5, True, None]}, **PLAIN, "z": "9", "": 0}))
    yield taken("unknown key, 8 deep", WHOLE[:-1] + ', "deep": ' + "[" * 7 + "]" * 7 + "}")
    yield taken("unknown key, many not deep", WHOLE[:-1] + ', "wide": [' + "[],{}," * 20 + "0]}")
    yield taken("unknown key of numbers", WHOLE[:-1] + ', "n": [-0, 1e-999, 18446744073709551616, -1E+2, 0.0e0]}')
    yield taken("unknown key, a key twice, in two objects", WHOLE[:-1] + ', "a": {"b": 1}, "c": {"b": 1, "a": 2}}')
    yield taken("brackets in a string", WHOLE[:-1] + ', "s": "' + "[{" * 20 + r"\"" + '"}')
    yield taken("a pair of surrogates", written("precision", r'"\u0069nt8"')[:-1] + r', "s": "\ud83d\ude00"}')
    yield taken("threshold 1", written("default_threshold", "1"), default_threshold=1.0)
    yield taken("threshold 0", written("default_threshold", "0"), default_threshold=0.0)
    yield taken("threshold -0.0", written("default_threshold", "-0.0"), default_threshold=0.0)
    yield taken("threshold 75e-2", written("default_threshold", "75e-2"))
    yield taken("threshold 1e-999", written("default_threshold", "1e-999"), default_threshold=0.0)
    yield taken("blank_id -0", written("blank_id", "-0"), blank_id=0)
    yield changed("8 kHz", **TELEPHONY)
    yield changed("48 kHz", sample_rate_hz=48_000, frame_samples=1_920, chunk_samples=30_720)
    yield changed("11025 Hz", sample_rate_hz=11_025, frame_samples=441, chunk_samples=7_056)
    yield changed("smallest", chunk_frames=1, frame_samples=1, chunk_samples=1, lower_layers=0, upper_layers=1)
    yield changed("largest", chunk_frames=MOST, frame_samples=MOST, chunk_samples=MOST**2, lower_layers=1_024)
    yield changed("most upper layers", upper_layers=1_024)
    yield changed("int4", precision="int4")
    yield changed("fp32", precision="fp32")
    yield changed("two pieces", pieces=["", ""], blank_id=1)
    yield changed(
        "odd pieces", pieces=["<blank>", "", "▁", "▁▁", "é", "日本", "😀", '"\\/\b\f\n\r\t', "\u2028", "\x7f", "a"]
    )
    yield changed("blank is the last", blank_id=2)
    yield changed("nothing is known of it", training={}, exporter={})
    yield changed(
        "much is known of it", training={"a": "", "b": "▁é😀", "": "x"}, exporter={str(n): "1" for n in range(9)}
    )


# --- refused


def refused(name: str, text: str, reason: str) -> dict[str, Any]:
    return {"name": name, "text": text, "refused": reason}


def foreign() -> Iterator[dict[str, Any]]:
    texts = [
        "",
        " ",
        "null",
        "3",
        "true",
        '"edge-asr"',
        "[]",
        "{}",
        "{",
        "}",
        "nonsense",
        "[" + WHOLE + "]",
        '{"format"',
    ]
    for text in texts:
        yield refused(f"not an object of ours: {text[:12]!r}", text, FOREIGN)
    for name, text in not_json().items():
        yield refused(name, text, FOREIGN)
    for name, content in not_utf8().items():
        yield {"name": name, "utf8": content.hex(), "refused": FOREIGN}
    for value in ('"whisper"', '"Edge-ASR"', "null", '["edge-asr"]', "3"):
        yield refused(f"format {value}", written("format", value), FOREIGN)
    right = str(CONTRACT_VERSION)
    for value in (f'"{right}"', f"{right}.0", f"{right}e0", "3.5", "-1", "true", "null", "[]", "16777216", "9" * 30):
        yield refused(f"contract_version {value}", written("contract_version", value), FOREIGN)
    for key in ORDER:
        yield refused(f"without {key}", without(key), FOREIGN)


def not_json() -> dict[str, str]:
    """All of them are of this contract otherwise: only how they are written is wrong."""
    rest = WHOLE[1:]
    return {
        "a key twice": '{"blank_id": 0, ' + rest,
        "format twice": '{"format": "edge-asr", ' + rest,
        "a key twice, one of them escaped": r'{"blank\u005fid": 0, ' + rest,
        "an unknown key twice": '{"a": 1, "a": 1, ' + rest,
        "a key twice further in": '{"u": [{"a": 1, "a": 2}], ' + rest,
        "a byte order mark": "\ufeff" + WHOLE,
        "text after it": WHOLE + "x",
        "another object after it": WHOLE + WHOLE,
        "a comma after it": WHOLE + ",",
        "a NUL after it": WHOLE + "\0",
        "text after a NUL": WHOLE + "\0 {}",
        "a space that JSON does not know": "\xa0" + WHOLE,
        "cut short": WHOLE[:-1],
        "a comma before the end": WHOLE[:-1] + ",}",
        "a comma before the end of an array": '{"u": [1,], ' + rest,
        "no comma": WHOLE.replace(', "blank_id"', ' "blank_id"'),
        "a semicolon": WHOLE.replace(', "blank_id"', '; "blank_id"'),
        "an equals sign": WHOLE.replace('"blank_id":', '"blank_id"='),
        "an arrow": WHOLE.replace('"blank_id":', '"blank_id"=>'),
        "a key without quotes": WHOLE.replace('"blank_id"', "blank_id"),
        "single quotes": WHOLE.replace('"blank_id"', "'blank_id'"),
        "a word without quotes": written("precision", "int8"),
        "a comment": "/* ours */" + WHOLE,
        "a comment to the end of its line": "// ours\n" + WHOLE,
        "a comment as shells write it": "# ours\n" + WHOLE,
        "True": '{"u": True, ' + rest,
        "NULL": '{"u": NULL, ' + rest,
        "NaN": '{"u": NaN, ' + rest,
        "Infinity": '{"u": Infinity, ' + rest,
        "-Infinity": '{"u": -Infinity, ' + rest,
        "a threshold of NaN": written("default_threshold", "NaN"),
        "1e999": '{"u": 1e999, ' + rest,
        "-1e999": '{"u": -1e999, ' + rest,
        "an integer of 400 digits": '{"u": ' + "9" * 400 + ", " + rest,
        "an integer of 5000 digits": '{"u": ' + "9" * 5_000 + ", " + rest,
        "a threshold of 1e999": written("default_threshold", "1e999"),
        "a number that begins with 0": written("lower_layers", "04"),
        "a negative number that begins with 0": written("blank_id", "-00"),
        "a hexadecimal number": written("lower_layers", "0x4"),
        "a number with a plus": written("lower_layers", "+4"),
        "a number that begins with a point": written("default_threshold", ".75"),
        "a number that ends with a point": written("default_threshold", "0."),
        "an exponent without digits": written("default_threshold", "75e-"),
        "a minus alone": written("blank_id", "-"),
        "digits of another script": written("lower_layers", "٤"),
        "a value that is missing": written("lower_layers", ""),
        "half of a surrogate pair": r'{"u": "\ud83d", ' + rest,
        "the other half": r'{"u": "\ude00", ' + rest,
        "halves in the wrong order": r'{"u": "\ude00\ud83d", ' + rest,
        "half a pair and a letter": r'{"u": "\ud83dx\ude00", ' + rest,
        "half a pair as a key": r'{"\ud83d": 0, ' + rest,
        "half a pair in the pieces": WHOLE.replace('"L"', r'"\ud83d"'),
        "a tab in a string": '{"u": "\t", ' + rest,
        "a line break in a string": '{"u": "\n", ' + rest,
        "a NUL in a string": '{"u": "\0", ' + rest,
        "an unknown escape": r'{"u": "\x41", ' + rest,
        "an escape cut short": r'{"u": "\u12", ' + rest,
        "9 deep": '{"u": ' + "[" * 8 + "]" * 8 + ", " + rest,
        "9 deep, not empty": '{"u": ' + "[" * 8 + "0" + "]" * 8 + ", " + rest,
        "9 deep, objects": '{"u": ' + '{"u":' * 8 + "0" + "}" * 8 + ", " + rest,
        "2000 deep": '{"u": ' + "[" * 2_000 + "]" * 2_000 + ", " + rest,
        "2000 deep and cut short": '{"u": ' + "[" * 2_000,
    }


def not_utf8() -> dict[str, bytes]:
    whole = WHOLE.encode()

    def beside(content: bytes) -> bytes:
        return b'{"u": "' + content + b'", ' + whole[1:]

    return {
        "a byte that begins nothing": beside(b"\xff"),
        "a character cut short": beside(b"\xc3"),
        "an overlong character": beside(b"\xc0\xaf"),
        "a surrogate in UTF-8": beside(b"\xed\xa0\x80"),
        "beyond Unicode": beside(b"\xf4\x90\x80\x80"),
        "a bad byte after it": whole + b"\x80",
        "UTF-16": b"\xff\xfe" + WHOLE.encode("utf-16-le"),
        "UTF-16 without a mark": WHOLE.encode("utf-16-be"),
        "UTF-32": WHOLE.encode("utf-32-le"),
    }


def other_contracts() -> Iterator[dict[str, Any]]:
    for version in (0, 1, CONTRACT_VERSION - 1, CONTRACT_VERSION + 1, 2**24 - 1):
        yield refused(f"contract {version}", written("contract_version", str(version)), "contract")
    yield refused("contract 1, and nothing else", '{"format": "edge-asr", "contract_version": 1}', "contract")


def without(key: str) -> str:
    return json.dumps({name: value for name, value in PLAIN.items() if name != key}, ensure_ascii=False)


def missing_and_of_another_type() -> Iterator[dict[str, Any]]:
    for key in KEYS:
        yield refused(f"without {key}", without(key), key)
        for value in ("null", "true", "[]", "{}", '"4"', "0.5", "-1"):
            if not (key == "default_threshold" and value == "0.5") and not (
                key in ("training", "exporter") and value == "{}"
            ):
                yield refused(f"{key} {value}", written(key, value), key)
    for key in INTEGERS:
        right = PLAIN[key]
        for value in (f"{right}.0", f"{right}e0", f'"{right}"', f"[{right}]", "9223372036854775808", "9" * 30, "1e3"):
            yield refused(f"{key} {value}", written(key, value), key)
        for power in (32, 64):
            yield refused(f"{key} {right} + 2^{power}", written(key, str(right + 2**power)), key)
    yield refused("nothing but contract and format", json.dumps({key: PLAIN[key] for key in ORDER}), "sample_rate_hz")


def out_of_range() -> Iterator[dict[str, Any]]:
    for key, values in {
        "sample_rate_hz": ("0", "7999", "48001", "16777216"),
        "chunk_frames": ("0", "4097"),
        "frame_samples": ("0", "4097"),
        "chunk_samples": ("0", "10239", "10241", "640", "16777217"),
        "blank_id": ("3", "65536"),
        "default_threshold": ("1.01", "-0.01", "2", "-1e-300", "1e300", "false"),
        "precision": ('""', '"INT8"', '"int2"', '"int8 "', '["int8"]', "8"),
        "lower_layers": ("1025",),
        "upper_layers": ("0", "1025"),
        "pieces": (
            '["a"]',
            '"ab"',
            '["a", 1, "b"]',
            '["a", null]',
            r'["a", "\u0000"]',
            r'["a", "b\u0000c"]',
            '[["a", "b"]]',
        ),
        "training": ('{"step": 1200}', '{"a": "x", "b": null}', '{"a": {"b": "c"}}', '[["step", "1200"]]', '"step"'),
        "exporter": ('{"torch": 2.13}', '{"dirty": true}', '{"a": []}', '["torch"]'),
    }.items():
        for value in values:
            yield refused(f"{key} {value}", written(key, value), key)


def text() -> str:
    made: dict[str, dict[str, Any]] = {}
    for line in lines():
        assert made.setdefault(line["name"], line) == line, "each has a name of its own"
    return "".join(json.dumps(line) + "\n" for line in made.values())


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
