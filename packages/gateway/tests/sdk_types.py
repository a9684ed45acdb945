"""What an SDK's own types require of the answers it gets."""

import types
import typing

import pydantic


def watched(client):
    """Keep the required fields that a client's answers lack: of plain ones and of each event.

    Args:
        client: A client of OpenAI or Anthropic; both read every answer in the same place.
    """
    found, read = [], client._process_response_data

    def watch(*, data, cast_to, response):
        found.extend(f"{_name(cast_to)}{path}" for path in missing(cast_to, data))
        return read(data=data, cast_to=cast_to, response=response)

    client._process_response_data = watch
    return found


def _name(kind):
    return getattr(kind, "__name__", str(kind))


def missing(kind, value):
    """Paths of required fields that are not there, by a type of pydantic models.

    Args:
        kind: The type.
        value: The value as JSON has it.
    """
    if typing.get_origin(kind) is typing.Annotated:
        return missing(typing.get_args(kind)[0], value)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        fitting = [one for one in inner if _may_be(one, value)]
        return min((missing(one, value) for one in fitting), key=len, default=[])
    if origin is list and isinstance(value, list):
        return [f"[]{path}" for item in value for path in missing(inner[0], item)]
    if not (_is_model(kind) and isinstance(value, dict)):
        return []
    found = []
    for name, field in kind.model_fields.items():
        key = field.alias or name
        if key in value:
            found += [f".{key}{path}" for path in missing(field.annotation, value[key])]
        elif field.is_required():
            found.append(f".{key}")
    return found


def _is_model(kind):
    kind = typing.get_origin(kind) or kind
    return isinstance(kind, type) and issubclass(kind, pydantic.BaseModel)


def _may_be(kind, value):
    """Whether a value can be of a member of a union: its literal fields are as the member's."""
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        return _may_be(typing.get_args(kind)[0], value)
    if not _is_model(kind):
        plain = origin or kind
        return isinstance(value, plain) if plain in (list, dict, str, types.NoneType) else True
    return isinstance(value, dict) and all(
        value.get(field.alias or name) in typing.get_args(field.annotation)
        for name, field in kind.model_fields.items()
        if typing.get_origin(field.annotation) is typing.Literal and field.is_required()
    )
