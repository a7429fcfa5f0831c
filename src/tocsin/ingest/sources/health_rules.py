"""The rules that watch the platform's own health; their findings come without an event."""

from tocsin.model.lane import LogSource
from tocsin.model.rule import Rule, RuleKind
from tocsin.model.severity import Level

SILENT_SOURCE = Rule(
    id="7b0b3a52-51a3-4c1e-9f0d-6c0de6f5a001",
    title="Log source fell silent",
    level=Level.HIGH,
    logsource=LogSource(product="tocsin", service="health"),
    kind=RuleKind.HEALTH,
    status="stable",
    description=(
        "A source that sends regularly has sent nothing for at least three times its usual "
        "interval, judged by the times of its events. What it would have shown is not seen."
    ),
    author="The Tocsin developers",
    tags=("attack.defense-impairment", "attack.t1685"),
    techniques=("T1685",),
    false_positives=("Planned maintenance of the sender", "A sender that was taken out of use"),
    references=("https://attack.mitre.org/techniques/T1685/",),
    entity_kinds=("source",),
    questions=(
        "Is the sending machine up, and does it still write its log?",
        "Did other sources of the same site fall silent at the same time?",
        "Was logging stopped or reconfigured on the sender, and by whom?",
        "Which rules can't see anything while it is silent?",
    ),
    response=(
        "Ask the owner of the sender. Restart its forwarder and check the way to here (name, "
        "port, firewall). If logging was stopped on purpose and nobody planned it, open a case. "
        "When it is back, see that it has sent what it held."
    ),
)

HEALTH_RULES: tuple[Rule, ...] = (SILENT_SOURCE,)
