"""What a rule document says of itself, whatever kind of rule it is."""

import re

from sigma.policy import SigmaPolicy
from sigma.rule import SigmaLogSource, SigmaRule, SigmaRuleBase
from sigma.rule.detection import EmptySigmaDetections

from tocsin.detect.reading.rule_document import RuleDocument
from tocsin.detect.reading.rule_extension import Extension
from tocsin.model.identifier import repeatable_id
from tocsin.model.lane import LogSource
from tocsin.model.rule import Rule, RuleKind
from tocsin.model.severity import Level

_TECHNIQUE = re.compile(r"attack\.(t\d{4}(?:\.\d{3})?)", re.IGNORECASE)


def read_metadata(document: RuleDocument, policy: SigmaPolicy) -> SigmaRuleBase:
    """Title, id, level and so on as pySigma checks them. Raises ``SigmaError``."""
    content = {key: value for key, value in document.content.items() if key != "tocsin"}
    found, errors = SigmaRuleBase.from_dict_common_params(content, True, policy=policy)
    if errors:
        raise errors[0]
    return SigmaRule(
        logsource=SigmaLogSource(product="none"), detection=EmptySigmaDetections({}, []), **found
    )


def rule_of(
    parsed: SigmaRuleBase,
    document: RuleDocument,
    path: str,
    extension: Extension,
    *,
    kind: RuleKind = RuleKind.SIGMA,
    logsource: LogSource | None = None,
) -> Rule:
    """The rule as people see it; without an id it gets one that depends on its text only."""
    return Rule(
        id=str(parsed.id or repeatable_id("rule", document.text)),
        title=parsed.title,
        level=Level(parsed.level.name.lower()) if parsed.level else Level.MEDIUM,
        logsource=logsource or LogSource(),
        kind=kind,
        status=parsed.status.name.lower() if parsed.status else "experimental",
        description=str(parsed.description or "").strip(),
        author=str(parsed.author or ""),
        tags=tuple(str(tag) for tag in parsed.tags),
        techniques=_techniques(parsed),
        false_positives=_texts(parsed.falsepositives),
        references=_texts(parsed.references),
        entity_kinds=extension.entity_kinds,
        questions=extension.questions,
        response=extension.response,
        path=path,
        source_text=document.text,
    )


def log_source(source: SigmaLogSource) -> LogSource:
    """A log source of pySigma as ours, in lower case."""
    parts = (source.product, source.category, source.service)
    return LogSource(*(part.lower() if part else None for part in parts))


def _techniques(parsed: SigmaRuleBase) -> tuple[str, ...]:
    found = (_TECHNIQUE.fullmatch(str(tag)) for tag in parsed.tags)
    return tuple(dict.fromkeys(match[1].upper() for match in found if match))


def _texts(values: list[str]) -> tuple[str, ...]:
    return tuple(str(value) for value in values if value is not None)
