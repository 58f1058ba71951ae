"""JSON into frozen dataclasses, strictly: whatever is missing, unknown or of the wrong kind is named."""

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from mlx_model.request import RequestError


def read_typed(value: Any, kind: Any, what: str, where: str = "") -> Any:
    """Turn a JSON value into ``kind``: a dataclass, tuple, mapping of texts, literal, union or plain type.

    ``what`` names the file and ``where`` the place in it, in errors. Lists become tuples.

    Raises:
        RequestError: the value is not of that kind; the message names the place.
    """
    if is_dataclass(kind) and isinstance(kind, type):
        return _read_group(value, kind, what, where)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _read_union(value, arguments, what, where)
    if origin is tuple and isinstance(value, list | tuple):
        kinds = (arguments[0],) * len(value) if arguments[-1] is Ellipsis else arguments
        if len(kinds) == len(value):
            return tuple(
                read_typed(v, k, what, f"{where}[{i}]") for i, (v, k) in enumerate(zip(value, kinds, strict=True))
            )
    if origin is Mapping and isinstance(value, dict):
        return {str(name): read_typed(v, arguments[1], what, _inside(where, str(name))) for name, v in value.items()}
    if origin is Literal and value in arguments:
        return value
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if kind in (int, bool, str) and type(value) is kind:
        return value
    raise RequestError(f"{what} has an unusable value for {where}: {value!r}")


def _read_group(value: Any, kind: Any, what: str, where: str) -> Any:
    if not isinstance(value, dict):
        raise RequestError(f"{where or what} is not a group of settings")
    hints = get_type_hints(kind)
    required = {f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING}
    if missing := sorted(required - set(value)):
        raise RequestError(f"{what} lacks " + ", ".join(_inside(where, name) for name in missing))
    if unknown := sorted(set(value) - set(hints)):
        raise RequestError(f"{what} has unknown settings: " + ", ".join(_inside(where, str(n)) for n in unknown))
    return kind(**{n: read_typed(v, hints[n], what, _inside(where, n)) for n, v in value.items()})


def _read_union(value: Any, arguments: tuple[Any, ...], what: str, where: str) -> Any:
    options = [option for option in arguments if option is not type(None)]
    if value is None and len(options) < len(arguments):
        return None
    if len(options) > 1:  # the one union of two groups: told apart by `architecture`
        named = value.get("architecture") if isinstance(value, dict) else None
        options = [o for o in options if named in get_args(get_type_hints(o)["architecture"])]
        if not options:
            raise RequestError(f"{what} has an unknown {where}.architecture: {named!r}")
    return read_typed(value, options[0], what, where)


def _inside(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
