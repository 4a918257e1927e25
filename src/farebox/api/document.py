"""The OpenAPI document of what exists, made from the routes' own declarations. Refuses to describe anything else."""

import re
from typing import Any

import msgspec

from farebox.api.access import Access
from farebox.api.pages import PREFIXES, Page

ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "metadata"],
            "properties": {
                "code": {"type": "integer"},
                "message": {"type": "string"},
                "type": {"type": "string"},
                "metadata": {"type": "object"},
            },
        }
    },
}


def build(pages: list[Page], version: str) -> bytes:
    paths: dict[str, dict[str, Any]] = {}
    bodies = [page.body for page in pages if page.body is not None]
    schemas, components = msgspec.json.schema_components(bodies, ref_template="#/components/schemas/{name}")
    schema_of = dict(zip(bodies, schemas, strict=True))
    for page in pages:
        if page.documented:
            path = (PREFIXES[0] if page.versioned else "") + re.sub(r"\{(\w+):\w+\}", r"{\1}", page.path)
            paths.setdefault(path, {})[page.method.lower()] = _operation(page, path, schema_of)
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Farebox", "version": version, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "schemas": {"Error": ERROR, **components},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }
    return msgspec.json.encode(document)


def _operation(page: Page, path: str, schema_of: dict[type, dict[str, Any]]) -> dict[str, Any]:
    names = re.findall(r"\{(\w+)\}", path)
    parameters = [_parameter(name, "path", required=True) for name in names]
    parameters += [_parameter(name, "query", required=False) for name in page.query]
    refused = {
        "description": "Refused.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    operation: dict[str, Any] = {
        "summary": page.summary,
        "operationId": f"{page.method.lower()}_" + re.sub(r"\W+", "_", path).strip("_"),
        "responses": {"2XX": {"description": "Done."}, "default": refused},
        "security": [] if page.access is Access.PUBLIC else [{"key": []}],
    }
    if page.access is not Access.PUBLIC:
        operation["x-farebox-access"] = str(page.access)
    if parameters:
        operation["parameters"] = parameters
    if page.body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema_of[page.body]}}}
    return operation


def _parameter(name: str, place: str, *, required: bool) -> dict[str, Any]:
    return {"name": name, "in": place, "required": required, "schema": {"type": "string"}}
