"""The page at /docs: what the OpenAPI document says, as a page of plain HTML. No script, nothing of others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from nearsense.pages.parts import STYLE, page, plain, policy, section, table

__all__ = ["reference", "resolved"]


def reference(document: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """The page of an OpenAPI document, and the headers that it is sent with."""
    info = document["info"]
    lead = "".join(f"<p>{plain(part)}</p>" for part in info["description"].split("\n\n"))
    machine = '<p>For programs: <a href="/openapi.json">openapi.json</a>, OpenAPI 3.1.</p>'
    parts = [f"<h1>{plain(info['title'])} {plain(info['version'])}</h1>", lead, machine, _contents(document)]
    parts += [_route(document, *each) for each in _operations(document)]
    headers = {"Content-Security-Policy": policy(STYLE), "Cache-Control": "no-cache"}
    return page("nearsense: what may be asked", parts), headers


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Method, path and operation of each route."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if isinstance(operation, Mapping) and "responses" in operation:
                yield method.upper(), path, operation


def _contents(document: Mapping[str, Any]) -> str:
    links = "".join(
        f'<li><a href="#{_anchor(method, path)}">{plain(f"{method} {path}")}</a>: '
        f"{plain(operation.get('summary', ''))}</li>"
        for method, path, operation in _operations(document)
    )
    return f"<nav><ul>{links}</ul></nav>"


def _anchor(method: str, path: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in f"{method}{path}").lower()


def _route(document: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]) -> str:
    parts = [f'<a id="{_anchor(method, path)}"></a>']
    content = operation.get("requestBody", {}).get("content", {})
    for kind, media in content.items():
        schema = resolved(document, media.get("schema", {}))
        fields = list(_fields(document, schema))
        if fields:
            parts.append(table(f"The request, {kind}", ("field", "what", "allowed"), fields))
        example = media.get("example")
        parts.append(_code(f"curl -s http://127.0.0.1:8765{path} -H 'Content-Type: {kind}' -d", example))
    answer = operation["responses"].get("200", operation["responses"].get("202", {}))
    told = [media["example"] for media in answer.get("content", {}).values() if "example" in media]
    shown = [json.dumps(example, ensure_ascii=False, indent=2) for example in told]
    parts += [f"<p>The answer:</p><pre>{plain(each)}</pre>" for each in shown]
    return section(f"{method} {path}", *parts, lead=operation.get("summary", ""))


def _code(command: str, example: Any) -> str:
    quoted = json.dumps(example, ensure_ascii=False).replace("'", "'\\''")
    return f"<pre>{plain(command)} '{plain(quoted)}'</pre>" if example else ""


def resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema itself, where it is only named."""
    found: Any = schema
    if "$ref" in schema:
        found = document
        for name in schema["$ref"].removeprefix("#/").split("/"):
            found = found[name]
    return found  # type: ignore[no-any-return]


def _fields(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    needed = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        known = resolved(document, field)
        said = field.get("description") or known.get("description") or _described(known)
        yield f"{name}{'' if name in needed else ' (optional)'}", said, _allowed(known)


def _described(field: Mapping[str, Any]) -> str:
    return next((each["description"] for each in field.get("anyOf", ()) if "description" in each), "")


def _allowed(field: Mapping[str, Any]) -> str:
    """What may stand in a field, in words."""
    kinds = [each for each in field.get("anyOf", (field,)) if each.get("type") != "null"]
    said = []
    for kind in kinds:
        if "enum" in kind:
            said.append(", ".join(map(str, kind["enum"])))
            continue
        words = [str(kind.get("type", "any"))]
        names = {
            "minimum": "from",
            "exclusiveMinimum": "above",
            "maximum": "to",
            "exclusiveMaximum": "below",
            "maxLength": "at most",
            "maxItems": "at most",
        }
        words += [f"{word} {kind[name]:,}" for name, word in names.items() if name in kind]
        said.append(" ".join(words))
    default = field.get("default")
    return "; ".join(said) + (f" [{json.dumps(default)}]" if default not in (None, "") else "")
