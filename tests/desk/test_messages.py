"""Messages, and how far they have come."""

from itertools import permutations

import pytest

from desk import messages
from storage.base import Db
from tests.desk import shop as shops
from tests.desk.shop import NOW, Shop, minutes


def hear(db: Db, shop: Shop, text: str, provider_id: str | None = None) -> int | None:
    return messages.add_in(
        db,
        tenant_id=shop.tenant_id,
        conversation_id=shop.conversation_id,
        account_id=shop.account_id,
        text=text,
        provider_id=provider_id,
        now=NOW,
    )


def say(db: Db, shop: Shop, text: str, **how: object) -> int | None:
    given = {"author": "bot", "status": "queued", **how}
    return messages.add_out(
        db,
        tenant_id=shop.tenant_id,
        conversation_id=shop.conversation_id,
        account_id=shop.account_id,
        text=text,
        now=NOW,
        **given,  # type: ignore[arg-type]  # by name
    )


def status(db: Db, shop: Shop, provider_id: str, status: str) -> str:
    return messages.set_status(db, shop.account_id, provider_id, status, error_code="30003", now=NOW)


def statuses(db: Db, shop: Shop) -> list[str]:
    return [message.status for message in messages.history(db, shop.bot, shop.conversation_id)]


def test_second_delivery_makes_no_second_message_and_finds_the_same_answers(db: Db, shop: Shop) -> None:
    first = hear(db, shop, "hi", "SM1")
    assert first is not None
    said = [say(db, shop, text, turn_id=first) for text in ("Hello!", "What can we do for you?")]
    say(db, shop, "unasked")
    assert hear(db, shop, "hi", "SM1") is None
    assert messages.id_of(db, shop.account_id, "SM1") == first
    assert [reply.id for reply in messages.replies_of(db, first)] == said
    assert messages.id_of(db, shop.account_id, "SM2") is None


def test_same_provider_id_at_another_account_is_another_message(db: Db, shop: Shop) -> None:
    there = shops.open_shop(db, number="+15125550199")
    assert hear(db, shop, "hi", "SM1") is not None
    assert hear(db, there, "hi", "SM1") is not None


def test_messages_without_an_id_are_never_the_same(db: Db, shop: Shop) -> None:
    assert hear(db, shop, "hi") != hear(db, shop, "hi")


def test_what_must_not_be_said_twice_is_said_once(db: Db, shop: Shop) -> None:
    assert say(db, shop, "Tomorrow at ten", dedupe="reminder:1:day:0") is not None
    assert say(db, shop, "Tomorrow at ten", dedupe="reminder:1:day:0") is None
    assert say(db, shop, "Tomorrow at ten", dedupe="reminder:1:day:1") is not None


@pytest.mark.parametrize(
    "text",
    ["', DROP TABLE messages --", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "a\x00b", "\ud800", "x" * 70_000],
)
def test_any_text_is_kept_as_far_as_it_can_be(db: Db, shop: Shop, text: str) -> None:
    hear(db, shop, text)
    (kept,) = messages.history(db, shop.bot, shop.conversation_id)
    assert kept.text == text.replace("\x00", "").replace("\ud800", "?")


def test_content_and_direction_come_back(db: Db, shop: Shop) -> None:
    say(db, shop, "", content={"kind": "buttons", "options": ["a", "b"]}, author="staff", user_id=shop.user_id)
    (kept,) = messages.history(db, shop.bot, shop.conversation_id)
    assert kept.content == {"kind": "buttons", "options": ["a", "b"]}
    assert (kept.direction, kept.author, kept.user_id, kept.created_at) == ("out", "staff", shop.user_id, NOW)


def test_history_goes_both_ways_and_stays_within_the_tenant(db: Db, shop: Shop) -> None:
    ids = [hear(db, shop, str(number)) for number in range(6)]

    def texts(**how: int) -> str:
        return "".join(m.text for m in messages.history(db, shop.bot, shop.conversation_id, **how))

    assert ids[2] is not None
    assert texts() == "012345"
    assert texts(limit=2) == "45"
    assert texts(before=ids[2]) == "01"
    assert texts(after=ids[2], limit=2) == "34"
    there = shops.open_shop(db, number="+15125550199")
    assert messages.history(db, there.bot, shop.conversation_id) == []


@pytest.mark.parametrize("order", list(permutations(["sent", "delivered", "read", "failed"])))
def test_status_never_goes_back(db: Db, shop: Shop, order: tuple[str, ...]) -> None:
    sent = say(db, shop, "hello")
    assert sent is not None
    assert messages.attach_provider_id(db, sent, "SM1", "accepted") == "accepted"
    seen = []
    for one in order:
        assert status(db, shop, "SM1", one) in {"changed", "ignored"}
        assert status(db, shop, "SM1", one) == "ignored"  # told twice
        seen.append(statuses(db, shop)[0])
    ranks = ["sent", "failed", "delivered", "read"]
    assert [ranks.index(one) for one in seen] == sorted(ranks.index(one) for one in seen)
    assert seen[-1] == "read"


def test_status_that_overtakes_our_own_request_is_kept_for_it(db: Db, shop: Shop) -> None:
    sent, other = say(db, shop, "hello"), say(db, shop, "there")
    assert sent is not None
    assert other is not None
    assert status(db, shop, "SM1", "undelivered") == "unknown"
    assert status(db, shop, "SM1", "sent") == "unknown"
    assert messages.attach_provider_id(db, sent, "SM1", "queued") == "undelivered"
    assert messages.attach_provider_id(db, other, "SM2", "accepted") == "accepted"
    first, _ = messages.history(db, shop.bot, shop.conversation_id)
    assert (first.status, first.error_code, first.provider_id) == ("undelivered", "30003", "SM1")
    assert status(db, shop, "SM1", "delivered") == "changed"
    assert messages.forget_early(db, NOW + minutes(1)) == 0


def test_status_of_an_inbound_message_or_another_account_changes_nothing(db: Db, shop: Shop) -> None:
    there = shops.open_shop(db, number="+15125550199")
    hear(db, shop, "hi", "SM1")
    assert status(db, shop, "SM1", "delivered") == "unknown"
    assert status(db, there, "SM1", "delivered") == "unknown"
    assert status(db, shop, "SM1", "exploded") == "ignored"
    assert statuses(db, shop) == ["received"]
    assert messages.forget_early(db, NOW) == 0
    assert messages.forget_early(db, NOW + minutes(1)) == 2
