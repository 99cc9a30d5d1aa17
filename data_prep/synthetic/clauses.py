"""Patterns of two clauses: because, if, when, before, after, while, but, and, in order to, and relative clauses.

The dependent clause goes first in Korean; a subject that both share is said once, as topic.
"""

from __future__ import annotations

from dataclasses import replace

from data_prep.synthetic import actions as a
from data_prep.synthetic import conjugation as c
from data_prep.synthetic import korean as k
from data_prep.synthetic import lexicon as lx
from data_prep.synthetic import times
from data_prep.synthetic.actions import Frame
from data_prep.synthetic.english import verb_forms
from data_prep.synthetic.lexicon import ADJECTIVES
from data_prep.synthetic.phrases import (
    ADULTS,
    CHILDREN,
    EVERYONE,
    NAMED,
    RELATIVES,
    WITH_PRONOUN,
    Draw,
    action,
    describe,
    doer,
    finish,
    lift,
    object_of,
    person,
)
from data_prep.synthetic.registry import pattern

CHORES = (
    *(a.STUDY, a.REVIEW, a.COOK, a.WASH_CLOTHES, a.TIDY, a.SWEEP, a.FEED, a.MEAL, a.MEAL, a.EAT_FRUIT, a.DRINK),
    *(a.READ, a.WRITE, *a.FUN, a.CALL, a.MEET, a.REST, *a.MOVEMENT, a.WORK),
)
EFFORTS = (*a.FUN, *a.LEARNING, *a.HOUSEWORK, a.WRITE, a.READ, *a.MOVEMENT, *a.BUY)
NEEDS = (
    ("hungry", (a.EAT_DISH, a.EAT_FRUIT, a.MEAL)),
    ("thirsty", (a.DRINK,)),
    ("bored", (a.READ, a.DRAW, *a.FUN)),
    ("lonely", (a.CALL, a.MEET, a.CHAT, a.INVITE)),
)
AT_WORK = (
    a.WASH_FOOD,
    a.SLICE,
    a.PEEL,
    a.PLANT,
    a.COOK,
    a.BAKE,
    a.TIDY,
    a.SWEEP,
    a.WASH_CLOTHES,
    a.DRAW,
    a.FIX,
    a.WALK,
)
WEATHER = (
    ("it rains", "비가 오", False),
    ("it snows", "눈이 오", False),
    ("it is cold", "춥", True),
    ("it is hot", "덥", True),
)

PAST_WEATHER = (
    ("rained", "rain", "비가 오", False),
    ("snowed", "snow", "눈이 오", False),
    ("was cold", "cold", "춥", True),
    ("was hot", "hot", "덥", True),
)


def at_place(name: str) -> tuple[Frame, ...]:
    """The frames that can happen at one place, each narrowed to it."""
    place = lx.PLACES[name]
    return tuple(replace(frame, places=(place,)) for frame in a.DEEDS if place in frame.places)


AT_HOME, IN_THE_PARK = at_place("home"), at_place("park")
HABITS_AT_HOME = tuple(frame for frame in AT_HOME if frame.verb in {habit.verb for habit in a.HABITS})
HERE = {place.english: at_place(place.english) for place in (*lx.PUBLIC, lx.SCHOOL)}
GOALS = tuple(lx.PLACES[name] for name, frames in HERE.items() if frames)


@pattern
def because_state(draw: Draw) -> tuple[str, str]:
    """Sujin did not play tennis yesterday because she was tired: -았기 때문에."""
    act, who = action(draw, EFFORTS), person(draw, WITH_PRONOUN)
    (when, korean_when), state = times.past(draw, act), draw.adjective(("tired", "busy", "sick", "sleepy"))
    reason = c.join(c.past(lift(who, state.predicate)), "기 때문에")
    not_done = finish(who, c.negative(act.predicate, who.honored), "past")
    english = f"{who.english} did not {act.english('base')} {when} because {who.pronoun} {who.was} {state.english}."
    return english, f"{who.topic} {korean_when} {reason} {act.korean(not_done)}."


@pattern
def because_need(draw: Draw) -> tuple[str, str]:
    """My daughter ate bread at home yesterday because she was hungry."""
    state, frames = draw.one(NEEDS)
    act, who = action(draw, frames, described=0.3), person(draw, WITH_PRONOUN)
    draw.words.append(state)
    when, korean_when = times.past(draw, act)
    reason = c.join(c.past(lift(who, ADJECTIVES[state].predicate)), "기 때문에")
    done = act.korean(finish(who, lift(who, act.predicate), "past"))
    english = f"{who.english} {act.english('past')} {when} because {who.pronoun} {who.was} {state}."
    return english, f"{who.topic} {korean_when} {reason} {done}."


