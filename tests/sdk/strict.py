"""Holds a response against the official SDK's own models, strictly.

The SDK itself accepts anything: missing fields, unknown fields, nulls where none belong. This checker accepts only
what the models declare, with `nulls.py` for null against absent, and unions told apart by their `type` alone.
"""

from __future__ import annotations

import re
import types
import typing
from datetime import datetime
from typing import Any, Iterator, Literal, Union, get_args, get_origin

from anthropic._models import BaseModel
from pydantic import BaseModel as AnyModel

from nulls import Presence, presence_of

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")

ID_PREFIXES = {
    "BetaManagedAgentsAgent": "agent_", "BetaManagedAgentsSessionAgent": "agent_",
    "BetaManagedAgentsSession": "sesn_", "BetaManagedAgentsDeletedSession": "sesn_",
    "BetaEnvironment": "env_", "BetaEnvironmentDeleteResponse": "env_",
    "BetaFileMetadata": "file_", "BetaDeletedFile": "file_", "DeletedFile": "file_",
    "BetaManagedAgentsFileResource": "sesrsc_", "BetaManagedAgentsGitHubRepositoryResource": "sesrsc_",
}

# Some models are built on first use and some of pydantic's rebuilding is not free: once per class is enough.
_fields: dict[type, dict[str, Any]] = {}


def problems(value: Any, annotation: Any, path: str = "$") -> list[str]:
    """Every way in which `value` is not exactly an `annotation`, each led by its path. Empty means right."""
    return list(_check(value, annotation, path))


def _check(value: Any, annotation: Any, path: str) -> Iterator[str]:
    annotation = _bare(annotation)
    origin = get_origin(annotation)
    if annotation in (Any, object):
        return
    if isinstance(annotation, type) and issubclass(annotation, AnyModel):
        yield from _check_model(value, annotation, path)
    elif origin in (Union, types.UnionType):
        yield from _check_union(value, annotation, path)
    elif origin is Literal:
        if not any(value == allowed and type(value) is type(allowed) for allowed in get_args(annotation)):
            yield f"{path}: {value!r} is none of {', '.join(map(repr, get_args(annotation)))}"
    elif origin in (list, typing.List):
        yield from _check_list(value, get_args(annotation)[0], path)
    elif origin in (dict, typing.Dict):
        yield from _check_map(value, get_args(annotation)[1], path)
    else:
        yield from _check_scalar(value, annotation, path)


def _bare(annotation: Any) -> Any:
    """Without `Annotated`; the discriminator is always `type`, so its metadata adds nothing."""
    while get_origin(annotation) is typing.Annotated:
        annotation = get_args(annotation)[0]
    if isinstance(annotation, typing.TypeAliasType) if hasattr(typing, "TypeAliasType") else False:
        annotation = annotation.__value__
    return annotation


