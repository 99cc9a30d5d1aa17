"""The operations of TF Text, which a SavedModel with strings needs."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

import tensorflow as tf

from nmt.errors import ExportError


def load_ops() -> None:
    """Imports TF Text.

    Raises:
        ExportError: it is missing, or was made for another minor version of TensorFlow.
    """
    wanted = _minor(tf.__version__)
    advice = f"pip install 'tensorflow-text=={wanted}.*'"
    try:
        received = version("tensorflow-text")
    except PackageNotFoundError:
        raise ExportError(f"expected tensorflow-text {wanted}, which is not installed; {advice}") from None
    if _minor(received) != wanted:
        raise ExportError(
            f"tensorflow {tf.__version__} and tensorflow-text {received} do not fit together: expected the same minor "
            f"version of both; {advice}"
        )
    import_module("tensorflow_text")


def _minor(release: str) -> str:
    """The first two parts of a version number."""
    return ".".join(release.split(".")[:2])
