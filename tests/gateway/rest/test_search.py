"""Messages are found by their words, alike on both engines, whatever is typed."""

from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from desk.inbox import search
from desk.who import Actor
from storage.folding import fold
from tests.gateway.front import Front
from tests.gateway.rest.api import Client, stranger
from tests.gateway.rest.inbox import KIM, LEE, queued

TEXTS = (
    "The Haircut was great, thank you",
    "Can I get a haircut at five?",
    "Write to hello@juniper.example or +1 512 555-0100, I'll pay 12.50",
    "Größe und Straße, ÇA VA",
    "fix the_pump & <b>gasket</b>; see https://juniper.example/a-b?c=d",
)

_ODD = st.text(
    alphabet=st.one_of(
        st.sampled_from("\"'*:()^-+~{}[]\\/&|!<>%_@.,; \t\n"), st.sampled_from("aäéЖ中0٣ſẞ½"), st.characters()
    ),
    max_size=60,
)
_KEYWORDS = st.lists(
    st.sampled_from(["AND", "OR", "NOT", "NEAR(", "NEAR", "haircut", '"', "tenant_id:1", ":*", "hair*", "''", "\\"])
)


async def _world(desk: Front, api: Client) -> dict[str, str]:
    """Texts of one conversation, by the ids of their messages."""
    path = f"/conversations/{(await queued(api, KIM))['id']}/messages"
    for text in TEXTS:
        await api.post(path, {"text": text, "private": True})
    return {one["id"]: one["text"] for one in (await api.get(f"{path}?limit=100"))["items"] if one["private"]}


async def test_all_words_the_beginning_of_the_last_and_phrases(desk: Front, api: Client) -> None:
    texts = await _world(desk, api)
    table: dict[str, tuple[int, ...]] = {
        "haircut": (1, 0),
        "HAIRCUT great": (0,),
        "hairc": (1, 0),
        "hairc ": (),  # something follows: it is the whole word
        "haircut five": (1,),
        "five haircut": (1,),
        '"a haircut"': (1,),
        '"haircut a"': (),
        '"haircut': (1, 0),
        "ha": (),  # too short for a beginning
        "juniper": (4, 2),
        "hello@juniper.example": (2,),
        "512 555 0100": (2,),
        "555-0100": (2,),
        "12.50": (2,),
        "größe": (3,),
        "Große": (3,),
        "stra\u00dfe c\u0327a": (3,),  # the accent as a sign of its own
        "GRÖSSE": (),
        "straße ça": (3,),
        "pump": (4,),
        "gasket": (4,),
        "": (),
        "!!! - '": (),
        "haircut OR pump": (),
        "tenant_id:1": (),
    }
    for typed, wanted in table.items():
        found = await api.get(f"/messages?search={quote(typed)}")
        assert [texts[one["id"]] for one in found["items"]] == [TEXTS[place] for place in wanted], typed
        assert found["total"] == len(wanted), typed
    page = await api.get("/messages?search=haircut&limit=1&skip=1")
    assert (page["total"], [texts[one["id"]] for one in page["items"]]) == (2, [TEXTS[0]])
    assert (await api.get("/messages?search=haircut&skip=9000"))["items"] == []
    assert (await api.get("/conversations?search=gasket"))["total"] == 1
    await api.get("/messages", status=422)


async def test_accents_do_not_matter_in_words_and_names(desk: Front, api: Client) -> None:
    await _world(desk, api)
    jose = await api.post("/customers", {"name": "José Ångström", "email": "j@mail.example"})
    plain = await api.post("/customers", {"name": "Jose 100%_[x]*", "email": "k@mail.example"})
    table: dict[str, set[str]] = {
        "jose": {jose["id"], plain["id"]},
        "JOSÉ": {jose["id"], plain["id"]},
        "angstrom": {jose["id"]},
        "ÅNGSTRÖ": {jose["id"]},
        "jøse": set(),
        "100%_[X]*": {plain["id"]},
        "1%": set(),
        "J_se": set(),
        "jos*": set(),
        "j.se": set(),
        "(?i)": set(),
        "\\": set(),
        "[": {plain["id"]},
    }
    for typed, wanted in table.items():
        found = await api.get(f"/customers?search={quote(typed)}")
        assert ({one["id"] for one in found["items"]}, found["total"]) == (wanted, len(wanted)), typed
    kim = (await api.get("/conversations"))["items"][0]["customer"]["id"]
    await api.patch(f"/customers/{kim}", {"name": "Zoë Nováková"})
    for typed in ("zoe", "novakova", "NOVÁK"):
        assert (await api.get(f"/conversations?search={quote(typed)}"))["total"] == 1, typed
    assert (await api.get("/conversations?search=zoe&skip=5"))["items"] == []
    every = "".join(map(chr, (*range(0xC0, 0x250), *range(0x1E00, 0x1F00))))
    for part in range(0, len(every), 100):  # to the letter as SQLite's and PostgreSQL's own means have it
        piece = every[part : part + 100]
        await api.patch(f"/customers/{kim}", {"name": piece})
        found = await api.get(f"/customers?search={quote(fold(piece))}")
        assert [one["id"] for one in found["items"]] == [kim], piece


async def test_others_words_are_not_found(desk: Front, api: Client) -> None:
    await _world(desk, api)
    other = await stranger(desk)
    await desk.text(LEE, f"tenant {other.tenant_id} {other.tenant_id}")
    for typed in ("haircut", "tenant", str(other.tenant_id)):
        assert (await other.get(f"/messages?search={typed}"))["total"] == 0
        assert (await other.get(f"/conversations?search={typed}"))["total"] == 0


async def test_nothing_that_is_typed_is_an_error(desk: Front, api: Client) -> None:
    await _world(desk, api)
    who = Actor(api.tenant_id, "staff", api.user_id)

    def look(db: Connection) -> None:
        @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
        @given(typed=st.one_of(_ODD, _KEYWORDS.map(" ".join)))
        def check(typed: str) -> None:
            found = search.find(db, who, typed)
            assert found.total >= len(found.ids)
            assert search.terms(typed) or not found.ids

        check()

    await desk.house.store.read(look)
