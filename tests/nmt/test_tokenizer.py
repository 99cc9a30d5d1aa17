"""The tokenizer against small SentencePiece models trained on the spot."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import sentencepiece

from nmt.errors import CorruptFileError, DataError
from nmt.tokenizer import (
    END_ID,
    MAX_PIECE_BYTES,
    PAD_ID,
    START_ID,
    UNKNOWN_ID,
    UNKNOWN_PIECE,
    UNKNOWN_TEXT,
    Tokenizer,
    clean_line,
)


def train_model(**settings: Any) -> bytes:
    """A character model of 'abc', with our numbers for the special pieces unless `settings` says otherwise."""
    model = io.BytesIO()
    special = {"pad_id": PAD_ID, "unk_id": UNKNOWN_ID, "bos_id": START_ID, "eos_id": END_ID}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["abc cab", "a b c"]),
        model_writer=model,
        **{"model_type": "char", "vocab_size": 16, "hard_vocab_limit": False, "minloglevel": 2} | special | settings,
    )
    return model.getvalue()


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(train_model())


def test_special_ids(tokenizer: Tokenizer) -> None:
    """Every other module counts on these four numbers."""
    processor = sentencepiece.SentencePieceProcessor(model_proto=tokenizer.model)
    assert [processor.id_to_piece(i) for i in range(4)] == ["<pad>", "<unk>", "<s>", "</s>"]
    assert (PAD_ID, UNKNOWN_ID, START_ID, END_ID) == (0, 1, 2, 3)


def test_size_counts_special_pieces(tokenizer: Tokenizer) -> None:
    assert tokenizer.size == 8  # four special ones, the space, a, b, c


@pytest.mark.parametrize("text", ["abc", "  a   bc ", "ａb", "c\tb"])
def test_decoding_gives_the_normalized_text(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == tokenizer.normalize(text).replace("▁", " ").strip()


def test_normalization_is_the_models_own(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("ａ  ｂ") == tokenizer.encode("a b")


def test_unknown_characters(tokenizer: Tokenizer) -> None:
    assert UNKNOWN_ID in tokenizer.encode("axb")
    assert "⁇" in tokenizer.decode(tokenizer.encode("axb"))


def test_unknown_has_the_piece_and_the_text_that_sentencepiece_gives_it(tokenizer: Tokenizer) -> None:
    assert tokenizer.vocabulary[UNKNOWN_ID] == UNKNOWN_PIECE
    a = tokenizer.ids_of(["a"])
    assert tokenizer.decode([*a, UNKNOWN_ID, *a]) == f"a{UNKNOWN_TEXT}a"


def test_special_ids_leave_no_trace(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("ab")
    assert tokenizer.decode([START_ID, *ids, END_ID, PAD_ID]) == "ab"


@pytest.mark.parametrize("text", ["", "   ", "\t"])
def test_nothing_to_read(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.encode(text) == []
    assert tokenizer.decode([]) == ""


def test_many_at_once_equal_one_by_one(tokenizer: Tokenizer) -> None:
    texts = ["abc", "", "c b a", "x"]
    assert tokenizer.encode_all(texts) == [tokenizer.encode(text) for text in texts]
    assert tokenizer.encode_all(["c b a"]) == [tokenizer.encode("c b a")]
    assert tokenizer.encode_all([]) == []


def test_pieces_are_readable(tokenizer: Tokenizer) -> None:
    assert "".join(tokenizer.pieces("ab c")) == "▁ab▁c"


def test_the_vocabulary_has_the_pieces_by_their_ids(tokenizer: Tokenizer) -> None:
    vocabulary = tokenizer.vocabulary
    assert vocabulary[:4] == ["<pad>", "<unk>", "<s>", "</s>"]
    assert sorted(vocabulary[4:]) == ["a", "b", "c", "▁"]
    assert tokenizer.ids_of(vocabulary) == list(range(tokenizer.size))


def test_ids_and_pieces_of_a_text_are_the_same_tokens(tokenizer: Tokenizer) -> None:
    assert tokenizer.ids_of(tokenizer.pieces("ab c")) == tokenizer.encode("ab c")
    assert tokenizer.ids_of(["abc", "x"]) == [UNKNOWN_ID, UNKNOWN_ID]


def test_a_piece_that_is_unknown_stands_for_itself(tokenizer: Tokenizer) -> None:
    """Unlike the unknown token, it has no spaces of its own around it."""
    assert tokenizer.decode_pieces(["▁", "a", "▁", "日本", "b"]) == "a 日本b"
    assert tokenizer.decode_pieces(tokenizer.pieces("ab c")) == "ab c"
    assert tokenizer.decode_pieces([]) == ""


@pytest.mark.parametrize("data", [b"", b"not a model", b"\x00" * 64])
def test_not_a_model(data: bytes) -> None:
    with pytest.raises(CorruptFileError, match=r"^here\.model: not a SentencePiece model .*prepare the corpus again"):
        Tokenizer(data, origin="here.model")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"source\.model: expected a SentencePiece model: No such file"):
        Tokenizer.from_file(tmp_path / "source.model")


def test_other_special_ids_are_refused() -> None:
    with pytest.raises(DataError, match=r"expected pad, unk, bos, eos .* received \(3, 0, 1, 2\)"):
        Tokenizer(train_model(pad_id=3, unk_id=0, bos_id=1, eos_id=2))


def test_over_long_piece_is_refused() -> None:
    longest = "a" * MAX_PIECE_BYTES
    assert Tokenizer(train_model(user_defined_symbols=[longest])).size == 9
    with pytest.raises(DataError, match="expected pieces of at most 1024 bytes"):
        Tokenizer(train_model(user_defined_symbols=[longest + "a"]))


def test_clean_line_cuts_bytes_and_replaces_what_is_not_utf8() -> None:
    assert clean_line(b"abcdef", 4) == "abcd"
    assert clean_line("aé".encode(), 2) == "a\ufffd"  # é has two bytes, the second is cut off
    assert clean_line(b"a\xffb", 10) == "a\ufffdb"
    assert clean_line(b"", 10) == ""
