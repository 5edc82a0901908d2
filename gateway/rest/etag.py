"""Who changes something may say which state of it they have seen: `ETag` on the answer, `If-Match` on the change.

Of two who change the same, the second gets 412 instead of undoing the first unseen (RFC 9110, section 13.1.1).
"""

import hashlib
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from pydantic import BaseModel

from desk.who import Actor
from gateway.rest.call import Call
from gateway.rest.problem import Problem
from storage.base import Db

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A", bound=BaseModel)


def of(answer: BaseModel) -> str:
    """The tag of what is answered: another one as soon as anything in it is another."""
    return f'"{hashlib.sha256(answer.model_dump_json().encode()).hexdigest()[:32]}"'


def shown(call: Call, answer: A) -> A:
    """The answer, whose tag goes along in the headers."""
    call.headers["ETag"] = of(answer)
    return answer


async def write(
    call: Call,
    now_is: Callable[[Db, Actor], BaseModel],
    fn: Callable[Concatenate[Db, Actor, P], T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """`call.write(fn, …)`, unless `If-Match` names another state than `now_is` finds; it locks what it reads.

    Raises: Problem
    """
    wanted = call.request.headers.get("If-Match")
    if wanted is None:
        return await call.write(fn, *args, **kwargs)

    def unless_changed(db: Db, who: Actor) -> T:
        tag = of(now_is(db, who))
        if not _matches(wanted, tag):
            raise Problem(412, "It was changed since you read it; read it again.", headers={"ETag": tag})
        return fn(db, who, *args, **kwargs)

    return await call.write(unless_changed)


def _matches(wanted: str, tag: str) -> bool:
    """A weak tag (`W/"…"`) never matches here."""
    return wanted.strip() == "*" or tag in [one.strip() for one in wanted.split(",")]
