"""The rules of rules.py hold for every file, and each of them can fail."""

import pytest

from tests.architecture.budgets import Exempt, judge, read_budgets
from tests.architecture.rules import PYTHON_RULES, TEXT_RULES, Finding, check
from tests.architecture.sources import ROOT, Source, sources

LONG_FUNCTION = "def long():\n" + "    x = 1\n" * 50
LONG_DOCSTRING = 'def fine():\n    """Say\n' + "    a lot\n" * 60 + '    """\n' + "    x = 1\n" * 48

VIOLATIONS = [
    ("function-lines", "src/wxserve/a.py", LONG_FUNCTION),
    ("function-lines", "src/wxserve/a.py", "class C:\n  def f(self):\n" + "    async_ = 1\n" * 50),
    ("file-lines", "tests/test_a.py", "x = 1\n" * 401),
    ("parameters", "src/wxserve/a.py", "def f(a, b, c, d, *, e, f, g): ..."),
    (
        "parameters",
        "src/wxserve/a.py",
        "class C:\n  async def f(self, a, b, c, d, e, *f, **g): ...",
    ),
    ("vague-name", "src/wxserve/utils/a.py", ""),
    ("vague-name", "tests/session_manager.py", ""),
    ("print", "src/wxserve/store/a.py", "print(1)"),
    ("print", "tests/test_a.py", "pprint.pprint(1)"),
    ("wall-sleep", "tests/test_a.py", "import time\ntime.sleep(1)"),
    ("unbounded-queue", "src/wxserve/a.py", "trio.open_memory_channel(math.inf)"),
    ("unbounded-queue", "src/wxserve/a.py", "trio.open_memory_channel[int](math.inf)"),
    ("unbounded-queue", "src/wxserve/a.py", "open_memory_channel(max_buffer_size=float('inf'))"),
    ("unbounded-queue", "clients/python/src/wxclient/a.py", "create_memory_object_stream(inf)"),
    ("unbounded-queue", "src/wxserve/a.py", "waiting: deque[int] = deque()"),
    ("unbounded-queue", "src/wxserve/a.py", "waiting = collections.deque(items, maxlen=None)"),
    ("unbounded-queue", "src/wxserve/a.py", "waiting = deque[int]()  # bounded:"),
    ("unbounded-queue", "src/wxserve/a.py", "x = field(default_factory=deque)"),
    ("unbounded-queue", "src/wxserve/a.py", "x = defaultdict(deque)"),
    ("unbounded-queue", "src/wxserve/a.py", "queue.Queue()"),
    ("unbounded-queue", "src/wxserve/a.py", "queue.Queue(maxsize=0)"),
    ("unbounded-queue", "src/wxserve/a.py", "queue.SimpleQueue()"),
    ("marker", "docs/flow.md", "and then ... TO" + "DO"),
    ("marker", "src/wxserve/a.py", "x = 1  # FIX" + "ME later"),
    ("machine-path", "Makefile", "cp /" + "root/notes ."),
    ("machine-path", "docs/flow.md", "see `/" + "home/somebody/notes`"),
    ("machine-path", "docs/flow.md", "in /" + "work"),
    ("registry-host", "README.md", "from https://files.python" + "hosted.org/x"),
]

INNOCENT = [
    ("src/wxserve/a.py", LONG_DOCSTRING),
    ("src/wxserve/a.py", "class C:\n  def f(self, a, b, c, d, e, f): ..."),
    ("src/wxserve/a.py", "waiting = deque(maxlen=LIMIT)"),
    ("src/wxserve/a.py", "waiting = deque((), 16)"),
    ("src/wxserve/a.py", "waiting = deque()  # bounded: one per session"),
    ("src/wxserve/a.py", "# bounded: by the window\nwaiting = field(default_factory=deque)"),
    ("src/wxserve/a.py", "trio.open_memory_channel[int](LIMIT)"),
    ("src/wxserve/a.py", "queue.Queue(16)"),
    ("src/wxserve/app/cli.py", "print(1)"),
    ("src/wxserve/protocol/commonly_used.py", "x = 1"),
    ("tests/test_a.py", "waiting = deque()"),
    ("docs/flow.md", "Write to /var/lib/wxserve, ./work/ or https://example.org/home/page."),
]


def test_every_file_follows_the_rules_or_is_budgeted() -> None:
    budgets = read_budgets((ROOT / "tests/architecture/budgets.toml").read_text())
    findings = [finding for source in sources() for finding in check(source)]
    wrong = list(judge(findings, budgets))
    assert not wrong, "\n" + "\n".join(wrong)


def test_sources_hold_the_product_and_its_tests() -> None:
    paths = {source.path for source in sources()}
    assert {"pyproject.toml", "Makefile", ".ci/run", "src/wxserve/__init__.py"} <= paths
    assert "clients/python/src/wxclient/__init__.py" in paths
    assert "tests/architecture/test_tidy.py" in paths


@pytest.mark.parametrize(("rule", "path", "text"), VIOLATIONS)
def test_rule_on_a_violation_finds_it(rule: str, path: str, text: str) -> None:
    assert [finding.rule for finding in check(Source(path, text))] == [rule]


@pytest.mark.parametrize(("path", "text"), INNOCENT)
def test_rules_on_innocent_code_find_nothing(path: str, text: str) -> None:
    assert list(check(Source(path, text))) == []


def test_every_rule_has_a_violation_above() -> None:
    assert len({rule for rule, _, _ in VIOLATIONS}) == len(PYTHON_RULES + TEXT_RULES)


REASON = "one table, read from top to bottom"
OVER = Finding("file-lines", "src/a.py", 1, "500 lines", 500)


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        (Exempt("file-lines", "src/b.py", REASON, 500), "src/a.py:1: file-lines"),
        (Exempt("parameters", "src/a.py", REASON, 500), "src/a.py:1: file-lines"),
        (Exempt("file-lines", "src/a.py", REASON, 499), "src/a.py:1: file-lines"),
        (Exempt("file-lines", "src/a.py", "long", 500), "the reason is missing"),
        (Exempt("file-lines", "src/b.py", REASON, 500), "stale"),
    ],
)
def test_budget_that_does_not_fit_is_complained_of(entry: Exempt, complaint: str) -> None:
    assert complaint in "\n".join(judge([OVER], [entry]))


def test_budget_that_fits_silences_the_finding() -> None:
    assert not list(judge([OVER], [Exempt("file-lines", "src/a.py", REASON, 500)]))


def test_budget_with_an_unknown_field_is_refused() -> None:
    entry = f'[[exempt]]\nrule = "a"\nplace = "b"\nreason = "{REASON}"\nlimit = 3'
    with pytest.raises(TypeError, match="limit"):
        read_budgets(entry)
