from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks" / "speed"))

from arithmetic import Form, Lengths, multiply_adds, training_operations
from contenders import Contender, contenders_of, searching
from figures import Range, last_json, range_of, ratios, table
from protocol import Job, Search, Sizes
from report import Report, figure

TINY = Sizes(embedding=1, encoder=1, decoder=2, vocabulary=3)
PAIR = Lengths(source=2.0, target=1.0)
MEGABYTE = 1_000_000


def test_ratios_are_taken_pair_by_pair() -> None:
    assert ratios([8.0, 9.0, 30.0], [2.0, 3.0, 5.0]) == Range(median=4.0, low=3.0, high=6.0)


def test_of_seconds_less_is_better() -> None:
    assert ratios([2.0, 4.0], [4.0, 4.0], less_is_better=True) == Range(1.5, 1.0, 2.0)


def test_a_round_without_its_pair_is_refused() -> None:
    with pytest.raises(ValueError, match="received 2 and 1 figures"):
        ratios([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="received none"):
        range_of([])


def test_the_answer_is_found_among_what_libraries_say() -> None:
    said = 'Loading ...\n{"tokens": 1}\n{"tokens": 2, "seconds": 4}\n{not json}\nBye.\n'
    assert last_json(said) == {"tokens": 2, "seconds": 4}
    with pytest.raises(ValueError, match=r"expected a line of JSON, received 'Bye\.'"):
        last_json("Bye.\n")


def test_multiply_adds_by_hand() -> None:
    # Source token: 2 * 4 * (1 + 1) = 16. Target token: decoder 4 * 2 * (1 + 2) = 24, attention 2 * (2 + 2) = 8,
    # readout (2 + 2) * 2 = 8, projection 2 * 3 = 6.
    assert multiply_adds(TINY, Form(), PAIR) == 2 * 16 + 24 + 8 + 8 + 6


def test_keys_and_input_feeding_by_hand() -> None:
    plain = multiply_adds(TINY, Form(), PAIR)
    assert multiply_adds(TINY, Form(projects_keys=True), PAIR) == plain + 2 * (2 * 2)
    assert multiply_adds(TINY, Form(input_feeding=True), PAIR) == plain + 4 * 2 * 2


def test_the_described_model_takes_seven_and_a_half_million() -> None:
    lengths = Lengths(16.0, 16.0)
    assert multiply_adds(Sizes(), Form(projects_keys=True), lengths) == pytest.approx(7.5e6, rel=0.01)
    assert training_operations(Sizes(), Form(projects_keys=True), lengths) == pytest.approx(45e6, rel=0.01)


def test_all_settings_of_ours_and_one_of_a_peer() -> None:
    found = contenders_of(["keras_nmt", "joey_nmt"], [64, 128], ["float32", "mixed_bfloat16"])
    assert [str(contender) for contender in found] == [
        "keras_nmt, float32, 64 sentences",
        "keras_nmt, mixed_bfloat16, 64 sentences",
        "joey_nmt, float32, 64 sentences",
        "keras_nmt, float32, 128 sentences",
        "keras_nmt, mixed_bfloat16, 128 sentences",
        "joey_nmt, float32, 128 sentences",
    ]
    assert [str(contender) for contender in contenders_of(["keras_nmt", "joey_nmt"], [64], ["mixed_bfloat16"])] == [
        "keras_nmt, mixed_bfloat16, 64 sentences",
        "joey_nmt, float32, 64 sentences",
    ]


def test_figures_of_answers() -> None:
    assert figure("train", {"tokens": 600, "seconds": 2.0}) == 300.0
    assert figure("translate", {"lines": 10, "seconds": 4.0}) == 2.5
    assert figure("latency", {"latencies": [0.002, 0.9, 0.003]}) == 3.0


def test_a_table_in_markdown() -> None:
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def report() -> Report:
    corpus: Any = SimpleNamespace(lengths=PAIR)
    job = Job("", "", "", "", "", "", sizes=TINY)
    return Report(job, corpus, machine={}, options={})


def trained(tokens_per_second: float, megabytes: int = 1) -> dict[str, Any]:
    return {"tokens": tokens_per_second, "seconds": 1.0, "peak_memory": megabytes * MEGABYTE}


OURS = Contender("keras_nmt", "float32", 64)
PEER = Contender("joey_nmt", "float32", 64)


def test_a_summary_compares_ours_with_each_peer_round_by_round() -> None:
    one = report()
    for ours, theirs in ((30.0, 10.0), (20.0, 10.0), (80.0, 20.0)):
        one.matrix_rates.append({"float32": 78 * 6 * 100.0, "bfloat16": 1.0})
        one.add("train", OURS, trained(ours, int(ours)), Path())
        one.add("train", PEER, trained(theirs), Path())
    summary = one.summary("train")
    assert summary[OURS]["against"] == {str(PEER): Range(3.0, 2.0, 4.0)}
    assert summary[OURS]["peak_memory"] == 80 * MEGABYTE
    assert summary[OURS]["multiply_adds"] == 78  # see above
    assert summary[OURS]["share"] == pytest.approx((0.3, 0.2, 0.8))
    assert summary[PEER]["against"] == {}


def test_a_run_that_was_broken_off_compares_whole_pairs() -> None:
    one = report()
    one.matrix_rates.append({"float32": 1.0})
    for answer in (trained(30.0), trained(50.0)):
        one.add("train", OURS, answer, Path())
    one.add("train", PEER, trained(10.0), Path())
    assert one.summary("train")[OURS]["against"] == {str(PEER): Range(3.0, 3.0, 3.0)}


def test_the_best_setting_of_each_system() -> None:
    one = report()
    one.matrix_rates.append({"float32": 1.0, "bfloat16": 1.0})
    wide = Contender("keras_nmt", "mixed_bfloat16", 128)
    for contender, speed in ((OURS, 30.0), (wide, 40.0), (PEER, 10.0)):
        one.add("train", contender, trained(speed), Path())
    assert one.best() == {"keras_nmt": (wide, Range(40.0, 40.0, 40.0)), "joey_nmt": (PEER, Range(10.0, 10.0, 10.0))}
    assert f"{wide}: 40 target tokens/s" in str(one)


def test_what_is_written_is_json_and_whole(tmp_path: Path) -> None:
    import json

    one = report()
    one.corpus.pairs = 7  # type: ignore[misc]
    one.matrix_rates.append({"float32": 78 * 6 * 100.0})
    one.add("train", OURS, trained(30.0), Path())
    one.write(tmp_path / "results" / "speed.json")
    written = json.loads((tmp_path / "results" / "speed.json").read_text())
    assert written["summary"]["train"][str(OURS)]["figure"] == [30.0, 30.0, 30.0]
    assert written["rounds"]["train"][str(OURS)] == [trained(30.0)]
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["speed.json"]


def test_this_toolkit_is_compared_once_with_each_search() -> None:
    fast = Search("bfloat16", shortlist=1_024, lookahead=5)
    ours, faster, peer = searching([OURS, PEER], [Search(), fast])
    assert (ours.search, faster.search, peer) == (Search(), fast, PEER)
    assert ours.folder_name == faster.folder_name == OURS.folder_name
    assert str(faster) == f"{OURS}, searched in bfloat16 among 1,024, lookahead 5"
    assert len({str(one) for one in (OURS, ours, faster)}) == 3
    job = Job("translate", "a", "b", "c", "d", "e", search=fast)
    assert Job.from_json(job.to_json()) == job
