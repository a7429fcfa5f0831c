"""``tocsin rules add-pack`` and what follows it: shown, asked, refused, in one step."""

import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.app.packs.test_pack_signature import minisign, minisign_key
from tests.cli.conftest import Ran
from tests.detect.rule_texts import rule_text

Tocsin = Callable[..., Ran]
IDS = [f"5f0b7f3e-0000-4000-8000-0000000000{number:02x}" for number in range(8)]


@pytest.fixture(autouse=True)
def own_rules_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_DETECT__SHIPPED_PACK", "false")


def _rule(number: int, **changes: str) -> str:
    text = rule_text(f"  s: {{Image: a{number}}}\n  condition: s", rule_id=IDS[number])
    text = text.replace("title: A rule", f"title: Rule {number}")
    for before, after in changes.items():
        text = text.replace(before, after)
    return text


def _archive(folder: Path, rules: dict[str, str]) -> Path:
    path = folder / "ours.tar.gz"
    inside = folder / "made"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in {**rules, "LICENSE": "ours"}.items():
            file = inside / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            archive.add(file, name)
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    rules = {f"rules/{number}.yml": _rule(number) for number in range(6)}
    return _archive(tmp_path, {**rules, "rules/bad.yml": "title: Bad\nlevel: high\n"})


def test_every_document_of_a_pack_is_accounted_for(
    tocsin: Tocsin, archive: Path, home: Path
) -> None:
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    wrong = tocsin("rules", "add-pack", archive, "--sha256", "0" * 64)
    assert wrong.code == 2
    assert "not the archive you expect" in wrong.err
    assert not (home / "packs").exists()
    told = tocsin("rules", "add-pack", archive, "--sha256", digest, "--json").json
    assert told["rules"] == IDS[:6]
    assert [one["path"].rpartition("/")[2] for one in told["refused"]] == ["bad.yml"]
    (pack,) = tocsin("rules", "packs", "--json").json
    assert (pack["name"], pack["rules"], pack["refused"]) == ("ours", 6, 1)
    assert (pack["sha256"], pack["notices"]) == (digest, ["LICENSE"])
    assert {one["id"] for one in tocsin("rules", "list", "--kind", "sigma", "--json").json} == set(
        IDS[:6]
    )
    again = tocsin("rules", "add-pack", archive)
    assert "update-pack ours" in again.err
    assert "LICENSE" in tocsin("rules", "packs").out
    assert tocsin("rules", "remove-pack", "ours").code == 0
    assert tocsin("rules", "list", "--kind", "sigma", "--json").json == []


