"""An export in `serve.c`'s process: TensorFlow's C library, no Python and nothing of this project.

Builds the program for a runtime, reads in the export which tensors a signature has, and asks. Of this project it knows
nothing either.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

from runtimes import Runtime, Unavailable, cache_folder
from tensorflow.core.framework import op_def_pb2
from tensorflow.core.protobuf import saved_model_pb2
from tensors import SIZE, Answer, read_answer, write_request

SOURCE = Path(__file__).with_name("serve.c")
ENVIRONMENT = {"PATH": "/nonexistent", "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}  # and nothing else


class NativeError(Exception):
    """The program answered with an error, or ended.

    Attributes:
        code: TensorFlow's, or None where the program ended.
    """

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class Tensor(NamedTuple):
    """Name and type of a tensor in the graph."""

    name: str
    type: int


class Signature(NamedTuple):
    """Tensors by the names that a caller knows."""

    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]


class NativeModel:
    """An export, loaded by the C program between `with` and its end.

    Args:
        folder: the version's folder.
        runtime: which TensorFlow.
        libraries: of operations; by default TF Text's tokenizer.
        flags: more of them for the compiler.

    Attributes:
        signatures: what can be called, by name.
        load_seconds: how long loading took.
        last: the last answer, with its seconds.
        process_id: of the program.
    """

    def __init__(
        self, folder: Path, runtime: Runtime, libraries: Sequence[Path] | None = None, flags: Sequence[str] = ()
    ) -> None:
        self.signatures = read_signatures(folder)
        self._numbers = {name: number for number, name in enumerate(self.signatures)}
        self._command = command_line(folder, runtime, self.signatures, libraries, flags)

    def __enter__(self) -> Self:
        """Starts the program.

        Raises:
            NativeError: it cannot load the export.
        """
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, env=ENVIRONMENT)
        self.process_id = self._process.pid
        try:
            self.load_seconds = self._read().seconds
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the program."""
        self._process.kill()
        self._process.communicate()

    def call(self, signature: str, **inputs: Any) -> dict[str, Any]:
        """Calls a signature.

        Args:
            signature: its name.
            inputs: all that it takes, by name: numbers, or lists of byte strings.

        Returns:
            All outputs by name: arrays, or lists of byte strings, nested where there is more than one dimension.

        Raises:
            NativeError: TensorFlow says why, or the program ended.
        """
        answer = self.ask(encode(self._numbers[signature], self.signatures[signature], inputs))
        return dict(zip(self.signatures[signature].outputs, answer.tensors, strict=True))

    def ask(self, request: bytes) -> Answer:
        """Sends a request as it is.

        Raises:
            NativeError: the answer is an error, or the program ended.
        """
        try:
            _pipe(self._process.stdin).write(request)
            _pipe(self._process.stdin).flush()
        except BrokenPipeError:
            raise self._ended() from None
        return self._read()

    @property
    def seconds(self) -> float:
        """How long the last call took."""
        return self.last.seconds

    def memory(self) -> int:
        """What of the program was in memory after the last call, in bytes."""
        return self.last.memory

    def _read(self) -> Answer:
        pipe = _pipe(self._process.stdout)
        size = pipe.read(SIZE.size)
        body = pipe.read(SIZE.unpack(size)[0]) if len(size) == SIZE.size else b""
        if not body:
            raise self._ended()
        self.last = read_answer(body)
        if self.last.code:
            raise NativeError(self.last.message, self.last.code)
        return self.last

    def _ended(self) -> NativeError:
        return NativeError(f"the program ended with exit status {self._process.wait()}")


def compare_threads(
    folder: Path, runtime: Runtime, calls: Iterable[tuple[str, Mapping[str, Any]]], threads: int, calls_each: int
) -> subprocess.CompletedProcess[str]:
    """Makes calls one after the other, and then in threads, which compare.

    Args:
        folder: the version's folder.
        runtime: which TensorFlow.
        calls: signatures and inputs.
        threads: how many.
        calls_each: how many calls a thread makes.

    Returns:
        Exit status 0 if every answer of a thread was the first one, byte by byte; `stdout` says the figures.
    """
    signatures = read_signatures(folder)
    numbers = {name: number for number, name in enumerate(signatures)}
    command = command_line(folder, runtime, signatures)
    command[-1:-1] = ["-t", str(threads), "-n", str(calls_each)]
    with tempfile.TemporaryFile() as requests:
        requests.writelines(encode(numbers[name], signatures[name], inputs) for name, inputs in calls)
        requests.seek(0)
        pipe = subprocess.PIPE
        return subprocess.run(
            command, stdin=requests, stdout=pipe, stderr=pipe, text=True, env=ENVIRONMENT, check=False
        )