def _check_list(value: Any, item: Any, path: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{path}: expected an array, got {_kind(value)}"
        return
    for index, element in enumerate(value):
        yield from _check(element, item, f"{path}.{index}")


def _check_map(value: Any, item: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: expected an object, got {_kind(value)}"
        return
    for key, element in value.items():
        yield from _check(element, item, f"{path}.{key}")


def _check_scalar(value: Any, annotation: Any, path: str) -> Iterator[str]:
    if annotation is type(None):
        right = value is None
    elif annotation is str:
        right = isinstance(value, str)
    elif annotation is bool:
        right = isinstance(value, bool)
    elif annotation is int:
        right = isinstance(value, int) and not isinstance(value, bool)
    elif annotation is float:
        right = isinstance(value, (int, float)) and not isinstance(value, bool)
    elif annotation is datetime:
        right = isinstance(value, str) and TIMESTAMP.fullmatch(value) is not None
    else:
        yield f"{path}: the checker does not know {annotation!r}"
        return
    if not right:
        yield f"{path}: expected {getattr(annotation, '__name__', annotation)}, got {_kind(value)} {value!r:.80}"


def _check_union(value: Any, annotation: Any, path: str) -> Iterator[str]:
    if value is None and type(None) in get_args(annotation):
        return
    variants = [_bare(v) for v in get_args(annotation) if v is not type(None)]
    variants = [x for v in variants for x in (get_args(v) if get_origin(v) in (Union, types.UnionType) else [v])]
    variants = [_bare(v) for v in variants if v is not type(None)]
    if len(variants) == 1:
        yield from _check(value, variants[0], path)
        return
    tagged = {tag: v for v in variants for tag in _tags(v)}
    if tagged:
        tag = value.get("type") if isinstance(value, dict) else None
        if tag in tagged:
            yield from _check(value, tagged[tag], path)
        else:
            yield f"{path}.type: {tag!r} is none of {', '.join(sorted(tagged))}"
        return
    failures = [list(_check(value, v, path)) for v in variants]
    if all(failures):
        yield min(failures, key=len)[0]


def _tags(variant: Any) -> tuple[Any, ...]:
    if not (isinstance(variant, type) and issubclass(variant, AnyModel)):
        return ()
    field = fields_of(variant).get("type")
    literal = _without_none(field.annotation) if field else None
    return get_args(literal) if get_origin(literal) is Literal else ()


def fields_of(model: type[AnyModel]) -> dict[str, Any]:
    """The declared fields by wire name."""
    if model not in _fields:
        model.model_rebuild()
        _fields[model] = {f.alias or name: f for name, f in model.model_fields.items()}
    return _fields[model]


def is_open(model: type[AnyModel]) -> bool:
    """Open models declare that arbitrary further members belong to them (a JSON schema, for one)."""
    return any("__pydantic_extra__" in base.__dict__.get("__annotations__", {})
               for base in model.__mro__ if base not in (BaseModel, AnyModel, object))


def _check_model(value: Any, model: type[AnyModel], path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: expected {model.__name__}, got {_kind(value)}"
        return
    fields = fields_of(model)
    if not is_open(model):
        for key in value.keys() - fields.keys():
            yield f"{path}.{key}: {model.__name__} declares no such field"
    for name, field in fields.items():
        yield from _check_field(value, name, field, model, path)
    prefix = ID_PREFIXES.get(model.__name__) or ("sevt_" if "processed_at" in fields and "id" in fields else "")
    identity = value.get("id")
    if isinstance(identity, str) and not (identity.startswith(prefix) and len(prefix) < len(identity) <= 64):
        yield f"{path}.id: {identity!r} is no id that begins with {prefix!r}"


def _check_field(value: dict[str, Any], name: str, field: Any, model: type, path: str) -> Iterator[str]:
    here = f"{path}.{name}"
    if field.is_required():
        if name not in value:
            yield f"{here}: missing"
        else:
            yield from _check_named(value[name], name, field.annotation, here)
        return
    presence = presence_of(model.__name__, name)
    if presence is None:
        yield f"{here}: nulls.py does not say whether {model.__name__}.{name} is null or absent when empty"
    elif name not in value:
        if presence in (Presence.ALWAYS, Presence.NULL):
            yield f"{here}: missing ({presence.value})"
    elif value[name] is None:
        if presence in (Presence.ALWAYS, Presence.ABSENT):
            yield f"{here}: null ({presence.value})"
    else:
        yield from _check_named(value[name], name, _without_none(field.annotation), here)


def _check_named(value: Any, name: str, annotation: Any, path: str) -> Iterator[str]:
    """Environments type their times as strings; they are times all the same."""
    if name.endswith("_at") and _bare(annotation) is str:
        annotation = datetime
    yield from _check(value, annotation, path)


def _without_none(annotation: Any) -> Any:
    annotation = _bare(annotation)
    if get_origin(annotation) not in (Union, types.UnionType):
        return annotation
    rest = tuple(a for a in get_args(annotation) if a is not type(None))
    return rest[0] if len(rest) == 1 else Union[rest]


def _kind(value: Any) -> str:
    return {dict: "an object", list: "an array", str: "a string", bool: "a boolean", int: "an integer",
            float: "a number", type(None): "null"}[type(value)]
