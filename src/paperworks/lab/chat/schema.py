"""The form of an answer: a JSON schema, or a type that pydantic knows; and finding JSON in what a model writes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Never, TypeVar

from paperworks.core import MissingExtra

T = TypeVar("T")
_FENCED = re.compile(r"```[^`\n]*\n(.*?)```", re.DOTALL)
_THOUGHT = re.compile(r"(?s)^.*</think>")
_BRACKET = re.compile(r"[{\[]")
_MOST_STARTS = 1000  # brackets in prose that are looked at, so that a text of nothing else takes no time
_MOST_FAULTS = 5


@dataclass(frozen=True, slots=True)
class Form(Generic[T]):
    """``schema`` in JSON's terms, and ``read``, which makes the value of a JSON text or raises ValueError."""

    schema: Mapping[str, Any]
    read: Callable[[str], T]


def form_of(wanted: Any) -> Form[Any]:
    """The form that ``wanted`` describes: a mapping is a JSON schema, anything else a type for pydantic.

    Raises ValueError for a mapping that is no JSON schema, and pydantic's error for a type that it does not know.
    """
    return _plain_form(wanted) if isinstance(wanted, Mapping) else _typed_form(wanted)


def parse(text: str, form: Form[T]) -> T:
    """The value in a model's answer, which may be wrapped in prose, code fences or thoughts.

    Raises ValueError that says, for the model as much as for a person, what is wrong.
    """
    fault = ""
    for candidate in _candidates(text):
        try:
            return form.read(candidate)
        except ValueError as error:
            fault = fault or str(error)
    raise ValueError(fault or "it holds no JSON")


def _candidates(text: str) -> list[str]:
    """Texts that are JSON, from the likeliest on: the whole, else what is fenced, else what stands in prose.

    Of several the last comes first, since models think before they answer.
    """
    told = _THOUGHT.sub("", text).strip()
    if _is_json(told):
        return [told]
    fenced = [block for block in _FENCED.findall(told) if _is_json(block)]
    return (fenced or list(_embedded(told)))[::-1]


def _embedded(text: str) -> Iterator[str]:
    """The objects and lists that stand in prose."""
    decoder = json.JSONDecoder(parse_constant=_no_constant)
    at = 0
    for _ in range(_MOST_STARTS):
        start = _BRACKET.search(text, at)
        if start is None:
            return
        try:
            _, end = decoder.raw_decode(text, start.start())
        except (ValueError, RecursionError):
            at = start.end()
        else:
            yield text[start.start() : end]
            at = end


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return False
    return True


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")


def _plain_form(schema: Mapping[str, Any]) -> Form[Any]:
    try:
        import jsonschema
        from referencing import Registry
    except ModuleNotFoundError as error:
        raise MissingExtra("an answer with a JSON schema", "jsonschema", "chat") from error
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise ValueError(f"this is no JSON schema: {error.message}") from None
    # An empty registry: what a schema refers to stands in it, and nothing is fetched.
    validator = jsonschema.Draft202012Validator(schema, registry=Registry())

    def read(text: str) -> Any:
        value = json.loads(text)
        faults = [f"{_place(fault.absolute_path)}: {fault.message}" for fault in validator.iter_errors(value)]
        if faults:
            raise ValueError(_listed(faults))
        return value

    return Form(schema, read)


def _typed_form(wanted: Any) -> Form[Any]:
    try:
        import pydantic
    except ModuleNotFoundError as error:
        raise MissingExtra("an answer with a type", "pydantic", "chat") from error
    adapter = pydantic.TypeAdapter(wanted)

    def read(text: str) -> Any:
        try:
            return adapter.validate_json(text)
        except pydantic.ValidationError as error:
            faults = error.errors(include_url=False, include_input=False, include_context=False)
            raise ValueError(_listed([f"{_place(fault['loc'])}: {fault['msg']}" for fault in faults])) from None

    return Form(adapter.json_schema(), read)


def _place(path: Any) -> str:
    return ".".join(map(str, path)) or "the answer"


def _listed(faults: list[str]) -> str:
    told = [fault[:300] for fault in faults[:_MOST_FAULTS]]
    return "; ".join(told + [f"and {len(faults) - _MOST_FAULTS} more"] * (len(faults) > _MOST_FAULTS))
