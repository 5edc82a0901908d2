"""The OpenAPI 3.1 document of a surface, written from its routes."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from gateway.rest.route import ONLY_PEOPLE, PUBLIC, SIGNED_IN, Route
from gateway.rest.surface import Surface

_REF: Final = "#/components/schemas/{model}"
_FILE: Final = {"type": "string", "minLength": 1}
_USUAL: Final = {
    400: "The request cannot be read.",
    401: "Nobody is signed in, or the token is no good (any more).",
    403: "The caller may not do this.",
    404: "There is no such thing, or it is another tenant's.",
    409: "It is in a state in which this cannot be done, or somebody was quicker.",
    412: "It was changed since it was read.",
    413: "The body is too large.",
    415: "The body is of a type that is not taken.",
    422: "What was sent does not fit the schema.",
    429: "Too many requests.",
    502: "The provider refused, or did not answer.",
    503: "Nothing can be stored or read just now.",
}


def document(surface: Surface, *, server: str) -> dict[str, Any]:
    """The whole document; `server` is the public address."""
    wanted: list[tuple[int, JsonSchemaMode, TypeAdapter[Any]]] = []
    for number, route in enumerate(surface.routes):
        if route.body is not None:
            wanted.append((2 * number, "validation", TypeAdapter(route.body)))
        if _has_schema(route.answer):
            wanted.append((2 * number + 1, "serialization", TypeAdapter(route.answer)))
    found, shared = TypeAdapter.json_schemas(wanted, ref_template=_REF, schema_generator=_Schemas)
    schemas = {number: schema for (number, _), schema in found.items()}
    paths: dict[str, dict[str, Any]] = {}
    for number, route in enumerate(surface.routes):
        operation = _operation(surface, route, schemas.get(2 * number), schemas.get(2 * number + 1))
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": surface.title, "version": surface.version, "description": surface.description},
        "servers": [{"url": server + surface.prefix}],
        "tags": [{"name": tag} for tag in dict.fromkeys(route.tag for route in surface.routes)],
        "paths": paths,
        "components": {
            "schemas": {**shared.get("$defs", {}), "Error": dict(surface.error_schema)},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An access token or an API key."}
            },
        },
    }


class _Schemas(GenerateJsonSchema):
    """Names without the path of the module; pydantic makes them longer where two would be the same."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012  as pydantic declares it


def _operation(surface: Surface, route: Route, body: Any, answer: Any) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "tags": [route.tag],
        "summary": route.summary,
        "x-permission": route.scope,
        "parameters": [*_path(route), *_query(route), *_headers(route)],
        "responses": _responses(surface, route, answer),
        "security": [] if route.scope == PUBLIC else [{"bearer": []}],
    }
    says = [route.description] if route.description else []
    if route.scope not in (PUBLIC, SIGNED_IN, ONLY_PEOPLE):
        says.append(f"Permission: `{route.scope}`.")
    if says:
        operation["description"] = "\n\n".join(says)
    if route.body is not None:
        content = {"application/json": {"schema": body, **_example(route.body)}}
        if route.takes_form:
            content["application/x-www-form-urlencoded"] = {"schema": body}
        operation["requestBody"] = {"required": _needs_body(route.body), "content": content}
    elif route.takes_file is not None:
        operation["requestBody"] = {"required": True, "content": {route.takes_file: {"schema": _FILE}}}
    if route.deprecated is not None:
        operation["deprecated"] = True
    return operation


def _needs_body(model: type[BaseModel]) -> bool:
    return any(found.is_required() for found in model.model_fields.values())


def _example(model: type[BaseModel]) -> dict[str, Any]:
    extra = model.model_config.get("json_schema_extra")
    examples = extra.get("examples") if isinstance(extra, Mapping) else None
    return {"example": examples[0]} if isinstance(examples, list) and examples else {}


def _path(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": _plain(adapter)}
        for name, adapter in route.params.items()
    ]


def _query(route: Route) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    schema = TypeAdapter(route.query).json_schema(ref_template=_REF)
    required, shared = schema.get("required", ()), schema.get("$defs", {})
    found = []
    for name, one in schema.get("properties", {}).items():
        one = _inlined(one, shared)
        parameter = {"name": name, "in": "query", "required": name in required, "schema": one}
        if said := one.pop("description", None):
            parameter["description"] = said
        found.append(parameter)
    return found


def _headers(route: Route) -> list[dict[str, Any]]:
    schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"}
    wanted = {}
    if route.is_idempotent:
        wanted["Idempotency-Key"] = "The same key and body are answered as the first time, and done once."
    if HTTPStatus.PRECONDITION_FAILED in route.errors:
        wanted["If-Match"] = "The `ETag` that was read: it is changed only if nobody else has changed it since."
    return [
        {"name": name, "in": "header", "required": False, "schema": schema, "description": says}
        for name, says in wanted.items()
    ]


def _responses(surface: Surface, route: Route, answer: Any) -> dict[str, Any]:
    good: dict[str, Any] = {"description": "Done." if route.answer is None else "The answer."}
    if route.answer is not None:
        if _has_schema(route.answer):
            good["content"] = {"application/json": {"schema": answer}}
        else:
            good["content"] = {"*/*": {}}
    statuses = {400, 415, 429, 503, *route.errors}
    if route.scope != PUBLIC:
        statuses |= {401, 403}
    if route.params or route.query is not None:
        statuses.add(404)  # a filter may name what is not there
    has_body = route.body is not None or route.takes_file is not None
    if route.params or has_body or route.query is not None:
        statuses.add(surface.invalid_status)
    if has_body:
        statuses |= {404, 409, 413}
    if route.method in ("PUT", "PATCH", "DELETE", "POST"):
        statuses.add(409)
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    refused = {str(status): {"description": _USUAL[status], "content": error} for status in sorted(statuses)}
    return {str(route.status): good, **refused}


def _has_schema(answer: Any) -> bool:
    return answer is not None and answer is not web.StreamResponse


def _plain(adapter: TypeAdapter[Any]) -> Any:
    return adapter.json_schema(ref_template=_REF)


def _inlined(schema: Any, shared: Mapping[str, Any]) -> Any:
    """The schema with its references to shared ones written out: parameters have no place for those."""
    if isinstance(schema, dict):
        if (ref := schema.get("$ref")) is not None:
            return _inlined(
                {**shared[re.sub(r".*/", "", ref)], **{k: v for k, v in schema.items() if k != "$ref"}}, shared
            )
        return {key: _inlined(value, shared) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_inlined(one, shared) for one in schema]
    return schema
