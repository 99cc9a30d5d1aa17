"""Does any text make an export fail, slow, or grow?

    python benchmarks/serving/fuzz.py EXPORT [--strings 100000] [--words FILE] [--version 2.21.0] [--seed 1]

sends 100,000 texts that nobody should send (random bytes, Unicode of all planes, the basic plane in order, NULs, right
to left, lone surrogates, invalid UTF-8, long rows, and a megabyte of one thing) to the C program of `tests/serving`,
mostly in batches of 64, and some to every signature. Texts of a megabyte, samples of all kinds and the rows of the
slowest batches are also timed alone, against the longest texts of ordinary words that are not cut.

Exit status 1 if there is an error or an answer that is not UTF-8, if the slowest row takes more than twice as long as
the slowest ordinary one, or if after the warm-up memory grows by more than 5 %.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "serving"))

from hostile_texts import WORDS, giant_texts, long_texts, ordinary_text, short_texts
from native import NativeError, NativeModel, inputs_for, texts_in
from runtimes import INSTALLED, VERSIONS, find_runtime

from nmt.saved_model import read_info, version_folder

BATCH = 64
LONG_SHARE = 100  # one of so many texts is as long as a text may be
MIXED_SHARE = 10  # one of so many short texts stands beside longer ones
GIANT_EVERY, ALL_SIGNATURES_EVERY = 50, 20  # batches
LEGAL_ROWS, SAMPLE_ROWS, SLOWEST_BATCHES, SLOWEST_ROWS = 16, 200, 3, 20
SHOWN_ERRORS = 5
ATTEMPTS = 3  # the machine has other things to do: the quickest counts
TIMES_LIMIT, GROWTH_LIMIT = 2.0, 0.05


@dataclass
class Tally:
    """What came back.

    Attributes:
        strings: texts sent.
        calls: requests.
        errors: what TensorFlow said.
        not_utf8: strings that were not UTF-8.
        batches: seconds and texts of each batch through `serving_default`.
    """

    strings: int = 0
    calls: int = 0
    errors: list[str] = field(default_factory=list)
    not_utf8: int = 0
    batches: list[tuple[float, Sequence[bytes]]] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether nothing went wrong."""
        return not self.errors and not self.not_utf8


