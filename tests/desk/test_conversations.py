"""Conversations, and who has the word."""

from datetime import timedelta

import pytest
from sqlalchemy import insert, update

from desk import businesses, consent, conversations
from desk.errors import NotAllowed, NotFound, Stale
from desk.who import Actor
from storage.base import Db, new_uid
from storage.models.accounts import accounts
from storage.models.bots import bots
from storage.models.conversations import conversations as table
from storage.models.tenants import users
from tests.desk import shop as shops
from tests.desk.shop import NOW, Shop, minutes

PEER = "+15125550001"


def context(db: Db, shop: Shop) -> conversations.Context:
    return conversations.by_id(db, shop.bot, shop.conversation_id)


def save(db: Db, shop: Shop, **what: object) -> None:
    plain = {"flow": None, "silence_due_at": None, "flow_expires_at": None}
    conversations.save_turn(db, shop.conversation_id, **{**plain, **what})  # type: ignore[arg-type]  # by name


def test_turn_finds_all_it_needs(db: Db, shop: Shop) -> None:
    businesses.touch(db, shop.business_id)
    consent.record(
        db,
        tenant_id=shop.tenant_id,
        account_id=shop.account_id,
        kind="phone",
        value=PEER,
        customer_id=None,
        purpose="all",
        state="out",
        source="keyword",
        message_id=None,
        now=NOW,
    )
    found = conversations.find(db, shop.account_id, "phone", PEER)
    assert found == context(db, shop)
    assert found is not None
    assert (found.id, found.customer_id, found.customer_name) == (shop.conversation_id, shop.customer_id, "Maria")
    assert (found.channel, found.provider, found.address) == ("sms", "twilio", "+15125550100")
    assert (found.owner, found.owner_version, found.status, found.flow) == ("bot", 1, "open", None)
    assert found.business_revision == 2
    assert found.is_out is True
    assert conversations.find(db, shop.account_id, "phone", "+15125550002") is None
    assert conversations.find(db, shop.account_id, "whatsapp", PEER) is None


def test_first_message_begins_a_conversation_with_a_customer(db: Db, shop: Shop) -> None:
    begun = conversations.begin(
        db, shop.account_id, peer_kind="phone", peer="+15125550002", profile_name="Kim", now=NOW
    )
    assert (begun.customer_profile_name, begun.customer_name, begun.owner, begun.is_out) == ("Kim", None, "bot", False)
    assert conversations.find(db, shop.account_id, "phone", "+15125550002") == begun
    assert conversations.begin(db, shop.account_id, peer_kind="phone", peer="+15125550002", now=NOW) == begun


def test_same_number_at_two_businesses_is_two_conversations(db: Db, shop: Shop) -> None:
    there = shops.open_shop(db, number="+15125550199")
    mine = conversations.begin(db, shop.account_id, peer_kind="phone", peer="+15125550002", now=NOW)
    yours = conversations.begin(db, there.account_id, peer_kind="phone", peer="+15125550002", now=NOW)
    assert mine.id != yours.id
    assert mine.customer_id != yours.customer_id
    with pytest.raises(NotFound):
        conversations.by_id(db, there.bot, mine.id)


def test_account_that_was_disconnected_begins_nothing(db: Db, shop: Shop) -> None:
    db.execute(update(accounts).where(accounts.c.id == shop.account_id).values(disconnected_at=NOW))
    for account_id in (shop.account_id, 10**9):
        with pytest.raises(NotFound):
            conversations.begin(db, account_id, peer_kind="phone", peer="+15125550002", now=NOW)


def test_turn_keeps_what_it_has_come_to(db: Db, shop: Shop) -> None:
    flow = {"version_id": 3, "run": {"state": "when", "words": "é\"'"}}
    save(db, shop, flow=flow, silence_due_at=NOW + minutes(5), last_in_at=NOW, last_out_at=NOW, unread=1, language="es")
    save(db, shop, flow=flow, flow_expires_at=NOW + minutes(9), unread=2)
    found = context(db, shop)
    assert found.flow == flow
    assert (found.silence_due_at, found.flow_expires_at) == (None, NOW + minutes(9))
    assert (found.last_in_at, found.last_out_at, found.unread_count, found.language) == (NOW, NOW, 3, "es")
    save(db, shop)
    assert context(db, shop).flow is None


def test_bot_is_silent_from_the_hand_off_until_it_is_given_back(db: Db, shop: Shop) -> None:
    bot, system, app = shop.bot, Actor(shop.tenant_id, "system"), Actor(shop.tenant_id, "app")
    colleague = Actor(shop.tenant_id, "staff", shop.user_id + 1)

    def who_may() -> str:
        speakers = {"bot": bot, "system": system, "app": app, "olga": shop.staff, "colleague": colleague}
        found = context(db, shop)
        assert conversations.may_talk(found, Actor(shop.tenant_id, "customer"))
        return " ".join(name for name, who in speakers.items() if conversations.may_talk(found, who))

    save(db, shop, silence_due_at=NOW)
    assert who_may() == "bot system app"
    conversations.to_queue(db, bot, shop.conversation_id, reason="asked", note="wants a refund", now=NOW)
    assert who_may() == "app"
    assert context(db, shop).silence_due_at is None
    token = conversations.take_over(
        db, shop.staff, shop.conversation_id, user_id=shop.user_id, reason="claimed", now=NOW + minutes(1)
    )
    assert (token.owner, token.user_id, token.version) == ("staff", shop.user_id, 3)
    assert who_may() == "olga"
    conversations.give_back(db, shop.staff, shop.conversation_id, reason="done", now=NOW + minutes(9))
    assert who_may() == "bot system app"
    changes = conversations.owners(db, shop.bot, shop.conversation_id)
    assert [(one.owner, one.reason, one.note) for one in changes] == [
        ("queue", "asked", "wants a refund"),
        ("staff", "claimed", ""),
        ("bot", "done", ""),
    ]


