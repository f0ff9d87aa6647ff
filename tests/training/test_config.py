"""The TOML of a run: defaults, overrides, and mistakes told by name."""

from __future__ import annotations

from pathlib import Path

import pytest

import edge_asr.training
from edge_asr import shipped
from edge_asr.commands.train import DEFAULT_CONFIG
from edge_asr.errors import EdgeAsrError
from edge_asr.model.config import EncoderConfig
from edge_asr.model.wav2vec2_config import Wav2Vec2Config
from edge_asr.training.config import RunConfig, read_config

CONFIGS_FOLDER = Path(edge_asr.training.__file__).parent / "configs"
CONFIGS = sorted(CONFIGS_FOLDER.glob("**/*.toml"))


def write(folder: Path, text: str) -> Path:
    path = folder / "run.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    assert read_config(write(tmp_path, "")) == RunConfig()


def test_what_is_stated_is_taken(tmp_path: Path) -> None:
    text = "[model]\nchunk_frames = 8\n[training]\nsteps = 7\nchunk_frames = [8]\n[augmentation]\nspeeds = [1.0]"
    config = read_config(write(tmp_path, text))
    assert config.model == {"chunk_frames": 8}
    assert (config.training.steps, config.training.chunk_frames) == (7, (8,))
    assert config.augmentation.speeds == (1.0,)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[training]\nstepz = 1", "unknown key 'stepz'"),
        ("[augmentation]\nloud = true", "unknown key 'loud'"),
        ("[trainin]\nsteps = 1", r"unknown section \[trainin\]"),
        ("[training\n", "not valid TOML"),
        ("[training]\non_fault = 'hide'", "on_fault must be 'fatal' or 'skip', not 'hide'"),
        (
            "[training]\ndistillation = 'none'",
            "distillation must be 'kept', 'all', 'blank' or 'labels', not 'none'",
        ),
        ("[training]\ndev_speeds = [0.9, 1.1]", "dev_speeds must hold 1.0"),
        ("[training]\nchunk_frames = [16, 48]", "chunk_frames 48 does not divide 32"),
        ("[training]\nchunk_frames = [0]", "chunk_frames 0 does not divide 32"),
        ('[training]\nstart_from = "a"\nstart_checkpoint = "b"', ".* exclude each other"),
        ('[training]\nteacher_checkpoint = "a"', ".* come together"),
        ("[training]\nteacher_weight = 0.5", ".* come together"),
        ("[training]\nbody_rate = 0.1", ".* need a start_checkpoint"),
        ("[training]\nheads_first_steps = 5", ".* need a start_checkpoint"),
        ("[training]\nstart_share = 0.5", "start_share must lie .*, and needs a start_from"),
        ('[training]\nstart_from = "a"\nstart_share = 1.0', "start_share must lie from 0 to below 1"),
        ("[training]\ndistillation = 3", "distillation must be a text in quotes, not 3"),
        ("[training]\nsteps = '3'", "steps must be a whole number, not '3'"),
        ("[training]\nsteps = true", "steps must be a whole number, not True"),
        ("[training]\nsteps = 0", "steps must be at least 1, not 0"),
        ("[training]\nthreshold_cost = '0.2'", "threshold_cost must be a number, not '0.2'"),
        ("[training]\nbatch_s = 0", "batch_s must be at least 1e-09, not 0"),
        ("[training]\nchunk_frames = 32", "chunk_frames must be a list, each item a whole number, not 32"),
        ("[training]\nchunk_frames = []", "chunk_frames must name one at least"),
        ("[training]\nmanifests = 'a.jsonl'", "manifests must be a list, each item a text in quotes"),
        ("[training]\nmanifests = ['a', 'a']", "a manifest is named twice"),
        ("[training]\ngate_exponent = [1]", r"gate_exponent must be a list of 2, not \[1\]"),
        ("[augmentation]\nspeeds = ['1']", "speeds must be a list, each item a number"),
        ("model = 3", r"\[model\] is a table of dimensions"),
        ("[training]\nskipped = 'passed'", "skipped must be 'blank' or 'intermediate', not 'passed'"),
        ("[model]\ngate = { learned = true }", "a learned gate needs a gate_weight above 0"),
        (
            "[model]\ngate = { learned = true }\n[training]\ngate_weight = -1.0",
            "a learned gate needs a gate_weight above",
        ),
        (
            "[model]\ngate = { learned = true }\n[training]\ngate_weight = 0.3\ngate_probability = 1.0",
            "a learned gate needs a gate_probability below 1",
        ),
        ("[training]\ngate_weight = 0.3", "gate_weight teaches a learned gate"),
        ("[model]\ngate = { learned = false }\n[training]\ngate_weight = 0.3", "gate_weight teaches a learned gate"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(EdgeAsrError, match=rf"run\.toml: {reason}"):
        read_config(write(tmp_path, text))


def test_a_file_states_what_differs_from_another(tmp_path: Path) -> None:
    write(tmp_path, "[model]\nlower = { layers = 2, width = 32 }\n[training]\nsteps = 7\nseed = 2")
    (tmp_path / "more").mkdir()
    text = "like = '../run.toml'\n[model]\nlower = { layers = 4 }\n[training]\nsteps = 9\n[augmentation]\nwarp = 0.1"
    config = read_config(write(tmp_path / "more", text))
    assert config.model == {"lower": {"layers": 4, "width": 32}}
    assert (config.training.steps, config.training.seed, config.augmentation.warp) == (9, 2, 0.1)


def test_a_file_that_is_like_itself_is_told(tmp_path: Path) -> None:
    path = write(tmp_path, "like = 'other.toml'")
    (tmp_path / "other.toml").write_text("like = 'run.toml'")
    with pytest.raises(EdgeAsrError, match="leads back to itself"):
        read_config(path)
    (tmp_path / "other.toml").unlink()
    with pytest.raises(EdgeAsrError, match=r"other\.toml: no such configuration"):
        read_config(path)


def test_a_bare_name_is_that_of_a_file_beside_it_or_else_of_one_that_comes_with_edge_asr(tmp_path: Path) -> None:
    mine = write(tmp_path, "like = 'adopted.toml'\n[training]\nsteps = 9")
    assert read_config(mine).training.steps == 9
    assert read_config(mine).training.body_rate == read_config(Path("adopted.toml")).training.body_rate == 0.1
    (tmp_path / "adopted.toml").write_text("[training]\nseed = 77")
    assert read_config(mine).training.seed == 77


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(EdgeAsrError, match=r"absent\.toml: no such configuration"):
        read_config(tmp_path / "absent.toml")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_committed_configurations_make_a_model(path: Path) -> None:
    config = read_config(path)
    encoder: EncoderConfig | Wav2Vec2Config
    if config.training.start_checkpoint:
        encoder = Wav2Vec2Config(29, blank_id=0, cut=4, layers=12, width=768, heads=12, inner=3_072)
    else:
        encoder = EncoderConfig.from_dict({"vocabulary": config.training.pieces, **config.model})
    left = encoder.left_context_frames
    assert left % encoder.chunk_frames == 0  # the chunk that is exported
    for frames in config.training.chunk_frames:  # training takes longer ones too, whose left context is a part of one
        assert max(left, frames) % min(left, frames) == 0


@pytest.mark.parametrize("name", shipped.CHECKPOINTS.values())
def test_a_shipped_checkpoint_has_a_configuration_of_its_name(name: str) -> None:
    assert (CONFIGS_FOLDER / name).with_suffix(".toml") in CONFIGS


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_a_configuration_starts_from_the_run_of_another(path: Path) -> None:
    """A run's folder has its configuration's name."""
    start = read_config(path).training.start_from
    assert not start or CONFIGS_FOLDER / f"{start}.toml" in CONFIGS


def test_the_default_needs_no_data_but_an4() -> None:
    training = read_config(DEFAULT_CONFIG).training
    assert (training.manifests, training.start_from) == (("an4/train.jsonl",), "")
    assert DEFAULT_CONFIG in CONFIGS
