"""Admission: budgets are exact, refusals cost nothing, and what is paid in advance changes neither."""

from hypothesis import given
from hypothesis import strategies as st

from wxserve.router.admission import PLENTY, PREPAID, Admission, Bucket
from wxserve.router.limits import AdmissionLimits, Budget, Rate


def admission(device: Rate | None, account: Rate | None) -> Admission:
    return Admission(AdmissionLimits(send=Budget(device, account, None)))


def test_budget_used_up_refuses_and_tells_when_to_come_back() -> None:
    checks, session = admission(Rate(2, 3), None), dict[str, Bucket]()
    for _ in range(3):
        assert checks.check("send", 0.0, device=session) is None
    refusal = checks.check("send", 0.0, device=session)
    assert refusal is not None
    assert refusal.retry_after_ms == 500
    assert checks.check("send", 0.499, device=session) is not None
    assert checks.check("send", 0.5, device=session) is None


def test_refused_by_the_account_costs_the_device_nothing() -> None:
    checks, session = admission(Rate(1e-9, 5), Rate(1, 2)), dict[str, Bucket]()
    for _ in range(10):
        checks.check("send", 0.0, device=session, account=b"a")
    for now in (1.0, 2.0, 3.0):
        assert checks.check("send", now, device=session, account=b"a") is None
    assert checks.check("send", 10.0, device=session, account=b"a") is not None, "five in all"


def test_account_is_shared_by_its_devices() -> None:
    checks = admission(None, Rate(1e-9, 4))
    ones, others = dict[str, Bucket](), dict[str, Bucket]()
    done = [checks.check("send", 0.0, device=s, account=b"a") for s in (ones, others) * 3]
    assert [refusal is None for refusal in done] == [True] * 4 + [False] * 2


def test_prepaying_needs_plenty() -> None:
    few, many = admission(Rate(1, PLENTY - 1), None), admission(Rate(1, PLENTY), None)
    assert few.prepay("send", 0.0, device={}, account=b"a") == 0
    assert many.prepay("send", 0.0, device={}, account=b"a") == PREPAID


@given(st.integers(1, 3 * PLENTY), st.integers(1, 3 * PLENTY))
def test_prepaying_lets_exactly_the_budget_pass(device: int, account: int) -> None:
    checks, session = admission(Rate(1e-9, device), Rate(1e-9, account)), dict[str, Bucket]()
    passed = prepaid = 0
    for _ in range(3 * PLENTY + 1):
        if prepaid:
            prepaid -= 1
        elif checks.check("send", 0.0, device=session, account=b"a") is None:
            prepaid = checks.prepay("send", 0.0, device=session, account=b"a")
        else:
            break
        passed += 1
    assert passed == min(device, account)
