"""The documents of all surfaces: as OpenAPI for programs, and as a page for people, without a byte from elsewhere."""

from collections.abc import Awaitable, Callable, Iterator
from functools import lru_cache
from html import escape
from typing import Any, Final

import orjson
from aiohttp import web

from gateway import errors, health
from gateway.rest import openapi
from gateway.rest.surface import Surface

_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def add_routes(app: web.Application) -> None:
    for surface in app[errors.SURFACES]:
        app.router.add_get(f"{surface.prefix}/openapi.json", _document(surface))
    for path in ("/docs", "/docs/"):
        app.router.add_get(path, page)


def _document(surface: Surface) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def document(request: web.Request) -> web.Response:
        found = _of(surface, request.app[health.HOUSE].settings.server.public_url)
        return web.Response(body=orjson.dumps(found), content_type="application/json")

    return document


@lru_cache(8)
def _of(surface: Surface, server: str) -> dict[str, Any]:
    return openapi.document(surface, server=server)


async def page(request: web.Request) -> web.Response:
    """Every route of every surface on one page, to be read, searched and printed."""
    server = request.app[health.HOUSE].settings.server.public_url
    html = "".join(_page([(surface, _of(surface, server)) for surface in request.app[errors.SURFACES]]))
    headers = {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff"}
    return web.Response(text=html, content_type="text/html", headers=headers)


def _page(documents: list[tuple[Surface, dict[str, Any]]]) -> Iterator[str]:
    yield f"<!doctype html><html lang=en><meta charset=utf-8><title>Frontdesk API</title>{_HEAD}<a class=skip href=#main>To the routes</a>"
    yield "<header><h1>Frontdesk API</h1><p>Every route, who may call it, what it takes and gives.</p></header><div class=page><nav aria-label=Resources>"
    for surface, document in documents:
        yield f"<h2>{escape(surface.prefix)}</h2><ul>"
        for tag in document["tags"]:
            yield f"<li><a href='#{_anchor(surface, tag['name'])}'>{escape(tag['name'])}</a></li>"
        yield "</ul>"
    yield "</nav><main id=main>"
    for surface, document in documents:
        link = f"<a href='{escape(surface.prefix)}/openapi.json'>OpenAPI document</a>"
        yield f"<h2>{escape(document['info']['title'])} <code>{escape(surface.prefix)}</code></h2>"
        yield f"<p>{escape(document['info']['description'])} {link}</p>"
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
    for paragraph in operation.get("description", "").split("\n\n"):
        yield f"<p>{_code(paragraph)}</p>" if paragraph else ""
    if operation["parameters"]:
        yield "<table><caption>Parameters</caption><tr><th scope=col>Name<th scope=col>Where<th scope=col>Type<th scope=col>Meaning</tr>"
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
    for name, one in found["properties"].items():
        must = "" if title.startswith("Answer") or name not in found.get("required", ()) else " (needed)"
        yield f"<tr><td><code>{escape(name)}</code>{must}<td>{_type(document, one)}<td>{escape(one.get('description', ''))}</tr>"
    yield "</table>"


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


def _code(text: str) -> str:
    """Backquoted words as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))


_HEAD: Final = """<meta name=viewport content="width=device-width,initial-scale=1"><style>
:root{color-scheme:light dark;--line:light-dark(#d8dee6,#364152);--soft:light-dark(#f3f5f8,#1a212c);--ink:light-dark(#1c2430,#e4e9f0);
--dim:light-dark(#566273,#9aa7b8);--link:light-dark(#0b5cad,#7db9f5)}
*{box-sizing:border-box}body{margin:0;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:light-dark(#fff,#11161d)}
header{padding:1.5rem 2rem;border-bottom:1px solid var(--line)}h1{margin:0;font-size:1.5rem}header p{margin:.25rem 0 0;color:var(--dim)}
.page{display:grid;grid-template-columns:15rem minmax(0,1fr)}nav{padding:1rem 2rem;border-right:1px solid var(--line);position:sticky;top:0;
max-height:100vh;overflow:auto;font-size:.9rem}nav h2{font-size:.9rem}nav ul{list-style:none;margin:0 0 1rem;padding:0}nav a{display:block;padding:.15rem 0}
a{color:var(--link)}main{padding:1rem 2rem 4rem;max-width:70rem}section h3{margin:2rem 0 .5rem;scroll-margin-top:1rem}
details{border:1px solid var(--line);border-radius:.5rem;margin:.4rem 0;padding:.4rem .8rem}summary{cursor:pointer}summary span{color:var(--dim)}
details[open]{background:var(--soft)}table{border-collapse:collapse;width:100%;margin:.6rem 0;font-size:.9rem}caption{text-align:left;font-weight:600}
th,td{text-align:left;padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--line);vertical-align:top}code,pre{font:.9em ui-monospace,monospace}
pre{background:light-dark(#e9edf2,#0b0f15);padding:.8rem;border-radius:.4rem;overflow:auto}b{display:inline-block;min-width:4.5em;font-size:.8rem}
.get{color:light-dark(#0a6b3d,#6fd6a3)}.post{color:light-dark(#0b5cad,#7db9f5)}.put,.patch{color:light-dark(#8a5300,#f0b35e)}.delete{color:light-dark(#b3261e,#ff9a92)}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}.skip{position:absolute;left:-99rem}.skip:focus{left:1rem;top:1rem;background:#fff;color:#000;padding:.5rem}
@media(max-width:50rem){.page{display:block}nav{position:static;max-height:none;border-right:0;border-bottom:1px solid var(--line)}main,nav,header{padding:1rem}}
</style>"""