def test_an_update_shows_what_changes_and_asks(
    tocsin: Tocsin, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tocsin("rules", "add-pack", archive)
    other = tmp_path / "new"
    other.mkdir()
    update = _archive(
        other,
        {
            "rules/0.yml": _rule(0, **{"level: high": "level: low"}),
            "rules/1.yml": _rule(1, **{IDS[1]: IDS[7]}),
            "rules/2.yml": _rule(2),
            "rules/3.yml": _rule(3),
            "rules/4.yml": _rule(4, **{"condition: s": "condition: nothing"}),
            "rules/6.yml": _rule(6),
        },
    )
    shown = tocsin("rules", "update-pack", "ours", update, "--dry-run", "--json").json
    change = shown["change"]
    assert shown["installed"] is False
    assert change["added"] == [f"{IDS[6]} Rule 6"]
    assert change["removed"] == [f"{IDS[5]} Rule 5"]
    assert change["unusable"] == [f"{IDS[4]} Rule 4"]
    assert change["changed"] == [f"{IDS[0]} Rule 0"]
    assert change["renumbered"] == [
        {
            "title": "Rule 1",
            "before": IDS[1],
            "after": IDS[7],
            "because": "title and log source",
        }
    ]
    assert [(one["before"], one["after"]) for one in change["loosened"]] == [("high", "low")]
    monkeypatch.setattr("sys.stdin", io.StringIO("no\n"))
    unasked = tocsin("rules", "update-pack", "ours", update, "--diff")
    assert unasked.code == 1
    assert "REFUSED rules/4.yml:" in unasked.out
    assert "  -level: high\n  +level: low\n" in unasked.out
    assert "Rule 1" in unasked.out
    assert len(tocsin("rules", "list", "--kind", "sigma", "--json").json) == 6
    assert tocsin("rules", "pin", "ours").code == 0
    assert "is pinned" in tocsin("rules", "update-pack", "ours", update, "--yes").err
    tocsin("rules", "pin", "ours", "--off")
    assert tocsin("rules", "update-pack", "ours", update, "--yes").code == 0
    listed = {one["id"] for one in tocsin("rules", "list", "--kind", "sigma", "--json").json}
    assert listed == {IDS[0], IDS[7], IDS[2], IDS[3], IDS[6]}
    assert "up to date" in tocsin("rules", "update-pack", "ours", update, "--yes").out
    shown = tocsin("rules", "rollback-pack", "ours", "--dry-run", "--json").json
    assert (shown["installed"], shown["pack"]["previous"]) == (False, "")
    assert "is back at" in tocsin("rules", "rollback-pack", "ours", "--yes").out
    assert {one["id"] for one in tocsin("rules", "list", "--kind", "sigma", "--json").json} == set(
        IDS[:6]
    )
    assert "no earlier version" in tocsin("rules", "rollback-pack", "ours", "--yes").err


def test_an_update_takes_the_folders_that_were_chosen(tocsin: Tocsin, tmp_path: Path) -> None:
    first = {"rules/0.yml": _rule(0), "hunting/1.yml": _rule(1), "rules-beta/2.yml": _rule(2)}
    chosen = ("--folder", "rules", "--folder", "hunting")
    assert tocsin("rules", "add-pack", _archive(tmp_path, first), *chosen).code == 0
    more = {**first, "hunting/3.yml": _rule(3), "rules-beta/4.yml": _rule(4)}
    update = _archive(tmp_path, more)
    told = tocsin("rules", "update-pack", "ours", update, "--yes", "--json").json
    assert sorted(told["rules"]) == [IDS[0], IDS[1], IDS[3]]
    assert told["pack"]["folders"] == ["rules", "hunting"]
    other = tocsin("rules", "update-pack", "ours", "--folder", "rules", "--yes", "--json").json
    assert other["rules"] == [IDS[0]]


def test_a_signature_is_looked_for_beside_the_archive(tocsin: Tocsin, archive: Path) -> None:
    private = Ed25519PrivateKey.from_private_bytes(bytes(32))
    key = minisign_key(private)
    missing = tocsin("rules", "add-pack", archive, "--key", key)
    assert missing.code == 2
    assert "give --signature" in missing.err
    beside = archive.with_name(f"{archive.name}.minisig")
    beside.write_bytes(minisign(b"another", private))
    assert "is not one of key" in tocsin("rules", "add-pack", archive, "--key", key).err
    beside.write_bytes(minisign(archive.read_bytes(), private))
    told = tocsin("rules", "add-pack", archive, "--key", key)
    assert "signed by key 0706050403020100" in told.out
    beside.unlink()
    archive.write_bytes(_archive(archive.parent, {"rules/0.yml": _rule(0)}).read_bytes())
    unsigned = tocsin("rules", "update-pack", "ours", "--yes", "--force")
    assert "signature of key 0706050403020100 is asked for" in unsigned.err


def test_an_update_that_takes_most_away_is_refused(
    tocsin: Tocsin, archive: Path, tmp_path: Path
) -> None:
    tocsin("rules", "add-pack", archive)
    other = tmp_path / "new"
    other.mkdir()
    update = _archive(other, {"rules/0.yml": _rule(0)})
    refused = tocsin("rules", "update-pack", "ours", update, "--yes")
    assert refused.code == 2
    assert "takes away 5 of 6 rules" in refused.err
    assert len(tocsin("rules", "list", "--kind", "sigma", "--json").json) == 6
    assert tocsin("rules", "update-pack", "ours", update, "--yes", "--force").code == 0
    assert len(tocsin("rules", "list", "--kind", "sigma", "--json").json) == 1


def test_a_pack_without_a_usable_rule_is_not_installed(tocsin: Tocsin, tmp_path: Path) -> None:
    broken = _archive(tmp_path, {"rules/bad.yml": "title: Bad\n"})
    told = tocsin("rules", "add-pack", broken)
    assert told.code == 2
    assert "REFUSED" in told.out
    assert tocsin("rules", "packs", "--json").json == []


def test_rules_of_a_pack_may_begin_in_staging(tocsin: Tocsin, archive: Path, home: Path) -> None:
    told = tocsin("rules", "add-pack", archive, "--state", "staging", "--json").json
    assert (told["staged"], told["pack"]["state"]) == (6, "staging")
