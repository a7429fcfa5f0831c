"""The packs page: what an update would change is shown before it is put in force."""

import hashlib
import io
import re
import tarfile
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from httpx2 import Response

from tests.app.packs.test_pack_signature import minisign, minisign_key
from tests.console.conftest import Visitor, Visitors
from tests.console.living import PASSWORD
from tests.detect.rule_texts import rule_text
from tocsin.app.backtests.history_jobs import JobKind
from tocsin.app.packs import pack_uploads
from tocsin.app.packs.pack_install import read_pack
from tocsin.app.settings.config import load_settings
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.detect.rules.overlay import LifeState
from tocsin.model.principal import Role


@dataclass
class Pack:
    """A pack of the house, and the folder it came from."""

    house: Tocsin
    name: str
    folder: Path

    def write(self, *numbers: int, level: str = "high") -> None:
        """These rules are in the folder from now on."""
        for old in self.folder.glob("*.yml"):
            old.unlink()
        for number in numbers:
            text = rule_text(
                f"  s: {{Image: a{number}}}\n  condition: s", rule_id=self.rule_id(number)
            )
            text = text.replace("title: A rule", f"title: Rule <b>{number}</b>")
            (self.folder / f"{number}.yml").write_text(
                re.sub(r"level: \w+", f"level: {level}", text)
            )

    def rule_id(self, number: int) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.name}/{number}"))

    @property
    def running(self) -> set[int]:
        """The rules of it in force."""
        ids = {rule.id for rule in self.house.ruleset.all_rules()}
        return {number for number in range(6) if self.rule_id(number) in ids}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tocsin]:
    home = tmp_path_factory.mktemp("packs") / "home"
    opened = open_tocsin(load_settings(home=home, detect__shipped_pack=False))
    now = datetime.now(UTC)
    for name, role in (("ebba.only", Role.ENGINEER), ("nils.only", Role.ANALYST)):
        opened.access.create_user(name, [role], password=PASSWORD, by="test", now=now)
    yield opened
    opened.close()


@pytest.fixture
def pack(own: Tocsin, tmp_path: Path) -> Pack:
    """A pack of four rules, which no other test has."""
    made = Pack(own, f"theirs-{uuid.uuid4().hex[:8]}", tmp_path / "theirs")
    made.folder.mkdir()
    made.write(0, 1, 2, 3)
    now = datetime.now(UTC)
    source = read_pack(str(made.folder))
    plan = own.packs.plan(made.name, source, state=LifeState.ACTIVE, by="test", now=now)
    own.packs.carry_out(plan, now, what="add")
    own.rule_keeper.reload("test", now)
    return made


@pytest.fixture(scope="module")
def visitors(own: Tocsin, portal: BlockingPortal) -> Iterator[Visitors]:
    made = Visitors(portal, own)
    yield made
    made.close()


@pytest.fixture(scope="module")
def engineer(visitors: Visitors) -> Visitor:
    return visitors("ebba.only")


def digest_in(page: str) -> str:
    found = re.search(r'name="seen" value="([0-9a-f]{64})"', page)
    assert found is not None
    return found.group(1)


def test_an_update_is_looked_at_taken_and_rolled_back(
    engineer: Visitor, pack: Pack, own: Tocsin
) -> None:
    pack.write(0, 1, 2, 4, level="low")
    page = engineer.post("/packs/preview", name=pack.name).text
    assert "nothing has changed yet" in page
    assert "Rule &lt;b&gt;3&lt;/b&gt;" in page
    assert "Lower level" in page
    assert pack.running == {0, 1, 2, 3}
    job = re.search(r'hx-get="(/packs/replays/[^"]+)"', page)
    over = threading.Event()
    own.history_jobs.submit(JobKind.FILL, "r", "me", lambda _: over.set())
    assert over.wait(120)
    tried = engineer.get(job.group(1)).text if job else page
    assert "After the update" in tried
    assert "hx-get" not in tried.partition('id="replay"')[2].partition("</section>")[0]
    assert "On your stored events" in page
    engineer.post("/packs/update", name=pack.name, seen=digest_in(page))
    assert pack.running == {0, 1, 2, 4}
    back = engineer.post(f"/packs/{pack.name}/rollback").text
    assert "Go back to this version" in back
    engineer.post(f"/packs/{pack.name}/rollback", seen=digest_in(back))
    assert pack.running == {0, 1, 2, 3}


