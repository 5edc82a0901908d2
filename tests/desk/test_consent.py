"""STOP is STOP, until START."""

from hashlib import sha256
from typing import Any, Literal

import pytest
from sqlalchemy import delete, event, select

from desk import consent, conversations, customers, sending
from desk.consent import NO_MARKETING, NO_REMINDERS, OPTED_OUT
from desk.verdicts import ALLOWED, Allowed, Refusal, Use
from storage.base import Db
from storage.models.customers import consent_events, customer_identities
from tests.desk import shop as shops
from tests.desk.shop import NOW, Shop

PEER = "+15125550001"


def say(
    db: Db,
    shop: Shop,
    state: Literal["in", "out"],
    purpose: consent.Purpose = "all",
    address: tuple[str, str] = ("phone", PEER),
) -> bool:
    return consent.record(
        db,
        tenant_id=shop.tenant_id,
        account_id=shop.account_id,
        kind=address[0],
        value=address[1],
        customer_id=shop.customer_id,
        purpose=purpose,
        state=state,
        source="keyword",
        message_id=7,
        now=NOW,
    )


def know(db: Db, shop: Shop, *addresses: tuple[str, str]) -> None:
    customers.know_also(db, shop.tenant_id, shop.customer_id, addresses, now=NOW)


@pytest.mark.parametrize(
    ("said", "use", "verdict"),
    [
        ([], "reply", ALLOWED),
        ([], "marketing", ALLOWED),
        ([("out", "all")], "reply", OPTED_OUT),
        ([("out", "all")], "service", OPTED_OUT),
        ([("out", "all")], "marketing", OPTED_OUT),
        ([("out", "all")], "legal", ALLOWED),
        ([("out", "all"), ("in", "all")], "reply", ALLOWED),
        ([("out", "marketing")], "reply", ALLOWED),
        ([("out", "marketing")], "marketing", NO_MARKETING),
        ([("out", "marketing"), ("in", "all")], "marketing", NO_MARKETING),
        ([("out", "marketing"), ("in", "marketing")], "marketing", ALLOWED),
        ([("out", "marketing")], "reminder", ALLOWED),
        ([("out", "reminder")], "reminder", NO_REMINDERS),
        ([("out", "reminder")], "marketing", ALLOWED),
    ],
)
def test_sending_is_allowed_or_refused_with_a_reason(
    db: Db,
    shop: Shop,
    said: list[tuple[Literal["in", "out"], consent.Purpose]],
    use: Use,
    verdict: Allowed | Refusal,
) -> None:
    for state, purpose in said:
        say(db, shop, state, purpose)
    account = {"account_id": shop.account_id, "kind": "phone", "value": PEER}
    assert sending.may_send(db, **account, use=use, now=NOW) == verdict  # type: ignore[arg-type]  # by name
    others = [{**account, "value": "+15125550002"}, {**account, "kind": "whatsapp"}]
    for other in others:
        assert sending.may_send(db, **other, use=use, now=NOW) == ALLOWED  # type: ignore[arg-type]  # by name


def test_only_a_change_is_a_change_but_every_word_is_in_the_ledger(db: Db, shop: Shop) -> None:
    changes = [say(db, shop, state) for state in ("in", "out", "out", "in", "in", "out")]
    assert changes == [False, True, False, True, False, True]
    assert consent.is_out(db, shop.account_id, "phone", PEER)
    assert consent.is_out(db, shop.account_id, "phone", PEER, "marketing")
    states = db.execute(select(consent_events.c.state).order_by(consent_events.c.id)).scalars().all()
    assert states == ["in", "out", "out", "in", "in", "out"]


