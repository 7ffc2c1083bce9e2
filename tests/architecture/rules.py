"""The rules of the house that no linter knows: one function each, from a file to its findings."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

from tests.architecture.sources import Function, Source

FUNCTION_LINES_MAX = 50
FILE_LINES_MAX = 400
PARAMETERS_MAX = 6
VAGUE_NAMES = frozenset(
    {"common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"},
)
# Programs that talk to a terminal.
PRINTERS = re.compile(
    r"^(src/wxserve/(__main__|app/(cli|demo)\w*)\.py|src/wxserve/app/(cli|commands|demo)/.*"
    r"|clients/python/src/wxclient/terminal/.*|(bench|tools|examples)/.*)$"
)
# Put together from parts, or this file would be a finding of its own rule.
MARKERS = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX")) + r")\b")
MACHINE_PATHS = re.compile(r"(?<![\w.~$}-])/(work|farm|root|home/\w+|Users/\w+)(/|\b(?![\w.-]))")
REGISTRY_HOSTS = re.compile(r"\b(pypi\.org|pythonhosted\.org|npmjs\.(com|org))\b")
QUEUES = frozenset({"Queue", "LifoQueue", "PriorityQueue", "SimpleQueue"})
CHANNELS = frozenset({"open_memory_channel", "create_memory_object_stream"})
BOUNDED = re.compile(r"#\s*bounded: \S")


class Finding(NamedTuple):
    """One place that breaks a rule."""

    rule: str
    place: str
    """A path, and after ``::`` the function where there is one."""
    line: int
    detail: str
    size: int = 0
    """What was measured, for rules with a limit."""

    def __str__(self) -> str:
        path, _, name = self.place.partition("::")
        return f"{path}:{self.line}: {self.rule}: {name and name + ' '}{self.detail}"


Rule = Callable[[Source], Iterator[Finding]]


def functions(tree: ast.Module) -> Iterator[tuple[str, Function]]:
    """Yield every function with its dotted name, nested ones too."""
    waiting: list[tuple[str, ast.AST]] = [("", tree)]
    while waiting:
        prefix, parent = waiting.pop()
        for node in ast.iter_child_nodes(parent):
            inside = prefix
            if isinstance(node, Function | ast.ClassDef):
                inside = f"{prefix}.{node.name}" if prefix else node.name
            if isinstance(node, Function):
                yield inside, node
            waiting.append((inside, node))


def function_lines(source: Source) -> Iterator[Finding]:
    """Functions are at most 50 lines, docstrings and decorators not counted."""
    for name, node in functions(source.tree):
        first = node.body[0]
        size = (node.end_lineno or node.lineno) - node.lineno + 1
        if ast.get_docstring(node, clean=False) is not None:
            size -= (first.end_lineno or first.lineno) - first.lineno + 1
        if size > FUNCTION_LINES_MAX:
            place, detail = f"{source.path}::{name}", f"has {size} lines"
            yield Finding("function-lines", place, node.lineno, detail, size)


def file_lines(source: Source) -> Iterator[Finding]:
    """Files are at most 400 lines."""
    size = len(source.text.splitlines())
    if size > FILE_LINES_MAX:
        yield Finding("file-lines", source.path, 1, f"{size} lines", size)


def parameters(source: Source) -> Iterator[Finding]:
    """Functions take at most 6 parameters, ``self`` and ``cls`` not counted."""
    for name, node in functions(source.tree):
        taken = node.args
        positional = [one.arg for one in (*taken.posonlyargs, *taken.args)]
        if positional[:1] in (["self"], ["cls"]):
            del positional[0]
        size = len(positional) + len(taken.kwonlyargs)
        size += (taken.vararg is not None) + (taken.kwarg is not None)
        if size > PARAMETERS_MAX:
            place, detail = f"{source.path}::{name}", f"takes {size} parameters"
            yield Finding("parameters", place, node.lineno, detail, size)


def vague_names(source: Source) -> Iterator[Finding]:
    """A module is named for what it holds."""
    for part in PurePosixPath(source.path).with_suffix("").parts:
        vague = VAGUE_NAMES & set(part.lower().split("_"))
        if vague:
            yield Finding("vague-name", source.path, 1, f"is named {', '.join(sorted(vague))}")


def printing(source: Source) -> Iterator[Finding]:
    """Only programs print; a room returns values."""
    if PRINTERS.match(source.path):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and _called(node) in ("print", "pprint"):
            yield Finding("print", source.path, node.lineno, "prints")


def sleeping(source: Source) -> Iterator[Finding]:
    """Nothing waits on the wall clock: tests run on virtual time, the product on the loop's."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "time.sleep":
            yield Finding("wall-sleep", source.path, node.lineno, "calls time.sleep")


def unbounded_queues(source: Source) -> Iterator[Finding]:
    """Every queue has a maximum, or a comment ``# bounded: why`` on its line or the one above."""
    if not source.is_product:
        return
    lines = source.text.splitlines()
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call) or not _is_unbounded(node):
            continue
        around = "\n".join(lines[max(node.lineno - 2, 0) : node.end_lineno])
        if not BOUNDED.search(around):
            detail = f"{ast.unparse(node)} has no maximum"
            yield Finding("unbounded-queue", source.path, node.lineno, detail)


def _called(node: ast.Call) -> str:
    """Return the last part of the name that is called: ``Queue`` of ``queue.Queue[int](3)``."""
    function = node.func
    if isinstance(function, ast.Subscript):
        function = function.value
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _is_unbounded(node: ast.Call) -> bool:
    name, values = _called(node), [*node.args, *(word.value for word in node.keywords)]
    if name in CHANNELS:
        return not values or any(_is_infinite(value) for value in values)
    if name in QUEUES:
        return name == "SimpleQueue" or not values or ast.unparse(values[0]) in ("0", "-1")
    if name == "deque":
        limits = [word.value for word in node.keywords if word.arg == "maxlen"] + node.args[1:2]
        return not limits or ast.unparse(limits[0]) == "None"
    made = [word.value for word in node.keywords if word.arg == "default_factory"]
    made += node.args[:1] if name == "defaultdict" else []
    return any(ast.unparse(value).rpartition(".")[2] in QUEUES | {"deque"} for value in made)


def _is_infinite(value: ast.expr) -> bool:
    return ast.unparse(value) in ("math.inf", "inf", "float('inf')")


def markers(source: Source) -> Iterator[Finding]:
    """Nothing on main is marked as unfinished."""
    yield from _matches("marker", MARKERS, source)


def machine_paths(source: Source) -> Iterator[Finding]:
    """No file names a folder that only one machine has."""
    yield from _matches("machine-path", MACHINE_PATHS, source)


def registry_hosts(source: Source) -> Iterator[Finding]:
    """Packages are named, never the host they come from."""
    yield from _matches("registry-host", REGISTRY_HOSTS, source)


def _matches(rule: str, pattern: re.Pattern[str], source: Source) -> Iterator[Finding]:
    for number, line in enumerate(source.text.splitlines(), start=1):
        found = pattern.search(line)
        if found is not None:
            yield Finding(rule, source.path, number, f"says {found[0]!r}")


PYTHON_RULES: tuple[Rule, ...] = (
    function_lines,
    file_lines,
    parameters,
    vague_names,
    printing,
    sleeping,
    unbounded_queues,
)
TEXT_RULES: tuple[Rule, ...] = (markers, machine_paths, registry_hosts)


def check(source: Source) -> Iterator[Finding]:
    """Yield what every rule finds in a file."""
    for rule in TEXT_RULES + (PYTHON_RULES if source.is_python else ()):
        yield from rule(source)