@pattern
def if_weather(draw: Draw) -> tuple[str, str]:
    """If it rains tomorrow, the girls will bake bread at home: -(으)면."""
    said, stem, adjective = draw.one(WEATHER)
    draw.words.append(said.split()[-1].removesuffix("s"))
    act = action(draw, AT_HOME, place=1.0)
    who, (when, korean_when) = doer(draw, act), times.moment(draw, times.FUTURE)
    weather = c.Predicate(stem, adjective, irregular="ㅂ" if adjective else "")
    condition = c.join_eu(weather, "면")
    done = act.korean(finish(who, lift(who, act.predicate), "future"))
    return (
        f"if {said} {when}, {who.english} will {act.english('base')}.",
        f"{korean_when} {condition} {who.topic} {done}.",
    )


@pattern
def when_weather(draw: Draw) -> tuple[str, str]:
    """When it is cold, my mother wears gloves: -(으)ㄹ 때."""
    said, stem, adjective = draw.one(WEATHER)
    draw.words.append(said.split()[-1].removesuffix("s"))
    act = action(draw, HABITS_AT_HOME, place=1.0, generic=True)
    who, (often, korean_often) = doer(draw, act), times.moment(draw, times.FREQUENCY)
    weather = c.Predicate(stem, adjective, irregular="ㅂ" if adjective else "")
    done = act.korean(finish(who, lift(who, act.predicate)))
    english = f"when {said}, {who.english} {often} {act.present(who)}."
    return english, f"{c.join_eu(weather, 'ㄹ 때')} {who.topic} {korean_often} {done}."


@pattern
def before(draw: Draw) -> tuple[str, str]:
    """Before eating breakfast, the soldier walked in the park: -기 전에."""
    first, second = action(draw, CHORES, place=0.0, described=0.0), action(draw, CHORES, place=0.5)
    who = person(draw)
    done = second.korean(finish(who, lift(who, second.predicate), "past"))
    earlier = first.korean(c.join(lift(who, first.predicate), "기 전에"))
    return f"before {first.english('ing')}, {who.english} {second.english('past')}.", f"{who.topic} {earlier} {done}."


@pattern
def after(draw: Draw) -> tuple[str, str]:
    """After studying history, we will play basketball at the gym tomorrow: -(으)ㄴ 후에."""
    first, second = action(draw, CHORES, place=0.0, described=0.0), action(draw, CHORES, place=0.5)
    who = person(draw)
    done = second.korean(finish(who, lift(who, second.predicate), "future"))
    earlier = first.korean(c.join_eu(lift(who, first.predicate), "ㄴ 후에"))
    return (
        f"after {first.english('ing')}, {who.english} will {second.english('base')}.",
        f"{who.topic} {earlier} {done}.",
    )


@pattern
def while_doing(draw: Draw) -> tuple[str, str]:
    """My cousin baked cookies in the kitchen while listening to music: -(으)면서."""
    background = action(draw, (a.LISTEN, a.LISTEN, a.DRINK, a.EAT_FRUIT, a.SING), 0.0, 0.0, definite=0.0)
    music = background.verb in ("listen to", "sing")
    act = action(draw, AT_WORK if music else (a.STUDY, a.REVIEW, a.READ, *a.WAITING, a.WRITE), place=0.3)
    who = doer(draw, act)
    aside = background.korean(c.join_eu(lift(who, background.predicate), "면서"))
    done = act.korean(finish(who, lift(who, act.predicate), "past"))
    return f"{who.english} {act.english('past')} while {background.english('ing')}.", f"{who.topic} {aside} {done}."


@pattern
def likes_but(draw: Draw) -> tuple[str, str]:
    """The boy likes soup but hates fish: -지만, with contrasting 은/는."""
    nouns = draw.one((lx.SUBJECTS, lx.DISHES + lx.BOWLS, lx.BEVERAGES, lx.BALL_GAMES + lx.RACKET_GAMES, lx.MUSIC))
    one, other, who = draw.noun(lx.specific(nouns)), draw.noun(lx.specific(nouns)), person(draw)
    english = f"{who.english} {who.present('like')} {one.english} but {who.present('hate')} {other.english}."
    contrast = f"{k.attach(one.korean, '은/는')} {c.join(lift(who, c.Predicate('좋아하')), '지만')}"
    return (
        english,
        f"{who.topic} {contrast} {k.attach(other.korean, '은/는')} {finish(who, lift(who, c.Predicate('싫어하')))}.",
    )