def test_an_update_that_changed_meanwhile_or_takes_most_away_is_asked_again(
    engineer: Visitor, pack: Pack
) -> None:
    pack.write(0)
    page = engineer.post("/packs/preview", name=pack.name).text
    assert "takes most of the pack" in page
    assert engineer.get("/packs/preview").headers["location"] == "/packs"
    seen = digest_in(page)
    engineer.post("/packs/update", name=pack.name, seen=seen)
    pack.write(0, 5)
    engineer.post("/packs/update", name=pack.name, seen=seen, sure="yes")
    assert pack.running == {0, 1, 2, 3}
    pack.write(0)
    engineer.post("/packs/update", name=pack.name, seen=seen, sure="yes")
    assert pack.running == {0}


def test_a_pack_is_held_released_and_removed(engineer: Visitor, pack: Pack) -> None:
    engineer.post(f"/packs/{pack.name}/pin", pinned="yes")
    refused = engineer.post("/packs/preview", name=pack.name, back="/packs")
    assert "held at its version" in engineer.get(refused.headers["location"]).text
    engineer.post(f"/packs/{pack.name}/pin", pinned="no")
    assert not pack.house.packs.shelf.current(pack.name).pinned
    engineer.post(f"/packs/{pack.name}/remove")
    assert pack.running == set()
    assert pack.name not in engineer.get("/packs").text.partition('class="column')[2]


def test_what_is_no_archive_at_an_https_address_is_refused(engineer: Visitor, pack: Pack) -> None:
    for origin in (str(pack.folder), "http://example.org/a.zip", "file:///etc", ""):
        answer = engineer.post("/packs/preview", origin=origin, name="other")
        assert answer.status_code == 303, origin
    assert "other" not in pack.house.packs.shelf.names()


def test_who_may_only_read_rules_changes_no_pack(visitors: Visitors, pack: Pack) -> None:
    reader = visitors("nils.only")
    for path in ("preview", "update", f"{pack.name}/pin", f"{pack.name}/remove"):
        assert reader.post(f"/packs/{path}").status_code == 403, path
    page = reader.get("/packs").text
    assert pack.name in page
    assert "Remove" not in page


def archive_of(*members: tuple[str, bytes], link: str = "") -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        if link:
            info = tarfile.TarInfo(link)
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(info)
    return written.getvalue()


def rule_file(rule_id: str) -> bytes:
    return rule_text("  s: {Image: a}\n  condition: s", rule_id=rule_id).encode()


def sent(visitor: Visitor, archive: bytes, signature: bytes = b"", **fields: str) -> Response:
    """The answer to the form with an archive's file."""
    files = {"archive": ("Their_Rules.tar.gz", archive)}
    if signature:
        files["signature"] = ("rules.minisig", signature)
    given = {"csrf": visitor.csrf, "back": "/packs", "origin": "", "name": "", **fields}
    return visitor.send("POST", "/packs/preview", data=given, files=files)


def told(visitor: Visitor, answer: Response) -> str:
    """What the page says that a refusal leads back to."""
    assert answer.status_code == 303
    return visitor.get(answer.headers["location"]).text


