"""What every door of the web chat asks first: whose chat it is, and whether that was too much. Whatever is turned away at one
stands in the channel log, so that whoever has put the chat on a page sees why it is not there.
"""

from aiohttp import web
from sqlalchemy import select

from channels import redact
from channels.base import Request
from desk.channel_log import Line
from gateway.accounts import Account
from gateway.context import House
from gateway.errors import problem
from gateway.pipeline import refused
from gateway.rest.call import counted_address
from storage.base import Db
from storage.models.accounts import accounts
from storage.models.businesses import businesses


async def account_of(house: House, site: str) -> Account | None:
    """The web chat with that key.

    Raises: StoreUnavailable
    """
    return await house.accounts.by_address("webchat", "web", site)


async def wait_s(
    house: House, account: Account | None, visitor: str, address: str, *, speaks: bool, sends_file: bool = False
) -> int:
    """Seconds that this visitor has to wait; 0 when all is well. What they say counts for them, everything for their
    address.
    """
    network = counted_address(address)
    wanted = [("webchat_address", network)]
    if speaks and account is not None and visitor:
        wanted.insert(0, ("webchat_session", f"{account.id}.{visitor}"))
    if sends_file:
        wanted.append(("visitor_files", network))
    standing = await house.limits.hit(wanted)
    return standing.retry_after_s if standing is not None and standing.is_over else 0


async def too_much(house: House, request: web.Request, account: Account | None, wait: int) -> web.Response:
    await note(house, account, request, 429, "rate_limited")
    answer = problem(request, 429, "RATE_LIMITED", f"That was too much at once; please try again in {wait} seconds.")
    answer.headers["Retry-After"] = str(wait)
    return answer


def nowhere(request: web.Request) -> web.Response:
    """There is no chat of that key, or none any more; whichever page asks may read that."""
    answer = problem(request, 404, "NOT_FOUND", "There is no such web chat.")
    answer.headers["Access-Control-Allow-Origin"] = "*"
    return answer


async def foreign(house: House, request: web.Request, account: Account | None) -> web.Response:
    await note(house, account, request, 403, "forbidden_origin")
    return problem(request, 403, "FORBIDDEN_ORIGIN", "Pages of this origin may not show this chat.")


async def note(house: House, account: Account | None, request: web.Request | None, status: int, code: str) -> None:
    """Write down that this was turned away, unless it is for no chat of ours; without a request it came by a socket."""
    if account is not None:
        asked = (
            _SAID
            if request is None
            else Request(request.method, request.path, {"origin": request.headers.get("Origin", "")})
        )
        line = Line("in", "refused", redact.received(asked), {"status": status}, code)
        await refused.keep(house.store, house.refusals, account, line, now=house.clock.now())


_SAID = Request("POST", "", {})  # as what visitors say over sockets is taken in


def name_of(db: Db, account_id: int) -> str:
    """What the chat is called when its widget has no title: the channel's name, or the business's."""
    row = db.execute(
        select(accounts.c.display_name, businesses.c.name)
        .join(businesses, businesses.c.id == accounts.c.business_id)
        .where(accounts.c.id == account_id)
    ).one_or_none()
    return "" if row is None else row.display_name or row.name
