"""STOP is STOP, until START."""

from typing import Any, Literal

import pytest
from sqlalchemy import select

from desk import consent, conversations, customers, sending
from desk.consent import NO_MARKETING, NO_REMINDERS, OPTED_OUT
from desk.verdicts import ALLOWED, Allowed, Refusal, Use
from storage.base import Db
from storage.models.customers import consent_events
from tests.desk import shop as shops
from tests.desk.shop import NOW, Shop

PEER = "+15125550001"


def say(db: Db, shop: Shop, state: Literal["in", "out"], purpose: consent.Purpose = "all") -> bool:
    return consent.record(
        db,
        tenant_id=shop.tenant_id,
        account_id=shop.account_id,
        kind="phone",
        value=PEER,
        customer_id=shop.customer_id,
        purpose=purpose,
        state=state,
        source="keyword",
        message_id=None,
        now=NOW,
    )


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
    def know(*addresses: tuple[str, str]) -> None:
        customers.know_also(db, shop.tenant_id, shop.customer_id, addresses, now=NOW)

    number, hidden, later = ("whatsapp", PEER), ("bsuid", "US.1"), ("bsuid", "US.2")
    know(number, hidden, ("phone", PEER))

    def says(address: tuple[str, str], state: Literal["in", "out"]) -> bool:
        kind, value = address
        said: dict[str, Any] = {"purpose": "all", "state": state, "source": "keyword", "message_id": 7, "now": NOW}
        whose: dict[str, Any] = {"tenant_id": shop.tenant_id, "account_id": shop.account_id}
        return consent.record(db, **whose, **said, customer_id=shop.customer_id, kind=kind, value=value)

    def out() -> list[bool]:
        return [consent.is_out(db, shop.account_id, *one) for one in (number, hidden, later)]

    assert says(number, "out")
    assert out() == [True, True, False]
    know(later)
    assert out() == [True, True, True]
    assert conversations.by_id(db, shop.bot, shop.conversation_id).is_out
    assert says(later, "in")
    assert out() == [False, False, False]
    assert not conversations.by_id(db, shop.bot, shop.conversation_id).is_out
    told = select(consent_events.c.kind, consent_events.c.state, consent_events.c.message_id)
    lines = [tuple(row) for row in db.execute(told.order_by(consent_events.c.id))]
    assert lines[:2] == [("whatsapp", "out", 7), ("bsuid", "out", 7)]
    assert sorted(lines[2:]) == [("bsuid", "in", 7), ("bsuid", "in", 7), ("whatsapp", "in", 7)]


def test_stop_to_one_business_is_nothing_to_another(db: Db, shop: Shop) -> None:
    there = shops.open_shop(db, number="+15125550199")
    say(db, shop, "out")
    assert not consent.is_out(db, there.account_id, "phone", PEER)
