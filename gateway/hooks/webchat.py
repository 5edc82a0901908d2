"""Web chat over plain HTTP: a message in, replies out, and what was said since.

The page makes up an unguessable session id and keeps it; whoever has it is that visitor.
"""

from aiohttp import web

from channels.base import Request
from channels.errors import BadRequest
from channels.messages import OutboundMessage
from channels.webchat import codec
from desk import conversations, messages
from desk.who import Actor
from gateway.errors import problem
from gateway.hooks.routes import RECEIVER, webhook
from storage.base import Db
from storage.store import StoreUnavailable

_UNSAID = ("refused", "scheduled", "canceled")
_MOST = 100  # messages in one answer; the page asks again for more


def add_routes(app: web.Application) -> None:
    for path in ("/api/v1/webchat/messages", "/api/v1/webchat/messages/"):
        app.router.add_post(path, say)
        app.router.add_get(path, since)


async def say(request: web.Request) -> web.Response:
    """`{site, session, id, text | choice}` in, `{messages: […]}` out."""
    return await webhook(request, "webchat", "web")


async def since(request: web.Request) -> web.Response:
    """What was said to a visitor after the message `after` (all of it without), as `{messages: […]}`."""
    try:
        asked = codec.asked(Request.read(request.method, request.raw_path, request.headers))
    except BadRequest as bad:
        return problem(request, 400, "BAD_REQUEST", f"{bad.field}: {bad.problem}")
    house = request.app[RECEIVER].house
    try:
        account = await house.accounts.by_address("webchat", "web", asked.site)
        if account is None:
            return problem(request, 404, "NOT_FOUND", "There is no such web chat.")
        said = await house.store.read(_said, account.id, asked.session, asked.after)
    except StoreUnavailable:
        return problem(request, 503, "UNAVAILABLE", "Nothing can be read just now; please try again.")
    return web.Response(body=codec.encode(said), content_type="application/json", headers={"Cache-Control": "no-store"})


def _said(db: Db, account_id: int, session: str, after: str) -> list[OutboundMessage]:
    context = conversations.find(db, account_id, "web", session)
    if context is None:
        return []
    who = Actor(context.tenant_id, "customer")
    last = messages.id_of_uid(db, context.id, after) if after else 0
    rows = messages.history(db, who, context.id, after=last or 0, limit=_MOST)
    return [
        OutboundMessage(row.text, reference=row.uid) if row.content is None else OutboundMessage.from_json(row.content)
        for row in rows
        if row.direction == "out" and not row.is_private and row.status not in _UNSAID
    ]
