"""What the documents say of the code is there."""

import pytest

from tests.architecture.mentions import Catalogue, mentions
from tests.architecture.sources import ROOT, Source, sources

DOCUMENTS = ("ARCHITECTURE.md", "docs/flow.md")
MENTIONS_MIN = 10

SMALL = Catalogue([
    Source("Makefile", "test: ## run\n\tpytest\n"),
    Source("docs/flow.md", "nowhere_else"),
    Source("src/wxserve/router/__init__.py", ""),
    Source("src/wxserve/router/delivery.py", "LIMIT = 3\ndef push(entry): ...\n"),
    Source(
        "src/wxserve/router/session.py",
        "class Session:\n  'A session.'\n  stream: int\n  def __init__(self): self.lag = {}\n"
        "  def receive(self): return TooFar\n",
    ),
])


@pytest.mark.parametrize("document", DOCUMENTS)
def test_document_mentions_only_what_is_there(document: str) -> None:
    path = ROOT / document
    assert path.is_file(), f"{document} is not written yet"
    catalogue = Catalogue(sources())
    found = list(mentions(path.read_text(encoding="utf-8")))
    wrong = [f"`{one}`: {catalogue.complaint(one)}" for one in found if catalogue.complaint(one)]
    assert not wrong, f"\n{document} mentions\n" + "\n".join(wrong)
    assert len(found) >= MENTIONS_MIN, f"{document} hardly mentions the code: nothing to check"


def test_mentions_of_a_document_are_its_spans_but_not_its_fences() -> None:
    text = "Call `push()` or\n``a `b` c``.\n```python\nx = `1`\n```\nSee `docs/\nflow.md`."
    assert list(mentions(text)) == ["push()", "a `b` c", "docs/ flow.md"]


@pytest.mark.parametrize(
    "mention",
    [
        "make test",
        "make test ARGS=-x",
        "src/wxserve/router/",
        "router/delivery.py",
        "delivery.py",
        "wxserve.router",
        "router.delivery.LIMIT",
        "delivery.push()",
        "push()",
        "Session.receive",
        "Session.stream",
        "Session.lag",
        "TOO_FAR",
        "lag = LIMIT",
    ],
)
def test_mention_of_what_is_there_passes(mention: str) -> None:
    assert SMALL.complaint(mention) == ""


@pytest.mark.parametrize(
    "mention",
    [
        "make tests",
        "src/wxserve/store/",
        "router/deliver.py",
        "deliver.py",
        "wxserve.store",
        "router.delivery.LIMITS",
        "delivery.pull()",
        "receive_data()",
        "Session.push",
        "Delivery.push",
        "FAR_TOO",
        "nowhere_else",
        "lag = LIMITS",
    ],
)
def test_mention_of_what_is_not_there_is_complained_of(mention: str) -> None:
    assert SMALL.complaint(mention) != ""
