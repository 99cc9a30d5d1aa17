"""When and how often: adverbials, weekdays, months, dates and clock times in both languages."""

from __future__ import annotations

from data_prep.synthetic import english, korean
from data_prep.synthetic.phrases import Action, Draw


def _table(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((pair.split("=")[0].strip(), pair.split("=")[1].strip()) for pair in text.split(","))


PAST_DAYS = _table("yesterday=어제, last night=어젯밤에, this morning=오늘 아침에")
PAST = PAST_DAYS + _table("last week=지난주에, last weekend=지난 주말에, two days ago=이틀 전에")
FRESH = _table("yesterday=어제, this morning=오늘 아침에")
FUTURE_DAYS = _table(
    "tomorrow=내일, tomorrow evening=내일 저녁에, tomorrow morning=내일 아침에, the day after tomorrow=모레"
)
FUTURE = FUTURE_DAYS + _table("next week=다음 주에, next weekend=다음 주말에")
LONG_PAST = _table("last week=지난주에, last month=지난달에, last year=작년에")
LONG_FUTURE = _table("next week=다음 주에, next month=다음 달에, next year=내년에")
NOW = _table("now=지금")
HABIT = _table(
    "every day=매일, every morning=매일 아침, every evening=매일 저녁, every week=매주, every weekend=주말마다"
)
FREQUENCY = _table("often=자주, always=항상, sometimes=가끔, usually=보통")
WEEKDAYS = _table(
    "Monday=월요일, Tuesday=화요일, Wednesday=수요일, Thursday=목요일, Friday=금요일, Saturday=토요일, Sunday=일요일"
)
MORNING, AFTERNOON = ("in the morning", "오전"), ("in the afternoon", "오후")
EVENING, NIGHT = ("in the evening", "저녁"), ("at night", "밤")
MINUTES = (0, 0, 30, 30, 10, 15, 20, 40, 45, 50)


def moment(draw: Draw, table: tuple[tuple[str, str], ...]) -> tuple[str, str]:
    """One adverbial of a table, noted as a content word."""
    chosen = draw.one(table)
    draw.words.append(chosen[0])
    return chosen


def past(draw: Draw, *actions: Action) -> tuple[str, str]:
    """A time in the past at which all the actions can be: yesterday, last week, on Monday."""
    if any(action.brief for action in actions):
        return moment(draw, PAST_DAYS)
    return on_weekday(draw) if draw.chance(0.2) else moment(draw, PAST)


def future(draw: Draw, *actions: Action) -> tuple[str, str]:
    """A time in the future at which all the actions can be: tomorrow, next week, on Monday."""
    if any(action.brief for action in actions):
        return moment(draw, FUTURE_DAYS)
    return on_weekday(draw) if draw.chance(0.2) else moment(draw, FUTURE)


def habit(draw: Draw, daily: bool = False) -> tuple[str, str]:
    """A repeated time: every day, on Mondays; daily: one that agrees with an hour."""
    if draw.chance(0.4):
        day, korean_day = moment(draw, WEEKDAYS)
        return f"on {day}s", f"{korean_day}마다"
    return moment(draw, HABIT[:1] if daily else HABIT)


def on_weekday(draw: Draw) -> tuple[str, str]:
    """On Monday, 월요일에."""
    day, korean_day = moment(draw, WEEKDAYS)
    return f"on {day}", f"{korean_day}에"


def calendar_day(draw: Draw) -> tuple[str, str]:
    """A date without its preposition: March fourteenth, 삼월 십사일."""
    month = draw.integer(1, 12)
    day = draw.integer(1, korean.DAYS_IN_MONTH[month - 1])
    name = english.MONTHS[month - 1]
    draw.words.append(name)
    return f"{name} {english.ordinal(day)}", korean.date(month, day)


def clock_time(draw: Draw, hours: tuple[int, int] = (6, 21)) -> tuple[str, str]:
    """A time of day between two hours of the day: half past three in the afternoon, 오후 세 시 반."""
    hour = draw.integer(*hours)
    minute = draw.one(MINUTES)
    period = MORNING if hour < 12 else AFTERNOON if hour < 18 else EVENING if hour < 21 else NIGHT
    twelve = (hour - 1) % 12 + 1
    return english.clock(twelve, minute, period[0]), korean.clock(twelve, minute, period[1])
