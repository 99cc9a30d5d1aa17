"""Installs the peers from PyPI, each into an environment of its own.

    python benchmarks/speed/install_peers.py [opennmt_tf joey_nmt]

makes `$XDG_CACHE_HOME/keras-nmt/peers/NAME` (`~/.cache` unless told), with Python 3.11, the newest that TensorFlow 2.12
has wheels for. An environment that is there and finished is left alone. `--folder` puts them elsewhere.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

PYTHON = "python3.11"
# Its own requirements come with it; setuptools before 81 still has the pkg_resources that its TensorBoard imports.
OPENNMT_TF = ("OpenNMT-tf==2.32.0", "tensorflow-cpu==2.12.*", "numpy==1.24.*", "setuptools<81")
# Not Joey NMT's own requirements: they hold its protobuf below 3.21 and bring its linters along. These are what its
# modules import; importlib_metadata, which they import too, it forgot.
JOEY_NMT = (
    "importlib_metadata",
    "matplotlib",
    "numpy<2.3",
    "packaging",
    "pandas",
    "plotly",
    "pyyaml",
    "sacrebleu",
    "seaborn",
    "sentencepiece",
    "setuptools<81",
    "subword-nmt",
    "tensorboard",
    "torch==2.13.0",
    "tqdm",
)
INSTALLS: dict[str, tuple[tuple[str, ...], ...]] = {
    "opennmt_tf": (OPENNMT_TF,),
    "joey_nmt": (JOEY_NMT, ("--no-deps", "joeynmt==2.3.0")),
}
FINISHED = "finished"


def main() -> int:
    """Installs what is missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("peers", nargs="*", metavar="PEER", help=f"of {', '.join(INSTALLS)}; all unless told")
    parser.add_argument("--folder", type=Path, default=peers_folder(), help="where environments are made")
    arguments = parser.parse_args()
    if strangers := set(arguments.peers) - set(INSTALLS):
        parser.error(f"expected some of {', '.join(INSTALLS)}; received {min(strangers)}")
    for name in arguments.peers or INSTALLS:
        install(name, arguments.folder)
        print(python_of(name, arguments.folder))
    return 0


def peers_folder() -> Path:
    """Where environments are kept unless told otherwise."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keras-nmt" / "peers"


def python_of(name: str, folder: Path) -> Path:
    """A peer's interpreter."""
    return folder / name / "bin" / "python"


def is_installed(name: str, folder: Path) -> bool:
    """Whether a peer's environment was finished."""
    return (folder / name / FINISHED).exists()


def install(name: str, folder: Path) -> None:
    """Makes a peer's environment, unless it is there and finished."""
    if is_installed(name, folder):
        return
    python = PYTHON if shutil.which(PYTHON) else sys.executable
    subprocess.run([python, "-m", "venv", "--clear", str(folder / name)], check=True)
    for packages in INSTALLS[name]:
        command = [str(python_of(name, folder)), "-m", "pip", "install", "--quiet", "--no-compile"]
        subprocess.run([*command, *packages], check=True)
    (folder / name / FINISHED).touch()


if __name__ == "__main__":
    sys.exit(main())
