"""Letters as jobs. What one says is sealed while it waits: it has a secret in it."""

import secrets
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Final

import structlog

from desk import invitations, sign_in
from desk.invitations import Invitation
from gateway.auth import letters
from gateway.auth.tokens import digest
from gateway.context import House
from gateway.jobs.worker import MAX_ATTEMPTS
from gateway.outside import mail
from gateway.outside.mail import Letter, NotSent
from storage import queue
from storage.base import Db
from storage.queue import Job

log = structlog.get_logger()

KIND: Final = "mail"
RESET: Final = "password_reset"
INVITATIONS: Final = invitations.MANY

_NOBODY: Final = 0  # for whom an e-mail is sealed before it is known whose it is
_LONGEST_WAIT_S: Final = 3600.0


def secret() -> str:
    """What a link opens with: 256 random bits."""
    return secrets.token_urlsafe(32)


def post(db: Db, house: House, tenant_id: int, letter: Letter, *, priority: int = 0, now: datetime) -> bool:
    """Have the letter sent once this is committed; False when no e-mail can be sent at all."""
    if not house.settings.mail.url:
        log.warning("no e-mail is sent: mail.url is empty", subject=letter.subject)
        return False
    sealed = house.sealer.seal(asdict(letter), tenant_id=tenant_id, field=KIND)
    queue.enqueue(db, KIND, {"letter": sealed}, now=now, tenant_id=tenant_id, lane=KIND, priority=priority)
    return True


def ask_reset(db: Db, house: House, email: str, *, now: datetime) -> None:
    """Have a link sent to whoever this is. The same work for everybody, so that nobody learns who has an account."""
    sealed = house.sealer.seal(email, tenant_id=_NOBODY, field=RESET)
    queue.enqueue(db, RESET, {"email": sealed}, now=now, lane=KIND)


async def send(house: House, job: Job) -> None:
    """Send one letter."""
    said = house.sealer.unseal(str(job.payload["letter"]), tenant_id=job.tenant_id or _NOBODY, field=KIND)
    assert isinstance(said, Mapping)  # noqa: S101  we sealed it ourselves
    letter = Letter(str(said["to"]), str(said["subject"]), str(said["text"]))
    reference = f"{job.id}.{digest(str(job.payload['letter']))[:16]}"
    try:
        await mail.send(house.settings.mail, letter, reference=reference, now=house.clock.now())
    except NotSent as error:
        log.warning("e-mail not sent", why=str(error), retryable=error.retryable, attempts=job.attempts)
        await house.store.write(_not_sent, job, error, now=house.clock.now())
        return
    await house.store.write(queue.finish, job)
    log.info("e-mail sent")


async def password_reset(house: House, job: Job) -> None:
    """Make a link for somebody who forgot the password, and have it sent."""
    email = str(house.sealer.unseal(str(job.payload["email"]), tenant_id=_NOBODY, field=RESET))
    await house.store.write(_reset, house, job, email, now=house.clock.now())


async def invite_many(house: House, job: Job) -> None:
    """The next few of a list of invitations."""

    def work(db: Db) -> None:
        now = house.clock.now()

        def one(db: Db, made: Invitation) -> str:
            token = secret()
            link = letters.invitation_link(house.settings.server.public_url, token)
            post(db, house, made.tenant_id, letters.invitation(made, link), priority=1, now=now)
            return digest(token)

        invitations.work_on(db, int(str(job.payload["transfer_id"])), one, now=now)
        queue.finish(db, job)

    await house.store.write(work)


def _reset(db: Db, house: House, job: Job, email: str, *, now: datetime) -> None:
    token = secret()
    whose = sign_in.ask_reset(db, email, digest(token), now=now)
    if whose is not None:
        link = letters.reset_link(house.settings.server.public_url, token)
        post(db, house, whose.tenant_id, letters.reset(whose, link), now=now)
    queue.finish(db, job)


def _not_sent(db: Db, job: Job, error: NotSent, *, now: datetime) -> None:
    if not error.retryable or job.attempts >= MAX_ATTEMPTS:
        queue.bury(db, job, error=str(error))
        return
    wait = timedelta(seconds=min(2.0**job.attempts, _LONGEST_WAIT_S))
    queue.again(db, job, at=now + wait, error=str(error), now=now)
