"""Patterns of one clause: tense, negation, ability, duty, wish, plan; and the things given, worn, said to be done."""

from __future__ import annotations

from data_prep.synthetic import actions as a
from data_prep.synthetic import conjugation as c
from data_prep.synthetic import lexicon as lx
from data_prep.synthetic import times
from data_prep.synthetic.phrases import (
    ADULTS,
    CHILDREN,
    ELDERS,
    HONORED,
    NAMED,
    RELATIVES,
    SINGLE,
    Draw,
    action,
    doer,
    finish,
    lift,
    object_of,
    person,
    thing,
    toward,
    with_and,
    with_or,
)
from data_prep.synthetic.registry import pattern

RECIPIENTS = (NAMED, CHILDREN, ELDERS, HONORED, RELATIVES)


@pattern
def past_action(draw: Draw) -> tuple[str, str]:
    """The student read a book in the library yesterday."""
    act = action(draw, a.DEEDS)
    who, (when, korean_when) = doer(draw, act), times.past(draw, act)
    korean = f"{who.topic} {korean_when} {act.korean(finish(who, lift(who, act.predicate), 'past'))}"
    return f"{who.english} {act.english('past')} {when}.", korean + "."


@pattern
def mishap(draw: Draw) -> tuple[str, str]:
    """Minsu lost the wallet at the station yesterday."""
    act = action(draw, a.MISHAPS, place=0.6)
    who, (when, korean_when) = doer(draw, act), times.past(draw, act)
    korean = f"{who.topic} {korean_when} {act.korean(finish(who, lift(who, act.predicate), 'past'))}"
    return f"{who.english} {act.english('past')} {when}.", korean + "."


@pattern
def habit(draw: Draw) -> tuple[str, str]:
    """The student drinks coffee at the cafe every morning."""
    act = action(draw, a.HABITS, generic=True)
    who, (when, korean_when) = doer(draw, act), times.habit(draw)
    korean = f"{who.topic} {korean_when} {act.korean(finish(who, lift(who, act.predicate)))}"
    return f"{who.english} {act.present(who)} {when}.", korean + "."


@pattern
def frequency(draw: Draw) -> tuple[str, str]:
    """My friend often plays the piano at home."""
    act = action(draw, a.HABITS, place=0.7, generic=True)
    who, (how_often, korean_how_often) = doer(draw, act), times.moment(draw, times.FREQUENCY)
    korean = f"{who.topic} {korean_how_often} {act.korean(finish(who, lift(who, act.predicate)))}"
    return f"{who.english} {how_often} {act.present(who)}.", korean + "."


@pattern
def future_action(draw: Draw) -> tuple[str, str]:
    """The nurse will buy a bag at the market tomorrow."""
    act = action(draw, a.PLANS)
    who, (when, korean_when) = doer(draw, act), times.future(draw, act)
    korean = f"{who.topic} {korean_when} {act.korean(finish(who, lift(who, act.predicate), 'future'))}"
    return f"{who.english} will {act.english('base')} {when}.", korean + "."


@pattern
def progressive(draw: Draw) -> tuple[str, str]:
    """The girls are drawing a tiger in the classroom now."""
    act = action(draw, a.LASTING)
    who, (when, korean_when) = doer(draw, act), times.moment(draw, times.NOW)
    doing = c.progressive(act.predicate, who.honored)
    return (
        f"{who.english} {who.be} {act.english('ing')} {when}.",
        f"{who.topic} {korean_when} {act.korean(finish(who, doing))}.",
    )


@pattern
def past_progressive(draw: Draw) -> tuple[str, str]:
    """The nurse was drinking coffee at half past three in the afternoon."""
    act = action(draw, a.LASTING)
    who, (when, korean_when) = doer(draw, act), times.clock_time(draw, (8, 20))
    doing = c.progressive(act.predicate, who.honored)
    return (
        f"{who.english} {who.was} {act.english('ing')} at {when}.",
        f"{who.topic} {korean_when}에 {act.korean(finish(who, doing, 'past'))}.",
    )


