"""The snapshot of a business."""

from datetime import date

import pytest
from sqlalchemy import insert, update

from desk import businesses
from desk.businesses import Range
from desk.errors import NotFound
from storage.base import Db, new_uid
from storage.models import businesses as tables
from tests.desk import shop as shops
from tests.desk.shop import AUSTIN, NOW, Shop, at


def test_snapshot_has_all_that_belongs_to_the_business_and_nothing_of_others(db: Db, shop: Shop) -> None:
    shops.open_shop(db, zone="Europe/London", number="+442079460018")
    shops.add_hours(db, shop.ben, 2, 600, 900)
    shops.add_absence(db, shop.anna, at("2026-01-15 10:00"), at("2026-01-15 11:00"))
    shops.add_holiday(db, shop.business_id, date(2026, 12, 25))
    shops.add_holiday(db, shop.business_id, date(2026, 12, 24), (540, 600), (660, 720))
    faq = {"question": "Do you park?", "answer": "Behind the house.", "phrasings": ["parking"], "created_at": NOW}
    db.execute(
        insert(tables.faqs), {"uid": new_uid(), "tenant_id": shop.tenant_id, "business_id": shop.business_id, **faq}
    )
    found = shop.business(db)
    assert (found.name, found.zone, found.region, found.revision) == ("Shear Delight", AUSTIN, "US", 1)
    assert [one.name for one in found.services] == ["Haircut", "Colour"]
    assert [one.name for one in found.staff] == ["Anna", "Ben"]
    assert [one.name for one in found.staff_for(found.service(shop.colour))] == ["Anna"]
    assert found.hours == ((Range(540, 1020),),) * 7
    assert found.staff_member(shop.anna).hours is None
    assert found.staff_member(shop.ben).hours == ((), (), (Range(600, 900),), (), (), (), ())
    assert found.staff_member(shop.anna).absences[0].starts_at == at("2026-01-15 10:00")
    assert found.holidays[date(2026, 12, 25)].ranges == ()
    assert found.holidays[date(2026, 12, 24)].ranges == (Range(540, 600), Range(660, 720))
    assert [(one.question, one.phrasings) for one in found.faqs] == [("Do you park?", ("parking",))]
    assert [one.name for one in found.reminder_rules] == ["day", "soon"]


def test_what_is_no_longer_offered_is_still_known_by_its_id(db: Db, shop: Shop) -> None:
    for table, gone in ((tables.services, shop.colour), (tables.staff, shop.anna)):
        db.execute(update(table).where(table.c.id == gone).values(is_active=False))
    found = shop.business(db)
    assert [one.name for one in found.services] == ["Haircut"]
    assert found.service(shop.colour).name == "Colour"
    assert found.staff_member(shop.anna).name == "Anna"
    assert [one.name for one in found.staff_for(found.service(shop.haircut))] == ["Ben"]
    for look_up in (found.service, found.staff_member):
        with pytest.raises(NotFound):
            look_up(10**9)


def test_change_is_seen_by_the_revision(db: Db, shop: Shop) -> None:
    businesses.touch(db, shop.business_id)
    assert shop.business(db).revision == 2
    with pytest.raises(NotFound):
        businesses.load(db, 10**9)
