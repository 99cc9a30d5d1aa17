"""Prepared corpus to model to translation.

    import nmt

    model = nmt.load("runs/quickstart")  # or a SavedModel
    for translation in model.translate(["the small dog sleeps"], beam_size=5):
        print(translation.text, translation.score)

Importing `nmt` loads nothing heavy; `load` imports Keras and its backend.
"""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nmt.trained_model import TrainedModel

__all__ = ["load"]


def load(path: str | PathLike[str], checkpoint: str = "best") -> TrainedModel:
    """A trained model: it translates, and scores translations.

    Args:
        path: a run folder such as `runs/quickstart`, or a SavedModel such as `saved_models/quickstart`.
        checkpoint: of a run folder, `best` or `last`.

    Raises:
        DataError: there is no such folder, or its training has no checkpoint yet.
        CorruptFileError: a file does not match its checksum.
        ExportError: the folder holds neither, or TensorFlow cannot load the SavedModel.
    """
    from nmt.trained_model import load_trained_model

    return load_trained_model(path, checkpoint)
