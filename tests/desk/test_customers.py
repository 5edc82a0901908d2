"""Customers, and what becomes of two who are one."""

import pytest
from sqlalchemy import select, update

from desk import customers, ratings
from desk.calendar import bookings, slots
from desk.errors import IdentityTaken, Invalid, NotFound
from storage.base import Db
from storage.models.audit import audit
from storage.models.conversations import conversations
from storage.models.conversations import ratings as rating_table
from storage.models.customers import customers as table
from tests.desk import shop as shops
from tests.desk.shop import NOW, Shop, at, minutes


def find(db: Db, shop: Shop, value: str, kind: str = "phone", profile_name: str | None = None) -> customers.Customer:
    return customers.find_or_make(db, shop.tenant_id, kind=kind, value=value, profile_name=profile_name, now=NOW)


def test_customer_is_made_once_and_found_afterwards(db: Db, shop: Shop) -> None:
    made = find(db, shop, "+15125550002", profile_name="  Kim\n\u202eKardigan\x00 ")
    assert (made.name, made.profile_name, made.phone) == (None, "Kim Kardigan", "+15125550002")
    assert find(db, shop, "+15125550002") == made == customers.get(db, shop.bot, made.id)
    assert find(db, shop, "+15125550003").id != made.id


def test_same_number_by_whatsapp_is_the_same_person_and_elsewhere_is_not(db: Db, shop: Shop) -> None:
    made = find(db, shop, "+15125550002")
    assert find(db, shop, "+15125550002", "whatsapp").id == made.id
    assert find(db, shop, "+15125550002", "whatsapp").id == made.id
    assert find(db, shop, "+15125550002", "web").id != made.id
    there = shops.open_shop(db, number="+15125550199")
    assert find(db, there, "+15125550002").id != made.id


def test_name_is_what_they_said_on_one_line(db: Db, shop: Shop) -> None:
    made = find(db, shop, "+15125550002")
    later = NOW + minutes(1)
    named = customers.set_name(db, shop.bot, made.id, " Zoe\t\n{{config}}  <b>O'Neil</b> ", now=later)
    assert named.name == "Zoe {{config}} <b>O'Neil</b>"
    assert len(customers.set_name(db, shop.bot, made.id, "é" * 5000, now=later).name or "") == 200
    for nothing in ("", " \n", "\x00\u200f"):
        with pytest.raises(Invalid):
            customers.set_name(db, shop.bot, made.id, nothing, now=later)


def test_address_leads_to_its_customer_and_to_no_other(db: Db, shop: Shop) -> None:
    one, other = find(db, shop, "+15125550002"), find(db, shop, "+15125550003")
    for _ in range(2):
        customers.add_identity(db, shop.bot, one.id, kind="email", value="kim@mail.example", now=NOW)
    assert find(db, shop, "kim@mail.example", "email").id == one.id
    with pytest.raises(IdentityTaken) as taken:
        customers.add_identity(db, shop.bot, other.id, kind="email", value="kim@mail.example", now=NOW)
    assert taken.value.customer_id == one.id


def test_merged_customer_brings_everything_along(db: Db, shop: Shop) -> None:
    survivor, other = find(db, shop, "+15125550002"), find(db, shop, "kim@mail.example", "email")
    customers.set_name(db, shop.bot, other.id, "Kim", now=NOW)
    db.execute(update(table).where(table.c.id == survivor.id).values(tags=["vip"], attributes={"size": "s"}))
    db.execute(
        update(table).where(table.c.id == other.id).values(tags=["vip", "late"], attributes={"size": "m", "a": 1})
    )
    conversation_id = shops.add_conversation(
        db, shop.tenant_id, shop.business_id, shop.account_id, other.id, "+15125550002"
    )
    business = shop.business(db)
    made = bookings.book(
        db,
        shop.bot,
        business,
        slot=slots.at(business, shop.haircut, at("2026-01-15 10:00")),
        customer_id=other.id,
        conversation_id=conversation_id,
        source="bot",
        now=NOW,
    )
    ratings.record(db, shop.bot, conversation_id=conversation_id, score=5, now=NOW)
    earlier = find(db, shop, "+15125550009")
    customers.merge(db, shop.staff, survivor_id=other.id, other_id=earlier.id, now=NOW)

    merged = customers.merge(db, shop.staff, survivor_id=survivor.id, other_id=other.id, now=NOW)
    assert (merged.id, merged.name, merged.email, merged.phone) == (
        survivor.id, "Kim", "kim@mail.example", "+15125550002",
    )  # fmt: skip
    assert db.execute(select(table.c.tags, table.c.attributes).where(table.c.id == survivor.id)).one() == (
        ["vip", "late"],
        {"size": "s", "a": 1},
    )
    assert [one.id for one in bookings.upcoming(db, shop.bot, customer_id=survivor.id, now=NOW)] == [made.id]
    for moved in (conversations, rating_table):
        assert survivor.id in db.execute(select(moved.c.customer_id)).scalars().all()
        assert other.id not in db.execute(select(moved.c.customer_id)).scalars().all()
    for signpost in (other.id, earlier.id):
        assert customers.get(db, shop.bot, signpost) == merged
    assert find(db, shop, "kim@mail.example", "email").id == survivor.id
    assert "customer.merged" in db.execute(select(audit.c.action)).scalars().all()


def test_merges_that_make_no_sense_are_refused(db: Db, shop: Shop) -> None:
    one, other = find(db, shop, "+15125550002"), find(db, shop, "+15125550003")
    there = shops.open_shop(db, number="+15125550199")
    with pytest.raises(Invalid):
        customers.merge(db, shop.staff, survivor_id=one.id, other_id=one.id, now=NOW)
    with pytest.raises(NotFound):
        customers.merge(db, there.staff, survivor_id=there.customer_id, other_id=one.id, now=NOW)
    with pytest.raises(NotFound):
        customers.get(db, there.staff, one.id)
    customers.merge(db, shop.staff, survivor_id=one.id, other_id=other.id, now=NOW)
    for survivor_id, other_id in ((one.id, other.id), (other.id, one.id)):
        with pytest.raises(Invalid):
            customers.merge(db, shop.staff, survivor_id=survivor_id, other_id=other_id, now=NOW)


def test_rating_is_one_to_five_and_may_get_words_later(db: Db, shop: Shop) -> None:
    for score in (0, 6, -1):
        with pytest.raises(Invalid):
            ratings.record(db, shop.bot, conversation_id=shop.conversation_id, score=score, now=NOW)
    rating_id = ratings.record(db, shop.bot, conversation_id=shop.conversation_id, score=4, now=NOW)
    ratings.comment(db, shop.bot, rating_id, "good\x00 cut")
    assert db.execute(select(rating_table.c.score, rating_table.c.comment)).all() == [(4, "good cut")]
    there = shops.open_shop(db, number="+15125550199")
    with pytest.raises(NotFound):
        ratings.comment(db, there.bot, rating_id, "mine")
    with pytest.raises(NotFound):
        ratings.record(db, there.bot, conversation_id=shop.conversation_id, score=4, now=NOW)