@pattern
def negative_past(draw: Draw) -> tuple[str, str]:
    """Minsu did not read a book at home yesterday."""
    act = action(draw, a.DEEDS)
    who, (when, korean_when) = doer(draw, act), times.past(draw, act)
    not_done = c.negative(act.predicate, who.honored)
    return (
        f"{who.english} did not {act.english('base')} {when}.",
        f"{who.topic} {korean_when} {act.korean(finish(who, not_done, 'past'))}.",
    )


@pattern
def ability(draw: Draw) -> tuple[str, str]:
    """My cousin can play the violin at school tomorrow."""
    act = action(draw, a.PLANS)
    who, (when, korean_when) = doer(draw, act), times.future(draw, act)
    able = c.can(lift(who, act.predicate))
    return (
        f"{who.english} can {act.english('base')} {when}.",
        f"{who.topic} {korean_when} {act.korean(finish(who, able))}.",
    )


@pattern
def inability(draw: Draw) -> tuple[str, str]:
    """I could not sleep at the hotel last night."""
    act = action(draw, a.DEEDS)
    who, (when, korean_when) = doer(draw, act), times.past(draw, act)
    unable = c.cannot(lift(who, act.predicate))
    return (
        f"{who.english} could not {act.english('base')} {when}.",
        f"{who.topic} {korean_when} {act.korean(finish(who, unable, 'past'))}.",
    )


@pattern
def duty(draw: Draw) -> tuple[str, str]:
    """We have to study math tomorrow."""
    act = action(draw, a.TASKS)
    who, (when, korean_when) = doer(draw, act), times.future(draw, act)
    bound = c.must(lift(who, act.predicate))
    english = f"{who.english} {who.present('have')} to {act.english('base')} {when}."
    return english, f"{who.topic} {korean_when} {act.korean(finish(who, bound))}."


@pattern
def wish(draw: Draw) -> tuple[str, str]:
    """The boy wants to eat ice cream at the beach next week."""
    act = action(draw, a.PLANS)
    who, (when, korean_when) = doer(draw, act), times.future(draw, act)
    wanting = c.want(act.predicate, who.conversational, who.honored)
    english = f"{who.english} {who.present('want')} to {act.english('base')} {when}."
    return english, f"{who.topic} {korean_when} {act.korean(finish(who, wanting))}."


@pattern
def decision(draw: Draw) -> tuple[str, str]:
    """Sujin decided to sell the sofa next week."""
    act = action(draw, a.PLANS)
    who, (when, korean_when) = doer(draw, act), times.future(draw, act)
    decided = c.Predicate(c.join(c.suppletive(act.predicate, who.honored), "기로 하"))
    korean = f"{who.topic} {korean_when} {act.korean(finish(who, lift(who, decided), 'past'))}."
    return f"{who.english} decided to {act.english('base')} {when}.", korean


@pattern
def liking(draw: Draw) -> tuple[str, str]:
    """My grandmother likes to walk in the park."""
    act = action(draw, a.HABITS, place=0.6, generic=True)
    who = doer(draw, act)
    liked = finish(who, lift(who, c.Predicate("좋아하")))
    deed = act.korean(c.join(c.suppletive(act.predicate, who.honored), "는 것을"))
    korean = f"{who.topic} {deed} {liked}."
    return f"{who.english} {who.present('like')} to {act.english('base')}.", korean


@pattern
def experience(draw: Draw) -> tuple[str, str]:
    """The tourist has never eaten kimchi."""
    act = action(draw, a.ADVENTURES, place=0.3, definite=0.0)
    who = doer(draw, act)
    tried = c.join_eu(lift(who, c.attempt(c.suppletive(act.predicate, who.honored))), "ㄴ 적이")
    never = c.Predicate("없", honored=False)
    korean = f"{who.topic} {act.korean(tried)} {finish(who, lift(who, never))}."
    return f"{who.english} {who.present('have')} never {act.english('participle')}.", korean


