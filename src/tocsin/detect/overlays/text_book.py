"""The book of rule texts: which text each rule had last, so that a change of it is noticed."""

import hashlib
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, insert, select, update

from tocsin.detect.overlays.overlay_tables import RULE_TEXTS
from tocsin.detect.reading.ruleset import RuleSet

_CHANGE = (
    update(RULE_TEXTS)
    .where(RULE_TEXTS.c.rule_id == bindparam("of_rule"))
    .values({name: bindparam(f"new_{name}") for name in ("digest", "text", "path")})
)


@dataclass(frozen=True, slots=True)
class TextChange:
    """A rule whose text is another than it was last, be it while nobody looked."""

    rule_id: str
    before: str
    after: str
    old_path: str
    path: str


def text_digest(text: str) -> str:
    """SHA-256 of a rule's text, as it is kept in blobs."""
    return hashlib.sha256(encoded(text)).hexdigest()


def encoded(text: str) -> bytes:
    """Text as it is hashed and kept: without what its place in a file puts around it."""
    return text.strip().encode("utf-8", "surrogatepass")


def note_texts(tx: Connection, ruleset: RuleSet) -> list[TextChange]:
    """Keep the texts of the rules; which of them have changed since they were kept last.

    Rules that are new are kept and not told; those that are gone stay kept.
    """
    columns = RULE_TEXTS.c
    known = {one: digest for one, digest in tx.execute(select(columns.rule_id, columns.digest))}
    added, changed = [], []
    for rule in ruleset.all_rules():
        digest = text_digest(rule.source_text)
        if known.get(rule.id) == digest:
            continue
        text = encoded(rule.source_text).decode("utf-8", "backslashreplace")
        values = {"digest": digest, "text": text, "path": rule.path}
        if rule.id in known:
            changed.append((rule.id, values))
        else:
            added.append({"rule_id": rule.id, **values})
    if added:
        tx.execute(insert(RULE_TEXTS), added)
    told = []
    for rule_id, values in changed:
        query = select(columns.text, columns.path).where(columns.rule_id == rule_id)
        text, path = tx.execute(query).one()
        told.append(TextChange(rule_id, text, values["text"], path, values["path"]))
        new = {f"new_{name}": value for name, value in values.items()}
        tx.execute(_CHANGE, {"of_rule": rule_id, **new})
    return told
