"""Everything public says what it is, and what it raises."""

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.sources import Function, Source, product_files

# Raised by our own mistakes only: nobody is told to catch them.
OURS = frozenset({"AssertionError", "NotImplementedError"})


def undocumented(source: Source) -> Iterator[str]:
    """Yield each public module, class and function without a docstring, and each raise unnamed."""
    if ast.get_docstring(source.tree) is None:
        yield f"{source.path}:1: the module has no docstring"
    for name, node in _public(source.tree):
        text = ast.get_docstring(node)
        if text is None:
            yield f"{source.path}:{node.lineno}: {name} has no docstring"
        elif isinstance(node, Function):
            for raised in sorted(_raised(node) - OURS):
                if raised not in text:
                    yield f"{source.path}:{node.lineno}: {name} does not say that it raises {raised}"


def _public(parent: ast.AST, prefix: str = "") -> Iterator[tuple[str, Function | ast.ClassDef]]:
    """Yield public classes and functions; what is inside functions belongs to them."""
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, ast.If | ast.Try):
            yield from _public(node, prefix)
        if not isinstance(node, Function | ast.ClassDef) or node.name.startswith("_"):
            continue
        decorators = [ast.unparse(one).rpartition(".")[2] for one in node.decorator_list]
        if {"overload", "override", "setter"} & set(decorators):
            continue
        yield prefix + node.name, node
        if isinstance(node, ast.ClassDef):
            yield from _public(node, f"{prefix}{node.name}.")


def _raised(function: Function) -> set[str]:
    """Return the exception classes that the function's own statements raise and do not catch."""
    names: set[str] = set()
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, Function | ast.Lambda | ast.ClassDef):
            continue
        if isinstance(node, ast.Try):  # what a try raises, its own handlers may catch
            waiting += [*node.handlers, *node.orelse, *node.finalbody]
            continue
        if isinstance(node, ast.Raise) and node.exc is not None:
            raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            name = ast.unparse(raised).rpartition(".")[2]
            names |= {name} if name[:1].isupper() else set()
        waiting += ast.iter_child_nodes(node)
    return names


def test_everything_public_is_documented() -> None:
    wrong = [line for source in product_files() for line in undocumented(source)]
    assert not wrong, "\n" + "\n".join(wrong)


def test_product_files_are_those_of_both_distributions() -> None:
    paths = {source.path for source in product_files()}
    assert "src/wxserve/__init__.py" in paths
    assert "clients/python/src/wxclient/__init__.py" in paths
    assert not [path for path in paths if "/_protocol/" in path]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x = 1", "the module has no docstring"),
        ('"""M."""\nclass C: ...', "C has no docstring"),
        ('"""M."""\ndef f(): ...', "f has no docstring"),
        ('"""M."""\nasync def f(): ...', "f has no docstring"),
        ('"""M."""\nclass C:\n  """C."""\n  def m(self): ...', "C.m has no docstring"),
        ('"""M."""\nif True:\n  def f(): ...', "f has no docstring"),
        (
            '"""M."""\ndef f():\n  """Do."""\n  raise Oops("x")',
            "f does not say that it raises Oops",
        ),
        ('"""M."""\ndef f():\n  """Do."""\n  if 1: raise a.Oops', "raises Oops"),
        (
            '"""M."""\ndef f():\n  """Do."""\n  try: g()\n  except E: raise Oops from None',
            "raises Oops",
        ),
    ],
)
def test_undocumented_code_is_complained_of(text: str, complaint: str) -> None:
    found = list(undocumented(Source("src/wxserve/a.py", text)))
    assert len(found) == 1
    assert complaint in found[0]


@pytest.mark.parametrize(
    "text",
    [
        '"""M."""\ndef _f(): ...\nclass _C:\n  def m(self): ...',
        '"""M."""\nclass C:\n  """C."""\n  def __len__(self): ...\n  @override\n  def m(self): ...',
        '"""M."""\ndef f():\n  """Do.\n\n  Raises:\n    Oops: always.\n  """\n  raise Oops',
        '"""M."""\ndef f():\n  """Do."""\n  def g():\n    raise Oops\n  raise error',
        '"""M."""\ndef f():\n  """Do."""\n  try:\n    raise Oops\n  except Oops: ...',
    ],
)
def test_documented_or_private_code_passes(text: str) -> None:
    assert list(undocumented(Source("src/wxserve/a.py", text))) == []
