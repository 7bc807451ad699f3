"""One OpenAPI document of all families, made of the documents of each."""

import json
from collections.abc import Mapping
from typing import Any

from tools.contents import Schema
from tools.openapi import beginning
from tools.words import Words

SCHEMAS = "#/components/schemas/"


def whole(parts: Mapping[str, Schema]) -> Schema:
    """All operations of some documents; schemas that differ under one name get another each."""
    clashing = clashes(parts)
    renamed = [
        with_names(part, {name: plain(f"{family}_{name}") for name in clashing})
        for family, part in parts.items()
    ]
    return {
        **beginning("all APIs", parts, Words()),
        "paths": {path: it for part in renamed for path, it in part["paths"].items()},
        "components": {
            kind: {name: it for part in renamed for name, it in part["components"][kind].items()}
            for kind in ("schemas", "securitySchemes", "headers")
        },
    }


def clashes(parts: Mapping[str, Schema]) -> set[str]:
    """The names that stand for different schemas in different documents."""
    meanings: dict[str, set[str]] = {}
    for part in parts.values():
        for name, schema in part["components"]["schemas"].items():
            meaning = json.dumps(resolved(schema, part), sort_keys=True)
            meanings.setdefault(name, set()).add(meaning)
    return {name for name, found in meanings.items() if len(found) > 1}


def resolved(content: Any, document: Schema) -> Any:
    """Content of a document with everything in it that it refers to."""
    if isinstance(content, list):
        return [resolved(each, document) for each in content]
    if not isinstance(content, dict):
        return content
    named = content.get("$ref", "").removeprefix("#/").split("/")
    target: Any = document if named[0] else {}
    for name in filter(None, named):
        target = target[name]
    own = {name: each for name, each in content.items() if name != "$ref"}
    return {name: resolved(each, document) for name, each in {**target, **own}.items()}


def with_names(part: Schema, names: Mapping[str, str]) -> Schema:
    """A document in which some schemas are called otherwise."""
    schemas = part["components"]["schemas"]
    called = {names.get(name, name): schema for name, schema in schemas.items()}
    renamed = {**part, "components": {**part["components"], "schemas": called}}
    text = json.dumps(renamed)
    for old, new in names.items():
        text = text.replace(f'"{SCHEMAS}{old}"', f'"{SCHEMAS}{new}"')
    content: Schema = json.loads(text)
    return content


def plain(name: str) -> str:
    """A name in capitals and small letters only: `usage_metrics_Block` is `UsageMetricsBlock`."""
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))
