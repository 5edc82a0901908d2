"""The documents of all surfaces: as OpenAPI for programs, and as a page for people, without a byte from elsewhere."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any, Final

import orjson
from aiohttp import web

from gateway import errors, health
from gateway.rest import openapi
from gateway.rest.surface import Surface

_STYLE: Final = Path(__file__).with_name("docs.css")
_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def add_routes(app: web.Application) -> None:
    for surface in app[errors.SURFACES]:
        app.router.add_get(f"{surface.prefix}/openapi.json", _document(surface))
    for path in ("/docs", "/docs/"):
        app.router.add_get(path, page)
    app.router.add_get("/", _home)


async def _home(_: web.Request) -> web.Response:
    """Whoever opens the address in a browser finds what there is to read."""
    return web.Response(status=302, headers={"Location": "/docs"})


def _document(surface: Surface) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def document(request: web.Request) -> web.Response:
        found = await asyncio.to_thread(_of, surface, request.app[health.HOUSE].settings.server.public_url)
        return web.Response(body=orjson.dumps(found), content_type="application/json")

    return document


@lru_cache(8)
def _of(surface: Surface, server: str) -> dict[str, Any]:
    return openapi.document(surface, server=server)


async def page(request: web.Request) -> web.Response:
    """Every route of every surface on one page, to be read, searched and printed."""
    server = request.app[health.HOUSE].settings.server.public_url
    html = await asyncio.to_thread(_html, request.app[errors.SURFACES], server)
    headers = {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff"}
    return web.Response(text=html, content_type="text/html", headers=headers)


def _html(surfaces: Sequence[Surface], server: str) -> str:
    return "".join(_page([(surface, _of(surface, server)) for surface in surfaces]))


def _page(documents: list[tuple[Surface, dict[str, Any]]]) -> Iterator[str]:
    yield "<!doctype html><html lang=en><meta charset=utf-8><title>Frontdesk API</title>"
    yield f"<meta name=viewport content='width=device-width,initial-scale=1'><style>{_STYLE.read_text()}</style>"
    yield "<a class=skip href=#main>To the routes</a><header><h1>Frontdesk API</h1>"
    yield "<p>Every route, who may call it, what it takes and gives.</p></header><div class=page><nav aria-label=Resources>"
    for surface, document in documents:
        yield f"<h2>{escape(surface.prefix)}</h2><ul>"
        for tag in document["tags"]:
            yield f"<li><a href='#{_anchor(surface, tag['name'])}'>{escape(tag['name'])}</a></li>"
        yield "</ul>"
    yield "</nav><main id=main>"
    for surface, document in documents:
        link = f"<a href='{escape(surface.prefix)}/openapi.json'>OpenAPI document</a>"
        yield f"<h2>{escape(document['info']['title'])} <code>{escape(surface.prefix)}</code></h2>"
        yield from _paragraphs(document["info"]["description"])
        yield f"<p>{link}</p>"
        for tag in document["tags"]:
            yield f"<section><h3 id='{_anchor(surface, tag['name'])}'>{escape(tag['name'])}</h3>"
            for path, operations in document["paths"].items():
                for method, operation in operations.items():
                    if tag["name"] in operation["tags"]:
                        yield from _operation(document, path, method, operation)
            yield "</section>"
    yield "</main></div></html>"


def _anchor(surface: Surface, tag: str) -> str:
    return f"{surface.name}-{tag.lower().replace(' ', '-')}"


def _operation(document: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> Iterator[str]:
    gone = " <em>deprecated</em>" if operation.get("deprecated") else ""
    yield f"<details id='{operation['operationId']}'><summary><b class={method}>{method.upper()}</b> <code>{escape(path)}</code>"
    yield f" <span>{escape(operation['summary'])}</span>{gone}</summary>"
    yield from _paragraphs(operation.get("description", ""))
    if operation["parameters"]:
        yield "<table><caption>Parameters</caption>"
        yield "<tr><th scope=col>Name<th scope=col>Where<th scope=col>Type<th scope=col>Meaning</tr>"
        for one in operation["parameters"]:
            must = " (needed)" if one["required"] else ""
            yield f"<tr><td><code>{escape(one['name'])}</code><td>{one['in']}{must}<td>{_type(document, one['schema'])}"
            yield f"<td>{escape(one.get('description', ''))}</tr>"
        yield "</table>"
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is not None:
        yield from _fields(document, content["schema"], "Body")
        if "example" in content:
            example = orjson.dumps(content["example"], option=orjson.OPT_INDENT_2).decode()
            yield f"<p>For example:</p><pre tabindex=0>{escape(example)}</pre>"
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            schema = response.get("content", {}).get("application/json", {}).get("schema")
            if schema is not None:
                yield from _fields(document, schema, f"Answer ({status})")
            else:
                yield f"<p>Answer: {status}.</p>"
    refused = ", ".join(status for status in operation["responses"] if not status.startswith("2"))
    yield f"<p>Refusals: {refused}.</p></details>"


def _fields(document: dict[str, Any], schema: dict[str, Any], title: str) -> Iterator[str]:
    found = _resolved(document, schema)
    if "properties" not in found:
        yield f"<p>{escape(title)}: {_type(document, schema)}</p>"
        return
    yield f"<table><caption>{escape(title)}</caption><tr><th scope=col>Field<th scope=col>Type<th scope=col>Meaning</tr>"
    yield from _rows(document, found, is_answer=title.startswith("Answer"))
    yield "</table>"


def _rows(
    document: dict[str, Any], model: dict[str, Any], *, is_answer: bool, before: str = "", above: tuple[int, ...] = ()
) -> Iterator[str]:
    """A row for each field, each followed by those of the object or the objects that it holds."""
    for name, one in model["properties"].items():
        must = "" if is_answer or name not in model.get("required", ()) else " (needed)"
        yield f"<tr><td><code>{escape(before + name)}</code>{must}<td>{_type(document, one)}"
        yield f"<td>{_code(one.get('description', ''))}</tr>"
        inner, dots = _within(document, one)
        if inner is not None and id(inner) not in above:
            path, seen = f"{before}{name}{dots}.", (*above, id(inner))
            yield from _rows(document, inner, is_answer=is_answer, before=path, above=seen)


def _within(document: dict[str, Any], schema: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
    """The object that a value of this type is, or that its list is of (`[]`), or None."""
    for one in schema.get("anyOf", [schema]):
        found = _resolved(document, one)
        dots = ""
        if found.get("type") == "array":
            found, dots = _resolved(document, found.get("items", {})), "[]"
        if "properties" in found:
            return found, dots
    return None, ""


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _type(document: dict[str, Any], schema: dict[str, Any]) -> str:
    """A type in a few words."""
    if "$ref" in schema:
        found = _resolved(document, schema)
        return _type(document, found) if "properties" not in found else escape(schema["$ref"].rpartition("/")[2])
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(one))}</code>" for one in schema["enum"])
    if "const" in schema:
        return f"<code>{escape(str(schema['const']))}</code>"
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return " or ".join(dict.fromkeys(_type(document, one) for one in schema[choice]))
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_type(document, schema.get('items', {}))}"
    said = schema.get("format", "")
    return escape(f"{kind} ({said})" if said else str(kind))


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in filter(None, text.split("\n\n")):
        yield f"<p>{_code(paragraph)}</p>"


def _code(text: str) -> str:
    """Backquoted words as code, those between two stars in bold."""
    parts = [
        _bold(part) if place % 2 == 0 else f"<code>{part}</code>" for place, part in enumerate(escape(text).split("`"))
    ]
    return "".join(parts)


def _bold(text: str) -> str:
    return "".join(f"<strong>{part}</strong>" if place % 2 else part for place, part in enumerate(text.split("**")))
