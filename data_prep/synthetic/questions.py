"""Patterns that ask, bid, allow, forbid and propose. "You" is honored (-(으)세요?); of others one asks in 합쇼체."""

from __future__ import annotations

from data_prep.synthetic import actions as a
from data_prep.synthetic import conjugation as c
from data_prep.synthetic import lexicon as lx
from data_prep.synthetic import times
from data_prep.synthetic.korean import attach
from data_prep.synthetic.phrases import (
    THIRD,
    Draw,
    action,
    doer,
    finish,
    lift,
    person,
    thing,
)
from data_prep.synthetic.registry import pattern


@pattern
def please(draw: Draw) -> tuple[str, str]:
    """Please close the window tomorrow evening: -아/어 주세요."""
    act = action(draw, a.FAVORS)
    when, korean_when = times.moment(draw, times.FUTURE_DAYS)
    asked = c.polite(c.honor(c.favor(act.predicate)))
    return f"please {act.english('base')} {when}.", f"{korean_when} {act.korean(asked)}."


@pattern
def please_do_not(draw: Draw) -> tuple[str, str]:
    """Please do not sing a song in the library: -지 마세요."""
    act = action(draw, a.NUISANCES, place=1.0, described=0.0, generic=True)
    return (
        f"please do not {act.english('base')}.",
        f"{act.korean(c.join(c.suppletive(act.predicate, True), '지 마세요'))}.",
    )


@pattern
def favor(draw: Draw) -> tuple[str, str]:
    """Could you open the window please: -아/어 주시겠어요?"""
    act = action(draw, a.FAVORS)
    asked = c.join(c.favor(act.predicate), "시겠어요")
    when, korean_when = times.future(draw, act)
    return (
        f"could you {act.english('base')} {when}?",
        f"{korean_when} {act.korean(asked)}?",
    )


@pattern
def forbidden(draw: Draw) -> tuple[str, str]:
    """You must not eat fish in the museum: -(으)시면 안 돼요."""
    act = action(draw, a.NUISANCES, place=1.0, described=0.0, generic=True)
    return f"you must not {act.english('base')}.", f"{act.korean(c.join_eu(c.honor(act.predicate), '면 안 돼요'))}."


@pattern
def lets(draw: Draw) -> tuple[str, str]:
    """Let's meet the singer at the airport tomorrow: -(으)ㅂ시다."""
    act = action(draw, a.PLANS)
    when, korean_when = times.future(draw, act)
    return f"let's {act.english('base')} {when}.", f"{korean_when} {act.korean(c.join_eu(act.predicate, 'ㅂ시다'))}."


@pattern
def shall_we(draw: Draw) -> tuple[str, str]:
    """Shall we play tennis together next week: -(으)ㄹ까요?"""
    act = action(draw, a.PLANS)
    when, korean_when = times.future(draw, act)
    asked = c.join_eu(act.predicate, "ㄹ까요")
    return f"shall we {act.english('base')} together {when}?", f"{korean_when} 같이 {act.korean(asked)}?"


@pattern
def did_you(draw: Draw) -> tuple[str, str]:
    """Did you read the newspaper yesterday: -(으)셨어요?"""
    act = action(draw, a.DEEDS + a.MISHAPS)
    when, korean_when = times.past(draw, act)
    asked = c.polite(c.past(c.honor(act.predicate)))
    return f"did you {act.english('base')} {when}?", f"{korean_when} {act.korean(asked)}?"


@pattern
def do_you(draw: Draw) -> tuple[str, str]:
    """Do you often walk in the park: 자주 -(으)세요?"""
    act = action(draw, a.HABITS, place=0.7, generic=True)
    often, korean_often = draw.one(times.FREQUENCY[:2] + times.FREQUENCY[3:])
    draw.words.append(often)
    asked = c.polite(c.honor(act.predicate))
    return f"do you {often} {act.english('base')}?", f"{korean_often} {act.korean(asked)}?"


@pattern
def have_you_ever(draw: Draw) -> tuple[str, str]:
    """Have you ever visited Egypt: -아/어 보신 적이 있으세요?"""
    act = action(draw, a.ADVENTURES, definite=0.0)
    tried = act.korean(c.join_eu(c.honor(c.attempt(c.suppletive(act.predicate, True))), "ㄴ 적이 있으세요?"))
    return f"have you ever {act.english('participle')}?", tried


@pattern
def did_they(draw: Draw) -> tuple[str, str]:
    """Did the nurse lose the key yesterday: -았습니까?"""
    act = action(draw, a.DEEDS)
    who, (when, korean_when) = doer(draw, act, third=True), times.past(draw, act)
    asked = act.korean(finish(who, lift(who, act.predicate), "past", question=True))
    return f"did {who.english} {act.english('base')} {when}?", f"{who.topic} {korean_when} {asked}?"


@pattern
def what_did_they(draw: Draw) -> tuple[str, str]:
    """What did Yuna eat at the restaurant yesterday?"""
    frame = draw.one(
        (a.EAT_DISH, a.DRINK, a.READ, a.WATCH, a.STUDY, a.WRITE, a.COOK, a.LOSE, a.BUY_FOOD, a.DRAW, a.MAKE)
    )
    draw.words.append(frame.verb)
    where = draw.place(frame.places)
    who, (when, korean_when) = person(draw, THIRD), times.past(draw)
    asked = finish(who, lift(who, frame.predicate), "past", question=True)
    english = f"what did {who.english} {frame.verb} {where.at} {when}?"
    return english, f"{who.topic} {korean_when} {where.korean}에서 무엇을 {asked}?"


@pattern
def where_did_they(draw: Draw) -> tuple[str, str]:
    """Where did the tourist lose the passport yesterday?"""
    act = action(draw, (*(frame for frame in a.DEEDS if frame.places), a.LOSE), place=0.0)
    who, (when, korean_when) = doer(draw, act, third=True), times.past(draw, act)
    asked = act.korean(finish(who, lift(who, act.predicate), "past", question=True))
    return f"where did {who.english} {act.english('base')} {when}?", f"{who.topic} {korean_when} 어디에서 {asked}?"


@pattern
def when_will_they(draw: Draw) -> tuple[str, str]:
    """When will the engineer fix the printer?"""
    act = action(draw, a.PLANS)
    who = doer(draw, act, third=True)
    asked = act.korean(finish(who, lift(who, act.predicate), "future", question=True))
    return f"when will {who.english} {act.english('base')}?", f"{who.topic} 언제 {asked}?"


@pattern
def who_did(draw: Draw) -> tuple[str, str]:
    """Who broke the blue cup yesterday: 누가."""
    act = action(draw, a.DEEDS + a.MISHAPS)
    when, korean_when = times.past(draw, act)
    return (
        f"who {act.english('past')} {when}?",
        f"누가 {korean_when} {act.korean(c.formal(c.past(act.predicate), True))}?",
    )


@pattern
def how_much(draw: Draw) -> tuple[str, str]:
    """How much is the white shirt at the department store?"""
    goods = draw.one(a.BUY)
    shop = draw.place(goods.places)
    fits = a.BOUGHT - set(lx.PRICE_WORDS)
    item = thing(draw, goods.nouns, 0.6, 1.0, goods.article == "many", fits)
    english = f"how much {item.be} {item.english} {shop.at}?"
    return english, f"{shop.korean}에 있는 {attach(item.korean, '은/는')} 얼마입니까?"
