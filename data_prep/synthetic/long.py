"""Long patterns: two or three deeds at places of their own, and a reason with a request."""

from __future__ import annotations

from data_prep.synthetic import actions as a
from data_prep.synthetic import conjugation as c
from data_prep.synthetic import times
from data_prep.synthetic.actions import Frame
from data_prep.synthetic.phrases import SPEAKERS, THIRD, Draw, action, doer, finish, lift, person
from data_prep.synthetic.registry import frequent


def with_place(*frames: Frame) -> tuple[Frame, ...]:
    """Those frames that say where."""
    return tuple(frame for frame in frames if frame.places)


OUTINGS = with_place(*a.BUY, *a.FUN, *a.LEARNING, *a.MOVEMENT, a.READ, a.DRINK, a.EAT_DISH, a.MEET, a.BORROW_BOOK)
OBLIGATIONS = with_place(*a.LEARNING, a.MEET, a.WORK, a.BORROW_BOOK, a.HELP)
REQUESTS = (*a.HOUSEWORK, *a.BUY)


@frequent
def contrast(draw: Draw) -> tuple[str, str]:
    """Yesterday my son bought a red hat at the market, but my daughter read a novel at the library: -지만."""
    one_act, other_act = action(draw, OUTINGS, 1.0, 0.5), action(draw, OUTINGS, 1.0, 0.5)
    one, other = doer(draw, one_act, third=True), doer(draw, other_act, third=True)
    when, korean_when = times.past(draw, one_act, other_act)
    first = one_act.korean(c.join(c.past(lift(one, one_act.predicate)), "지만"))
    second = other_act.korean(finish(other, lift(other, other_act.predicate), "past"))
    english = f"{when} {one.english} {one_act.english('past')}, but {other.english} {other_act.english('past')}."
    return english, f"{korean_when} {one.topic} {first} {other.topic} {second}."


@frequent
def so_please(draw: Draw) -> tuple[str, str]:
    """I have to meet the nurse at the station tomorrow morning, so please feed the dog: -아야 하니까 -아/어 주세요."""
    bound, asked = action(draw, OBLIGATIONS, 1.0, 0.3), action(draw, REQUESTS, 0.6, 0.5)
    who, (when, korean_when) = person(draw, (SPEAKERS,)), times.future(draw, bound, asked)
    reason = bound.korean(c.join_eu(c.must(lift(who, bound.predicate)), "니까"))
    request = asked.korean(c.polite(c.honor(c.favor(asked.predicate))))
    english = (
        f"{who.english} {who.present('have')} to {bound.english('base')} {when}, so please {asked.english('base')}."
    )
    return english, f"{who.nominative} {korean_when} {reason} {request}."


@frequent
def one_after_another(draw: Draw) -> tuple[str, str]:
    """After studying math at school, Yuna met the chef at the cafe and read a novel at home: -(으)ㄴ 후에, -고."""
    acts = [action(draw, OUTINGS, 1.0, 0.3) for _ in range(3)]
    who, (when, korean_when) = person(draw, THIRD), times.past(draw, *acts)
    first = acts[0].korean(c.join_eu(lift(who, acts[0].predicate), "ㄴ 후에"))
    second = acts[1].korean(c.join(lift(who, acts[1].predicate), "고"))
    third = acts[2].korean(finish(who, lift(who, acts[2].predicate), "past"))
    english = f"after {acts[0].english('ing')}, {who.english} {acts[1].english('past')} and {acts[2].english('past')}"
    return f"{english} {when}.", f"{who.topic} {korean_when} {first} {second} {third}."
