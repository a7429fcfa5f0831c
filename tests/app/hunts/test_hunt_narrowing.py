"""A hunt that makes the columns its rules read, and no others, finds what it finds with all."""

import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from tocsin.app.hunts.hunt_narrowing import Narrowing
from tocsin.app.hunts.hunt_normalizing import hunting_normalizer
from tocsin.detect.hunt import HuntHit, hits_in
from tocsin.detect.matching.engine import Engine
from tocsin.detect.reading.ruleset import load_rules
from tocsin.ingest.decode import decode
from tocsin.model.event import EventBatch
from tocsin.model.record import Decoded, Framing, Origin, RawBatch
from tocsin.normalize.gathered import Asked
from tocsin.normalize.normalizer import Normalizer

NOW = datetime(2026, 11, 22, tzinfo=UTC)
RULES = r"""
title: A shell is started
id: 0b1f3c7e-93a5-4a52-8f0e-5b7f6f9b2c22
logsource: {product: windows, category: process_creation}
detection:
  shell: {Image|endswith: '\cmd.exe'}
  condition: shell
---
title: Run by the one who owns it
id: 0b1f3c7e-93a5-4a52-8f0e-5b7f6f9b2c23
logsource: {product: windows, category: process_creation}
detection:
  own: {User|fieldref: ParentUser}
  condition: own
---
title: Words of a tool
id: 0b1f3c7e-93a5-4a52-8f0e-5b7f6f9b2c24
logsource: {product: windows}
detection:
  keywords: ['sekurlsa::', '\mimilib.dll']
  condition: keywords
---
title: A shell without a word
id: 0b1f3c7e-93a5-4a52-8f0e-5b7f6f9b2c25
logsource: {product: windows, category: process_creation}
detection:
  shell: {Image|endswith: '\cmd.exe'}
  keywords: ['harmless']
  condition: shell and not keywords
"""


@pytest.fixture(scope="module")
def normalizer() -> Normalizer:
    return hunting_normalizer()


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    (tmp_path / "rules.yml").write_text(RULES)
    ruleset = load_rules([tmp_path])
    assert len(ruleset.rules) == 4
    return Engine(ruleset)


def rendered(at: int, description: str) -> str:
    """An event as the parser of event logs renders it."""
    time = f"2026-11-21T03:{at // 60:02}:{at % 60:02}.000000Z"
    system = {
        "Provider": {"#attributes": {"Name": "Microsoft-Windows-Sysmon"}},
        "EventID": 1,
        "Version": 5,
        "TimeCreated": {"#attributes": {"SystemTime": time}},
        "EventRecordID": at + 1,
        "Channel": "Microsoft-Windows-Sysmon/Operational",
        "Computer": "pc1",
    }
    data = {
        "UtcTime": time.replace("T", " ").rstrip("Z"),
        "Image": "C:\\Windows\\cmd.exe" if at % 4 == 0 else "C:\\Windows\\calc.exe",
        "User": f"CORP\\u{at % 3}",
        "ParentUser": "CORP\\u0",
        "Company": "Contoso Corporation, of which no rule asks a thing",
        "Description": description,
    }
    return json.dumps({"Event": {"System": system, "EventData": data}}, ensure_ascii=False)


def read(*descriptions: str) -> tuple[Decoded, Origin, bytes]:
    told = dict(enumerate(descriptions))
    lines = [rendered(at, told.get(at, "nothing")) for at in range(400)]
    payload = "\n".join(lines).encode()
    cut = RawBatch("pc1", payload, NOW, Framing.EVTX, "pc1.evtx", 1)
    return decode(cut), Origin("pc1", NOW, "pc1.evtx", 1, "pc1.evtx"), payload


def narrowed(engine: Engine, payload: bytes, stateful: tuple[str, ...] = ()) -> Asked:
    return partial(Narrowing(engine, stateful).asked, [payload])


def found(engine: Engine, batch: EventBatch, decoded: Decoded) -> list[HuntHit]:
    hits = engine.evaluate(batch, without_keywords=bool(batch.left_out))
    records = dict(zip(batch.event_ids.to_pylist(), decoded.records, strict=True))
    return hits_in(batch, hits, lambda name: ("pc1.evtx", 1), records.__getitem__)


@pytest.mark.parametrize(
    ("descriptions", "is_narrow"),
    [
        ((), True),
        (("sekurlsa:", "mimilib"), True),
        (("SekurLSA::logonPasswords",), False),
        (("see C:\\Temp\\MimiLib.dll",), False),
        (("\u017fekurl\u017fa::", "a letter beyond ASCII that folds to one of it"), False),
        (("stra\u00dfe",), False),
        (("S\u00e9curit\u00e9 \u65e5\u672c",), True),
        (("HARMLESS",), False),
    ],
)
def test_hits_are_the_same_with_all_columns_and_with_those_that_are_read(
    engine: Engine, normalizer: Normalizer, descriptions: tuple[str, ...], is_narrow: bool
) -> None:
    decoded, origin, payload = read(*descriptions)
    (whole,) = normalizer.normalize_all([(decoded, origin)])
    (some,) = normalizer.normalize_all([(decoded, origin)], narrowed(engine, payload))
    assert not whole.left_out
    assert set(whole.native.schema.names) == {*some.native.schema.names, *some.left_out}
    assert ({"Company", "Description"} <= some.left_out) is is_narrow
    assert some.times.equals(whole.times)
    hits = found(engine, whole, decoded)
    assert found(engine, some, decoded) == hits
    assert all(b"Contoso" in hit.event for hit in hits)
    by_rule = {hit.rule_id[-2:] for hit in hits}
    assert by_rule >= {"22", "23", "25"}
    assert ("24" in by_rule) is any("::" in one or "\\" in one for one in descriptions)


def test_rules_that_correlations_build_on_are_given_every_field(
    engine: Engine, normalizer: Normalizer
) -> None:
    decoded, origin, payload = read()
    asked = narrowed(engine, payload, (engine.ruleset.rules[0].rule.id,))
    (batch,) = normalizer.normalize_all([(decoded, origin)], asked)
    assert not batch.left_out
