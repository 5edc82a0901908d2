"""Answers to what the bot asked: yes or no, and which of the things on offer."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from math import log
from typing import Literal, NamedTuple

from rapidfuzz.distance import OSA

from bots.understand import acts
from bots.understand.text import Token, fold, read_number, stem, tokens, words

How = Literal["number", "exact", "part", "fuzzy", "any", "ambiguous", "none"]


class Choice(NamedTuple):
    id: str
    label: str
    keywords: tuple[str, ...] = ()


class Picked(NamedTuple):
    """What was chosen. `any` and `ambiguous` carry every id that fits; `none` carries none."""

    ids: tuple[str, ...]
    how: How
    score: float  # 1 for a sure pick, less for a part of a name or a misspelt one

    @property
    def id(self) -> str | None:
        """The one id chosen, or None when it is not one."""
        return self.ids[0] if self.how in ("number", "exact", "part", "fuzzy") else None


NOTHING = Picked((), "none", 0.0)


def yes_no(text: str) -> bool | None:
    """True for a yes, False for a no, None when it is neither ("maybe", "at 4 please")."""
    said = acts.simplify(text)
    return acts.verdict(said)


def is_of_people(text: str) -> bool:
    """Whether "any" is said of people alone: "anyone", "I don't mind who", but not "anyone, any day"."""
    said = {token.text for token in tokens(fold(text))}
    return bool(said & _PEOPLE) and not said & _THINGS


def choose(text: str, options: Sequence[Choice], *, asked: bool = True) -> Picked:
    """Which option `text` means: by number, by name or part of it, by keyword, misspelt, or any of them.

    Several that fit equally come back as `ambiguous`, and weak evidence picks nothing. With `asked` False the
    options were not on the table: numbers and "any" then mean something else, and only names count.
    """
    if not options:
        return NOTHING
    # By place instead of id: the times of one day read like those of another, so what is worked out of them is kept.
    first: dict[str, str] = {}
    for place, option in enumerate(options):
        first.setdefault(option.id, str(place))
    picked = _choose(text, tuple([Choice(first[id_], label, keywords) for id_, label, keywords in options]), asked)
    return picked._replace(ids=tuple([options[int(place)].id for place in picked.ids])) if picked.ids else picked


@lru_cache(maxsize=64)  # a message is asked about again and again
def _choose(text: str, options: tuple[Choice, ...], asked: bool) -> Picked:
    folded = fold(text)
    said = tokens(folded)
    core = _core([token.text for token in said])
    if not core:
        return NOTHING
    offer = _offer(options)
    exact = offer.by_name.get(core)
    if exact is not None:
        return Picked(exact, "exact" if len(exact) == 1 else "ambiguous", 1.0)
    if asked:
        numbered = _by_number(folded.text, core, options)
        if numbered is not None:
            return numbered
    wanted = _wanted(said, folded.text)
    named = _by_name(wanted, offer, text, asked=asked)
    if named.how == "none" and asked and _says_any(text, core):
        refused = {_key(token.text) for token in said} - {_key(token.text) for token in wanted}
        left = tuple(option.id for option in options if not refused & _stems(option))
        return Picked(left or tuple(option.id for option in options), "any", 1.0)
    return named


# --- by number --------------------------------------------------------------------------------------------------------


def _by_number(line: str, core: tuple[str, ...], options: Sequence[Choice]) -> Picked | None:
    places = _places(line, core, len(options))
    if not places:
        return None
    ids = [options[place].id for place in places]
    if len(core) == 1 and core[0].isdigit() and not _MARKED.search(line):
        # "2" beside the options "2 people" and "4 people" may be the name as well as the place; not where the option in that
        # place has it in its name, such as the first of several on December 1.
        named = [o.id for o in options if any(core[0] in name for name in _names(o))]
        ids += [] if ids[0] in named else named
    return Picked(tuple(ids), "number" if len(ids) == 1 else "ambiguous", 1.0)


def _places(line: str, core: tuple[str, ...], count: int) -> list[int]:
    """The places (from 0) meant by a number, an ordinal, `last` or `option 2`; empty when it is not about places."""
    marked = [_number(found) for found in _MARKED.findall(line)]
    if not marked:
        bare = [_place_word(word, count) for word in core if word not in ("and", "or", "one", "option", "choice")]
        if core in (("one",), ("the", "one"), ("option", "one")):
            bare = [1]
        if not bare or None in bare:
            number = read_number(core)
            bare = [number[0]] if number is not None and number[1] == len(core) else []
        marked = bare
    return [place - 1 for place in dict.fromkeys(marked) if place is not None and 1 <= place <= count]


def _place_word(word: str, count: int) -> int | None:
    if word in ("last", "latter"):
        return count
    if word == "former":
        return 1
    return _ORDINALS.get(word) or _number(word)


def _number(word: str) -> int | None:
    number = read_number([word])
    if number is not None:
        return number[0]
    digits = word[:-2] if word[-2:] in ("st", "nd", "rd", "th") else ""
    return int(digits) if digits.isdigit() and len(digits) <= 3 else None


# --- by name ----------------------------------------------------------------------------------------------------------


class _Named(NamedTuple):
    """One name of an option: in words, in one piece, and what each of its words weighs, the rare ones more."""

    words: tuple[str, ...]
    glued: str
    weights: dict[str, float]
    whole: float


class _One(NamedTuple):
    """One option, prepared.

    `words` are those of its names with what a misspelt one is worth. `beginnings` are those of its names in one piece:
    of what begins otherwise, none is said.
    """

    option: Choice
    names: tuple[_Named, ...]
    stems: frozenset[str]
    distinct: frozenset[str]
    words: tuple[tuple[str, float], ...]
    beginnings: frozenset[str]


class _Offer(NamedTuple):
    """All that is on offer, prepared once for the many messages that choose from it."""

    each: tuple[_One, ...]
    by_name: dict[tuple[str, ...], tuple[str, ...]]


@lru_cache(maxsize=256)
def _offer(options: tuple[Choice, ...]) -> _Offer:
    counts = Counter(word for option in options for word in _stems(option))
    by_name: dict[tuple[str, ...], tuple[str, ...]] = {}
    each: list[_One] = []
    for option in options:
        names: list[_Named] = []
        for name in _names(option):
            by_name[name] = (*by_name.get(name, ()), option.id)
            weights = {
                _key(word): log(1 + len(options) / max(1, counts[_key(word)])) for word in name if word not in _LITTLE
            }
            names.append(_Named(name, "".join(name), weights, sum(weights.values())))
        stems = _stems(option)
        distinct = frozenset(word for word in stems if counts[word] == 1 and (len(word) >= 3 or word.isdigit()))
        beginnings = frozenset(
            name.glued[:end] for name in names if len(name.glued) >= 3 for end in range(1, len(name.glued) + 1)
        )
        spelt = sorted({word for name in names for word in name.words} - _LITTLE)
        rare = tuple((word, 1.0 if counts[_key(word)] == 1 else 0.75) for word in spelt)
        each.append(_One(option, tuple(names), stems, distinct, rare, beginnings))
    return _Offer(tuple(each), by_name)


def _by_name(said: list[Token], offer: _Offer, raw: str, *, asked: bool) -> Picked:
    """The option whose words were said, weighing rare words over ones that several options share."""
    texts = [token.text for token in said]
    heard = {_key(word) for word in texts}
    how: How = "part"
    scores: dict[str, float] = {}
    for one in offer.each:
        score = 0.0 if heard.isdisjoint(one.stems) else _share(heard, one)
        if not one.beginnings.isdisjoint(texts) and any(_inside(name, texts) for name in one.names):
            score = max(score, 0.95)
        if score >= 0.5 and not _only_everyday(heard, one.option, said, raw):
            scores[one.option.id] = score
    if not scores:
        how = "fuzzy"
        squashed = "".join(texts)
        likeness = {one.option.id: _whole_likeness(squashed, one) for one in offer.each}
        if not any(likeness.values()):
            near = [text for text in texts if len(text) >= 4 and text not in _LITTLE and text not in _EVERYDAY]
            only = texts[0] if asked and len(texts) == 1 and len(texts[0]) >= 3 else ""
            if near or only:
                likeness = {one.option.id: _likeness(near, only, one) for one in offer.each}
        scores = {choice: score for choice, score in likeness.items() if score >= 0.5}
    if not scores:
        return NOTHING
    ids = _best(scores, offer, texts)
    return Picked(ids, how if len(ids) == 1 else "ambiguous", round(max(scores[each] for each in ids), 3))


def _best(scores: dict[str, float], offer: _Offer, texts: Sequence[str]) -> tuple[str, ...]:
    """Of the options that fit, those that account for most of what was said, and fit best; all of "Anna or Ben", but one
    that is "haircut and beard".
    """
    heard = {one.option.id: _accounted(one, texts) for one in offer.each if one.option.id in scores}
    sets = [places for places in heard.values() if places]
    if {"or", "and"} & set(texts) and any(a.isdisjoint(b) for a in sets for b in sets):
        whole = [each for each, places in heard.items() if places >= frozenset().union(*sets)]
        return tuple(whole if len(whole) == 1 and "or" not in texts else scores)
    most = max(len(places) for places in heard.values())
    left = {each: scores[each] for each in scores if len(heard[each]) == most}
    top = max(left.values())
    return tuple(each for each, score in left.items() if score >= top - 0.05)


def _accounted(one: _One, texts: Sequence[str]) -> frozenset[int]:
    """Places of the words in the message that this option accounts for, one by one or as a name in one piece."""
    places = {place for place, word in enumerate(texts) if _key(word) in one.stems}
    for name in one.names:
        places.update(_inside(name, texts))
    return frozenset(places)


def _share(heard: set[str], one: _One) -> float:
    """How much of the option's weight was said; a word that no other option has is enough by itself."""
    best = 0.0
    for name in one.names:
        common = heard & name.weights.keys()
        if not common:
            continue
        share = sum(name.weights[word] for word in common) / name.whole
        is_distinct = not common.isdisjoint(one.distinct)
        best = max(best, 0.55 + 0.4 * share if is_distinct else max(share, 0.5 * (share >= 0.2)))
    return best