def operations_of(runtime: Runtime) -> set[str]:
    """The names of all operations that a runtime knows, with those of TF Text's tokenizer."""
    command = [str(build(runtime)), "-l", str(runtime.tokenizer), "-o"]
    process = subprocess.run(command, stdout=subprocess.PIPE, env=ENVIRONMENT, check=True)
    return {operation.name for operation in op_def_pb2.OpList.FromString(process.stdout).op}


def encode(number: int, signature: Signature, inputs: Mapping[str, Any]) -> bytes:
    """A call as a request.

    Raises:
        ValueError: the inputs are not those of the signature.
    """
    if inputs.keys() != signature.inputs.keys():
        raise ValueError(f"expected the inputs {', '.join(signature.inputs)}, received {', '.join(inputs)}")
    return write_request(number, [(inputs[name], tensor.type) for name, tensor in signature.inputs.items()])


def inputs_for(model: NativeModel, signature: str, lines: Sequence[bytes]) -> dict[str, Any]:
    """Inputs of any signature: lines as texts, as translations of each other, and as their token ids."""
    names = model.signatures[signature].inputs
    given: dict[str, Any] = {"text": lines, "translation": lines[::-1]}
    if not names.keys() <= given.keys():
        given |= model.call("tokenize", text=lines)
    return {name: given[name] for name in names}


def texts_in(answer: Mapping[str, Any]) -> list[bytes]:
    """All strings of an answer."""
    strings: list[bytes] = []
    left = [values for values in answer.values() if isinstance(values, list)]
    while left:
        values = left.pop()
        strings += [value for value in values if isinstance(value, bytes)]
        left += [value for value in values if isinstance(value, list)]
    return strings


def command_line(
    folder: Path,
    runtime: Runtime,
    signatures: Mapping[str, Signature],
    libraries: Sequence[Path] | None = None,
    flags: Sequence[str] = (),
) -> list[str]:
    """The program with its arguments; calls are numbered as the signatures stand."""
    command = [str(build(runtime, flags))]
    for library in [runtime.tokenizer] if libraries is None else libraries:
        command += ["-l", str(library)]
    for signature in signatures.values():
        feeds, fetches = (",".join(tensor.name for tensor in tensors.values()) for tensors in signature)
        command += ["-c", f"{feeds}={fetches}"]
    return [*command, str(folder)]


def read_signatures(folder: Path) -> dict[str, Signature]:
    """The signatures of a SavedModel, in the order of their names."""
    model = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    found = {}
    for name, signature in sorted(model.meta_graphs[0].signature_def.items()):
        if not name.startswith("__"):  # what a loader runs by itself
            found[name] = Signature(_tensors(signature.inputs), _tensors(signature.outputs))
    return found


def build(runtime: Runtime, flags: Sequence[str] = ()) -> Path:
    """Compiles the program for a runtime, unless that was done before.

    Raises:
        Unavailable: there is no compiler.
    """
    tensorflow = str(runtime.tensorflow)
    command = ["gcc", "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", *flags, str(SOURCE), "-pthread"]
    command += ["-isystem", f"{tensorflow}/include", f"-L{tensorflow}", f"-Wl,-rpath,{tensorflow}"]
    command += ["-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2"]
    key = hashlib.sha256("\0".join([SOURCE.read_text(), runtime.version, *command]).encode()).hexdigest()[:16]
    program = cache_folder() / "programs" / f"serve-{runtime.version}-{key}"
    if not program.exists():
        _compile(command, program)
    return program


def _compile(command: list[str], program: Path) -> None:
    """Compiles beside the program's place, and renames: nobody meets half of it."""
    if not shutil.which(command[0]):
        raise Unavailable(f"expected {command[0]}, which is not installed")
    program.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=program.parent, prefix=".tmp-") as aside:
        process = subprocess.run([*command, "-o", f"{aside}/serve"], capture_output=True, text=True, check=False)
        if process.returncode:
            raise RuntimeError(f"{SOURCE.name} does not compile:\n{process.stderr}")
        Path(aside, "serve").rename(program)


def _tensors(tensors: Mapping[str, Any]) -> dict[str, Tensor]:
    return {name: Tensor(tensor.name, tensor.dtype) for name, tensor in sorted(tensors.items())}


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise RuntimeError("the program was not started")
    return pipe
