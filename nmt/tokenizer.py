"""Text to token ids and back, through SentencePiece.

The subword model's own normalization is the only one there is, and it travels with the model. The SavedModel holds the
same model in TF Text; `clean_line` says in plain Python what its graph does to a line before that. Knows no corpus and
no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import sentencepiece

from nmt.errors import CorruptFileError, DataError

PAD_ID, UNKNOWN_ID, START_ID, END_ID = 0, 1, 2, 3
UNKNOWN_PIECE, UNKNOWN_TEXT = "<unk>", " \u2047 "  # what SentencePiece calls an unknown token, and writes for it
MAX_PIECE_BYTES = 1_024


def clean_line(line: bytes, max_bytes: int) -> str:
    """Cuts a line after `max_bytes` and replaces what is not UTF-8 by U+FFFD, so that every line has tokens."""
    return line[:max_bytes].decode("utf-8", errors="replace")


class Tokenizer:
    """One side's subword model. Ids 0 to 3 are padding, unknown, start and end of a sentence.

    Args:
        model: the bytes of a SentencePiece model.
        origin: the file's name, for errors.

    Raises:
        CorruptFileError: the bytes are no SentencePiece model.
        DataError: the model numbers its special pieces differently, or holds a piece that TF Text cannot load
            or that stands for a newline.
    """

    def __init__(self, model: bytes, origin: str = "subword model") -> None:
        try:
            if not model:
                raise ValueError("it is empty")  # sentencepiece would take it for a model without pieces
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        except (RuntimeError, ValueError, OSError) as error:
            raise CorruptFileError(f"{origin}: not a SentencePiece model ({error}); prepare the corpus again") from None
        self.model = model
        processor = self._processor
        special = (processor.pad_id(), processor.unk_id(), processor.bos_id(), processor.eos_id())
        if special != (PAD_ID, UNKNOWN_ID, START_ID, END_ID):
            raise DataError(f"{origin}: expected pad, unk, bos, eos to have the ids 0, 1, 2, 3; received {special}")
        # SentencePiece 0.1.96, which TF Text and TF Serving carry, crashes on over-long pieces.
        if any(len(processor.id_to_piece(i).encode()) > MAX_PIECE_BYTES for i in range(self.size)):
            raise DataError(f"{origin}: expected pieces of at most {MAX_PIECE_BYTES} bytes")
        if any("\n" in text for text in processor.decode([[i] for i in range(self.size)])):
            raise DataError(f"{origin}: expected no piece that stands for a newline, since a translation is one line")

    @classmethod
    def from_file(cls, path: Path) -> Tokenizer:
        """Reads a `.model` file."""
        try:
            return cls(path.read_bytes(), origin=str(path))
        except OSError as error:
            raise DataError(f"{path}: expected a SentencePiece model: {error.strerror}") from None

    @property
    def size(self) -> int:
        """Number of pieces, the special ones included."""
        return int(self._processor.get_piece_size())

    @property
    def vocabulary(self) -> list[str]:
        """The pieces by their ids, the special ones included."""
        return [str(piece) for piece in self._processor.id_to_piece(list(range(self.size)))]

    def encode(self, text: str) -> list[int]:
        """Token ids of one sentence, without start and end."""
        return list(self._processor.encode(text))

    def encode_all(self, texts: list[str]) -> list[list[int]]:
        """Token ids of many sentences, on all cores."""
        if len(texts) == 1:  # threads would take ten times as long to start
            return [self.encode(texts[0])]
        return [list(ids) for ids in self._processor.encode(texts, num_threads=-1)] if texts else []

    def decode(self, token_ids: list[int]) -> str:
        """Text of token ids; the special ones leave no trace."""
        return str(self._processor.decode([int(i) for i in token_ids if i > END_ID or i == UNKNOWN_ID]))

    def normalize(self, text: str) -> str:
        """The text as the model sees it."""
        return str(self._processor.normalize(text))

    def pieces(self, text: str) -> list[str]:
        """The text's subwords, for reading."""
        return list(self._processor.encode(text, out_type=str))

    def ids_of(self, pieces: list[str]) -> list[int]:
        """The token ids of pieces; one that is not in the vocabulary is unknown."""
        return [int(self._processor.piece_to_id(piece)) for piece in pieces]

    def decode_pieces(self, pieces: Sequence[str]) -> str:
        """Text of pieces; one that is not in the vocabulary stands for itself."""
        return str(self._processor.decode(list(pieces)))
