"""Does the way in which a signature is refused tell a forger how close they were?"""

import hmac
from datetime import UTC, datetime
from typing import Any

import pytest

from reconciler.stripe_api.signature import BadSignature, SignatureFault, verify
from tests.webhook.signing import SECRET, v1

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BODY = b'{"id": "evt_1"}'
GOOD = v1(BODY, SECRET, NOW)
OTHER = "whsec_fedcba9876543210"


def _flipped(at: int) -> str:
    return GOOD[:at] + ("0" if GOOD[at] != "0" else "1") + GOOD[at + 1 :]


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Give the lengths of what is compared in constant time from now on."""
    compared: list[tuple[int, int]] = []
    real = hmac.compare_digest

    def compare(one: Any, other: Any) -> bool:
        compared.append((len(one), len(other)))
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    return compared


@pytest.mark.parametrize(
    "forged",
    [_flipped(0), _flipped(31), _flipped(63), v1(BODY, "whsec_another", NOW), v1(BODY + b" ", SECRET, NOW), "0" * 64],
    ids=["first digit", "middle", "last digit", "another's secret", "another body", "zeros"],
)  # fmt: skip
def test_it_compares_all_of_every_signature_in_constant_time(
    compared: list[tuple[int, int]], forged: str
) -> None:
    """However near a forged signature comes, the same whole comparisons are made with each secret, and one reason is given."""
    header = f"t={int(NOW.timestamp())},v1={forged}"

    with pytest.raises(BadSignature) as refused:
        verify(BODY, header, (SECRET, OTHER), now=NOW, tolerance_s=300)

    assert refused.value.reason is SignatureFault.MISMATCH
    assert compared == [(64, 64), (64, 64)]