@pattern
def went_and(draw: Draw) -> tuple[str, str]:
    """The tourists went to the market and bought fish yesterday: 가서."""
    goal = draw.place(GOALS)
    act = action(draw, HERE[goal.english], place=0.0)
    who, (when, korean_when) = doer(draw, act), times.past(draw, act)
    done = act.korean(finish(who, lift(who, act.predicate), "past"))
    return (
        f"{who.english} went {goal.to} and {act.english('past')} {when}.",
        f"{who.topic} {korean_when} {goal.korean}에 가서 {done}.",
    )


@pattern
def went_to_do(draw: Draw) -> tuple[str, str]:
    """Jiyoung went to the bookstore to buy a dictionary: -(으)러 가다."""
    goal = draw.place(GOALS)
    act = action(draw, HERE[goal.english], place=0.0)
    who, (when, korean_when) = doer(draw, act), times.past(draw, act)
    purpose = act.korean(c.join_eu(c.suppletive(act.predicate, who.honored), "러"))
    gone = finish(who, lift(who, c.Predicate("가")), "past")
    english = f"{who.english} went {goal.to} to {act.english('base')} {when}."
    return english, f"{who.topic} {korean_when} {purpose} {goal.korean}에 {gone}."


@pattern
def two_people(draw: Draw) -> tuple[str, str]:
    """The nurse read a novel and the doctor watched a drama last night: -고."""
    one_act, other_act = action(draw, a.HABITS, 0.2, 0.0), action(draw, a.HABITS, 0.2, 0.0)
    one, other = doer(draw, one_act, third=True), doer(draw, other_act, third=True)
    when, korean_when = times.past(draw, one_act, other_act)
    first = one_act.korean(c.join(lift(one, one_act.predicate), "고"))
    second = other_act.korean(finish(other, lift(other, other_act.predicate), "past"))
    english = f"{one.english} {one_act.english('past')} and {other.english} {other_act.english('past')} {when}."
    return english, f"{korean_when} {one.topic} {first} {other.topic} {second}."


@pattern
def while_another(draw: Draw) -> tuple[str, str]:
    """While my mother was cooking fish, my brother watched a movie: -는 동안."""
    one_act, other_act = action(draw, a.HABITS, 0.2, 0.0), action(draw, a.HABITS, 0.2, 0.0)
    one, other = doer(draw, one_act), doer(draw, other_act, third=True)
    first = one_act.korean(c.join(lift(one, one_act.predicate), "는 동안"))
    second = other_act.korean(finish(other, lift(other, other_act.predicate), "past"))
    english = f"while {one.english} {one.was} {one_act.english('ing')}, {other.english} {other_act.english('past')}."
    return english, f"{one.nominative} {first} {other.topic} {second}."


@pattern
def expensive_but(draw: Draw) -> tuple[str, str]:
    """Although the hat at the market was expensive, Minsu bought it: -았지만."""
    goods = draw.one(a.BUY)
    noun, shop = draw.noun(goods.nouns), draw.place(goods.places)
    item, name = describe(noun, definite=True, generic=goods.article == "many"), draw.one(lx.PRICE_WORDS)
    draw.words.append(name)
    who = person(draw)
    conceded = c.join(c.past(ADJECTIVES[name].predicate), "지만")
    deed = a.BUY[0].predicate
    english, predicate = (
        ("bought", lift(who, deed)) if name == "expensive" else ("did not buy", c.negative(deed, who.honored))
    )
    pronoun, was = ("them", "were") if item.plural else ("it", "was")
    bought = finish(who, predicate, "past")
    return (
        f"although {item.english} {shop.at} {was} {name}, {who.english} {english} {pronoun}.",
        f"{shop.korean}에 있는 {k.attach(item.korean, '은/는')} {conceded} {who.topic} 그것을 {bought}.",
    )


