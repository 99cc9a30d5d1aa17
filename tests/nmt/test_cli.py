"""The command line: exit status, error lines, and lines in and out whatever they hold. No model: a fake translates."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from nmt import saved_model
from nmt.cli import app, stack, translate_command
from nmt.cli.lines import MAX_LINE_BYTES
from nmt.cli.settings import DEBUG, Which, decoding_of, quiet_start
from nmt.config import DecodingConfig, parse_config
from nmt.errors import ConfigError, DataError
from nmt.evaluation import Report, Scores, TextPairs
from nmt.metrics import Score
from nmt.run_folder import RunFolder
from nmt.translation import Translation

ROOT = Path(__file__).parents[2]
QUICKSTART = str(ROOT / "configs" / "quickstart.yaml")
HEAVY = ("tensorflow", "keras", "pandas", "duckdb", "ibis", "pyarrow", "numpy", "sacrebleu")


@dataclass
class Shouter:
    """Translates into capitals; cuts after ten bytes; fails at the word `boom`."""

    seen: list[bytes] = field(default_factory=list)

    def translate(
        self, lines: Iterable[bytes], progress: Callable[[int], None] = lambda lines: None
    ) -> Iterator[Translation]:
        for line in lines:
            if line == b"boom":
                raise DataError("it went boom")
            self.seen.append(line)
            progress(1)
            text = line[:10].decode(errors="replace").upper()
            yield Translation(text.replace("|", "\n"), -1.0, len(line) > 10)


@pytest.fixture
def shouter(monkeypatch: pytest.MonkeyPatch) -> Shouter:
    """Takes the place of every model."""
    fake = Shouter()
    monkeypatch.setattr(translate_command, "load", lambda *arguments: fake)
    return fake


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
    assert start("from nmt.cli import main; main()", "--help").returncode == 0
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
    def fail(*arguments: Any) -> None:
        raise error

    monkeypatch.setattr(translate_command, "load", fail)
    result = nmt("translate", "x", text=b"")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"nmt: error: {line}\n")


def test_debug_lets_the_traceback_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any) -> None:
        raise ValueError("bad value")

    monkeypatch.setattr(translate_command, "load", fail)
    assert isinstance(nmt("--debug", "translate", "x", text=b"").exception, ValueError)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", ""),
        (b"one\ntwo\n", "ONE\nTWO\n"),
        (b"one\ntwo", "ONE\nTWO\n"),
        (b"one\r\n\r\ntwo\r\r\n", "ONE\n\nTWO\n"),
        (b"\n\n", "\n\n"),
        (b"   \n", "   \n"),
        (b"\xef\xbb\xbfone\n", "ONE\n"),
        (b"\xff\xfe\n", "\ufffd\ufffd\n"),
        ("a\u2028b\x85c\x0bd\n".encode(), "A B C D\n"),
        (b"a|b\n", "A B\n"),
        (b"a\x00b\n", "A\x00B\n"),
        ("😀 한국\n".encode(), "😀 한\ufffd\n"),
    ],
)
def test_one_line_out_for_one_line_in(shouter: Shouter, text: bytes, expected: str) -> None:
    result = nmt("translate", "x", text=text)
    assert result.exit_code == 0
    assert result.stdout_bytes.decode() == expected


def test_long_line_is_one_line_with_a_warning(shouter: Shouter) -> None:
    result = nmt("translate", "x", text=b"short\n" + b"a" * 100_000 + b"\nshort\n")
    assert result.stdout_bytes == b"SHORT\nAAAAAAAAAA\nSHORT\n"
    assert result.stderr.startswith("nmt: warning: line 2: ")
    assert len(result.stderr.splitlines()) == 1


def test_endless_line_does_not_fill_the_memory(shouter: Shouter) -> None:
    result = nmt("translate", "x", text=b"a" * (3 * MAX_LINE_BYTES + 5) + b"\nnext")
    assert result.stdout_bytes == b"AAAAAAAAAA\nNEXT\n"
    assert len(shouter.seen[0]) == MAX_LINE_BYTES


def test_line_of_exactly_the_limit_ends_where_it_ends(shouter: Shouter) -> None:
    assert nmt("translate", "x", text=b"a" * MAX_LINE_BYTES + b"\nb\n").stdout_bytes == b"AAAAAAAAAA\nB\n"


def test_files_instead_of_pipes(shouter: Shouter, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"one\ntwo\n")
    result = nmt("translate", "x", "--input", tmp_path / "in", "--output", tmp_path / "out")
    assert (result.exit_code, result.output) == (0, "")
    assert (tmp_path / "out").read_bytes() == b"ONE\nTWO\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_output_may_be_the_input(shouter: Shouter, tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"one\ntwo\n")
    (tmp_path / "link").symlink_to("text")
    assert nmt("translate", "x", "--input", tmp_path / "text", "--output", tmp_path / "link").exit_code == 0
    assert (tmp_path / "text").read_bytes() == b"ONE\nTWO\n"
    assert (tmp_path / "link").is_symlink()


def test_output_stays_as_it_was_on_an_error(shouter: Shouter, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("old")
    result = nmt("translate", "x", "--output", tmp_path / "out", text=b"one\nboom\n")
    assert (result.exit_code, result.stderr) == (1, "nmt: error: it went boom\n")
    assert (tmp_path / "out").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(("name", "message"), [("", "Is a directory"), ("missing/out", "create missing first")])
def test_output_that_cannot_be_written(shouter: Shouter, tmp_path: Path, name: str, message: str) -> None:
    result = nmt("translate", "x", "--output", tmp_path / name, text=b"one\n")
    assert result.exit_code == 1
    assert message in result.stderr


def test_output_may_be_a_device(shouter: Shouter) -> None:
    assert nmt("translate", "x", "--output", "/dev/null", text=b"one\n").exit_code == 0


def test_missing_input(shouter: Shouter, tmp_path: Path) -> None:
    result = nmt("translate", "x", "--input", tmp_path / "none")
    assert result.exit_code == 1
    assert result.stderr == (
        f"nmt: error: {tmp_path / 'none'}: No such file or directory; name a text file with --input, or leave it out "
        f"for standard input\n"
    )


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> list[TextPairs]:
    """What `nmt evaluate` was about to translate; the report is a fake."""
    texts: list[TextPairs] = []

    def evaluate(folder: Path, text: TextPairs, *_: Any) -> Report:
        texts.append(text)
        scores = Scores(*[Score(1.0)] * 5)
        return Report(text, ["x"] * len(text.sources), scores, "best", 1, DecodingConfig(), 1.0, "f" * 64)

    monkeypatch.setattr("nmt.evaluation.evaluate", evaluate)
    monkeypatch.setattr(RunFolder, "config", lambda _: parse_config({"name": "a", "corpus": {"synthetic": {}}}))
    return texts


def test_evaluate_takes_several_references(evaluated: list[TextPairs], tmp_path: Path) -> None:
    source, first, second = (tmp_path / name for name in ("a.en", "1.de", "2.de"))
    for path, text in ((source, "one\ntwo\n"), (first, "eins\nzwei\n"), (second, "ein\nzwo\n")):
        path.write_text(text)
    result = nmt("evaluate", tmp_path, "--source", source, "--reference", first, "--reference", second)
    assert (result.exit_code, evaluated[0].name) == (0, "a.en")
    assert (evaluated[0].sources, evaluated[0].references) == (["one", "two"], [["eins", "zwei"], ["ein", "zwo"]])
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["files"] == {"source": str(source), "references": [str(first), str(second)]}
    assert (tmp_path / "translations-a.en.txt").read_text() == "x\nx\n"

    second.write_text("ein\n")
    result = nmt("evaluate", tmp_path, "--source", source, "--reference", first, "--reference", second)
    assert result.exit_code == 1
    assert f"expected as many lines in {source} as in {second}; received 2 and 1; " in result.stderr


@pytest.mark.parametrize("missing", ["source", "reference"])
def test_evaluate_with_a_missing_file(evaluated: list[TextPairs], tmp_path: Path, missing: str) -> None:
    for name in {"source", "reference"} - {missing}:
        (tmp_path / name).write_text("one\n")
    result = nmt("evaluate", tmp_path, "--source", tmp_path / "source", "--reference", tmp_path / "reference")
    assert (result.exit_code, evaluated) == (1, [])
    assert result.stderr == (
        f"nmt: error: {tmp_path / missing}: no such file; name an existing text file with --source and --reference\n"
    )


def test_broken_pipe_ends_quietly() -> None:
    code = "from nmt.cli import main; main()"
    command = f'{sys.executable} -c "{code}" config schema | head -c 10 > /dev/null; echo ${{PIPESTATUS[0]}}'
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment, timeout=300)
    assert (result.stdout, result.stderr) == ("0\n", "")


def test_somebody_who_types_is_answered_at_once() -> None:
    answers: list[bytes] = []

    class Terminal:
        """Hands out a line only when the one before it was answered."""

        def __init__(self) -> None:
            self.lines = [b"one\n", b"two\n", b""]

        def readline(self, limit: int) -> bytes:
            assert len(answers) == 3 - len(self.lines)
            return self.lines.pop(0)

        def write(self, data: bytes) -> None:
            answers.append(data)

        def flush(self) -> None:
            pass

    terminal: Any = Terminal()
    translate_command.translate_lines(Shouter(), terminal, terminal, lambda _: None, lambda _: None, at_once=True)
    assert answers == [b"ONE\n", b"TWO\n"]


@pytest.mark.parametrize("found", ["nothing", "a file"])
def test_model_that_is_no_folder(found: str, tmp_path: Path) -> None:
    if found == "a file":
        (tmp_path / "x").write_text("")
    result = nmt("translate", tmp_path / "x", text=b"")
    assert result.exit_code == 1
    assert result.stderr.endswith(f"found {found}\n")


def test_folder_that_holds_no_model(tmp_path: Path) -> None:
    result = nmt("translate", tmp_path, text=b"")
    assert result.stderr == f"nmt: error: {tmp_path}: expected a run folder with run.json; train it first\n"


@pytest.mark.parametrize("place", ["", "7"])
def test_saved_model_is_known_by_its_file(tmp_path: Path, place: str) -> None:
    assert not translate_command.is_saved_model(tmp_path)
    (tmp_path / place).mkdir(exist_ok=True)
    (tmp_path / place / "saved_model.pb").touch()
    assert translate_command.is_saved_model(tmp_path)


def test_a_version_is_a_number_in_ascii(tmp_path: Path) -> None:
    for name in ("١", "v1", "1"):  # the first one is Arabic
        assert not translate_command.is_saved_model(tmp_path)
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").touch()
    assert translate_command.is_saved_model(tmp_path)


def test_saved_model_takes_no_search_options(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").touch()
    result = nmt("translate", tmp_path, "--beam-size", "3", text=b"")
    assert result.exit_code == 2
    assert "--beam-size" in result.stderr


def test_command_line_changes_the_search() -> None:
    config = parse_config({"name": "a", "corpus": {"synthetic": {}}})
    assert decoding_of(config, beam_size=None, length_penalty=None) == config.decoding
    changed = decoding_of(config, beam_size=2, length_penalty=0.0)
    assert (changed.beam_size, changed.length_penalty) == (2, 0.0)
    with pytest.raises(ConfigError, match=r"decoding\.length_penalty"):
        decoding_of(config, length_penalty=float("nan"))


def test_best_checkpoint_unless_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[str] = []
    monkeypatch.setattr(translate_command, "_load_run", lambda folder, which, options: asked.append(which.value))
    translate_command.load(tmp_path, None, {})
    translate_command.load(tmp_path, Which.last, {})
    assert asked == ["best", "last"]


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
    monkeypatch.setattr(saved_model, "version", lambda name: "2.1.0")
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
