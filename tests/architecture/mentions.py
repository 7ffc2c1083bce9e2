"""What a document mentions in backticks, and whether the project has it.

Every mention is checked, by the strictest test that fits its form:

- ``src/wxserve/router/delivery.py``, ``delivery.py``: such a file or folder exists;
- ``wxserve.router.delivery``, ``router.session.Session.receive``, ``Store.append``, ``push()``:
  the module exists and defines the rest, or some module defines the class and the class the method;
- ``make prove``: the Makefile has the target;
- anything else (``SEND``, ``sent_seq + 1``, ``synchronous=FULL``): each of its words occurs in the
  code, in any case and with or without underscores, so that ``TOO_FAR`` is the frame ``TooFar``.
"""

import ast
import re
from collections.abc import Iterable, Iterator

from tests.architecture.sources import Function, Source

FENCE = re.compile(r"^ {0,3}(```|~~~).*?^ {0,3}\1[^\n]*$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
PATH = re.compile(r"[\w.@-]*(/[\w.@-]+)+/?|[\w.-]+/|[\w-]+\.(py|md|toml|sql|json|txt|sh|yml)")
NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(\(\))?")
MAKE = re.compile(r"make ([a-z-]+)( .*)?")
CODE_SUFFIXES = (".py", ".sql", ".toml", "Makefile")
PREFIXES = ("", "src/", "src/wxserve/", "clients/python/src/", "clients/python/src/wxclient/")


def mentions(document: str) -> Iterator[str]:
    """Yield what stands in backticks; fenced blocks are examples and drawings, not mentions."""
    for span in SPAN.finditer(FENCE.sub("", document)):
        yield " ".join(span[2].split())


class Catalogue:
    """What the project has: paths, definitions, targets and words."""

    def __init__(self, sources: Iterable[Source]) -> None:
        code = [source for source in sources if source.path.endswith(CODE_SUFFIXES)]
        self._paths: set[str] = set()
        self._words: set[str] = set()
        self._names: set[str] = set()
        self._targets: set[str] = set()
        for source in sources:
            parts = source.path.split("/")
            self._paths.update("/".join(parts[: end + 1]) for end in range(len(parts)))
        for source in code:
            self._words.update(map(_folded, WORD.findall(source.text)))
            if source.is_python:
                self._add_names(source)
            if source.path == "Makefile":
                self._targets.update(re.findall(r"^([a-z-]+):", source.text, re.MULTILINE))

    def complaint(self, mention: str) -> str:
        """Return what is wrong with a mention, or nothing."""
        command = MAKE.fullmatch(mention)
        if command is not None:
            return "" if command[1] in self._targets else "the Makefile has no such target"
        if PATH.fullmatch(mention):
            return "" if self._has_path(mention.rstrip("/")) else "there is no such file or folder"
        if NAME.fullmatch(mention) and ("." in mention or mention.endswith("()")):
            name = mention.removesuffix("()")
            return "" if name in self._names else "the code defines no such name"
        missing = [word for word in WORD.findall(mention) if _folded(word) not in self._words]
        return f"the code does not have: {', '.join(missing)}" if missing else ""

    def _has_path(self, path: str) -> bool:
        if any(prefix + path in self._paths for prefix in PREFIXES):
            return True
        return "/" not in path and any(known.endswith("/" + path) for known in self._paths)

    def _add_names(self, source: Source) -> None:
        """Add each definition under every tail of its full name: ``wxserve.a.C.m`` … ``m``."""
        module = re.sub(r"^(clients/python/)?src/|(/__init__)?\.py$", "", source.path)
        dotted = module.replace("/", ".")
        for name in (dotted, *(f"{dotted}.{inner}" for inner in _definitions(source.tree))):
            parts = name.split(".")
            self._names.update(".".join(parts[start:]) for start in range(len(parts)))


def _definitions(tree: ast.AST) -> Iterator[str]:
    """Yield functions, classes with their members, and assigned names."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Function | ast.ClassDef):
            yield node.name
        if isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{inner}" for inner in _definitions(node))
        if isinstance(node, Function) and node.name == "__init__":
            yield from _attributes(node)
        if isinstance(node, ast.AnnAssign | ast.Assign):
            targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def _attributes(constructor: Function) -> Iterator[str]:
    for node in ast.walk(constructor):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self":
            yield node.attr


def _folded(word: str) -> str:
    return word.replace("_", "").lower()
