"""From a request to a route's handler and back: who calls, how often, with what; and the answer in the surface's shape."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson
import structlog
from aiohttp import web
from pydantic import BaseModel, TypeAdapter, ValidationError

from desk.errors import DeskError
from gateway.auth.principal import Principal
from gateway.auth.schemes import COOKIE
from gateway.context import House
from gateway.health import HOUSE
from gateway.rest import idempotency
from gateway.rest.call import Call, caller_address
from gateway.rest.idempotency import Promise, Repeated
from gateway.rest.limits import CountersAway, Standing, counted_by
from gateway.rest.problem import Flaw, Problem, of_desk, of_validation, unauthorized
from gateway.rest.route import ONLY_PEOPLE, PUBLIC, SIGNED_IN, Route
from gateway.rest.surface import Seen, Surface
from gateway.slow import has_hung_up
from storage.base import new_uid
from storage.store import StoreUnavailable

log = structlog.get_logger()

HttpHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_SEALED: Final = "sealed:"  # how an answer with a secret in it is kept; JSON never begins so
_WAITS_S: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)  # for the answer to an equal request that is still being worked on


def add_surface(router: web.UrlDispatcher, surface: Surface) -> None:
    """Mount every route, with and without a trailing slash. Whose house it is each request says by its application."""
    for route in surface.routes:
        handler = _handler(surface, route)
        path = surface.prefix + route.path
        for spelling in (path, f"{path}/"):
            router.add_route(route.method, spelling, handler)


def _handler(surface: Surface, route: Route) -> HttpHandler:
    answer = _adapter(route)

    async def handle(request: web.Request) -> web.StreamResponse:
        house = request.app[HOUSE]
        call = Call(house, request, caller_address(request, house), new_uid(), house.clock.now(), None)
        standing: Standing | None = None
        try:
            call.principal = await _identify(call, surface)
            standing = await _count(call, surface, route)
            _permit(call, surface, route)
            response = await _run(call, surface, route, answer)
        except Exception as error:  # noqa: BLE001  the border of a request
            response = refusal(surface, request.path, call, _problem(error, surface, route, call))
        _finish(response, call, standing, route)
        return response

    return handle


@cache
def _adapter(route: Route) -> TypeAdapter[Any] | None:
    """What turns an answer of the route into JSON."""
    return None if route.answer in (None, web.StreamResponse) else TypeAdapter(route.answer)


async def refuse(house: House, surface: Surface, request: web.Request, problem: Problem) -> web.Response:
    """An answer to a request that no route of the surface takes; it counts like any other."""
    call = Call(house, request, caller_address(request, house), new_uid(), house.clock.now(), None)
    standing: Standing | None = None
    try:
        standing = await _count(call, surface, None)
    except Problem as over:
        problem = over
    response = refusal(surface, request.path, call, problem)
    _finish(response, call, standing, None)
    return response


def refusal(surface: Surface, path: str, call: Call, problem: Problem) -> web.Response:
    """`problem` in the surface's shape."""
    seen = Seen(path, call.request_id, call.now)
    return web.Response(
        status=problem.status,
        body=orjson.dumps(surface.error(problem, seen)),
        content_type="application/json",
        headers=problem.headers,
    )


async def _identify(call: Call, surface: Surface) -> Principal | None:
    """Whoever the request says it is; None when it says nothing. Something that is no good is refused, everywhere alike."""
    given = call.request.headers.get("Authorization")
    if given is not None:
        scheme, _, token = given.partition(" ")
        if scheme.lower() == "basic" and call.request.path.rstrip("/").endswith("/oauth/token"):
            return None
        return await call.house.doorman.of_bearer(token, now=call.now) if scheme.lower() == "bearer" else None
    cookie = call.request.cookies.get(COOKIE)
    if cookie is None:
        return None
    principal = await call.house.doorman.of_cookie(cookie, now=call.now)
    if principal is not None and call.request.method not in _SAFE and _is_foreign(call.request):
        raise Problem(403, "This request comes from another site.", code="CROSS_SITE")
    return principal


