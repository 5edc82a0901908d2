"""What every door of the web chat asks first: whose chat it is, and whether that was too much."""

from aiohttp import web
from sqlalchemy import select

from gateway.accounts import Account
from gateway.context import House
from gateway.errors import problem
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


def too_much(request: web.Request, wait: int) -> web.Response:
    answer = problem(request, 429, "RATE_LIMITED", f"That was too much at once; please try again in {wait} seconds.")
    answer.headers["Retry-After"] = str(wait)
    return answer


def foreign(request: web.Request) -> web.Response:
    return problem(request, 403, "FORBIDDEN_ORIGIN", "Pages of this origin may not show this chat.")


def name_of(db: Db, account_id: int) -> str:
    """What the chat is called when its widget has no title: the channel's name, or the business's."""
    row = db.execute(
        select(accounts.c.display_name, businesses.c.name)
        .join(businesses, businesses.c.id == accounts.c.business_id)
        .where(accounts.c.id == account_id)
    ).one_or_none()
    return "" if row is None else row.display_name or row.name
