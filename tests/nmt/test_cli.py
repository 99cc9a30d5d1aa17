"""The command line: exit status, error lines, what is imported when, and the versions of the stack."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from nmt.cli import app, stack, translate_command
from nmt.cli.settings import DEBUG, quiet_start
from nmt.errors import DataError
from nmt.saved_model import ops

ROOT = Path(__file__).parents[2]
QUICKSTART = str(ROOT / "configs" / "quickstart.yaml")
HEAVY = ("tensorflow", "keras", "pandas", "duckdb", "ibis", "pyarrow", "numpy", "sacrebleu")


def nmt(*arguments: str | Path, text: bytes | None = None) -> Result:
    """Runs the command line in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=text)


def start(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs Python code in a process of its own, which imports what it imports."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)


@pytest.mark.parametrize("arguments", [["--help"], ["lm", "sample", "--help"], ["config", "check", QUICKSTART]])
def test_light_commands_import_nothing_heavy(arguments: list[str]) -> None:
    show = f"print('heavy:', sorted(set(sys.modules) & set({HEAVY})))"
    code = f"import atexit, sys; from nmt.cli import main; atexit.register(lambda: {show}); main()"
    result = start(code, *arguments)
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith("heavy: []\n")


def test_help_is_there_at_once() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert start("from nmt.__main__ import program; program()", "--help").returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # The processor's time: what a clock shows depends on who else is at work.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.0


def test_module_runs_like_the_command() -> None:
    result = start("import runpy; runpy.run_module('nmt', run_name='__main__')", "config", "check", QUICKSTART)
    assert (result.returncode, result.stdout, result.stderr) == (0, f"{QUICKSTART}: ok\n", "")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--debug"],
        ["nonsense"],
        ["translate"],
        ["translate", "x", "--checkpoint", "first"],
        ["translate", "x", "--beam-size", "0"],
        ["evaluate", "x", "--source", "a"],
        ["evaluate", "x", "--reference", "a"],
        ["evaluate", "x", "--split", "test", "--source", "a", "--reference", "b"],
        ["config"],
    ],
)
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    result = nmt(*arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_config_check_names_every_fault() -> None:
    result = nmt("config", "check", QUICKSTART, "--set", "training.epochs=0", "--set", "model.cell=lsmt")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("nmt: error: ")
    assert len(result.stderr.splitlines()) == 2
    assert "Did you mean 'lstm'?" in result.stderr


def test_config_schema_is_a_json_schema() -> None:
    schema = json.loads(nmt("config", "schema").stdout)
    assert schema["properties"].keys() == {"name", "corpus", "subword", "model", "training", "decoding", "export"}


def test_config_schema_as_markdown() -> None:
    assert nmt("config", "schema", "--markdown").stdout.startswith("# Configuration\n")


@pytest.mark.parametrize("command", ["prepare", "train"])
def test_missing_configuration(command: str) -> None:
    result = nmt(command, "missing.yaml")
    assert result.exit_code == 1
    assert (
        result.stderr
        == "nmt: error: missing.yaml: no such file; name a configuration such as configs/quickstart.yaml\n"
    )


def test_training_without_a_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = nmt("train", QUICKSTART)
    assert result.exit_code == 1
    assert result.stderr == (
        "nmt: error: prepared/quickstart: expected a prepared corpus, found no manifest.json; run nmt prepare first\n"
    )


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (DataError("what to do"), "what to do"),
        (KeyboardInterrupt(), "interrupted"),
        (FileNotFoundError(2, "No such file or directory", "a.txt"), "a.txt: No such file or directory"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (
            ValueError("bad\nvalue"),
            "unexpected ValueError: bad value; run again as nmt --debug ... for the traceback",
        ),
    ],
)
def test_every_error_is_one_line(error: BaseException, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(translate_command, "load", fail)
    result = nmt("translate", "x", text=b"")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"nmt: error: {line}\n")


def test_debug_lets_the_traceback_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ValueError("bad value")

    monkeypatch.setattr(translate_command, "load", fail)
    assert isinstance(nmt("--debug", "translate", "x", text=b"").exception, ValueError)


def test_broken_pipe_ends_quietly() -> None:
    code = "from nmt.__main__ import program; program()"
    command = f'{sys.executable} -c "{code}" config schema | head -c 10 > /dev/null; echo ${{PIPESTATUS[0]}}'
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment, timeout=300)
    assert (result.stdout, result.stderr) == ("0\n", "")


def test_version_shows_the_whole_stack() -> None:
    result = nmt("--version")
    assert result.exit_code == 0
    for name in (
        "keras-nmt",
        "Python",
        "processor",
        "keras",
        "tensorflow",
        "tensorflow-text",
        "sentencepiece",
        "devices",
    ):
        assert f"\n{name} " in f"\n{result.stdout}"
    assert "cores" in result.stdout


def test_mismatch_of_tensorflow_and_its_text_is_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    assert stack.text_warnings() == []
    monkeypatch.setattr(ops, "version", lambda name: "2.1.0")
    (warning,) = stack.text_warnings()
    assert warning.startswith("WARNING: export and SavedModels will fail: tensorflow ")
    assert "tensorflow-text 2.1.0 do not fit together" in warning


def test_processor_features_are_read_from_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cpu_info = tmp_path / "cpuinfo"
    cpu_info.write_text("model name\t: Fast One\nflags\t\t: fpu avx512f amx_bf16\n")
    monkeypatch.setattr(stack, "CPU_INFO", cpu_info)
    text = stack.describe_processor()
    assert text.startswith("Fast One, ")
    assert text.endswith("avx512f yes, avx512_bf16 no, amx_bf16 yes")


CHATTER = b"WARNING: All log messages before absl::InitializeLog() is called\nI0000 00:00:17 port.cc:153] oneDNN\n"


def test_what_tensorflow_says_at_its_first_import_is_kept_off_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    with pytest.raises(ImportError), quiet_start():
        os.write(2, CHATTER + b"a library is missing\n")
        raise ImportError
    os.write(2, b"I0000 later\n")
    assert capfd.readouterr().err == "a library is missing\nI0000 later\n"


def test_debug_shows_what_tensorflow_says(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    token = DEBUG.set(True)
    with quiet_start():
        os.write(2, CHATTER)
    DEBUG.reset(token)
    assert capfd.readouterr().err == CHATTER.decode()


@pytest.mark.slow
def test_first_import_of_tensorflow_says_nothing() -> None:
    code = "from nmt.cli.settings import quiet_start\nwith quiet_start():\n    import tensorflow, tensorflow_text"
    result = start(f"import os; os.environ.pop('TF_CPP_MIN_LOG_LEVEL', None); {code}")
    assert (result.returncode, result.stderr) == (0, "")
