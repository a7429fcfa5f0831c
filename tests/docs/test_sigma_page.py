"""docs/sigma.md says what the conformance cases hold."""

from tests.conformance.case import cases
from tests.conformance.page import PAGE, feature_ids, sigma_page


def test_the_page_is_up_to_date() -> None:
    assert PAGE.is_file(), "docs/sigma.md is missing; run: make docs"
    assert PAGE.read_text(encoding="utf-8") == sigma_page(), (
        "docs/sigma.md is stale; run: make docs"
    )


def test_every_feature_has_a_case_and_every_case_a_feature() -> None:
    held = {case.feature for case in cases() if not case.refused}
    told = set(feature_ids())
    assert {case.feature for case in cases()} == told
    assert told - held <= {"unknown-modifier", "correlation-type", "ids", "yaml"}, "only refusals"