def _inside(name: _Named, texts: Sequence[str]) -> range:
    """Where the name was said in one piece, also when cut differently: `hair cut` is Haircut. Empty when not."""
    glued = name.glued
    if len(glued) < 3:
        return range(0)
    for start in range(len(texts)):
        if not glued.startswith(texts[start]):
            continue
        so_far = ""
        for end in range(start, min(start + len(name.words) + 3, len(texts))):
            so_far += texts[end]
            if so_far == glued:
                return range(start, end + 1)
    return range(0)


def _likeness(texts: Sequence[str], only: str, one: _One) -> float:
    """How near a misspelt word comes to the option's own words: one slip in five letters, two in eight.

    The beginning of a word is enough when it is the whole answer (`only`): "Ann" for Anna.
    """
    best = 0.0
    for word, rare in one.words:
        if only and word.startswith(only):
            best = max(best, 0.8 * rare)
        if len(word) < 4:
            continue
        limit = 1 if len(word) < 8 else 2
        for text in texts:
            if word[0] != text[0] and len(word) <= 6:
                continue
            slips = OSA.distance(word, text, score_cutoff=limit)
            if slips > limit and len(word) > 5:
                slips = OSA.distance(stem(word), stem(text), score_cutoff=1)
                limit = 1
            if slips <= limit:
                best = max(best, rare * (1 - slips / len(word)))
    return best