def _is_foreign(request: web.Request) -> bool:
    """Whether a page of another site sent it (Fetch Metadata; browsers without it still send Origin)."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in ("same-origin", "none"):
        return True
    origin = request.headers.get("Origin")
    return origin is not None and origin.partition("://")[2] != request.host


async def _count(call: Call, surface: Surface, route: Route | None) -> Standing | None:
    """Count the call against every limit that holds for it.

    Raises: Problem, when it is one too many
    """
    wanted = [*surface.limits(call.principal, call.counted_address)]
    if route is not None:
        wanted += [(policy, counted_by(policy, call.principal, call.counted_address)) for policy in route.limits]
    own = call.principal.rate_per_minute if call.principal else None
    try:
        standing = await call.house.limits.hit(wanted, own_per_minute=own)
    except CountersAway:
        raise Problem(
            503, "Signing in is not possible for a moment; please try again.", headers={"Retry-After": "5"}
        ) from None
    if standing is not None and standing.is_over:
        raise over_limit(standing)
    return standing


def over_limit(standing: Standing) -> Problem:
    wait = standing.retry_after_s
    return Problem(
        429,
        f"Rate limit exceeded. Try again in {wait} seconds.",
        headers={"Retry-After": str(wait), **limit_headers(standing)},
        extra={"retry_after": wait},
    )


def limit_headers(standing: Standing) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(standing.limit),
        "X-RateLimit-Remaining": str(standing.remaining),
        "X-RateLimit-Reset": str(standing.resets_at),
    }


def _permit(call: Call, surface: Surface, route: Route) -> None:
    if route.scope == PUBLIC:
        return
    if call.principal is None:
        raise unauthorized()
    if route.scope == SIGNED_IN:
        return
    if route.scope == ONLY_PEOPLE:
        if call.principal.kind != "user":
            raise Problem(403, "Only a person who signed in can do this.")
        return
    if not call.principal.may(route.scope):
        raise Problem(403, f"You may not do this: it needs the permission {route.scope}.", extra={"scope": route.scope})


async def _run(call: Call, surface: Surface, route: Route, answer: TypeAdapter[Any] | None) -> web.StreamResponse:
    request = call.request
    arguments: dict[str, Any] = {name: _param(route, name, request) for name in route.params}
    if route.query is not None:
        arguments["query"] = _query(route.query, request)
    elif request.query_string:
        _query(_NoQuery, request)
    raw = b""
    if route.body is not None:
        raw, arguments["body"] = await _body(route, route.body, request)
    key = request.headers.get("Idempotency-Key") if route.is_idempotent else None
    if key is not None and call.principal is not None:
        if not 0 < len(key) <= idempotency.LONGEST or not key.isprintable():
            raise _flaw("Idempotency-Key", f"should have 1 to {idempotency.LONGEST} printable characters", "header")
        seen = call.house.sealer.mark(request.path.rstrip("/").encode() + b"\n" + raw)
        # What somebody does for themselves is nobody else's to be told again.
        whose = f" {call.principal.user_uid}" if route.scope == ONLY_PEOPLE else ""
        call.promise = Promise(call.principal.tenant_id, f"{surface.name} {route.name}{whose}", key, seen)
        # A file is part of the request, and not read yet (`intake`): whether it is the same is seen when it is begun.
        if route.takes_file is None and (replayed := await _replay(call)) is not None:
            return replayed
    try:
        result = await route.handler(call, **arguments)
    except Repeated:
        replayed = await _replay(call, wait=True)
        assert replayed is not None  # noqa: S101  it was there a moment ago
        return replayed
    if isinstance(result, web.StreamResponse):
        return result
    body = b"" if answer is None else answer.dump_json(result, by_alias=True)
    if call.promise is not None and call.promise.is_begun:
        kept = body.decode()
        if route.shows_secret:
            kept = _SEALED + call.house.sealer.seal(kept, tenant_id=call.promise.tenant_id, field="idempotency")
        await call.house.store.write(idempotency.answered, call.promise, route.status, kept)
    return _answered(route.status, body)


def _answered(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> web.Response:
    if not body:
        return web.Response(status=status, headers=headers)
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


async def _replay(call: Call, *, wait: bool = False) -> web.Response | None:
    """The first answer to this key; None when nobody has used it."""
    assert call.promise is not None  # noqa: S101
    before = None
    for wait_s in (0.0, *_WAITS_S):
        await asyncio.sleep(wait_s)
        before = await call.house.store.read(idempotency.find, call.promise, now=call.now)
        if before is None:
            return None
        if not before.is_same:
            raise Problem(422, "This Idempotency-Key was used for another request.", code="IDEMPOTENCY_KEY_REUSED")
        if before.status is not None:
            body = before.body or ""
            if body.startswith(_SEALED):
                sealed = body.removeprefix(_SEALED)
                body = str(call.house.sealer.unseal(sealed, tenant_id=call.promise.tenant_id, field="idempotency"))
            return _answered(before.status, body.encode(), {"Idempotency-Replayed": "true"})
    raise Problem(
        409,
        "The first request with this Idempotency-Key is still being answered, or its answer was lost; it is not done twice.",
        code="IDEMPOTENCY_IN_PROGRESS",
    )


class _NoQuery(BaseModel):
    model_config = {"extra": "forbid"}


def _param(route: Route, name: str, request: web.Request) -> Any:
    """A part of the path; one that cannot be an id is nobody's."""
    try:
        return route.params[name].validate_strings(request.match_info[name])
    except ValidationError:
        raise Problem(404, f"There is no such {name.removesuffix('_id').replace('_', ' ')}.") from None