@pattern
def wearing(draw: Draw) -> tuple[str, str]:
    """The singer is wearing a yellow dress and black boots: 입다, 신다, 쓰다, 끼다 by the part of the body."""
    who, first, second = person(draw, SINGLE), a.WEAR[0], draw.one(a.WEAR[1:])
    clothes = tuple(n for n in first.nouns if who.pronoun != "he" or n.english not in ("dress", "skirt"))
    upper, lower = thing(draw, clothes, 0.5, 0.0), thing(draw, second.nouns, 0.5, 0.0)
    wearing_too = c.join(first.predicate, "고")
    english = f"{who.english} {who.be} wearing {upper.english} and {lower.english}."
    state = finish(who, c.progressive(second.predicate, who.honored))
    return english, f"{who.topic} {object_of(upper.korean)} {wearing_too} {object_of(lower.korean)} {state}."


@pattern
def giving(draw: Draw) -> tuple[str, str]:
    """Minji gave a white rose to the teacher yesterday."""
    who = person(draw, (NAMED, ADULTS, CHILDREN, RELATIVES))
    to = person(draw, RECIPIENTS)
    act = action(draw, a.GIVING)
    when, korean_when = times.past(draw, act)
    predicate, dative = act.predicate, to.korean + "에게"
    if to.honored:  # to an honored person one 드리다, not 주다
        dative = to.korean + "께"
        predicate = (
            c.Predicate(act.predicate.stem.removesuffix("주") + "드리") if predicate.stem[-1] == "주" else predicate
        )
    korean = f"{who.topic} {korean_when} {dative} {act.korean(finish(who, predicate, 'past'))}."
    return f"{who.english} {act.english('past')} to {to.english} {when}.", korean


@pattern
def two_objects(draw: Draw) -> tuple[str, str]:
    """The chef bought onions and fish at the market yesterday: 과/와 by the first noun's last sound."""
    act = action(draw, a.PAIRED, described=0.0, place=0.0, definite=0.0)
    who, (when, korean_when) = doer(draw, act), times.past(draw, act)
    second = thing(draw, act.frame.nouns, 0.0, float(act.frame.article == "the"), act.frame.article == "many")
    first = act.before[:-1]
    both = f"{with_and(first)} {object_of(second.korean)}"
    korean = f"{who.topic} {korean_when} {both} {finish(who, lift(who, act.predicate), 'past')}."
    return f"{who.english} {act.english('past')} and {second.english} {when}.", korean


@pattern
def either(draw: Draw) -> tuple[str, str]:
    """My father drinks coffee or tea every morning: 이나/나 by the first noun's last sound."""
    frame = draw.one(a.ALTERNATIVES)
    draw.words.append(frame.verb)
    first, second = thing(draw, frame.nouns, 0.0, 0.0), thing(draw, frame.nouns, 0.0, 0.0)
    who, (when, korean_when) = person(draw), times.habit(draw)
    objects = f"{with_or(first.korean)} {object_of(second.korean)}"
    english = f"{who.english} {who.present(frame.verb)} {first.english} or {second.english} {when}."
    return english, f"{who.topic} {korean_when} {objects} {finish(who, lift(who, frame.predicate))}."


@pattern
def going_by(draw: Draw) -> tuple[str, str]:
    """My sister went to the airport by taxi last week."""
    far, who = draw.chance(0.4), person(draw)
    where, by = draw.place(lx.CITIES if far else lx.PUBLIC), draw.noun(lx.TRANSPORT[:3] if far else lx.TRANSPORT[1:4])
    when, korean_when = times.past(draw)
    gone = finish(who, lift(who, c.Predicate("가")), "past")
    return (
        f"{who.english} went {where.to} by {by.english} {when}.",
        f"{who.topic} {korean_when} {toward(by.korean)} {where.korean}에 {gone}.",
    )


@pattern
def moving(draw: Draw) -> tuple[str, str]:
    """The painter will leave for France next month: 으로/로."""
    who, where = person(draw), draw.place(lx.CITIES + lx.COUNTRIES)
    when, korean_when = times.moment(draw, times.LONG_FUTURE)
    leaving = finish(who, lift(who, c.Predicate("떠나")), "future")
    return (
        f"{who.english} will leave for {where.english} {when}.",
        f"{who.topic} {korean_when} {toward(where.korean)} {leaving}.",
    )