def _whole_likeness(core: str, one: _One) -> float:
    """How near the whole answer comes to one of the option's names: `haricut` is Haircut before Haircut and beard."""
    best = 0.0
    for name in one.names:
        size = len(name.glued)
        limit = 1 if size < 8 else 2
        if size < 4 or abs(size - len(core)) > limit:
            continue
        slips = OSA.distance(name.glued, core, score_cutoff=limit)
        if slips <= limit:
            best = max(best, 1 - slips / size / 2)
    return best


def _only_everyday(heard: set[str], option: Choice, said: list[Token], raw: str) -> bool:
    """Whether all that matched is an everyday word such as the name Will in "will you be open?"."""
    matched = [token for token in said if _key(token.text) in heard & _stems(option)]
    if len(said) <= 2 or any(token.text not in _EVERYDAY for token in matched):
        return False
    place = {token.start: n for n, token in enumerate(said)}
    for token in matched:
        n = place[token.start]
        before = said[n - 1].text if n else ""
        capital = raw[token.start : token.start + 1].isupper() and n > 0
        if capital or before in ("with", "by", "see", "is", "and", "or", "prefer"):
            return False
    return bool(matched)


def _wanted(said: list[Token], line: str) -> list[Token]:
    """Without what was ruled out: "not Anna, Ben" keeps Ben, "anyone but Ben" keeps no name."""
    kept, skip = [], 0
    for n, token in enumerate(said):
        before = said[n - 1].text if n else ""
        if before in ("not", "except", "isn't") or (before == "of" and n > 1 and said[n - 2].text == "instead"):
            skip = 3
        if before == "but" and n > 1 and said[n - 2].text in ("anyone", "anybody", "any", "anything", "everyone"):
            skip = 3
        if skip and n and set(line[said[n - 1].end : token.start]) & set(",.;!?") and before != "not":
            skip = 0
        if skip and token.text in ("but", "i", "please", "instead", "with", "rather") and before != "not":
            skip = 0
        if skip:
            skip -= 1
        else:
            kept.append(token)
    return kept