def main() -> int:
    """Sends and reports."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("export", type=Path, help="a version's folder, or the folder of versions")
    parser.add_argument("--strings", type=int, default=100_000, help="default: 100000")
    parser.add_argument("--words", type=Path, help="text with ordinary words (default: English ones)")
    parser.add_argument("--version", choices=VERSIONS, default=INSTALLED, help="of TensorFlow (default: the installed)")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()

    folder, generator = version_folder(arguments.export), random.Random(arguments.seed)
    size = read_info(folder).decoding.max_source_bytes
    words = arguments.words.read_text(encoding="utf-8").split() if arguments.words else WORDS
    giants, tally, begin = giant_texts(generator), Tally(), time.monotonic()
    with NativeModel(folder, find_runtime(arguments.version)) as native:
        legal = [longest_whole(native, ordinary_text(size, generator, words)) for _ in range(LEGAL_ROWS)]
        warm_up(native, giants, legal, long_texts(BATCH, size, generator), tally)
        before = native.memory()
        for number, batch in enumerate(batches(arguments.strings, size, giants, generator)):
            send(native, batch, tally, every_signature=number % ALL_SIGNATURES_EVERY == 1)
        slow = slow_rows(native, [*giants, *suspects(tally, generator)], legal, tally)
        growth = native.memory() / before - 1.0

    print(
        f"{tally.strings} strings in {tally.calls} calls, {time.monotonic() - begin:.0f} s: "
        f"{len(tally.errors)} errors, {tally.not_utf8} strings that are not UTF-8"
    )
    print(*(f"  {error}\n" for error in tally.errors[:SHOWN_ERRORS]), sep="", end="")
    print(f"memory: {before / 1e6:.0f} MB after the warm-up, then {growth:+.1%} (limit {GROWTH_LIMIT:.0%})")
    return int(not tally.is_clean or slow > TIMES_LIMIT or growth > GROWTH_LIMIT)


def warm_up(
    native: NativeModel, giants: Sequence[bytes], legal: Sequence[bytes], long: Sequence[bytes], tally: Tally
) -> None:
    """Sends once what takes most memory."""
    for text in giants:
        send(native, [text], tally, every_signature=True)
    for _ in range(ATTEMPTS):
        send(native, (list(legal) * BATCH)[:BATCH], tally, every_signature=True)
        send(native, long, tally, every_signature=True)


def batches(count: int, size: int, giants: Sequence[bytes], generator: random.Random) -> Iterator[list[bytes]]:
    """All texts in batches; here and there a giant takes the place of one."""
    long = long_texts(count // LONG_SHARE, size, generator)
    short = short_texts(count - len(long), generator)
    mixed = len(short) // MIXED_SHARE  # the others stand beside texts as short as they are, which takes half the time
    texts = [*short[:mixed], *sorted(short[mixed:], key=len), *long]
    starts = list(range(0, count, BATCH))
    generator.shuffle(starts)
    for number, start in enumerate(starts):
        batch = texts[start : start + BATCH]
        if number % GIANT_EVERY == 0:
            batch[generator.randrange(len(batch))] = giants[number // GIANT_EVERY % len(giants)]
        yield batch


def send(native: NativeModel, texts: Sequence[bytes], tally: Tally, every_signature: bool = False) -> None:
    """Sends texts to one signature, or to all, and looks at what comes back."""
    tally.strings += len(texts)
    for signature in native.signatures if every_signature else ["serving_default"]:
        tally.calls += 1
        try:
            answer = native.call(signature, **inputs_for(native, signature, texts))
        except NativeError as error:
            if error.code is None:
                raise
            tally.errors.append(f"{signature}: {error}; the first text is {texts[0][:80]!r}")
            continue
        tally.not_utf8 += sum(not is_utf8(text) for text in texts_in(answer))
        if signature == "serving_default":
            tally.batches.append((native.seconds, texts))


def is_utf8(text: bytes) -> bool:
    """Whether bytes are UTF-8."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def longest_whole(native: NativeModel, text: bytes) -> bytes:
    """The longest beginning of a text, in whole words, that is not cut."""
    words = text.split(b" ")
    low, high = 0, len(words)
    while low < high:
        middle = (low + high + 1) // 2
        if native.call("tokenize", text=[b" ".join(words[:middle])])["cut"][0]:
            high = middle - 1
        else:
            low = middle
    return b" ".join(words[:low])


def suspects(tally: Tally, generator: random.Random) -> list[bytes]:
    """Rows of the slowest batches, and some of all."""
    slowest = sorted(tally.batches, key=lambda batch: -batch[0])[:SLOWEST_BATCHES]
    rows = [text for _, texts in tally.batches for text in texts]
    return [*(text for _, texts in slowest for text in texts), *generator.sample(rows, min(SAMPLE_ROWS, len(rows)))]


def slow_rows(native: NativeModel, texts: Sequence[bytes], legal: Sequence[bytes], tally: Tally) -> float:
    """How many times longer the slowest text takes than the slowest legal one, each alone; reported."""
    ordinary = max(seconds_alone(native, text, tally) for text in legal)
    slowest_rows = sorted(texts, key=lambda text: -seconds_alone(native, text, tally, attempts=1))[:SLOWEST_ROWS]
    slowest, text = max((seconds_alone(native, text, tally), text) for text in slowest_rows)
    print(
        f"slowest of {len(texts)} rows alone: {slowest * 1e3:.0f} ms, {len(text):,} bytes that begin with "
        f"{text[:12]!r}; slowest of {len(legal)} longest ordinary rows: {ordinary * 1e3:.0f} ms, "
        f"{max(map(len, legal)):,} bytes; {slowest / ordinary:.2f} times (limit {TIMES_LIMIT})"
    )
    return slowest / ordinary


def seconds_alone(native: NativeModel, text: bytes, tally: Tally, attempts: int = ATTEMPTS) -> float:
    """The quickest of some calls with one text."""
    seconds = []
    for _ in range(attempts):
        send(native, [text], tally)
        seconds.append(native.seconds)
    return min(seconds)


if __name__ == "__main__":
    sys.exit(main())