def _query(model: type[BaseModel], request: web.Request) -> BaseModel:
    """Each name once."""
    given: dict[str, Any] = {}
    for name, value in parse_qsl(request.query_string, keep_blank_values=True):
        if "\x00" in value:
            raise _flaw(name, "should have no NUL character", "query")
        if name in given:
            raise _flaw(name, "should be given once", "query")
        given[name] = value
    try:
        return model.model_validate_strings(given)
    except ValidationError as bad:
        raise of_validation(bad, "query") from None


async def _body(route: Route, model: type[BaseModel], request: web.Request) -> tuple[bytes, BaseModel]:
    content_type = request.content_type
    if route.takes_form and content_type in ("application/x-www-form-urlencoded", "multipart/form-data"):
        try:
            form = await request.post()
        except (ValueError, LookupError):
            raise Problem(400, "The form cannot be read.") from None
        given: dict[str, Any] = {name: value for name, value in form.items() if isinstance(value, str)}
        raw = json.dumps(given).encode()
    else:
        raw = await request.read()
        is_json = content_type == "application/json" or content_type.endswith("+json")
        if not is_json and (raw or "Content-Type" in request.headers):
            raise Problem(415, "Send the body as JSON, with `Content-Type: application/json`.")
        given = _json(raw)
    wanted = raw or b"{}"
    if route.read_only & given.keys():
        wanted = json.dumps({name: value for name, value in given.items() if name not in route.read_only}).encode()
    try:
        return raw, model.model_validate_json(wanted)
    except ValidationError as bad:
        raise of_validation(bad, "body") from None


def _json(raw: bytes) -> dict[str, Any]:
    """The body's object. Stricter than JSON must be: no name twice, no NaN, no NUL, which PostgreSQL cannot keep."""
    if not raw:
        return {}
    try:
        given = json.loads(raw.decode(), object_pairs_hook=_once_each, parse_constant=_no_constant)
    except (ValueError, RecursionError) as bad:
        what = bad.args[0] if isinstance(bad, _Refused) else "The body is not JSON."
        raise Problem(400, what, code="MALFORMED_JSON") from None
    if not isinstance(given, dict):
        raise Problem(
            422, "The body should be an object.", flaws=[Flaw(("body",), "should be an object", "type_error")]
        )
    if b"\\u0000" in raw and _has_nul(given):
        raise Problem(422, "Text should have no NUL character.", flaws=[Flaw(("body",), "has a NUL", "value_error")])
    return given


class _Refused(ValueError):  # noqa: N818  named for what it is
    """JSON, but not what we take."""


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Refused("The body has a name twice.")
    return found


def _no_constant(name: str) -> Any:
    raise _Refused(f"The body has {name}, which is not JSON.")


def _has_nul(value: Any) -> bool:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            if "\x00" in one:
                return True
        elif isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list):
            waiting += one
    return False


def _flaw(name: str, what: str, where: str) -> Problem:
    return Problem(422, f"{name}: {what}", flaws=[Flaw((where, name), what, "value_error")])


def _problem(error: Exception, surface: Surface, route: Route, call: Call) -> Problem:
    """What became of the request, as something that can be answered."""
    if isinstance(error, Problem):
        problem = error
    elif isinstance(error, DeskError):
        problem = of_desk(error, where="query" if route.query is not None and route.body is None else "body")
    elif isinstance(error, StoreUnavailable):
        problem = Problem(
            503, "Nothing can be read or stored just now; please try again.", headers={"Retry-After": "5"}
        )
    elif isinstance(error, web.HTTPException):
        problem = Problem(error.status, error.reason)
    elif has_hung_up(call.request, error):
        problem = Problem(400, "The request ended half way.", code="HUNG_UP")
    else:
        log.error("request failed", route=route.name, id=call.request_id, exc_info=error)
        problem = Problem(500, "Something went wrong on our side.")
    if problem.status == 422 and surface.invalid_status != 422:
        problem.status = surface.invalid_status
    return problem


def _finish(response: web.StreamResponse, call: Call, standing: Standing | None, route: Route | None) -> None:
    headers: Mapping[str, str] = call.headers
    if response.prepared:
        return
    response.headers["X-Request-ID"] = call.request_id
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Content-Type-Options"] = "nosniff"
    for name, value in headers.items():
        response.headers[name] = value
    if standing is not None:
        for name, value in limit_headers(standing).items():
            response.headers.setdefault(name, value)
    if route is not None and route.deprecated is not None:
        gone = route.deprecated
        response.headers["Deprecation"] = (
            "true"  # as the partner API documents it; RFC 9745 has a date there since 2025
        )
        response.headers["Sunset"] = f"{gone.sunset:%a, %d %b %Y} 00:00:00 GMT"
        response.headers["Link"] = f'<{gone.successor.format(**call.request.match_info)}>; rel="successor-version"'