def test_asking_again_changes_nothing(db: Db, shop: Shop) -> None:
    args = db, shop.staff, shop.conversation_id
    first = conversations.take_over(*args, user_id=shop.user_id, reason="wrote", now=NOW)
    assert conversations.take_over(*args, user_id=shop.user_id, reason="wrote", now=NOW + minutes(1)) == first
    assert conversations.to_queue(db, shop.bot, shop.conversation_id, reason="asked", now=NOW) == first
    assert len(conversations.owners(db, shop.bot, shop.conversation_id)) == 1
    assert conversations.to_queue(*args, reason="lunch", now=NOW).owner == "queue"


def test_nobody_takes_it_from_a_colleague_unawares(db: Db, shop: Shop) -> None:
    args = db, shop.staff, shop.conversation_id
    seen = context(db, shop).owner_version
    conversations.take_over(*args, user_id=shop.user_id, reason="wrote", now=NOW, expected_version=seen)
    with pytest.raises(Stale) as stale:
        conversations.give_back(*args, reason="unclaimed", now=NOW, expected_version=seen)
    assert stale.value.version == seen + 1
    assert context(db, shop).owner == "staff"


def test_bots_customers_and_strangers_take_nothing_over(db: Db, shop: Shop) -> None:
    there = shops.open_shop(db, number="+15125550199")
    for kind in ("bot", "customer"):
        who = Actor(shop.tenant_id, kind)
        with pytest.raises(NotAllowed):
            conversations.take_over(db, who, shop.conversation_id, user_id=shop.user_id, reason="", now=NOW)
        with pytest.raises(NotAllowed):
            conversations.give_back(db, who, shop.conversation_id, reason="", now=NOW)
    with pytest.raises(NotFound):  # a person of another tenant
        conversations.take_over(db, shop.staff, shop.conversation_id, user_id=there.user_id, reason="", now=NOW)
    with pytest.raises(NotFound):
        conversations.take_over(db, there.staff, shop.conversation_id, user_id=there.user_id, reason="", now=NOW)
    db.execute(update(users).where(users.c.id == shop.user_id).values(is_active=False))
    with pytest.raises(NotFound):
        conversations.take_over(db, shop.staff, shop.conversation_id, user_id=shop.user_id, reason="", now=NOW)
    with pytest.raises(NotFound):
        conversations.close(db, there.staff, shop.conversation_id, reason="", now=NOW)
    assert conversations.owners(db, there.bot, shop.conversation_id) == []
    assert context(db, shop).owner == "bot"


def test_closed_conversation_has_nothing_due_and_the_bot_has_the_word(db: Db, shop: Shop) -> None:
    args = db, shop.staff, shop.conversation_id
    conversations.take_over(*args, user_id=shop.user_id, reason="wrote", now=NOW)
    save(db, shop, silence_due_at=NOW, unread=4)
    conversations.close(*args, reason="solved", now=NOW)
    found = context(db, shop)
    assert (found.status, found.owner, found.silence_due_at, found.unread_count) == ("closed", "bot", None, 0)
    conversations.reopen(*args, now=NOW + minutes(1))
    conversations.reopen(*args, now=NOW + minutes(1))
    assert context(db, shop).status == "open"


def test_what_is_due_is_found_and_nothing_else(db: Db, shop: Shop) -> None:
    peers = [
        shops.add_conversation(
            db, shop.tenant_id, shop.business_id, shop.account_id, shop.customer_id, f"+1512555010{n}"
        )
        for n in range(6)
    ]
    due = NOW + minutes(30)

    def put(number: int, **values: object) -> None:
        db.execute(update(table).where(table.c.id == peers[number]).values(**values))

    def ids(found: list[conversations.Due]) -> list[int]:
        assert {one.tenant_id for one in found} <= {shop.tenant_id}
        return [one.id for one in found]

    put(0, silence_due_at=due, flow_expires_at=due - minutes(1), last_in_at=due)
    put(1, silence_due_at=due - minutes(5), last_in_at=due)
    put(2, silence_due_at=due, status="closed")
    put(3, silence_due_at=due, owner="staff", owner_user_id=shop.user_id, flow_expires_at=due)
    put(4, owner="queue", owner_since=due)
    put(5, owner="queue", owner_since=due, status="closed")
    put(5, last_out_at=due)
    save(db, shop, last_in_at=NOW - minutes(60), last_out_at=NOW + minutes(10))
    assert ids(conversations.silent_due(db, due)) == [peers[1], peers[0]]
    assert ids(conversations.silent_due(db, due, limit=1)) == [peers[1]]
    assert ids(conversations.silent_due(db, due - minutes(6))) == []
    assert ids(conversations.expired_flows(db, due)) == [peers[0], peers[3]]
    assert ids(conversations.queued_since(db, due)) == []  # without a bot nobody else can have it
    bot = {"tenant_id": shop.tenant_id, "business_id": shop.business_id, "name": "Bot", "settings": {}}
    bot_id = db.execute(insert(bots).values(uid=new_uid(), **bot, created_at=NOW).returning(bots.c.id)).scalar_one()
    db.execute(update(accounts).where(accounts.c.id == shop.account_id).values(bot_id=bot_id))
    assert ids(conversations.queued_since(db, due)) == [peers[4]]
    assert ids(conversations.queued_since(db, due - timedelta(seconds=1))) == []
    assert ids(conversations.inactive(db, NOW + minutes(9))) == []
    assert ids(conversations.inactive(db, NOW + minutes(10))) == [shop.conversation_id]