def test_an_archive_that_is_sent_is_looked_at_and_then_added(
    engineer: Visitor, own: Tocsin
) -> None:
    rule_id = str(uuid.uuid4())
    archive = archive_of(("r/LICENSE", b"DRL"), ("r/rules/a.yml", rule_file(rule_id)))
    page = sent(engineer, archive, sha256=hashlib.sha256(archive).hexdigest()).text
    assert "nothing has changed yet" in page
    assert "the archive you sent" in page
    assert "their-rules" not in own.packs.shelf.names()
    origin = re.search(r'name="origin" value="(upload:[0-9a-f]{64})"', page)
    assert origin is not None
    fields = {"name": "their-rules", "origin": origin.group(1), "state": "active"}
    engineer.post("/packs/update", seen=digest_in(page), **fields)
    assert own.ruleset.rule(rule_id) is not None
    assert "From an archive that was uploaded" in engineer.get("/packs").text
    kept = own.settings.home / "uploads" / origin.group(1).removeprefix("upload:")
    assert not kept.exists(), "it is kept no longer"
    own.packs.remove("their-rules", by="test", now=datetime.now(UTC))


def test_a_signature_that_is_sent_beside_its_archive_is_checked(
    engineer: Visitor, own: Tocsin
) -> None:
    private = Ed25519PrivateKey.generate()
    archive = archive_of(("a.yml", rule_file(str(uuid.uuid4()))))
    key, good = minisign_key(private), minisign(archive, private)
    page = sent(engineer, archive, good, key=key, name="signed").text
    origin = re.search(r'name="origin" value="(upload:[0-9a-f]{64})"', page)
    assert origin is not None
    assert "0706050403020100" in page
    fields = {"name": "signed", "origin": origin.group(1), "key": key, "state": "staging"}
    engineer.post("/packs/update", seen=digest_in(page), **fields)
    assert own.packs.shelf.current("signed").signed_by == "0706050403020100"
    other = minisign_key(Ed25519PrivateKey.generate())
    assert "is not one of key" in told(engineer, sent(engineer, archive, good, key=other, name="x"))
    fresh = archive_of(("b.yml", rule_file(str(uuid.uuid4()))))
    answer = sent(engineer, fresh, name="signed")
    assert "It must be signed with the key 0706050403020100" in told(engineer, answer)
    answer = sent(engineer, archive, key="/etc/passwd", name="x")
    assert "Give the public key itself" in told(engineer, answer)


@pytest.mark.parametrize(
    ("archive", "says"),
    [
        (archive_of(("../../a.yml", b"x: 1")), "leads out of the pack"),
        (archive_of(("a.yml", b"x: 1"), link="b.yml"), "b.yml"),
        (archive_of(("a.yml", bytes(5 << 20))), "no rule file is larger"),
        (b"<html>not found</html>", "neither .zip nor .tar"),
        (archive_of(("a.yml", b"title: x"))[:-30], "damaged"),
        (b"", "nothing was sent"),
    ],
    ids=["leads-out", "link", "bomb", "web-page", "cut-off", "empty"],
)
def test_what_the_command_refuses_of_an_archive_the_page_refuses_too(
    engineer: Visitor, own: Tocsin, archive: bytes, says: str
) -> None:
    page = told(engineer, sent(engineer, archive, name="evil"))
    assert says.lower() in page.lower()
    assert "evil" not in own.packs.shelf.names()


def test_an_archive_is_read_only_for_who_may_add_one(
    visitors: Visitors, own: Tocsin, engineer: Visitor
) -> None:
    archive = archive_of(("a.yml", rule_file(str(uuid.uuid4()))))
    assert sent(visitors("nils.only"), archive).status_code == 403
    assert sent(engineer, archive, csrf="x" * 43).status_code == 403
    assert sent(visitors("nils.only"), archive, name="y").status_code == 403
    assert "y" not in own.packs.shelf.names()


def test_an_archive_that_is_too_large_is_told(
    engineer: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack_uploads, "LARGEST_DOWNLOAD_BYTES", 1 << 20)
    page = told(engineer, sent(engineer, bytes(3 << 20), name="z"))
    assert "The archive is larger than 1 MiB" in page
