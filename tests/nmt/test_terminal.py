"""What a terminal shows, and what a file gets instead."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from nmt.config import DecodingConfig
from nmt.evaluation import Report, Scores, TextPairs
from nmt.metrics import Score
from nmt.progress import Progress, Reporter, Round
from nmt.terminal import LineProgress, TerminalReporter, report_table


def make_console(is_terminal: bool = False, width: int = 120) -> Console:
    """A console that keeps what it is told."""
    return Console(
        file=io.StringIO(), force_terminal=is_terminal, width=width, highlight=False, soft_wrap=True, _environ={}
    )


def shown(console: Console) -> str:
    """What went to the console."""
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def figures(step: int = 50, seconds_left: float = 75.0, skipped: int = 0) -> Progress:
    return Progress(
        step=step,
        total_steps=1_200,
        epoch=1,
        loss=4.5678,
        tokens_per_second=3_512.4,
        learning_rate=0.001,
        gradient_norm=1.5,
        clipped_share=0.5,
        skipped=skipped,
        seconds_left=seconds_left,
    )


LINE = "epoch   1  step 50/1,200  loss 4.568  3,512 tokens/s  1 min 15 s left"


def test_without_a_terminal_there_is_a_plain_line_every_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 100.0, 105.0, 111.0, 111.0])
    monkeypatch.setattr("nmt.terminal.time.monotonic", lambda: next(clock))
    console = make_console()
    reporter: Reporter = TerminalReporter(console)
    for step in (50, 100, 150):
        reporter.steps(figures(step))
    assert shown(console).splitlines() == [LINE, LINE.replace("50/", "150/")]


def test_on_a_terminal_there_is_one_live_line() -> None:
    console = make_console(is_terminal=True)
    with TerminalReporter(console) as reporter:
        reporter.steps(figures(50))
        reporter.steps(figures(100))
        reporter.end("done")
    assert LINE in shown(console)
    assert shown(console).endswith("done\n")
    assert "\x1b[?25h" in shown(console)  # the cursor is back


def test_narrow_terminal_has_no_bar() -> None:
    console = make_console(is_terminal=True, width=80)
    with TerminalReporter(console) as reporter:
        reporter.steps(figures())
    assert LINE in shown(console)
    assert "━" not in shown(console)


def test_live_line_goes_away_after_an_error() -> None:
    console = make_console(is_terminal=True)
    with pytest.raises(ValueError, match="stop"), TerminalReporter(console) as reporter:
        reporter.steps(figures())
        raise ValueError("stop")
    assert "\x1b[?25h" in shown(console)


def test_nothing_is_written_where_nothing_happened() -> None:
    console = make_console(is_terminal=True)
    with TerminalReporter(console):
        pass
    assert shown(console) == ""


@pytest.mark.parametrize(("is_best", "ending"), [(True, "  best so far"), (False, "")])
@pytest.mark.parametrize(
    ("scores", "shown_scores"),
    [
        ({"bleu": 25.314, "chrf": 44.206}, "BLEU 25.31  chrF 44.21"),
        ({"bits_per_character": 1.2346}, "1.235 bits per character"),
    ],
)
def test_round_is_one_line_with_a_mark_for_the_best(
    scores: dict[str, float], shown_scores: str, is_best: bool, ending: str
) -> None:
    console = make_console()
    result = Round(step=1_200, epoch=3, loss=2.5, perplexity=12.18, is_best=is_best, seconds=3.0, **scores)
    TerminalReporter(console).round(result)
    line = f"epoch   3  step 1,200  validation loss 2.500  perplexity 12.18  {shown_scores}{ending}\n"
    assert shown(console) == line


def test_folder_names_are_no_markup() -> None:
    console = make_console()
    TerminalReporter(console).start("runs/[red]x:smile:")
    assert shown(console) == "runs/[red]x:smile:\n"


@pytest.mark.parametrize(("seconds", "text"), [(3.9, "3 s left"), (3_900.0, "1 h 05 min left")])
def test_time_left(seconds: float, text: str) -> None:
    console = make_console()
    TerminalReporter(console).steps(figures(seconds_left=seconds))
    assert shown(console).endswith(f"  {text}\n")


def test_skipped_steps_are_told() -> None:
    console = make_console()
    TerminalReporter(console).steps(figures(skipped=1_002))
    assert "tokens/s  1,002 skipped  1 min 15 s left" in shown(console)


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_note_is_a_line_above_the_live_one(is_terminal: bool) -> None:
    console = make_console(is_terminal=is_terminal)
    with TerminalReporter(console) as reporter:
        reporter.note("[a] first")
        reporter.steps(figures())
        reporter.note("a second")
    assert "[a] first\n" in shown(console)
    assert "a second\n" in shown(console)


def test_line_progress_is_live_on_a_terminal_alone() -> None:
    quiet, plain, live = make_console(is_terminal=True), make_console(), make_console(is_terminal=True)
    for progress in (LineProgress(10, live=False, console=quiet), LineProgress(10, console=plain)):
        with progress:
            progress.advance(4)
    assert (shown(quiet), shown(plain)) == ("", "")
    with LineProgress(10, console=live) as progress:
        progress.advance(4)
    assert "4/10" in shown(live)


@pytest.mark.parametrize(
    ("total", "lines"),
    [
        (5_000, ["2,000/5,000 lines  182 lines/s  16 s left", "4,000/5,000 lines  182 lines/s  5 s left"]),
        (None, ["2,000 lines  182 lines/s", "4,000 lines  182 lines/s"]),
    ],
)
@pytest.mark.parametrize("live", [True, False])
def test_without_a_terminal_lines_are_counted_every_ten_seconds(
    total: int | None, lines: list[str], live: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([100.0, 105.0, 111.0, 120.0, 122.0])
    monkeypatch.setattr("nmt.terminal.time.monotonic", lambda: next(clock))
    console = make_console()
    progress = LineProgress(total, live=live, console=console)
    for _ in range(4):
        progress.advance(1_000)
    assert shown(console).splitlines() == lines


def test_lines_that_were_done_before_count_but_took_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 120.0])
    monkeypatch.setattr("nmt.terminal.time.monotonic", lambda: next(clock))
    console = make_console()
    LineProgress(10_000, console=console, done=4_000).advance(2_000)
    assert shown(console) == "6,000/10,000 lines  100 lines/s  40 s left\n"


def test_line_progress_warns_everywhere() -> None:
    console = make_console()
    LineProgress(console=console).warn("line 3: cut")
    assert shown(console) == "nmt: warning: line 3: cut\n"


def test_table_has_scores_and_signatures() -> None:
    scores = Scores(Score(12.345, "tok:13a"), Score(2.0), Score(3.0), Score(4.0), Score(5.0))
    text = TextPairs("test", ["1", "2"], [["eins", "zwei"]])
    report = Report(text, ["one", "two"], scores, "best", 1_200, DecodingConfig(), 0.5, "f" * 64)
    console = make_console()
    console.print(report_table(report))
    lines = shown(console).splitlines()
    assert lines[0] == "best checkpoint, step 1,200; beam 5, length penalty 0.6; 4.0 lines/s"
    assert any("test (2)" in line for line in lines)
    assert any("BLEU" in line and "12.3" in line and "tok:13a" in line for line in lines)
