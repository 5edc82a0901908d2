"""A route is declared once, here: what it takes and gives, who may call it and how often.

The dispatcher, the OpenAPI document and the tests that walk every route all read the same frozen `Route`.
"""

import inspect
import typing
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from http import HTTPStatus
from typing import Any, Final, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter

from gateway.rest.schema import Body, Query

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Handler = Callable[..., Awaitable[Any]]

PUBLIC: Final = "public"  # no token is needed
SIGNED_IN: Final = "signed-in"  # any caller who has proved who they are
_LATER: Final = ConfigDict(defer_build=True)  # built when it is first used
_SECRETS: Final = frozenset({"secret", "client_secret", "key", "token", "access_token", "refresh_token", "link"})
ONLY_PEOPLE: Final = "people"  # a signed-in person, not a program


@dataclass(frozen=True, slots=True)
class Deprecated:
    """A route that will go at `sunset` (RFC 8594), and what to use instead."""

    sunset: date
    successor: str


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """`path` is relative to its surface's prefix and has no trailing slash. `answer` is None for an empty answer."""

    method: Method
    path: str
    handler: Handler
    name: str  # the operation id
    tag: str
    summary: str
    description: str
    scope: str  # PUBLIC, SIGNED_IN, ONLY_PEOPLE or a scope of gateway.auth.principal
    status: int
    params: dict[str, TypeAdapter[Any]]
    body: type[BaseModel] | None
    query: type[BaseModel] | None
    answer: Any
    limits: tuple[str, ...]  # policies of the settings that count besides the surface's usual one
    takes_form: bool
    takes_file: str | None  # the content type of a file that is the body; the handler reads it piece by piece
    is_idempotent: bool  # answers again what it answered to the same Idempotency-Key
    read_only: frozenset[str]  # fields of the answer that a body may repeat and that are ignored
    deprecated: Deprecated | None
    errors: tuple[int, ...]

    @property
    def is_public(self) -> bool:
        return self.scope == PUBLIC

    @property
    def shows_secret(self) -> bool:
        """Whether the answer holds something that opens a door, shown this once."""
        return not _SECRETS.isdisjoint(_fields(self.answer))


@dataclass(eq=False)
class Routes:
    """The routes of one resource, collected by its decorators; `tag` is their heading in the document."""

    tag: str
    routes: list[Route] = field(default_factory=list)

    def __iter__(self) -> Iterator[Route]:
        return iter(self.routes)

    def get(self, path: str, **how: Any) -> Callable[[Handler], Handler]:
        return self._add("GET", path, **how)

    def post(self, path: str, **how: Any) -> Callable[[Handler], Handler]:
        return self._add("POST", path, **{"status": HTTPStatus.CREATED, **how})

    def put(self, path: str, **how: Any) -> Callable[[Handler], Handler]:
        return self._add("PUT", path, **how)

    def patch(self, path: str, **how: Any) -> Callable[[Handler], Handler]:
        return self._add("PATCH", path, **how)

    def delete(self, path: str, **how: Any) -> Callable[[Handler], Handler]:
        return self._add("DELETE", path, **{"status": HTTPStatus.NO_CONTENT, **how})

    def _add(
        self,
        method: Method,
        path: str,
        *,
        scope: str,
        summary: str,
        status: int = HTTPStatus.OK,
        limit: str | tuple[str, ...] = (),
        takes_form: bool = False,
        takes_file: str | None = None,
        deprecated: Deprecated | None = None,
        errors: tuple[int, ...] = (),
    ) -> Callable[[Handler], Handler]:
        """`limit` names a policy or several. `errors`: statuses beyond the usual ones (401, 403, 404, 422, 429)."""

        def add(handler: Handler) -> Handler:
            self.routes.append(
                _compile(
                    handler,
                    method,
                    path.rstrip("/"),
                    tag=self.tag,
                    scope=scope,
                    summary=summary,
                    status=int(status),
                    limits=(limit,) if isinstance(limit, str) else limit,
                    takes_form=takes_form,
                    takes_file=takes_file,
                    deprecated=deprecated,
                    errors=errors,
                )
            )
            return handler

        return add


def _compile(
    handler: Handler,
    method: Method,
    path: str,
    *,
    tag: str,
    scope: str,
    summary: str,
    status: int,
    limits: tuple[str, ...],
    takes_form: bool,
    takes_file: str | None,
    deprecated: Deprecated | None,
    errors: tuple[int, ...],
) -> Route:
    """Read the handler's signature: `call` first, then the parts of the path, `body` and `query` by name."""
    hints = get_type_hints(handler, include_extras=True)
    names = [*inspect.signature(handler).parameters]
    assert names[:1] == ["call"], f"{handler.__qualname__}: the first parameter is `call`"  # noqa: S101
    in_path = {part[1:-1] for part in path.split("/") if part.startswith("{")}
    params = {name: TypeAdapter(hints[name], config=_LATER) for name in names if name in in_path}
    body, query, answer = hints.get("body"), hints.get("query"), hints["return"]
    assert set(names) == {"call", *in_path, *({"body"} if body else ()), *({"query"} if query else ())}, (  # noqa: S101
        f"{handler.__qualname__}: parameters are call, those of the path, body and query"
    )
    assert body is None or issubclass(body, Body), f"{handler.__qualname__}: a body is a Body"  # noqa: S101
    assert query is None or issubclass(query, Query), f"{handler.__qualname__}: a query is a Query"  # noqa: S101
    answer = None if answer is type(None) else answer
    doc = inspect.getdoc(handler) or ""
    module = handler.__module__.rpartition(".")[2]
    return Route(
        method=method,
        path=path,
        handler=handler,
        name=f"{module}_{handler.__name__}",
        tag=tag,
        summary=summary,
        description=doc,
        scope=scope,
        status=status,
        params=params,
        body=body,
        query=query,
        answer=answer,
        limits=limits,
        takes_form=takes_form,
        takes_file=takes_file,
        is_idempotent=method == "POST" and scope != PUBLIC,
        read_only=_fields(answer) - _fields(body) if body else frozenset(),
        deprecated=deprecated,
        errors=errors,
    )


def _fields(model: Any) -> frozenset[str]:
    """The names under which a model's fields travel; of a list, its items'."""
    if (inner := typing.get_args(model)) and typing.get_origin(model) is list:
        model = inner[0]
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return frozenset()
    return frozenset(found.alias or name for name, found in model.model_fields.items())