def test_stop_holds_for_all_addresses_of_a_customer_on_the_channel_until_start(db: Db, shop: Shop) -> None:
    number, hidden, later = ("whatsapp", PEER), ("bsuid", "US.1"), ("bsuid", "US.2")
    know(db, shop, number, hidden, ("phone", PEER))

    def out() -> list[bool]:
        return [consent.is_out(db, shop.account_id, *one) for one in (number, hidden, later)]

    assert say(db, shop, "out", address=number)
    assert out() == [True, True, False]
    know(db, shop, later)
    assert out() == [True, True, True]
    assert conversations.by_id(db, shop.bot, shop.conversation_id).is_out
    assert say(db, shop, "in", address=later)
    assert out() == [False, False, False]
    assert not conversations.by_id(db, shop.bot, shop.conversation_id).is_out
    told = select(consent_events.c.kind, consent_events.c.state, consent_events.c.message_id)
    lines = [tuple(row) for row in db.execute(told.order_by(consent_events.c.id))]
    assert lines[:2] == [("whatsapp", "out", 7), ("bsuid", "out", 7)]
    assert sorted(lines[2:]) == [("bsuid", "in", 7), ("bsuid", "in", 7), ("whatsapp", "in", 7)]


def test_stop_outlives_erasure_also_for_an_address_that_was_known_only_later_until_start(db: Db, shop: Shop) -> None:
    number, later, by_text = ("whatsapp", PEER), ("bsuid", "US.2"), ("phone", PEER)

    def marks(name: bytes) -> list[str]:
        return [sha256(name).hexdigest()]

    def erase(*addresses: tuple[str, str]) -> list[bool]:
        """Who is refused now."""
        consent.outlive(db, addresses, tenant_id=shop.tenant_id, marks=marks)
        db.execute(delete(customer_identities).where(customer_identities.c.customer_id == shop.customer_id))
        account: dict[str, Any] = {"account_id": shop.account_id, "use": "marketing", "marks": marks}
        found = [consent.standing(db, **account, kind=kind, value=value) for kind, value in (number, later, by_text)]
        return [one == OPTED_OUT for one in found]

    know(db, shop, number)
    say(db, shop, "out", address=number)
    know(db, shop, later, by_text)
    assert erase(number, later, by_text) == [True, True, False]
    know(db, shop, number, later)
    say(db, shop, "in", address=later)
    assert erase(number, later) == [False, False, False]


def test_whatever_was_refused_of_an_address_is_kept_and_let_go_by_two_statements(db: Db, shop: Shop) -> None:
    address, written = ("phone", PEER), list[str]()

    def marks(name: bytes) -> list[str]:
        return [sha256(name).hexdigest(), sha256(b"older" + name).hexdigest()]

    def refused() -> list[bool]:
        account: dict[str, Any] = {"account_id": shop.account_id, "kind": "phone", "value": PEER, "marks": marks}
        uses: tuple[Use, ...] = ("marketing", "reminder", "service")
        return [consent.standing(db, **account, use=use) == ALLOWED for use in uses]

    def erase() -> list[str]:
        """The statements that changed something."""
        written.clear()
        consent.outlive(db, [address], tenant_id=shop.tenant_id, marks=marks)
        return [one.split()[0] for one in written if not one.startswith("SELECT")]

    event.listen(db, "before_cursor_execute", lambda _db, _cursor, statement, *_: written.append(statement))
    purposes: tuple[consent.Purpose, ...] = ("marketing", "reminder")
    for purpose in purposes:
        say(db, shop, "out", purpose)
    assert erase() == ["DELETE", "DELETE", "INSERT"]
    assert refused() == [False, False, True]
    for purpose in purposes:
        say(db, shop, "in", purpose)
    say(db, shop, "out")
    assert erase() == ["DELETE", "DELETE", "INSERT"]  # what was kept of the two is gone, whatever key it was kept by
    assert refused() == [False, False, False]
    say(db, shop, "in")
    assert erase() == ["DELETE", "DELETE"]
    assert refused() == [True, True, True]


def test_stop_to_one_business_is_nothing_to_another(db: Db, shop: Shop) -> None:
    there = shops.open_shop(db, number="+15125550199")
    say(db, shop, "out")
    assert not consent.is_out(db, there.account_id, "phone", PEER)
