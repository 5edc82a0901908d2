"""A person's data: all of it handed out, and none of it left (promises G1 to G4)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select

from gateway.pipeline import outbox
from storage import queue
from storage.base import Db, metadata
from storage.models.audit import audit, idempotency
from storage.models.businesses import businesses
from storage.models.calendar import appointments
from storage.models.conversations import conversations, messages, owner_changes, ratings
from storage.models.conversations import outbox as letters
from storage.models.customers import consents, customers
from storage.models.webhooks import webhook_deliveries, webhook_subscriptions
from storage.models.work import invoices, service_requests
from tests.gateway.front import Front
from tests.gateway.rest.api import Client, person, stranger

CANARY = "zqcanary7f3a"
PHONE = "+15125550142"
# Where it is planted: every kind of thing that a person's words end up in.
PLANTED = {
    "customers",
    "customer_identities",
    "consent_events",
    "conversations",
    "messages",
    "owner_changes",
    "ratings",
    "appointments",
    "service_requests",
    "invoices",
    "deals",
    "audit",
    "webhook_deliveries",
    "idempotency",
    "jobs",
}


async def planted(api: Client) -> Any:
    """A customer of whom something stands everywhere, with things that wait to be sent."""
    front = api.front
    await front.text(PHONE, f"Hi, I am {CANARY} and want a haircut tomorrow")
    await front.text(PHONE, f"{CANARY}!")
    (customer,) = (await api.get(f"/customers?search={PHONE.replace('+', '%2B')}"))["items"]
    path = f"/customers/{customer['id']}"
    await api.post("/attributes", {"key": "pet", "label": "Pet", "kind": "text"})
    about: dict[str, Any] = {
        "name": f"Kim {CANARY}",
        "email": f"{CANARY}@mail.example",
        "address": f"1 {CANARY} Road",
        "zip": CANARY,
    }
    about |= {"notes": CANARY, "tags": [CANARY], "attributes": {"pet": CANARY}, "city": CANARY}
    await api.patch(path, about)
    signpost = await api.post("/customers", {"name": f"Twin {CANARY}", "email": f"twin@{CANARY}.example"})
    key = {"Idempotency-Key": "merge"}
    assert (await api.call("POST", f"{path}/merge", {"other_id": signpost["id"]}, headers=key)).status == 200
    channel = str(UUID(str(await front.one("SELECT uid FROM accounts WHERE channel = 'sms'"))))
    said = {"channel_id": channel, "purpose": "marketing", "state": "in", "note": CANARY}
    await api.post(f"{path}/consents", said)
    await api.post("/deals", {"title": CANARY, "customer_id": customer["id"], "notes": CANARY})
    await front.house.store.write(_plant, front, customer["id"])
    return await api.get(path)


def _plant(db: Db, front: Front, uid: str) -> None:
    now = front.clock.now()
    customer = db.execute(select(customers).where(customers.c.uid == uid)).one()
    talk = db.execute(select(conversations).where(conversations.c.customer_id == customer.id)).one()
    ours = {"tenant_id": customer.tenant_id}
    of_talk = {**ours, "conversation_id": talk.id}
    new = {"created_at": now, "updated_at": now}

    def add(table: Any, **values: Any) -> int:
        made: int = db.execute(insert(table).values(**values).returning(table.c.id)).scalar_one()
        return made

    db.execute(conversations.update().where(conversations.c.id == talk.id).values(flow={"slots": {"name": CANARY}}))
    raw = {"Body": CANARY, "ProfileName": CANARY}
    add(messages, **of_talk, account_id=talk.account_id, direction="in", author="customer", text=CANARY, content=[raw],
        raw=raw, provider_id="SM" + "7" * 32, status="received", created_at=now)  # fmt: skip
    waiting = add(messages, **of_talk, account_id=talk.account_id, direction="out", author="staff", text=CANARY,
                  content={"text": CANARY}, status="queued", created_at=now)  # fmt: skip
    db.execute(insert(letters).values(
        message_id=waiting, account_id=talk.account_id, state="ready", created_at=now))  # fmt: skip
    queue.enqueue(db, outbox.KIND, {"message_id": waiting}, now=now, run_at=now + timedelta(hours=1),
                  tenant_id=customer.tenant_id, dedupe=f"send:{waiting}")  # fmt: skip
    queue.enqueue(db, "outcome", {"conversation_id": talk.id, "said": CANARY}, now=now,
                  run_at=now + timedelta(hours=1), tenant_id=customer.tenant_id)  # fmt: skip
    add(owner_changes, **of_talk, owner="queue", reason="asked", note=CANARY, at=now)
    add(ratings, **of_talk, customer_id=customer.id, score=5, comment=CANARY, at=now)
    visit = db.execute(select(appointments).where(appointments.c.customer_id != customer.id).limit(1)).one()
    starts = now + timedelta(days=300)
    visit_id = add(appointments, **ours, **new, business_id=visit.business_id, customer_id=customer.id,
                   service_id=visit.service_id, staff_id=visit.staff_id, status="scheduled", starts_at=starts,
                   ends_at=starts + timedelta(hours=1), local_start="2026-12-27T12:00", source="bot",
                   notes=CANARY)  # fmt: skip
    queue.enqueue(db, "reminder", {"appointment_id": visit_id, "rule": "day", "sequence": 0}, now=now,
                  run_at=now + timedelta(hours=1), tenant_id=customer.tenant_id)  # fmt: skip
    business = db.execute(select(businesses.c.id).where(businesses.c.tenant_id == customer.tenant_id)).scalar_one()
    ours |= {"business_id": business, "customer_id": customer.id}
    add(service_requests, **ours, **new, title=CANARY, description=CANARY, address=CANARY)
    add(invoices, **ours, **new, number="INV-9", status="sent", currency="USD", subtotal_cents=1, tax_cents=0,
        total_cents=1, notes=CANARY)  # fmt: skip
    tenant = customer.tenant_id
    add(audit, tenant_id=tenant, at=now, actor="staff", action="customer.updated", noun="customer",
        noun_id=customer.id, before={"city": CANARY}, after={"city": CANARY})  # fmt: skip
    add(audit, tenant_id=tenant, at=now, actor="staff", action="team.updated", noun="team", noun_id=1,
        before=None, after={"note": f"for {PHONE}, {CANARY}"})  # fmt: skip
    subscription = add(webhook_subscriptions, tenant_id=tenant, url="https://example.com", event_types=[], secrets="",
                       **new)  # fmt: skip
    for status in ("waiting", "delivered"):
        body = {"event": "message.received", "timestamp": "x", "data": {"customer_id": uid, "text": CANARY}}
        add(webhook_deliveries, tenant_id=tenant, subscription_id=subscription, event="message.received", body=body,
            status=status, response_excerpt=f"thanks {CANARY}", created_at=now)  # fmt: skip
    add(idempotency, tenant_id=tenant, route="x", key="y", request_digest="z", status=201,
        body=f'{{"id":"{uid}","text":"{CANARY}"}}', created_at=now, expires_at=now)  # fmt: skip
    address = {"account_id": talk.account_id, "kind": "phone", "value": "+15125550177", "purpose": "all"}
    add(consents, tenant_id=tenant, **address, state="out", since=now)


def _dump(db: Db, *words: str) -> Iterator[tuple[str, str]]:
    """Every table and column in which one of the words stands."""
    for table in metadata.sorted_tables:
        for row in db.execute(select(table)):
            for name, value in row._mapping.items():
                if any(word in str(value) for word in words):
                    yield table.name, str(name)
    if db.dialect.name == "sqlite":
        found = db.exec_driver_sql("SELECT rowid FROM message_search WHERE message_search MATCH ?", (CANARY,)).all()
        yield from (("message_search", str(row)) for row in found)


async def test_everything_that_mentions_them_is_handed_out_and_nothing_of_others(api: Client) -> None:
    customer = await planted(api)
    found = await api.get(f"/customers/{customer['id']}/export")
    assert found["customer"] == customer
    assert {name for name, rows in found["records"].items() if CANARY in str(rows)} >= PLANTED
    others = [f"{await api.front.one('SELECT name FROM customers WHERE phone = :p', p=p)}" for p in
              ("+15125550160", "+15125550161")]  # fmt: skip
    assert not [name for name in others if name in str(found)]
    assert "digest" not in str(found["records"]["idempotency"])


async def test_nothing_is_left_of_whoever_is_erased(api: Client, desk: Front) -> None:
    customer = await planted(api)
    path = f"/customers/{customer['id']}"
    visits = (await api.get(f"{path}/appointments"))["total"]
    sent = await api.post("/customers/export", {}, status=202)
    await desk.work()
    assert {table for table, _ in await desk.house.store.read(lambda db: [*_dump(db, CANARY)])} >= PLANTED
    before = await desk.rows("SELECT count(*) FROM messages")
    await api.post(f"{path}/erase", status=204)
    assert await desk.house.store.read(lambda db: [*_dump(db, CANARY, PHONE)]) == []
    assert await desk.rows("SELECT count(*) FROM messages") == before
    data = desk.house.settings.data_dir
    for file in (one for one in data.rglob("*") if one.is_file()):  # the database and its journal among them
        assert CANARY.encode() not in file.read_bytes(), file
    assert (await api.get(f"/transfers/{sent['id']}"))["status"] == "failed"
    await api.get(path, status=404)
    await api.post(f"{path}/erase", status=404)
    assert (await api.get("/customers?limit=100"))["items"].count(customer) == 0
    uid = UUID(customer["id"])
    kept = await desk.rows("SELECT count(*) FROM appointments a JOIN customers c ON c.id = a.customer_id"
                           " WHERE c.status = 'erased'")  # fmt: skip
    assert kept == [(visits,)]
    told = await desk.rows("SELECT action, before, after, noun_uid FROM audit ORDER BY id DESC LIMIT 1")
    assert [(action, before, after, UUID(str(of))) for action, before, after, of in told] == [
        ("customer.erased", None, None, uid)
    ]
    # Others are as they were: their address has said no, and still says so.
    assert await desk.one("SELECT state FROM consents WHERE value = '+15125550177'") == "out"


async def test_nothing_is_sent_and_nothing_breaks_after_it(api: Client, desk: Front) -> None:
    customer = await planted(api)
    await desk.change("UPDATE jobs SET run_at = created_at WHERE kind <> 'webhook'")
    (send,) = await desk.house.store.write(
        queue.claim, now=desk.clock.now(), lease="me", lease_for=timedelta(minutes=1), limit=1,
        kinds=frozenset({outbox.KIND}))  # fmt: skip
    letter = await desk.house.store.write(outbox.begin, send, desk.house.adapters, now=desk.clock.now())
    assert letter is not None  # it is on its way to the provider in this very moment
    await api.post(f"/customers/{customer['id']}/erase", status=204)
    assert await desk.house.store.write(outbox.begin, send, desk.house.adapters, now=desk.clock.now()) is None
    await desk.pass_time(timedelta(days=2), step=timedelta(hours=6))
    assert await desk.rows("SELECT kind FROM jobs WHERE status = 'dead'") == []
    assert await desk.rows("SELECT DISTINCT status FROM messages WHERE status IN ('queued', 'sent', 'failed')") == []
    assert await desk.rows("SELECT state FROM outbox WHERE state IN ('ready', 'sending')") == []
    # The same number writes again: somebody new, of whom nothing is known.
    assert (await desk.text(PHONE, "hello")).status == 200
    later = await person(desk)
    (again,) = (await later.get("/customers?search=5550142"))["items"]
    assert again["id"] != customer["id"]
    assert again["name"] is None


async def test_whoever_left_no_traces_is_simply_removed(api: Client, desk: Front) -> None:
    alone = await api.post("/customers", {"name": f"Kim {CANARY}", "phone": "+15125550143"})
    await api.delete(f"/customers/{alone['id']}")
    assert await desk.house.store.read(lambda db: [*_dump(db, CANARY, "+15125550143")]) == []
    known = await planted(api)
    await api.delete(f"/customers/{known['id']}")
    assert await desk.one("SELECT count(*) FROM customers WHERE status = 'erased'") == 2  # with the one merged into it
    assert await desk.house.store.read(lambda db: [*_dump(db, CANARY)]) == []


async def test_the_same_word_of_another_tenant_stays(api: Client, desk: Front) -> None:
    customer = await planted(api)
    other = await stranger(desk)
    theirs = await other.post("/customers", {"name": f"Kim {CANARY}", "phone": PHONE})
    await api.post(f"/customers/{customer['id']}/erase", status=204)
    assert await other.get(f"/customers/{theirs['id']}") == theirs
