"""What a recogniser that knows no more than a grammar listens for, as a JSGF grammar. English.

Each question has its own: its choices and keys, what goes with its kind, and what can be said at any time. So few words
are told apart well, and others not at all: what is said outside of the grammar is taken for something inside of it.

Source: JSGF, https://www.w3.org/TR/jsgf/, of which pocketsphinx reads rules, alternatives, weights and optional parts.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from channels.voice.counting import cardinal
from channels.voice.listen import Listen
from channels.voice.words import ordinal, spoken

_WORD: Final = re.compile(r"[a-z]+(?:'[a-z]+)*|\d+")
_MOST_PHRASES: Final = 400

_ONES: Final = "one two three four five six seven eight nine".split()
_NUMBER: Final = " | ".join([*_ONES, "ten", "eleven", "twelve"])
_ANYTIME: Final = (
    "[a] person | [a] human | talk to someone | speak to a person | a real person | say that again | say it again"
    " | repeat that | pardon | text me that | text me | leave a message | start over | never mind | cancel | goodbye | bye"
    " | thank you | thanks | help"
)
_LISTENING: Final = "uh huh | mm hmm | okay | right | i see | got it"
_YES: Final = "yes | yes please | yeah | yep | sure | that's right | that's correct | correct | book it | please do"
_NO: Final = "no | no thank you | no thanks | nope | that's wrong | not that | no that's all | nothing | that's all"
# Names by which most people are called where the demo is at home; others are not understood (docs/voice.md).
_NAMES: Final = (
    "james john robert michael william david richard joseph thomas charles christopher daniel matthew anthony mark donald"
    " steven paul andrew joshua kevin brian george timothy jason edward jeffrey ryan jacob gary nicholas eric jonathan"
    " stephen larry justin scott brandon benjamin samuel gregory alexander patrick frank raymond jack dennis jerry tyler"
    " aaron jose adam nathan henry peter kyle noah ethan lucas carlos juan luis mary patricia jennifer linda elizabeth"
    " barbara susan jessica sarah karen lisa nancy betty sandra margaret ashley kimberly emily donna michelle carol amanda"
    " melissa deborah stephanie rebecca laura helen sharon cynthia kathleen amy angela anna ruth brenda pamela nicole"
    " katherine virginia catherine christine samantha debra janet rachel carolyn emma maria heather diane julie joyce"
    " victoria kelly christina joan lauren olivia sophia grace alice julia ana carmen rosa elena sofia isabella mia"
).split()

_DATES: Final = " | ".join(ordinal(day).replace("-", " ") for day in range(1, 32))
_MONTHS: Final = (
    "january | february | march | april | may | june | july | august | september | october | november | december"
)
_WHEN: Final = f"""
<weekday> = monday | tuesday | wednesday | thursday | friday | saturday | sunday;
<date> = {_DATES};
<day> = today | tomorrow | the day after tomorrow | [on | next | this] <weekday> | <weekday> morning
  | <weekday> afternoon | (<month> [the] <date>) | [on] the <date> [of <month>] | next week;
<month> = {_MONTHS};
<hour> = {_NUMBER};
<minutes> = o'clock | fifteen | thirty | forty five | oh five | ten | twenty | forty | fifty;
<half> = a m | p m | in the morning | in the afternoon | in the evening;
<clock> = <hour> [<minutes>] [<half>] | half past <hour> [<half>] | quarter past <hour> | quarter to <hour> | noon;
<time> = [at] <clock> | after <clock> | before <clock> | in the morning | in the afternoon | in the evening
  | as early as possible | anything earlier | anything later | more | other times;
<when> = <day> [<time>] | <time> [[on] <day>];
"""
_POLITE: Final = "[please]"
_LEAD: Final = "[i'd like | i want | i need | can i have | can i get | i'd like to book | book] [a | an | the]"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What callers of a business say beside the answer that was asked for. `things` can be had, and are named with a time:
    its services; `people` are its staff; `sentences` begin something, word for word, and `questions` may come at any time.
    """

    things: Sequence[str] = ()
    people: Sequence[str] = ()
    sentences: Sequence[str] = ()
    questions: Sequence[str] = ()


def words_of(text: str) -> str:
    """The text in words as they stand in a grammar: lower case, figures written out, no signs. May be empty."""
    found = _WORD.findall(spoken(text).casefold().replace("’", "'").replace("-", " "))
    said = (cardinal(int(one)).replace("-", " ") if one.isdecimal() else one for one in found)
    return " ".join(said)


def grammar(spec: Listen, vocabulary: Vocabulary) -> str:
    """For answers to that question, as the text of a JSGF grammar whose public rule is `answer`."""
    heard = _parts(spec, vocabulary)
    named = {name: rule for name, (_, rule) in heard.items() if rule}
    said = " | ".join(f"/{heard[name][0]}/ <{name}>" for name in named)
    rules = "\n".join(f"<{name}> = {rule};" for name, rule in named.items())
    return f"#JSGF V1.0;\ngrammar answers;\npublic <answer> = {said};\n{rules}\n{_WHEN}"


def vocabulary_words(text: str) -> set[str]:
    """The words of such a grammar that somebody may say."""
    bare = re.sub(r"#JSGF[^\n]*|grammar \w+;|public|<[^>]*>|/[^/]*/", " ", text)
    return set(_WORD.findall(bare))


def _parts(spec: Listen, known: Vocabulary) -> dict[str, tuple[float, str]]:
    """Each rule with its weight: how likely it is beside the others."""
    options = _either(one.title for one in spec.options)
    people = _either(known.people)
    things = _either(known.things)
    wish = f"{_LEAD} <things> [with <people>] [<when>] {_POLITE}" if things else ""
    if not people:
        wish = wish.replace("[with <people>] ", "")
    parts: dict[str, tuple[float, str]] = {}
    if options:
        keys = " | ".join(_ONES[: len(spec.keys)])
        parts["options"] = (20, f"[the | a] ({options}) {_POLITE}")
        parts["keys"] = (5, f"[number | option] ({keys}) {_POLITE}")
    match spec.kind:
        case "yes_no":
            parts["agreed"] = (20, f"({_YES}) | ({_NO})")
            parts["instead"] = (1, f"(no | actually) (<when> | make it <when>{' | <things>' if things else ''})")
        case "time":
            parts["asked"] = (20, f"<when> {_POLITE}")
        case "name":
            names = _either([*_NAMES, *known.people])
            parts["named"] = (20, f"[my name is | it's | i'm | this is] ({names}) [({names})]")
        case "long":
            letters = " | ".join("a b c d e f g h i j k l m n o p q r s t u v w x y z".split())
            sign = f"zero | oh | {' | '.join(_ONES)} | {letters} | at | dot | dash | underscore | double | com | gmail"
            parts["spelt"] = (20, f"({sign})+")
        case _:
            pass
    if spec.kind in ("menu", "open"):
        parts["wishes"] = (5, wish)
        parts["when_said"] = (1, "<when>")
        parts["sentences"] = (5, _either(list(known.sentences)[:_MOST_PHRASES]))
        parts["nods"] = (3, f"({_YES}) | ({_NO})")
    parts["anytime"] = (2, f"({_ANYTIME}) {_POLITE}")
    if known.questions:
        parts["questions"] = (1, _either(known.questions))
    parts["noise"] = (0.1, _LISTENING)
    if things:
        parts["things"] = (0.01, things)
    if people:
        parts["people"] = (0.5, f"[with] ({people})")
    return parts


def _either(texts: Iterable[str]) -> str:
    """Any of these, in words; empty when there are none."""
    return " | ".join(dict.fromkeys(words for text in texts if (words := words_of(text))))
