"""What others expect of log lines is among what we make of them, as much as is written down."""

from pathlib import Path

import pytest

from tests.connectors.expected_fields import (
    UNDERSTOOD,
    Score,
    audit_score,
    failure_score,
    parser_score,
)
from tocsin.normalize.normalizer import Normalizer

SCORED = {
    "linux-audit": audit_score,
    "fail2ban-auth-logs": failure_score,
    "crowdsec-tests": parser_score,
}


@pytest.mark.parametrize("name", SCORED)
def test_the_share_of_expected_fields_is_as_written_down(
    name: str, test_data: Path, normalizer: Normalizer, capsys: pytest.CaptureFixture[str]
) -> None:
    score = SCORED[name](normalizer, test_data)
    with capsys.disabled():
        print(f"\n{name}: {score.right} of {score.told} fields, {score.share:.1%}")  # noqa: T201
        for (log, field), count in score.missing.most_common(5):
            print(f"  not there: {count} of {field} in {log}")  # noqa: T201
    assert score.told > 400
    assert round(100 * score.share, 1) == UNDERSTOOD[name], "write the new share down"


def test_a_value_counts_only_when_it_stands_by_itself() -> None:
    score = Score()
    score.add("log", "user", "Ada", frozenset({"ada"}))
    score.add("log", "user", "ada", frozenset({"user ada from 192.0.2.1"}))
    assert (score.right, score.told) == (1, 2)
    assert score.missing == {("log", "user"): 1}
