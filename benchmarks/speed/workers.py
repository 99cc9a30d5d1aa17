"""Runs the systems' workers, each in a process and an environment of its own. Knows no figures."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from contenders import Contender
from figures import last_json
from install_peers import python_of
from protocol import Job

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LEARNED = "learned.json"


class WorkerError(Exception):
    """A worker ended with an exit status other than 0, or answered nothing."""


class Workers:
    """The workers of all systems.

    Args:
        folder: where models and logs are kept.
        peers: the folder of `install_peers.py`.
        backend: Keras' backend of this toolkit; with JAX it may take a graphics processor.
    """

    def __init__(self, folder: Path, peers: Path, backend: str = "tensorflow") -> None:
        self.folder = folder
        self.peers = peers
        self.backend = backend
        folder.mkdir(parents=True, exist_ok=True)

    def model_folder(self, contender: Contender) -> Path:
        """Where a contender's trained model is."""
        return self.folder / contender.folder_name

    def learn(self, contender: Contender, job: Job) -> dict[str, Any]:
        """Trains a contender's model for the job's epochs, unless just that was done before."""
        folder = self.model_folder(contender)
        path = folder / LEARNED
        asked = {"corpus": job.fingerprint, "epochs": job.epochs, **asdict(job.sizes), **asdict(job.recipe)}
        if path.exists():
            before: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if before["asked"] == asked:
                return before
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        print(f"training {contender} for {job.epochs} epochs ...", file=sys.stderr, flush=True)
        learned = self.run(contender, "learn", job) | {"asked": asked}
        path.write_text(json.dumps(learned, indent=2) + "\n", encoding="utf-8")
        return learned

    def run(self, contender: Contender, task: str, job: Job) -> dict[str, Any]:
        """Has a job done.

        Raises:
            WorkerError: it was not.
        """
        python = Path(sys.executable) if contender.is_ours else python_of(contender.system, self.peers)
        paths = [HERE, ROOT] if contender.is_ours else [HERE]
        with tempfile.TemporaryDirectory(prefix="speed-") as scratch:
            file = Path(scratch) / "job.json"
            file.write_text(replace(job, task=task, scratch=scratch).to_json(), encoding="utf-8")
            command = [str(python), str(HERE / "systems" / f"{contender.system}.py"), str(file)]
            return self._answer(command, paths, f"{contender.folder_name}-{task}")

    def matrix_rate(self, size: int) -> dict[str, Any]:
        """The machine's, in this environment."""
        return self._answer([sys.executable, str(HERE / "machine.py"), str(size)], [HERE], "matrix")

    def _answer(self, command: list[str], paths: list[Path], name: str) -> dict[str, Any]:
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "KERAS_BACKEND": self.backend,
        }
        if self.backend == "tensorflow":
            environment["CUDA_VISIBLE_DEVICES"] = "-1"  # one of the peers would not see it anyway
        log = self.folder / f"{name}.log"
        with log.open("w", encoding="utf-8") as file:
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=file, text=True, check=False)
        if done.returncode:
            last = log.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2]
            raise WorkerError(f"{name}: the worker ended with status {done.returncode}: {last} (see {log})")
        try:
            return last_json(done.stdout)
        except ValueError as error:
            raise WorkerError(f"{name}: {error} (see {log})") from None
