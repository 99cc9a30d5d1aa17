"""The translator that a command line asks for: a run folder's, searched as the options say, or a SavedModel's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from nmt.cli.settings import Which, quiet_start
from nmt.errors import DataError

if TYPE_CHECKING:
    from nmt.translation.lines import LineTranslator
    from nmt.translation.translator import Translator

SWITCHES = {"checkpoint": "--checkpoint", "seed": "--seed", "minimum_bayes_risk": "--mbr", "overrides": "--set"}


def load(
    model: Path,
    checkpoint: Which | None,
    changes: Mapping[str, Any],
    overrides: Sequence[str] | None = None,
    with_attention: bool = False,
) -> LineTranslator:
    """The translator in a folder.

    Args:
        model: a run folder or a SavedModel.
        checkpoint: of the run folder.
        changes: what the options change of the run's search, by their keys; None changes nothing.
        overrides: more of them, each as `decoding.key=value`.
        with_attention: whether translations carry their attention, where the model has one and can tell.

    Raises:
        DataError: the folder is missing or holds no model.
        typer.BadParameter: an option does not apply to a SavedModel.
    """
    _check_folder(model)
    if not is_saved_model(model):
        return load_run(model, checkpoint, changes, overrides, with_attention)
    given = {"checkpoint": checkpoint, **changes, "overrides": overrides or None}
    if asked := [key for key, value in given.items() if value is not None]:
        option = SWITCHES.get(asked[0], f"--{asked[0].replace('_', '-')}")
        raise typer.BadParameter(
            f"a SavedModel has its search inside; leave out {option}, or translate with the run folder"
        )
    with quiet_start():
        from nmt.saved_model import load_saved_model
    return load_saved_model(model)


def load_run(
    folder: Path,
    checkpoint: Which | None,
    changes: Mapping[str, Any],
    overrides: Sequence[str] | None = None,
    with_attention: bool = False,
) -> Translator:
    """The translator of a run folder; arguments as of `load`."""
    from nmt.config import changed_decoding

    _check_folder(folder)
    with quiet_start():
        from nmt.run_folder import RunFolder
        from nmt.translation.translator import load_translator
    config = RunFolder(folder).config()
    decoding = changed_decoding(config, changes, overrides or ())
    attends = with_attention and config.model.attention != "none"
    return load_translator(folder, (checkpoint or Which.best).value, decoding, with_attention=attends)


def is_saved_model(folder: Path) -> bool:
    """Whether a folder holds a SavedModel, itself or in a numbered subfolder; looks without TensorFlow."""
    versions = (path for path in folder.iterdir() if path.name.isascii() and path.name.isdecimal())
    return any((place / "saved_model.pb").exists() for place in (folder, *versions))


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing"
        raise DataError(
            f"{folder}: expected a run folder such as runs/quickstart or a SavedModel such as saved_models/quickstart, "
            f"found {found}"
        )