@pattern
def thing_that(draw: Draw) -> tuple[str, str]:
    """The bag that Minsu bought yesterday is very expensive: an adnominal clause."""
    goods = draw.one(a.BUY)
    noun, buyer = draw.noun(goods.nouns), person(draw)
    when, korean_when = times.moment(draw, times.FRESH if noun in lx.PERISHABLE else times.LONG_PAST + times.FRESH)
    quality = draw.adjective([name for name in noun.adjectives if name in a.BOUGHT - {"new"}])
    item, bought = (
        describe(noun, definite=True, generic=goods.article == "many"),
        c.past_modifier(lift(buyer, goods.predicate)),
    )
    english = f"{item.english} that {buyer.english} bought {when} {item.be} {quality.english}."
    korean = (
        f"{buyer.nominative} {korean_when} {bought} {k.attach(item.korean, '은/는')} {c.formal(quality.predicate)}."
    )
    return english, korean


@pattern
def person_who(draw: Draw) -> tuple[str, str]:
    """The girl who is drawing a tiger in the park is my cousin: -고 있는."""
    act, one = action(draw, a.HABITS, place=0.6), person(draw, (ADULTS, CHILDREN))
    other = person(draw, (RELATIVES,))
    if {one.pronoun, other.pronoun} == {"he", "she"}:  # the girl is no nephew
        return "", ""
    doing = act.korean(c.modifier(c.progressive(act.predicate)))
    english = f"{one.english} who is {act.english('ing')} is {other.english}."
    return english, f"{doing} {k.attach(one.korean, '은/는')} {c.copula(other.korean, True)}."


@pattern
def met_who(draw: Draw) -> tuple[str, str]:
    """I met the nurse who lives in Busan yesterday: 사는, of a stem in ㄹ."""
    one, city = person(draw, (ADULTS,)), draw.place(lx.CITIES + lx.COUNTRIES)
    who, (when, korean_when) = person(draw, (EVERYONE[0], NAMED, RELATIVES, EVERYONE[5])), times.past(draw)
    frame = draw.one((a.MEET, a.HELP, a.INVITE))
    draw.words.append(frame.verb)
    deed = finish(who, lift(who, frame.predicate), "past")
    english = f"{who.english} {verb_forms(frame.verb).past} {one.english} who lives {city.at} {when}."
    object_phrase = object_of(f"{city.korean}에 {c.modifier(c.Predicate('살'))} {one.korean}")
    return english, f"{who.topic} {korean_when} {object_phrase} {deed}."


@pattern
def not_there_but_here(draw: Draw) -> tuple[str, str]:
    """Because it rained yesterday, the boys did not run at the park but read comic books at home: -지 않고."""
    outside, inside = action(draw, IN_THE_PARK, place=1.0), action(draw, AT_HOME, place=1.0)
    (english_weather, lemma, stem, adjective), who = draw.one(PAST_WEATHER), doer(draw, inside)
    draw.words.append(lemma)
    when, korean_when = times.past(draw, inside, outside)
    reason = c.join(c.past(c.Predicate(stem, adjective, "ㅂ" if adjective else "")), "기 때문에")
    not_done = outside.korean(c.join(outside.predicate, "지 않고"))
    done = inside.korean(finish(who, lift(who, inside.predicate), "past"))
    english = f"{who.english} did not {outside.english('base')} but {inside.english('past')}."
    return f"because it {english_weather} {when}, {english}", f"{korean_when} {reason} {who.topic} {not_done} {done}."


@pattern
def looks_like(draw: Draw) -> tuple[str, str]:
    """It seems that the guest is waiting for the bus at the station: -는 것 같다."""
    act = action(draw, a.LASTING, place=0.5)
    who = doer(draw, act, third=True)
    seems = act.korean(c.modifier(c.progressive(act.predicate, who.honored)))
    return f"it seems that {who.english} {who.be} {act.english('ing')}.", f"{who.nominative} {seems} 것 같습니다."


@pattern
def news(draw: Draw) -> tuple[str, str]:
    """The reporter said that the singer bought a big car last week: -았다고 말하다."""
    act, speaker = action(draw, a.DEEDS, place=0.3), person(draw, (NAMED, ADULTS, RELATIVES, EVERYONE[6]))
    who, (when, korean_when) = doer(draw, act, third=True), times.past(draw, act)
    told = act.korean(c.join(c.past(lift(who, act.predicate)), "다고"))
    said = "말씀하셨습니다" if speaker.honored else "말했습니다"
    english = f"{speaker.english} said that {who.english} {act.english('past')} {when}."
    return english, f"{speaker.topic} {who.nominative} {korean_when} {told} {said}."
