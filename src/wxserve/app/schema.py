"""What can be configured: read from the rooms' limit classes, never written down twice."""

import ast
import inspect
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from itertools import pairwise
from types import UnionType
from typing import Any, Final, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from wxserve.router.limits import AdmissionLimits, RouterLimits
from wxserve.store.limits import StoreLimits
from wxserve.transport.limits import TransportLimits

from .options import LogOptions, ServerOptions

Kind = Any
"""A type as an annotation gives it; the standard library has no type for those."""
Options = Any
"""A dataclass of options, such as a room's limits."""

TABLES: Final[dict[str, type[Options]]] = {
    "server": ServerOptions,
    "transport": TransportLimits,
    "router": RouterLimits,
    "admission": AdmissionLimits,
    "store": StoreLimits,
    "log": LogOptions,
}
"""The tables of the configuration file, in the order in which they are explained."""


class Option(NamedTuple):
    """One option.

    Attributes:
        table: the table it stands in.
        name: its key.
        kind: its type.
        default: its value when it is not given.
        doc: what it means, in one paragraph.
    """

    table: str
    name: str
    kind: Kind
    default: object
    doc: str


def options(table: str) -> Iterator[Option]:
    """Yield the options of a table in their order."""
    cls = TABLES[table]
    docs = field_docs(cls)
    default = cls()
    for name, kind in field_types(cls).items():
        yield Option(table, name, kind, getattr(default, name), docs.get(name, ""))


def field_types(cls: type[Options]) -> dict[str, Kind]:
    """Return the name and type of each field of a dataclass."""
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in fields(cls)}


def field_docs(cls: type[Options]) -> dict[str, str]:
    """Return the docstring that stands below each field of a class, as one line."""
    tree = ast.parse(inspect.getsource(sys.modules[cls.__module__]))
    (body,) = (
        node.body
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == cls.__name__
    )
    docs: dict[str, str] = {}
    for field, below in pairwise(body):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            docs[field.target.id] = " ".join(str(below.value.value).split())
    return docs


def choices(kind: Kind) -> tuple[str, ...]:
    """Return the texts that a type allows, or nothing if it does not list them."""
    origin: object = get_origin(kind)
    return get_args(kind) if origin is Literal else ()


def without_none(kind: Kind) -> tuple[Kind, bool]:
    """Return a type without None, and whether it allowed None."""
    if get_origin(kind) not in {Union, UnionType}:
        return kind, False
    (inner,) = (one for one in get_args(kind) if one is not type(None))
    return inner, True


def describe(kind: Kind) -> str:
    """Return what a value of a type looks like, for a person."""
    inner, optional = without_none(kind)
    if choices(inner):
        text = " or ".join(f'"{choice}"' for choice in choices(inner))
    elif is_dataclass(inner):
        text = "a table of " + ", ".join(field_types(inner))  # type: ignore[arg-type]
    else:
        text = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}[
            inner
        ]
    return f"{text}, or false for none" if optional else text
