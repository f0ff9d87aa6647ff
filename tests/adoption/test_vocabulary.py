"""Outputs of pretrained heads become pieces: `▁` opens a word, blank is told, what is never shown is empty."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from edge_asr.adoption.vocabulary import Vocabulary, letters, of_sentencepiece, of_source
from edge_asr.errors import EdgeAsrError
from edge_asr.tokens import BLANK, HUGGING_FACE, Tokens
from edge_asr.tokens import Tokenizer as OurTokenizer
from edge_asr.training.spelling import spelling_of

WAV2VEC2 = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4, "E": 5, "T": 6, "'": 7}


def written(folder: Path, **files: Any) -> Path:
    for name, content in files.items():
        (folder / f"{name}.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def text(vocabulary: Vocabulary, *ids: int) -> str:
    return Tokens(vocabulary.pieces, vocabulary.blank_id).to_text(ids)


def test_a_dictionary_with_a_word_delimiter(tmp_path: Path) -> None:
    vocabulary = of_source(written(tmp_path, vocab=WAV2VEC2), {"pad_token_id": 0}, 8)
    assert vocabulary == Vocabulary((BLANK, "", "", "", "▁", "E", "T", "'"), blank_id=0)
    assert text(vocabulary, 6, 5, 4, 4, 6, 3, 7, 5, 2) == "TE T'E"


def test_the_tokenizers_own_names_of_delimiter_and_blank(tmp_path: Path) -> None:
    settings = {"word_delimiter_token": {"content": " "}, "pad_token": {"content": "[PAD]"}, "unk_token": "[UNK]"}
    written(tmp_path, vocab={"a": 0, " ": 1, "[UNK]": 2, "[PAD]": 3}, tokenizer_config=settings)
    assert of_source(tmp_path, {}, 4) == Vocabulary(("a", "▁", "", BLANK), blank_id=3)


@pytest.mark.parametrize("kind", ["BPE", "Unigram"])
def test_a_file_of_the_tokenizers_library(tmp_path: Path, kind: str) -> None:
    tokens = ["<unk>", "▁the", "a", "▁"]
    if kind == "BPE":
        model = models.BPE(dict(zip(tokens, range(4), strict=True)), [], unk_token="<unk>")
    else:
        model = models.Unigram([(token, -1.0) for token in tokens], unk_id=0)
    library = Tokenizer(model)
    library.add_special_tokens(["<unk>"])
    written(tmp_path, tokenizer=library.to_str())
    vocabulary = of_source(tmp_path, {"pad_token_id": 4}, 5)
    assert (vocabulary.pieces, vocabulary.blank_id) == (("", "▁the", "a", "▁", BLANK), 4)
    assert vocabulary.tokenizer == OurTokenizer(HUGGING_FACE, (tmp_path / "tokenizer.json").read_bytes())


def test_spaces_of_byte_level_tokens(tmp_path: Path) -> None:
    library = Tokenizer(models.BPE({"<pad>": 0, "Ġhi": 1, "s": 2}, []))
    written(tmp_path, tokenizer=library.to_str())
    assert of_source(tmp_path, {"pad_token_id": 0}, 3).pieces == (BLANK, "▁hi", "s")


def test_tokens_of_a_script_without_spaces_end_words_by_themselves(tmp_path: Path) -> None:
    vocabulary = of_source(written(tmp_path, vocab={"<pad>": 0, "<unk>": 1, "你": 2, "好": 3}), {"pad_token_id": 0}, 4)
    assert vocabulary.pieces == (BLANK, "", "▁你", "▁好")
    assert text(vocabulary, 2, 3) == "你 好"


def test_tokens_that_other_files_of_the_folder_name(tmp_path: Path) -> None:
    written(
        tmp_path,
        vocab={"a": 0, "|": 1, "[UNK]": 2, "[PAD]": 3},
        added_tokens={"<s>": 4, "</s>": 5},
        special_tokens_map={"unk_token": "[UNK]", "pad_token": "[PAD]"},
    )
    assert of_source(tmp_path, {}, 6) == Vocabulary(("a", "▁", "", BLANK, "", ""), blank_id=3)


@pytest.mark.parametrize(
    ("model", "pieces", "texts"),
    [
        (
            models.WordPiece({"<unk>": 0, "hi": 1, "##s": 2, "a": 3}, unk_token="<unk>"),
            ("▁hi", "s", "▁a"),
            {(1, 2, 3): "his a"},
        ),
        (
            models.BPE({"<unk>": 0, "h": 1, "i</w>": 2, "a</w>": 3}, [], end_of_word_suffix="</w>"),
            ("h", "i▁", "a▁"),
            {(1, 2, 3): "hi a"},
        ),
        (
            models.WordLevel({"<unk>": 0, "|": 1, "h": 2, "i": 3}, unk_token="<unk>"),
            ("▁", "h", "i"),
            {(2, 3, 1, 3): "hi i"},
        ),
        (
            models.WordLevel({"<unk>": 0, "yes": 1, "no": 2, "go": 3}, unk_token="<unk>"),
            ("▁yes", "▁no", "▁go"),
            {(1, 3): "yes go"},
        ),
    ],
    ids=["WordPiece", "BPE with ends", "letters", "words"],
)
def test_other_ways_to_say_where_words_begin(
    tmp_path: Path, model: models.Model, pieces: tuple[str, ...], texts: dict[tuple[int, ...], str]
) -> None:
    library = Tokenizer(model)
    library.pre_tokenizer = pre_tokenizers.Whitespace()
    library.add_special_tokens(["<unk>"])
    vocabulary = of_source(written(tmp_path, tokenizer=library.to_str()), {"pad_token_id": 4}, 5)
    assert vocabulary.pieces == ("", *pieces, BLANK)
    tokens = Tokens(vocabulary.pieces, vocabulary.blank_id)
    for ids, said in texts.items():
        assert tokens.to_text(ids) == said
        assert spelling_of(tokens, vocabulary.tokenizer).encode(said) == list(ids)


TOKENS = {"model": {"vocab": {"a": 0, "b": 1}}, "added_tokens": []}


@pytest.mark.parametrize(
    ("files", "config", "outputs", "told"),
    [
        ({}, {}, 3, "no vocabulary in it"),
        ({"vocab": WAV2VEC2}, {"pad_token_id": 0}, 7, "has an output 7, the model has 7"),
        ({"vocab": WAV2VEC2}, {"pad_token_id": 0}, 9, "says nothing of output 8 of 9"),
        ({"vocab": {"a": 0, "b": 1}}, {}, 2, "nothing says which output is blank"),
        ({"vocab": {"a": 0, "b": 1}}, {"pad_token_id": 2}, 2, "nothing says which output is blank"),
        ({"vocab": {"eng": {"a": 0}, "fra": {"a": 0}}}, {}, 1, "a dictionary for each language (eng, fra"),
        ({"vocab": {"<pad>": 0, "a": 1, "b": 1}}, {}, 2, "output 1 stands for 'a' and 'b'"),
        (
            {"vocab": {"<pad>": 0, "a": 1, "b": 2}},
            {},
            3,
            "no token opens a word, though 'a' is of a script with spaces",
        ),
        ({"vocab": ["a"]}, {}, 1, "not a dictionary from tokens to numbers"),
        ({"vocab": "{"}, {}, 1, "cannot be read as JSON"),
        ({"tokenizer": TOKENS}, {}, 3, "nothing says which output is blank"),
        (
            {"tokenizer": {"model": {"type": "BPE", "vocab": {"▁a": 0, "b": 1}}, "added_tokens": []}},
            {"pad_token_id": 2},
            3,
            "tokenizer cannot be read",
        ),
        ({"tokenizer": {"model": {}}}, {"pad_token_id": 2}, 3, "not a file of the tokenizers library"),
        (
            {"tokenizer": {"model": {"vocab": {"Ġa": 0, "Ã©": 1}}, "added_tokens": []}},
            {"pad_token_id": 2},
            3,
            "its tokens are bytes",
        ),
    ],
)
def test_what_is_no_vocabulary_of_the_model_is_told(
    tmp_path: Path, files: dict[str, Any], config: dict[str, Any], outputs: int, told: str
) -> None:
    with pytest.raises(EdgeAsrError) as error:
        of_source(written(tmp_path, **files), config, outputs)
    assert told in str(error.value)
    assert str(tmp_path) in str(error.value)


def test_a_new_head_spells() -> None:
    spelled = letters()
    ids = [spelled.pieces.index(letter) for letter in "DON'T▁GO"]
    assert text(spelled, *ids) == "DON'T GO"
    assert len(set(spelled.pieces)) == len(spelled.pieces) == 29


def test_a_new_head_takes_sentencepiece_pieces(tmp_path: Path) -> None:
    import sentencepiece

    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["GO THERE", "GO HERE", "THE HERO"] * 20),
        model_prefix=str(tmp_path / "pieces"),
        vocab_size=12,
        minloglevel=9,
    )
    vocabulary = of_sentencepiece(tmp_path / "pieces.model")
    assert vocabulary.blank_id == 0
    assert vocabulary.pieces[:4] == (BLANK, "", "", "")
    assert len(vocabulary.pieces) == 13
    with pytest.raises(EdgeAsrError, match="not a sentencepiece model"):
        of_sentencepiece(tmp_path / "pieces.vocab")
