"""The types of bodies and answers as components of JSON Schema 2020-12.

msgspec knows the types. What is done to its schemas here:

- a component is named as its class, without `Answer` at the end;
- a field is described by the line under it, an enumeration by the lines under its members;
- a field of an answer is required, unless it is left out when it is not known: then it is
  never null;
- `anyOf` one plain type or null becomes a list of two types.
"""

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any

import msgspec
from msgspec import inspect

from sluicegate.http.openapi.source import texts_under

__all__ = ["Json", "Schemas"]

Json = dict[str, Any]

_REF = "#/components/schemas/"


class Schemas:
    """The schemas of some types: each type's own, and the components that they refer to."""

    def __init__(self, *, bodies: Iterable[Any], answers: Iterable[Any]) -> None:
        """Translate the types of request bodies and parameters, and those of answers."""
        asked, answered = list(bodies), list(answers)
        types = asked + answered
        found, components = msgspec.json.schema_components(types, ref_template=_REF + "{name}")
        self._found = [(kind, _tidy(each)) for kind, each in zip(types, found, strict=True)]
        written = set(_classes(answered))
        classes = {each.__name__: each for each in (*_classes(asked), *written)}
        self.components: Json = {}
        """By name, in alphabetical order."""
        for name in sorted(components, key=_public):
            public, kind = _public(name), classes[name]
            assert public not in self.components, f"two schemas called {public}"
            self.components[public] = _component(components[name], kind, written=kind in written)

    def of(self, kind: object) -> Json:
        """Return the schema of one of the types; a copy."""
        return dict(next(schema for each, schema in self._found if each == kind))


def _component(schema: Json, kind: type, *, written: bool) -> Json:
    texts = texts_under(kind)
    tidy: Json = _tidy(schema)
    tidy.pop("title", None)
    if issubclass(kind, Enum):
        lines = (f"- `{each.value}`: {texts[each.name]}" for each in kind if each.name in texts)
        tidy["description"] = "\n".join([f"{tidy.get('description', '')}\n", *lines]).strip()
        tidy["enum"] = [each.value for each in kind]
        return tidy
    properties: Json = tidy.get("properties", {})
    for name, field in properties.items():
        if name in texts:
            field["description"] = texts[name]
    if written:
        tidy["required"] = _complete(properties, kind)
    if not tidy.get("required"):
        tidy.pop("required", None)
    return tidy


def _complete(properties: Json, kind: type) -> list[str]:
    """Say of an answer's fields what is always there; return the names of those."""
    partial = issubclass(kind, msgspec.Struct) and kind.__struct_config__.omit_defaults
    required = []
    for name, field in properties.items():
        if partial and "default" in field:
            if field["default"] is None:
                _not_null(field)
        else:
            required.append(name)
        field.pop("default", None)
    return required


def _not_null(field: Json) -> None:
    kinds = field.get("type")
    if isinstance(kinds, list) and "null" in kinds:
        [field["type"]] = [each for each in kinds if each != "null"]
    if "anyOf" in field:
        rest = [each for each in field.pop("anyOf") if each != {"type": "null"}]
        field.update(rest[0] if len(rest) == 1 else {"anyOf": rest})


def _tidy(schema: Any) -> Any:  # noqa: ANN401 - JSON
    match schema:
        case {"$ref": str() as ref, **rest}:
            return {"$ref": _REF + _public(ref.removeprefix(_REF)), **_tidy(rest)}
        case {"anyOf": [{"type": str() as kind, **one}, {"type": "null"}], **rest} if (
            "enum" not in one and "const" not in one
        ):
            return {"type": [kind, "null"], **_tidy(one), **_tidy(rest)}
        case {"enum": [str(), *_]} if "type" not in schema:
            return {"type": "string", **schema}
        case dict():
            return {key: _tidy(value) for key, value in schema.items()}
        case list():
            return [_tidy(each) for each in schema]
        case _:
            return schema


def _public(name: str) -> str:
    return name.removesuffix("Answer")


def _classes(types: list[Any]) -> Iterator[type]:
    """Yield every class of fields or members that the types lead to, each once."""
    seen: set[type] = set()
    waiting: list[object] = list(inspect.multi_type_info(types))
    while waiting:
        node = waiting.pop()
        if isinstance(node, tuple):
            waiting.extend(node)
        elif isinstance(node, inspect.Type | inspect.Field):
            kind = getattr(node, "cls", None)
            if isinstance(kind, type) and kind not in seen:
                seen.add(kind)
                yield kind
                waiting.extend(getattr(node, name) for name in node.__struct_fields__)
            elif kind is None:
                waiting.extend(getattr(node, name) for name in node.__struct_fields__)
