"""Reading ``health`` documents: measurements of the platform and of what it watches.

``health: {metric: rate_share, subject: source, condition: {lt: 0.2}, lasting: 15m, only: [fw-*]}``
finds every subject (``source``, ``disk``, ``platform``; only names that match one of ``only``) whose
metric holds the condition for ``lasting`` without a break. ``condition`` takes the comparisons of
correlations; several must all hold. A metric that nobody measures is refused: the rule would wait
for ever.
"""

from datetime import timedelta

from tocsin.detect.errors import Unsupported
from tocsin.detect.reading.bounds_reading import COMPARISONS, read_bounds
from tocsin.detect.reading.pipeline_files import PipelineFile
from tocsin.detect.reading.quiet_re2 import POLICY
from tocsin.detect.reading.rule_document import RuleDocument
from tocsin.detect.reading.rule_extension import extension_of
from tocsin.detect.reading.rule_metadata import read_metadata, rule_of
from tocsin.detect.reading.rule_section import Section
from tocsin.detect.rules.health_metrics import SUBJECTS, why_unmeasured
from tocsin.detect.rules.health_rule import HealthRule
from tocsin.detect.rules.rule_draft import HealthDraft
from tocsin.model.rule import RuleKind


def read_health(
    document: RuleDocument, path: str, _pipelines: tuple[PipelineFile, ...] = ()
) -> HealthDraft:
    """The draft of a ``health`` document. Raises ``Unsupported`` or ``SigmaError``."""
    section = Section(document, "health")
    section.only("metric", "subject", "condition", "lasting", "only")
    if "condition" not in section.content:
        raise section.refuse("health/condition is missing: write one such as {lt: 10}")
    subject = section.text("subject", "source")
    if subject not in SUBJECTS:
        raise section.refuse(f"health/subject must be one of {', '.join(SUBJECTS)}", "subject")
    for key in ("detection", "logsource"):
        if key in document.content:
            raise Unsupported(f"a health rule looks at no events: take out {key}", key)
    parsed = read_metadata(document, POLICY)
    extension = extension_of(document)
    if extension.tests:
        raise Unsupported("a health rule carries no tests: it looks at no events", "tocsin")
    condition = Section(document, "health", "condition")
    condition.only(*COMPARISONS)
    health = HealthRule(
        rule=rule_of(parsed, document, path, extension, kind=RuleKind.HEALTH),
        metric=section.text("metric"),
        bounds=read_bounds(condition),
        lasting=section.span("lasting", timedelta(0)),
        subject=subject,
        only=section.texts("only"),
        line=document.line,
    )
    unmeasured = why_unmeasured(subject, health.metric)
    if unmeasured:
        raise section.refuse(unmeasured, "metric")
    return HealthDraft(health, parsed.name or "")