def _says_any(text: str, core: tuple[str, ...]) -> bool:
    if set(core) & _ANY_WORDS and len(core) <= 5:
        return True
    return "dont_care" in acts.acts(text)


# --- words ------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=8192)
def _key(word: str) -> str:
    return _SAME.get(word) or stem(word)


def _core(said: Sequence[str]) -> tuple[str, ...]:
    """The words without the politeness around them: "I'd like the second one please" is `second`."""
    start, end = 0, len(said)
    while start < end and said[start] in _BEFORE:
        start += 1
    while end > start and said[end - 1] in _AFTER:
        end -= 1
    return tuple(said[start:end]) or tuple(said[:1])


@lru_cache(maxsize=1024)
def _names(option: Choice) -> tuple[tuple[str, ...], ...]:
    """The label and keywords in words; what stands in brackets in a label may be left away."""
    names = [option.label, *option.keywords]
    if "(" in option.label:
        names.append(option.label.partition("(")[0])
    return tuple(dict.fromkeys(name for name in (_core_name(each) for each in names) if name))


def _core_name(name: str) -> tuple[str, ...]:
    return tuple(word for word in words(name) if word not in ("a", "an", "the"))


@lru_cache(maxsize=1024)
def _stems(option: Choice) -> frozenset[str]:
    return frozenset(_key(word) for name in _names(option) for word in name if word not in _LITTLE)


_MARKED = re.compile(
    r"(?:\b(?:option|number|choice|nr|num|no\.|item|slot)\s{0,2}#?|#)\s{0,2}"
    r"(\d{1,3}|one|two|three|four|five|six|seven|eight|nine|ten)\b"
)
_ORDINALS = {
    word: n
    for n, word in enumerate(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split(), 1
    )
}
_BEFORE = frozenset(
    "the a an please i i'd i'll i'm id ill would like want to take have go with for let's lets do choose pick give me "
    "my can could we get maybe ok okay yes yeah sure um uh hmm well so it's its that is prefer book need think just "
    "then hi hello and on at by option number choice".split()
)
_AFTER = frozenset(
    "please pls thanks thank you one ones option choice sounds good great works then would be fine ok".split()
)
_SAME = {
    short: stem(name)
    for name, shorts in {
        "monday": "mon", "tuesday": "tue tues", "wednesday": "wed weds", "thursday": "thu thur thurs", "friday": "fri",
        "saturday": "sat", "sunday": "sun", "color": "colour colours coloring colouring",
    }.items()
    for short in shorts.split()
}  # fmt: skip
_LITTLE = frozenset(
    "a an the and or of for to in on at with by from is are be it i you we my your our me us please as up off out dr "
    "mr mrs ms miss md".split()
)
_ANY_WORDS = frozenset(
    "any anyone anybody whoever whichever whatever whenever anytime anything either earliest soonest available".split()
)
_PEOPLE = frozenset("anyone anybody whoever who whom".split())
_THINGS = frozenset(
    "any anything anytime whatever whichever whenever when either day days time times earliest soonest".split()
)
# Names and labels that are also everyday words; alone in a longer sentence they are not evidence.
_EVERYDAY = frozenset(
    "will mark may grace art hope bill rose sue pat rob dean joy april june august penny guy king long young best "
    "good man chance amber jack dawn summer autumn faith time call check other more new full short regular "
    "appointment visit service book booking today tomorrow day week morning afternoon evening help question price "
    "first last next change what when where that this there here have some same like want need know please thanks "
    "sorry hello with your".split()
)
