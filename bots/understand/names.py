"""The name a customer gives: "my name is Maria Lopez", "it's Ben here", or just "maria lopez" when asked."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from bots.understand.text import LIMIT


class Name(NamedTuple):
    first: str
    last: str
    at: tuple[int, int]  # where in the message it stands

    @property
    def full(self) -> str:
        return f"{self.first} {self.last}".strip()


def find(text: str, *, asked: bool = False, last_only: bool = False) -> Name | None:
    """The person's name in `text`, written as a name, or None.

    Said outright ("my name is...") it may be in small letters; after "I'm" or "it's" it must look like a name; with
    `asked`, a short answer that holds nothing else is one. `last_only` takes a single word for the family name.
    """
    text = text[:LIMIT]
    for pattern, sure in _WAYS:
        for said in islice(pattern.finditer(text), _ENOUGH):
            name = _name_at(text, said.end(), sure=sure or asked)
            if name is not None:
                family = last_only or bool(_FAMILY.search(said.group()))
                return _split(text, name, family=family)
    before = _before(text)
    if before is not None:
        return _split(text, before, family=bool(_FAMILY.search(text[before[1] : before[1] + 30])))
    marked = _in_full(text)
    if marked is not None or not asked:
        return marked
    return _alone(text, last_only=last_only)


def introduced(text: str, *, outright: bool = False) -> Name | None:
    """The name that customers give themselves, whatever else they say: "my name is zoe bell", "Hi, this is Zoe Bell".

    `at` is where all of that stands, and not the name alone. `outright`: only where "name" or "called" is said, as in a
    language that writes every noun like a name ("Ich bin Kunde Nummer drei").
    """
    text = text[:LIMIT]
    for pattern, sure in _OF_THEIR_OWN[:-1] if outright else _OF_THEIR_OWN:
        for said in islice(pattern.finditer(text), _ENOUGH):
            name = _name_at(text, said.end(), sure=sure)
            if name is not None and (sure or " " in text[slice(*name)]):
                after = _AND_SO_ON.match(text, name[1])
                whole = said.start(said.lastindex or 0), after.end() if after else name[1]
                return _split(text, name, family=False)._replace(at=whole)
    return None


def somebody(text: str, *, led_by: str = "(?:with|by|see)") -> Name | None:
    """Whom they want to come to: "with Ben", "with ben on friday", "can Ben do it?". `led_by` is what says so.

    In small letters only one word, and only at the end or before what is known to follow it: "with extra care" is nobody.
    """
    text = text[:LIMIT]
    for asked in islice(_ABOUT_SOMEBODY.finditer(text), _ENOUGH):
        group = asked.lastindex or 0
        name = _name_at(text, asked.start(group), sure=False)
        if name == asked.span(group):
            return _split(text, name, family=False)
    for said in islice(re.finditer(rf"(?i)\b{led_by}{_S}(?:(?:dr|mr|mrs|ms)\.?{_S})?", text), _ENOUGH):
        name = _name_at(text, said.end(), sure=False)
        if name is not None:
            return _split(text, name, family=False)
        small = _SMALL.match(text, said.end())
        if small is not None and small.group(1) not in _NOT_NAMES and small.group(1) not in _NO_PERSON:
            return _split(text, small.span(1), family=False)
    return None


def leading(text: str) -> Name | None:
    """The one word before the first comma, as people begin who say a name: "ben, friday 3pm haircut". It may be anybody's,
    and may be no name: whoever asks knows more words than there are here.
    """
    found = _LEADING.match(text[:LIMIT])
    word = found.group(1) if found is not None else ""
    low = word.lower()
    if found is None or is_everyday(low) or low in _NO_PERSON or low.endswith(("ly", "ing")) or _DRAWN_OUT.search(low):
        return None
    return _split(text, found.span(1), family=False)


def is_everyday(word: str) -> bool:
    """Whether a word in small letters is one of those that stand around names, days and wishes, and nobody is called so."""
    return word in _NOT_NAMES or word in _NO_CALL


def _in_full(text: str) -> Name | None:
    """First and last name written as names where one stands: after `for`, or at the start before a comma."""
    for found in islice(_PLACES.finditer(text), _ENOUGH):
        name = _name_at(text, found.end(), sure=False)
        leads = found.group() == ""
        if name is None or " " not in text[slice(*name)] or (leads and text[name[1] : name[1] + 1] != ","):
            continue
        return _split(text, name, family=False)
    party = _THE_PARTY.search(text)
    return Name("", party.group(1), party.span(1)) if party and party.group(1).lower() not in _NOT_NAMES else None


def _alone(text: str, *, last_only: bool) -> Name | None:
    """The name in a message that is little else, as the answer to "what is your name?"."""
    begin = _PREAMBLE.match(text)
    start = begin.end() if begin else 0
    name = _name_at(text, start, sure=True)
    if name is None:
        return None
    rest = text[name[1] :]
    more = _COMMA_NAME.match(rest)
    if more is not None and " " not in text[slice(*name)] and more.group(1).lower() not in _NOT_NAMES:
        return _split(text, (name[0], name[1] + more.end()), family=False)  # "Dulcie, Petsch"
    full = " " in text[slice(*name)] and text[name[0]].isupper()
    return _split(text, name, family=last_only) if full or _CLOSING.fullmatch(rest) else None


def _name_at(text: str, start: int, *, sure: bool) -> tuple[int, int] | None:
    """The run of name words that begins at `start`, up to four; None when the first word is no name."""
    words = list(islice(_words_at(text, start), 5))
    first = last = None
    for count, word in enumerate(words[:4]):
        said = word.group()
        capital = said[:1].isupper()
        if said.lower() in _PARTICLES and first is not None:
            continue
        if not _is_name_word(said, words, count, sure=sure):
            break
        if not capital and (not sure or (first is not None and text[first].isupper())):
            break  # "Maria please": the name was capitalised, what follows is not
        first = word.start() if first is None else first
        last = word.end()
    return (first, last) if first is not None and last is not None else None


def _is_name_word(said: str, words: Sequence[re.Match[str]], count: int, *, sure: bool) -> bool:
    lower = said.lower().rstrip(".")
    if lower in _ALSO_NAMES and said[:1].isupper():  # Will, May, April: a name when it is said to be one, or goes on
        after = words[count + 1].group() if count + 1 < len(words) else ""
        return sure or (after[:1].isupper() and after.lower() not in _NOT_NAMES)
    if lower in _NOT_NAMES or (len(lower) == 1 and count == 0):
        return False
    return not (lower.endswith("ing") and (count == 0 or not said[:1].isupper()) and len(lower) > 5)


def _words_at(text: str, start: int) -> Iterator[re.Match[str]]:
    """The words from `start` on, as long as only spaces stand between them."""
    place = start
    while True:
        gap = _GAP.match(text, place)
        word = _WORD.match(text, gap.end() if gap else place)
        if word is None:
            return
        yield word
        place = word.end()


def _before(text: str) -> tuple[int, int] | None:
    """A name that stands before what marks it: `Maria Lopez here`, `Ribeiro is my surname`."""
    for mark in islice(_AFTER_NAME.finditer(text), _ENOUGH):
        start = max(0, text.rfind(",", 0, mark.start()), text.rfind(".", 0, mark.start()))
        head = text[start : mark.start()].lstrip(",. ")
        greeting = _PREAMBLE.match(head)
        place = mark.start() - len(text[start : mark.start()].lstrip(",. ")) + (greeting.end() if greeting else 0)
        name = _name_at(text, place, sure="name" in mark.group().lower())
        if name is not None and name[1] >= mark.start() - 1:
            return name
    return None


def _split(text: str, at: tuple[int, int], *, family: bool) -> Name:
    parts = [_written(word) for word in text[slice(*at)].replace(",", " ").split()]
    if family and len(parts) == 1:
        return Name("", parts[0], at)
    return Name(parts[0], " ".join(parts[1:]), at)


def _written(word: str) -> str:
    """`maria` and `MARIA` as Maria; what was written with care (McCoy, de) stays."""
    if word.lower() in _PARTICLES and word.islower():
        return word
    word = word.removesuffix("'s").removesuffix("\u2019s").rstrip(".")
    if word.islower() or (word.isupper() and len(word) > 2):
        return "-".join(part[:1].upper() + part[1:].lower() for part in word.split("-"))
    return word


_ENOUGH = 8  # places in one message where a name may stand
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*\.?")
_GAP = re.compile(r"[ \t]{1,3}")
_S = r"[ \t]{1,3}"
_WAYS = tuple(
    (re.compile(pattern.replace(" ", _S), re.IGNORECASE), sure)
    for pattern, sure in (
        (
            r"\b(?:my|the|her|his|their|our) (?:full |first |last |family |sur)?name(?:['\u2019]?s)?(?: is|:| should be)? ",
            True,
        ),
        (r"\b(?:(?:last|first|family|full) name|surname)(?: is|:)? ", True),
        (r"\bname ?[:=-] ?", True),
        (r"\b(?:under|on|in|for|with|by) (?:the |a |my )?names?(?: of)?:? ", True),
        (r"\b(?:i am|i['\u2019]?m) (?:called|named|known as) ", True),
        (r"\b(?:you can |please |just )?call(?: call)? me (?!back|at|on|later|when|if|tomorrow|today)", True),
        (r"\b(?:it is|it['\u2019]?s|this is|i am|i['\u2019]?m|speaking is)(?: mrs?\.?| ms\.?| dr\.?)? ", False),
        (r"\b(?:under|booked for|(?:reservation|booking|appointment) (?:is )?for) ", False),
    )
)
_OF_THEIR_OWN = tuple(
    (re.compile(pattern.replace(" ", _S), re.IGNORECASE), sure)
    for pattern, sure in (
        (r"\bmy (?:full |first )?name(?:['\u2019]?s| is|:) ", True),
        (r"\b(?:i am|i['\u2019]?m) (?:called|named|known as) ", True),
        (
            r"^(?:(?:hi|hello|hey|good (?:morning|afternoon|evening))[,.!]? )?(this is|i am|i['\u2019]?m|it is|it['\u2019]?s) ",
            False,
        ),
    )
)
_AND_SO_ON = re.compile(rf"(?:{_S}(?:here|speaking)\b)?[ \t,.;:!-]*(?:and\b[ \t]?)?")
_ABOUT_SOMEBODY = re.compile(
    rf"\b(?i:can|could|will|would|does){_S}([A-Z][\w'-]+){_S}(?:be|come|cut|do|fix|have|help|make|repair|see|still|take|work)\b|"
    rf"\b(?i:is){_S}([A-Z][\w'-]+){_S}(?:around|available|free|here|in|off|there|working)\b"
)
_SMALL = re.compile(
    rf"([a-z]{{3,12}})(?=[ \t]{{0,3}}(?:$|[,.!?]|{_S}(?:at|on|for|this|next|please|pls|today|tomorrow|tonight|monday|tuesday|"
    r"wednesday|thursday|friday|saturday|sunday|mon|tue|wed|thu|fri|sat|sun|\d)\b))"
)
# What may come with something that is booked, and is nobody.
_NO_PERSON = frozenset(
    "beard blow blowdry card cash color colour colors colours conditioner confidence cream curls cut cuts delivery discount "
    "dog dryer ears everything extensions extra extras eyebrows family fringe gel glitter hair head highlights hot includes "
    "insurance kid layers lowlights makeup massage master mask mustache nails oil paint parking pleasure polish priority "
    "razor scissors shampoo shave styling style tax taxes tint toner towel treatment trim warranty wash water wax waxing".split()
)
_DRAWN_OUT = re.compile(r"(.)\1\1|^[b-df-hj-np-tv-xz]+$")  # "aaah", "hmm"
_LEADING = re.compile(r"\s{0,3}([^\W\d_]{3,12}),[ \t]{1,3}\S")
# What else people begin with, in any language, and whom they bring along: calls, fillers, courtesy, family.
_NO_CALL = frozenset(
    "absolutely adult alas anyway anyways asap argh awesome baby boy boys bro brother bruh buddy cheers chief confirmed "
    "cool correct dammit damn damnit darling darn dear definitely dude evening everybody exactly excellent fam "
    "finally folks gents girl girls granddaughter grandma grandpa grandson great greetings guys hiya howdy hubby hun "
    "ideally indeed kiddo ladies lads listen love lovely madam man mate nah nephew nice niece nvm oops pal pardon "
    "parents perfect preferably question quick quickly regards sadly shit shop sir sirs sweet sweetie team though "
    "toddler update whoa wrong yall yay yup "
    "achtung alles bitte danke frage genau gut hallo moin moment nun servus super tja übrigens allez alors bien bon "
    "bonjour bonsoir coucou d'accord dites donc merci parfait pardon salut sinon svp voilà bien bueno buenas buenos "
    "chicos claro disculpa disculpe entonces genial gracias hola mira oiga oye perdona perdón porfa pues vale vamos "
    "beleza boa bom certo claro desculpa então galera gente obrigada obrigado olha olá opa ótimo pessoal tá".split()
)
_FAMILY = re.compile(r"(?i)\b(?:last|family) name|surname")
_AFTER_NAME = re.compile(
    r"(?i)[ \t](?:here\b|speaking\b|is (?:my|the) (?:full |last |first |family |sur)?name\b)|, ?that(?:'s| is) my name\b"
)
_PLACES = re.compile(r"^|\bfor[ \t]")
_THE_PARTY = re.compile(r"\bthe ([A-Z][a-z]{2,}) party\b")
_COMMA_NAME = re.compile(r",[ \t]?([^\W\d_]{2,})[ \t.]*$")
_PREAMBLE = re.compile(
    r"(?i)(?:(?:yes|yeah|sure|ok|okay|hi|hello|hey|um|uh|well|sorry|oh|no|of course|certainly|it's|its|it is|this is|i'm|"
    r"i am|im|for|under|make it|put it under|name|mr\.?|mrs\.?|ms\.?|dr\.?|my name is|that's|that is|the name is)"
    r"[,.!: ]{1,3})*"
)
_CLOSING = re.compile(
    r"(?i)[\s.,!]*(?:(?:please|pls|thanks|thank you|here|is my name|speaking|sir|ma'am)[\s.,!]*){0,3}"
)
_PARTICLES = frozenset("de la van von der den del da dos di bin al el du le st ter ten y e".split())
_ALSO_NAMES = frozenset("will may april june august mark art grace hope joy rose bill pat dean guy".split())
# Words that begin what people say after "I'm" or "it's", and short answers that are no names.
_NOT_NAMES = frozenset(
    "a able about actually adults afraid after afternoon again agent ah all already alright also always am an and "
    "another any anyone anything appointment apr april are around as at aug august available back bad be because been "
    "before between book booking both boyfriend breakfast broken brother busy but by bye call called can can't cancel "
    "cannot cant change cheap check children client closed come control correct could customer cut dad daughter dec "
    "december did different dinner do does don't dont down dr during each early eight eleven evening every everyone "
    "expensive family father feb february find fine first five for four free fri friday friend friends from get "
    "girlfriend give go gonna good goodbye got great guest guests had haircut happy has have he hello help here hey "
    "hi him hmm hold home hotel how human husband i i'd i'll i'm i've if ill important in instead interested is isn't "
    "it it's jan january jul july jun june just kids know last late later less let like lol look looking lunch made "
    "make many mar march may maybe me mean meant menu might mom mon monday more morning mother move mr mrs ms much "
    "must my myself name named need never new next night nine no nobody none noon nope not nothing nov november now "
    "oct october of off oh ok okay old on once one only open or order other our out over partner party people perhaps "
    "person please pm possible probably put quit ready repeat reschedule reservation reserve restart restaurant right "
    "sad said salon same sat saturday say second see sep sept september set seven shall she should sick since sister "
    "six so some someone something son soon sorry speak still stop sun sunday sure table take talk tell ten than "
    "thank thanks that that's the their them then there these they think third this those three thu thur thurs "
    "thursday tired to today told tomorrow tonight too tue tues tuesday twelve twice two uh um unable under until up "
    "urgent us very wait want was we weather wed wednesday well were what whatever when where which whichever while "
    "who why wife will wish with won't would wow wrong written misspelled misspelt spelled spelt yeah "
    "yep yes yesterday you your".split()
)
