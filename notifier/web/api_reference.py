"""The API's documentation as a page, drawn from its OpenAPI description on this server, without anybody's script."""

import json
from dataclasses import dataclass
from typing import Any, TypeAlias

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from notifier.domain.scopes import MEANINGS
from notifier.domain.vocabulary import DEFAULT_LANGUAGE
from notifier.web.page_rendering import page
from notifier.web.problems import KINDS

Schema: TypeAlias = dict[str, Any]

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One parameter or one field of a body."""

    name: str
    kind: str
    required: bool
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One status, what it means, and the fields of its body."""

    status: str
    description: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing the API does."""

    anchor: str
    tag: str
    method: str
    path: str
    summary: str
    description: str
    keyed: bool
    scopes: tuple[str, ...]
    """What the key needs; empty where no key is needed."""
    parameters: tuple[Row, ...]
    body: tuple[Row, ...]
    body_description: str
    example: str
    answers: tuple[Answer, ...]


@router.get("/api/docs")
def show_reference(request: Request) -> HTMLResponse:
    """Every operation with its parameters, body and answers."""
    described: Schema = request.app.openapi()
    operations = list_operations(described)
    base = str(request.app.state.surroundings.installation.links.base_url)
    # The description it is drawn from is in English.
    return page(
        request,
        "api_reference",
        language=DEFAULT_LANGUAGE,
        title=described["info"]["title"],
        operations=operations,
        scopes=MEANINGS,
        kinds=KINDS,
        base=base,
    )


def list_operations(described: Schema) -> list[Operation]:
    """The operations of an OpenAPI description, in its order."""
    return [
        _operation(described, path, method, one)
        for path, methods in described["paths"].items()
        for method, one in methods.items()
    ]


def _operation(described: Schema, path: str, method: str, one: Schema) -> Operation:
    content = one.get("requestBody", {}).get("content", {}).get("application/json", {})
    schema = content.get("schema", {})
    example = content.get("example") or _example(described, schema)
    return Operation(
        anchor=one["operationId"],
        tag=one.get("tags", [""])[-1],
        method=method.upper(),
        path=path,
        summary=one["summary"],
        description=one.get("description", ""),
        keyed="security" in one,
        scopes=tuple(next(iter(one["security"][0].values()))) if one.get("security") else (),
        parameters=tuple(_parameter(each) for each in one.get("parameters", [])),
        body=_rows(described, schema),
        body_description=one.get("requestBody", {}).get("description", ""),
        example=json.dumps(example, indent=2, ensure_ascii=False) if example else "",
        answers=tuple(_answer(described, status, each) for status, each in sorted(one["responses"].items())),
    )


def _parameter(one: Schema) -> Row:
    kind = _kind(one.get("schema", {}))
    return Row(
        name=one["name"],
        kind=f"{kind}, in the {one['in']}",
        required=one.get("required", False),
        description=one.get("description", ""),
    )


def _answer(described: Schema, status: str, one: Schema) -> Answer:
    content: Schema = next(iter(one.get("content", {}).values()), {})
    schema = content.get("schema", {})
    problem = str(schema.get("$ref", "")).endswith("/Problem") or "application/problem+json" in one.get("content", {})
    return Answer(
        status=status,
        description="Problem details." if problem else one.get("description", ""),
        rows=() if problem else _rows(described, schema),
    )


def _rows(described: Schema, schema: Schema, within: str = "") -> tuple[Row, ...]:
    """The fields of an object, each followed by the fields of what it holds: ``filter``, ``filter.sex``."""
    found = _resolved(described, schema)
    required, rows = found.get("required", []), list[Row]()
    for name, one in found.get("properties", {}).items():
        path = f"{within}{name}"
        rows.append(Row(name=path, kind=_kind(one), required=name in required, description=_told(one)))
        for held in one.get("anyOf", [one]):
            rows += _rows(described, held, f"{path}.") if "$ref" in held else ()
    return tuple(rows)


def _resolved(described: Schema, schema: Schema) -> Schema:
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    resolved: Schema = described["components"]["schemas"][name] if name else schema
    return resolved


def _kind(schema: Schema) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema or "const" in schema:
        return " or ".join(json.dumps(one) for one in schema.get("enum", [schema.get("const")]))
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    return str(schema.get("format") or schema.get("type") or "anything")


def _told(schema: Schema) -> str:
    """The description, with the default where there is one."""
    default = schema.get("default")
    said = f"{json.dumps(default)} if left out." if default not in (None, "") else ""
    return " ".join(part for part in (schema.get("description", ""), said) if part)


def _example(described: Schema, schema: Schema) -> Schema:
    properties: Schema = _resolved(described, schema).get("properties", {})
    return {name: one["examples"][0] for name, one in properties.items() if one.get("examples")}
