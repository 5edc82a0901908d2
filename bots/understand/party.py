"""How many people: "a table for 4", "me and my wife", "2 adults and 3 kids", "there will be six of us"."""

from typing import NamedTuple

from bots.understand.text import Token, fold, read_number, tokens


class Party(NamedTuple):
    size: int
    at: tuple[int, int]  # where in the message the number stands, with the people it counts


def find(text: str, *, asked: bool = False, taken: tuple[tuple[int, int], ...] = ()) -> Party | None:
    """The size of the party, or None. `taken` are places in the message that mean something else, such as a time.

    A bare number counts only with `asked`. "Me and my sister" are two; "2 adults and 3 kids" are five.
    """
    folded = fold(text)
    said = tokens(folded)
    free = [token for token in said if not any(a <= folded.place(token.start, token.end)[0] < b for a, b in taken)]
    found = _company(free) or _led(free, said) or _told(free)
    if found is None and asked:
        found = _bare(free)
    if found is None or not 1 <= found[0] <= 999:
        return None
    size, first, last = found
    return Party(size, folded.place(free[first].start, free[last].end))


_Found = tuple[int, int, int]  # size, first and last token


def _company(said: list[Token]) -> _Found | None:
    """`4 people`, `2 adults and 2 kids`, `me, my wife and our two kids`, `three of us`, `just me`: the members added."""
    texts = [token.text for token in said]
    i = 0
    while i < len(texts):
        size, kinds, j = 0, set[str](), i
        while (member := _member(texts, j)) is not None:
            size += member[0]
            kinds.add(member[1])
            last = j = member[2]
            while j < len(texts) and texts[j] in ("and", "plus", "with") and j < last + 2:
                j += 1
        alone = kinds == {"me"} and texts[i - 1 : i] in (["just"], ["only"])
        if "counted" in kinds or len(kinds) > 1 or alone or (kinds == {"relative"} and size > 1):
            return size, i, _last_used(texts, i, j)
        i = max(i + 1, j)
    return None


def _member(texts: list[str], i: int) -> tuple[int, str, int] | None:
    """One member or group at `i`: its size, what it is (me, relative, counted) and where it ends."""
    if i >= len(texts):
        return None
    if texts[i] in ("me", "myself", "i"):
        return 1, "me", i + 1
    named = texts[i] in ("my", "our", "the", "her", "his", "their")
    j = i + 1 if named else i
    if j >= len(texts) or texts[i - 1 : i] in (["another"], ["extra"], ["more"], ["at"]):
        return None
    number = (1, 1) if texts[j] in ("a", "an") else read_number(texts, j)
    if number is None:
        if named and texts[j] in ("parents", "grandparents", "twins"):
            return 2, "relative", j + 1
        after = j + 1 if texts[j] in _KINDS and texts[j + 1 : j + 2] else j
        return (1, "relative", after + 1) if named and texts[after] in _SINGLE else None
    k = j + number[1]
    if number[0] > 200 or texts[k : k + 1] in (["more"], ["extra"], ["additional"]):
        return None
    end = _people_at(texts, k, one=texts[j] in ("a", "an"))
    return (number[0], "relative" if texts[j] in ("a", "an") else "counted", end) if end else None


def _people_at(texts: list[str], k: int, *, one: bool) -> int:
    """Where the people counted by a number end, 0 when it counts something else: `young adults`, `of us`, `of my team`."""
    j = k
    while j < len(texts) and texts[j] in _KINDS and j < k + 2:
        j += 1
    if j < len(texts) and texts[j] in (_SINGLE if one else _PEOPLE):
        return j + 1
    following = texts[k : k + 3]
    if following[:1] == ["of"] and not one:
        if following[1:2] and following[1] in ("us", "them", "you"):
            return k + 2
        if len(following) == 3 and following[1] in ("my", "our"):
            return k + 3
    return 0


def _last_used(texts: list[str], first: int, end: int) -> int:
    """The last token of a company, without a dangling `and`."""
    while end - 1 > first and texts[end - 1] in ("and", "plus", "with"):
        end -= 1
    return end - 1


def _led(free: list[Token], said: list[Token]) -> _Found | None:
    """`party of 11`, `table for 4`, `for 8`, `us 2`, `family of 8`."""
    texts = [token.text for token in free]
    place = {token.start: n for n, token in enumerate(said)}
    for i in range(1, len(texts)):
        number = read_number(texts, i)
        if number is None or texts[i] in ("a", "an") or number[0] > 99:
            continue
        before, follow = texts[i - 1], texts[i + number[1]] if i + number[1] < len(texts) else ""
        adjacent = place[free[i].start] - place[free[i - 1].start] == 1
        if not adjacent or follow in _NOT_PEOPLE:
            continue
        led = before == "of" and i >= 2 and texts[i - 2] in _PARTIES
        if (
            led
            or before in ("for", "seat", "seating", "us", "seats", "accommodate")
            or texts[i - 2 : i] == ["for", "just"]
        ):
            return number[0], i, i + number[1] - 1
        if (
            before in ("are", "be", "is")
            and i >= 2
            and texts[i - 2] in ("we", "people", "guests", "will", "there", "party")
        ):
            return number[0], i, i + number[1] - 1
    return None


def _told(said: list[Token]) -> _Found | None:
    """`there will be three in total`, `8 is the number of people`."""
    texts = [token.text for token in said]
    for i in range(len(texts)):
        number = read_number(texts, i) if texts[i] not in ("a", "an") else None
        if number is None:
            continue
        after = texts[i + number[1] : i + number[1] + 5]
        if after[:2] in (["in", "total"], ["in", "all"], ["all", "together"]) or after[:1] in (
            ["total"],
            ["altogether"],
        ):
            return number[0], i, i + number[1] - 1
        if after[:4] == ["is", "the", "number", "of"]:
            return number[0], i, i + number[1] - 1
    return None


def _bare(said: list[Token]) -> _Found | None:
    texts = [token.text for token in said]
    for i in range(len(texts)):
        number = read_number(texts, i) if texts[i] not in ("a", "an") else None
        follow = texts[i + number[1]] if number and i + number[1] < len(texts) else ""
        if number is not None and follow not in _NOT_PEOPLE and texts[i - 1 : i] not in (["at"], ["option"]):
            return number[0], i, i + number[1] - 1
    return None


_PEOPLE = frozenset(
    "people person persons ppl pax guest guests adult adults kid kids child children baby babies infant infants toddler "
    "toddlers senior seniors man men woman women lady ladies gentleman gentlemen friend friends boy boys girl girls "
    "teenager teenagers colleague colleagues diners customers clients attendees students son sons daughter daughters "
    "couple couples seniors others relatives members passengers".split()
)
_SINGLE = frozenset(
    "person guest adult kid child baby infant toddler senior man woman lady gentleman friend boy girl wife husband son "
    "daughter mother father mom mum dad brother sister girlfriend boyfriend partner colleague spouse boss cousin aunt "
    "uncle grandmother grandfather grandma grandpa fiance fiancee date mate teenager buddy coworker girlfriends".split()
)
_KINDS = frozenset("young small little elderly older other grown adult hungry".split())
_PARTIES = frozenset("party table group booking reservation family total size seating team crew company couple".split())
_LEADS = frozenset("for seat seating us seats accommodate".split())
_NOT_PEOPLE = frozenset(
    "am pm o'clock oclock days day weeks week months month hours hour minutes minute mins hrs years nights night times "
    "dollars bucks percent st nd rd th haircuts rooms tables beds bags ish january february march april may june july "
    "august september october november december thirty fifteen".split()
)
