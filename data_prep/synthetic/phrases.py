"""Phrases in both languages at once: people, things with their adjectives, actions; and the register of a sentence.

A `Draw` takes the random choices and notes the content words that fill the slots; a word that a pattern
always has fills none.

Register, from the English alone: the subjects I, we and you make conversation, 해요체; every other subject is told of
in 합쇼체, also in questions; so are "let's" and "how much". Honored subjects (my grandmother, the teacher) take 께서
in a dependent clause, 께서는 as topic, and -(으)시-, which you takes too.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar

from data_prep.synthetic import conjugation as c
from data_prep.synthetic import lexicon as lx
from data_prep.synthetic.actions import Frame
from data_prep.synthetic.conjugation import Predicate
from data_prep.synthetic.english import indefinite, plural, verb_forms
from data_prep.synthetic.korean import attach
from data_prep.synthetic.lexicon import Adjective, Noun, Place

Item = TypeVar("Item")


class Draw:
    """Random choices for one sentence; `words` collects the English lemmas chosen."""

    def __init__(self, generator: random.Random) -> None:
        """Starts a sentence that takes its choices from this generator."""
        self.random = generator.random
        self.words: list[str] = []

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.random() < probability

    def one(self, items: Sequence[Item]) -> Item:
        """One item, each as likely as the others."""
        return items[int(self.random() * len(items))]

    def integer(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self.random() * (high - low + 1))

    def noun(self, nouns: Sequence[Noun]) -> Noun:
        """A noun, noted as a content word."""
        noun = self.one(nouns)
        self.words.append(noun.english)
        return noun

    def place(self, places: Sequence[Place]) -> Place:
        """A place, noted as a content word."""
        place = self.one(places)
        self.words.append(place.english)
        return place

    def adjective(self, names: Sequence[str]) -> Adjective:
        """An adjective by its lemma, noted as a content word."""
        name = self.one(names)
        self.words.append(name)
        return lx.ADJECTIVES[name]


@dataclass(frozen=True)
class Person:
    """A subject.

    Attributes:
        english: as it stands within a sentence ("the nurse").
        korean: without a particle.
        lemma: the content word; "" for I and we.
        pronoun: he, she, they, I or we.
        honored: takes 께서(는) and -(으)시-.
        plural: of the English verb.
    """

    english: str
    korean: str
    lemma: str
    pronoun: str
    honored: bool = False
    plural: bool = False

    @property
    def conversational(self) -> bool:
        """Whether the sentence is 해요체."""
        return self.pronoun in ("I", "we")

    @property
    def topic(self) -> str:
        """As topic of a main clause."""
        if self.pronoun == "I":
            return "저는"
        return self.korean + "께서는" if self.honored else attach(self.korean, "은/는")

    @property
    def nominative(self) -> str:
        """As subject of a dependent clause."""
        if self.pronoun == "I":
            return "제가"
        return self.korean + "께서" if self.honored else attach(self.korean, "이/가")

    @property
    def be(self) -> str:
        """The present of be."""
        return {"I": "am"}.get(self.pronoun, "are" if self.plural else "is")

    @property
    def was(self) -> str:
        """The past of be."""
        return "were" if self.plural else "was"

    @property
    def do(self) -> str:
        """The auxiliary do."""
        return "do" if self.plural or self.pronoun == "I" else "does"

    def present(self, verb: str) -> str:
        """A verb in the present that agrees with this subject."""
        forms = verb_forms(verb)
        return forms.base if self.plural or self.pronoun == "I" else forms.third


FIRST_SINGULAR = Person("I", "저", "", "I")
FIRST_PLURAL = Person("we", "우리", "", "we", plural=True)
NAMED = tuple(Person(n.english, n.korean, n.english, pronoun) for pronoun, names in lx.NAMES.items() for n in names)
ADULTS = tuple(Person(f"the {n.english}", n.korean, n.english, "they") for n in lx.PEOPLE)
CHILDREN = tuple(
    Person(f"the {n.english}", n.korean, n.english, pronoun)
    for n, pronoun in zip(lx.YOUNG_PEOPLE, ("they", "she", "he"), strict=True)
)
GROUPS = tuple(
    Person(f"the {plural(n.english)}", n.korean + "들", n.english, "they", plural=True)
    for n in lx.PEOPLE + lx.YOUNG_PEOPLE
)
ELDERS = tuple(
    Person(f"my {n.english}", f"저희 {n.korean}", n.english, pronoun, honored=True)
    for n, pronoun in zip(lx.ELDERS, ("she", "he", "she", "he"), strict=True)
)
HONORED = tuple(Person(f"the {n.english}", n.korean, n.english, "they", honored=True) for n in lx.HONORED)
RELATIVES = tuple(
    Person(f"my {n.english}", f"제 {n.korean}", n.english, pronoun)
    for n, pronoun in zip(lx.RELATIVES, ("they", "he", "she", "he", "she", "they", "he"), strict=True)
)
SPEAKERS = (FIRST_SINGULAR, FIRST_SINGULAR, FIRST_PLURAL)
EVERYONE = (SPEAKERS, NAMED, ADULTS, CHILDREN, GROUPS, ELDERS, HONORED, RELATIVES)
SINGLE = (SPEAKERS[:1], NAMED, ADULTS, CHILDREN, ELDERS, HONORED, RELATIVES)
THIRD = (NAMED, ADULTS, CHILDREN, ELDERS, HONORED, RELATIVES)
GROWN = (SPEAKERS, NAMED, ADULTS, ELDERS, HONORED, RELATIVES)
WITH_PRONOUN = (SPEAKERS, NAMED, NAMED, CHILDREN[1:], ELDERS, RELATIVES[1:5])


def person(draw: Draw, kinds: Sequence[Sequence[Person]] = EVERYONE) -> Person:
    """A person of one of the kinds, each kind as likely as the others."""
    chosen = draw.one(draw.one(kinds))
    if chosen.lemma:
        draw.words.append(chosen.lemma)
    return chosen


def doer(draw: Draw, action: Action, third: bool = False) -> Person:
    """A person who may do the action."""
    kinds = [kind for kind in (THIRD if third else EVERYONE) if not (action.frame.adult and kind in (CHILDREN, GROUPS))]
    return person(draw, kinds)


def lift(subject: Person, predicate: Predicate) -> Predicate:
    """The predicate, honorific if its subject is."""
    return c.honor(predicate) if subject.honored else predicate


def finish(subject: Person, predicate: Predicate, tense: str = "present", question: bool = False) -> str:
    """The last word of a sentence in the register of its subject; the predicate is already lifted.

    Args:
        subject: decides 해요체 or 합쇼체.
        predicate: what is said.
        tense: "past", "present" or "future".
        question: whether it asks.
    """
    if tense == "future":
        return c.future(predicate, formal_style=not subject.conversational, question=question)
    if tense == "past":
        predicate = c.past(predicate)
    return c.polite(predicate) if subject.conversational else c.formal(predicate, question)


@dataclass(frozen=True)
class Thing:
    """A noun phrase: English without and with its article, and Korean without a particle."""

    bare: str
    english: str
    korean: str
    plural: bool = False

    @property
    def be(self) -> str:
        """The present of be that agrees."""
        return "are" if self.plural else "is"


def korean_modifier(adjective: Adjective) -> str:
    """The adjective before a noun; "new" is 새 there."""
    return "새" if adjective.english == "new" else c.modifier(adjective.predicate)


def describe(noun: Noun, adjective: Adjective | None = None, definite: bool = False, generic: bool = False) -> Thing:
    """A noun with its adjective and article: a red hat, the rice, new shoes; generic: (the) red hats."""
    bare = noun.english if adjective is None else f"{adjective.english} {noun.english}"
    korean = noun.korean if adjective is None else f"{korean_modifier(adjective)} {noun.korean}"
    many = generic and noun.form == "count"
    if many:
        bare = plural(bare)
    english = bare
    if noun.form != "name" and definite:
        english = f"the {bare}"
    elif noun.form == "count" and not many:
        english = indefinite(bare)
    return Thing(bare, english, korean, many or noun.form == "plural")


def thing(
    draw: Draw,
    nouns: Sequence[Noun],
    described: float = 0.3,
    definite: float = 0.4,
    generic: bool = False,
    fits: Collection[str] | None = None,
) -> Thing:
    """A noun phrase out of these nouns.

    Args:
        draw: takes the choices.
        nouns: to choose from.
        described: how often it has an adjective; a name (tennis, history) never has one.
        definite: how often it has "the".
        generic: a thing in general, in the plural (red hats).
        fits: the adjectives that it may have; None for all.
    """
    noun = draw.noun(nouns)
    fitting = [name for name in noun.adjectives if fits is None or name in fits] if noun.form != "name" else []
    adjective = draw.adjective(fitting) if fitting and draw.chance(described) else None
    return describe(noun, adjective, draw.chance(definite), generic)


@dataclass(frozen=True)
class Action:
    """What somebody does: an English verb with what follows it, and Korean words with their predicate."""

    verb: str
    tail: str
    before: str
    predicate: Predicate
    frame: Frame

    @property
    def brief(self) -> bool:
        """Whether it is too small a deed to be dated by the week."""
        return self.frame.brief

    def english(self, form: str) -> str:
        """The verb phrase with its verb in a form: base, past, participle or ing."""
        return f"{getattr(verb_forms(self.verb), form)}{self.tail}"

    def present(self, subject: Person) -> str:
        """The verb phrase in the present of this subject."""
        return subject.present(self.verb) + self.tail

    def korean(self, predicate_text: str) -> str:
        """The Korean words with the predicate in its final form."""
        return f"{self.before} {predicate_text}" if self.before else predicate_text


def action(
    draw: Draw,
    frames: Sequence[Frame],
    place: float = 0.4,
    described: float = 0.2,
    definite: float = 0.3,
    generic: bool = False,
) -> Action:
    """An action out of these frames.

    Args:
        draw: takes the choices.
        frames: the verbs to choose from.
        place: how often it says where.
        described: how often its object has an adjective.
        definite: how often its object has "the".
        generic: of things in general (reads novels).
    """
    frame = draw.one(frames)
    draw.words.append(frame.verb)
    tail, before = "", []
    if frame.objects:
        item = draw.one(frame.objects)
        if isinstance(item, Place):
            draw.words.append(item.english)
            phrase, korean = item.phrase, item.korean
        else:
            many = generic or frame.article == "many"
            share = 1.0 if frame.article == "the" else 0.0 if generic else definite
            named = thing(draw, (item,), described, share, many and frame.article != "the", frame.fits)
            phrase, korean = named.english, named.korean
        tail, before = f" {phrase}", [korean + "에게" if frame.particle == "에게" else attach(korean, frame.particle)]
    if frame.places and draw.chance(place):
        where = draw.place(frame.places)
        tail, before = f"{tail} {where.at}", [f"{where.korean}에서", *before]
    return Action(frame.verb, tail, " ".join(before), frame.predicate, frame)


def object_of(noun: str) -> str:
    """을/를."""
    return attach(noun, "을/를")


def with_and(noun: str) -> str:
    """과/와."""
    return attach(noun, "과/와")


def with_or(noun: str) -> str:
    """이나/나."""
    return attach(noun, "이나/나")


def toward(noun: str) -> str:
    """으로/로."""
    return attach(noun, "으로/로")
