"""Packs come from strangers: what could harm is refused by name, and nothing is half-installed."""

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from tests.detect.rule_texts import rule_text
from tocsin.app.home import pack_content
from tocsin.app.home.pack_content import PackContent, PackRefused, chosen, read_folder, safe_path
from tocsin.app.home.pack_shelf import Manifest, PackShelf, check_name, name_from
from tocsin.app.packs import pack_archive, pack_download
from tocsin.app.packs.pack_archive import read_archive
from tocsin.app.packs.pack_download import check_sha256, downloaded, sha256_of

RULE = rule_text("  s: {Image: a}\n  condition: s").encode()
Members = dict[str, bytes]


def _tar(path: Path, members: Members, *others: tarfile.TarInfo, mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]  # mode is a variable
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for other in others:
            archive.addfile(other)
    return path


def _zip(path: Path, members: Members, *others: tuple[zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        for info, content in others:
            archive.writestr(info, content)
    return path


GOOD: Members = {
    "sigma-1/rules/a.yml": RULE,
    "sigma-1/LICENSE": b"DRL",
    "sigma-1/tests/t.py": b"print()",
    "sigma-1/.github/w.yml": b"on: push",
    "sigma-1/other/b.yml": b"x: 1",
}


@pytest.mark.parametrize(
    "make",
    [
        lambda path: _tar(path, GOOD, mode="w"),
        lambda path: _tar(path, GOOD, mode="w:gz"),
        lambda path: _tar(path, GOOD, mode="w:xz"),
        lambda path: _tar(path, GOOD, mode="w:bz2"),
        lambda path: _zip(path, GOOD),
    ],
    ids=["tar", "gz", "xz", "bz2", "zip"],
)
def test_rules_and_licence_are_taken_code_and_other_folders_are_not(
    make: Callable[[Path], Path], tmp_path: Path
) -> None:
    content = chosen(read_archive(make(tmp_path / "archive")))
    assert dict(content.files) == {"rules/a.yml": RULE, "LICENSE": b"DRL"}
    assert content.left_out == {"other": 1}
    assert content.notices == ["LICENSE"]
    both = chosen(read_archive(tmp_path / "archive"), ["rules", "other"])
    assert both.rule_files == ["other/b.yml", "rules/a.yml"]


@pytest.mark.parametrize("first", ["rules/a.yml", "a.yml", "mine/a.yml"])
def test_an_update_takes_what_was_taken_when_nobody_chose(first: str, tmp_path: Path) -> None:
    """Folders that come later are no part of the pack, and none that was falls out of it."""
    beside = {"LICENSE": b"DRL", "docs/LICENSE": b"DRL"}
    before = chosen({first: RULE, **beside})
    later = chosen({first: RULE, "rules-new/b.yml": RULE, **beside}, before.folders)
    kept = {first} if first.startswith("rules/") else {first, "rules-new/b.yml"}
    assert set(later.rule_files) == kept


def test_a_folder_gives_the_same_pack_as_its_archive(tmp_path: Path) -> None:
    folder = tmp_path / "sigma-1"
    for name, content in GOOD.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    archive = _tar(tmp_path / "a.tar.gz", GOOD)
    assert chosen(read_folder(folder)).digest == chosen(read_archive(archive)).digest
    (folder / "rules" / "link.yml").symlink_to("/etc/passwd")
    with pytest.raises(PackRefused, match=r"link\.yml is a symbolic link"):
        read_folder(folder)


@pytest.mark.parametrize(
    "name",
    [
        "../a.yml",
        "rules/../../a.yml",
        "/etc/a.yml",
        "C:/a.yml",
        "a\\..\\b.yml",
        "a\n.yml",
        "x/" * 300 + "a.yml",
    ],
)
def test_names_that_lead_out_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(PackRefused, match="member"):
        safe_path(name)
    for archive in (_tar(tmp_path / "a", {name: RULE}), _zip(tmp_path / "b", {name: RULE})):
        if archive.name == "b" and "\\" in name:
            continue  # zipfile writes another name
        with pytest.raises(PackRefused, match="member"):
            read_archive(archive)


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)
def test_links_and_devices_are_refused_by_name(kind: bytes, tmp_path: Path) -> None:
    other = tarfile.TarInfo("rules/evil.yml")
    other.type, other.linkname = kind, "/etc/passwd"
    with pytest.raises(PackRefused, match=r"member 'rules/evil.yml' is (a link|no file)"):
        read_archive(_tar(tmp_path / "a", GOOD, other))


def test_a_link_in_a_zip_is_refused_and_so_is_what_is_encrypted(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("rules/evil.yml")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(PackRefused, match=r"'rules/evil.yml' is a link"):
        read_archive(_zip(tmp_path / "a", GOOD, (link, b"/etc/passwd")))
    _zip(tmp_path / "b", {"a.yml": RULE})
    raw = bytearray((tmp_path / "b").read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "b").write_bytes(raw)
    with pytest.raises(PackRefused, match=r"'a.yml' is encrypted"):
        read_archive(tmp_path / "b")


def test_bombs_are_refused_before_they_go_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    huge = {"rules/big.yml": b"a" * (pack_content.LARGEST_FILE_BYTES + 1)}
    for archive in (_tar(tmp_path / "a", huge), _zip(tmp_path / "b", huge)):
        with pytest.raises(PackRefused, match=r"big\.yml.* unpacks to"):
            read_archive(archive)
    monkeypatch.setattr(pack_archive, "MOST_UNPACKED_BYTES", 5_000_000)
    with pytest.raises(PackRefused, match="the archive unpacks to more than"):
        read_archive(_tar(tmp_path / "c", {"unwanted.bin": bytes(6_000_000)}))
    monkeypatch.setattr(pack_archive, "MOST_MEMBERS", 3)
    for archive in (_tar(tmp_path / "d", GOOD), _zip(tmp_path / "e", GOOD)):
        with pytest.raises(PackRefused, match="more than 3 members"):
            read_archive(archive)
    monkeypatch.setattr(pack_content, "LARGEST_PACK_BYTES", len(RULE))
    monkeypatch.setattr(pack_archive, "MOST_MEMBERS", 100)
    two = {"rules/a.yml": RULE, "rules/b.yml": RULE}
    with pytest.raises(PackRefused, match="files are larger"):
        read_archive(_tar(tmp_path / "f", two))


def test_damage_web_pages_and_packs_without_rules_are_told(tmp_path: Path) -> None:
    whole = _tar(tmp_path / "a", {**GOOD, "rules/c.yml": RULE * 100}).read_bytes()
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PackRefused, match="damaged"):
        read_archive(tmp_path / "cut")
    zipped = _zip(tmp_path / "b", GOOD).read_bytes()
    (tmp_path / "cutzip").write_bytes(zipped[: len(zipped) // 2])
    with pytest.raises(PackRefused, match="damaged"):
        read_archive(tmp_path / "cutzip")
    (tmp_path / "page").write_text("<!doctype html><html>")
    with pytest.raises(PackRefused, match="it is a web page"):
        read_archive(tmp_path / "page")
    with pytest.raises(PackRefused, match="no rule file"):
        chosen({"README.md": b"x", "LICENSE": b"y"})
    with pytest.raises(PackRefused, match="a file and a folder"):
        chosen({"a.yml": b"", "a.yml/b.yml": b""})
    with pytest.raises(PackRefused, match=r"'a\.yml' is there twice"):
        read_archive(_tar(tmp_path / "t", {"a.yml": RULE, "./a.yml": RULE}))


def _served(answers: dict[str, httpx2.Response]) -> httpx2.Client:
    return httpx2.Client(transport=httpx2.MockTransport(lambda asked: answers[str(asked.url)]))


def test_only_https_is_fetched_even_after_a_redirect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = _zip(tmp_path / "a.zip", GOOD).read_bytes()
    client = _served(
        {
            "https://x.example/a.zip": httpx2.Response(302, headers={"location": "/b.zip"}),
            "https://x.example/b.zip": httpx2.Response(200, content=archive),
            "https://x.example/down": httpx2.Response(
                302, headers={"location": "http://x.example/"}
            ),
            "https://x.example/gone": httpx2.Response(404),
            "https://x.example/loop": httpx2.Response(302, headers={"location": "/loop"}),
        }
    )
    with downloaded("https://x.example/a.zip", client) as path:
        assert path.read_bytes() == archive
        check_sha256(path, sha256_of(path).upper())
        with pytest.raises(PackRefused, match="not the archive"):
            check_sha256(path, "0" * 64)
    assert not path.exists()
    for url, reason in (
        ("http://x.example/a.zip", "https only"),
        ("https://x.example/down", "https only"),
        ("https://x.example/gone", "status 404"),
        ("https://x.example/loop", "redirects"),
    ):
        with pytest.raises(PackRefused, match=reason), downloaded(url, client):
            pass
    monkeypatch.setattr(pack_download, "LARGEST_DOWNLOAD_BYTES", 10)
    with pytest.raises(PackRefused, match="larger"), downloaded("https://x.example/b.zip", client):
        pass


def _manifest(content: PackContent) -> Manifest:
    return Manifest("p", content.digest, "here")


def test_a_version_becomes_current_whole_and_the_one_before_goes(tmp_path: Path) -> None:
    shelf = PackShelf(tmp_path)
    first, second = (PackContent({"rules/a.yml": text}, {}) for text in (b"a: 1", b"a: 2"))
    shelf.place("p", first)
    assert shelf.rule_paths() == []
    shelf.make_current(_manifest(first))
    (rules,) = shelf.rule_paths()
    assert (rules / "rules" / "a.yml").read_bytes() == b"a: 1"
    shelf.place("p", second)
    assert (rules / "rules" / "a.yml").read_bytes() == b"a: 1"
    shelf.discard("p", second.digest)
    assert shelf.current("p").digest == first.digest
    shelf.place("p", second)
    shelf.make_current(_manifest(second))
    assert (rules / "rules" / "a.yml").read_bytes() == b"a: 2"
    assert {one.name for one in (tmp_path / "packs" / "p").iterdir()} == {"current", second.digest}
    shelf.discard("p", second.digest)
    assert shelf.current("p").digest == second.digest
    assert shelf.pin("p", True).pinned
    assert shelf.current("p").pinned
    shelf.remove("p")
    assert shelf.names() == []
    with pytest.raises(PackRefused, match="no such pack"):
        shelf.current("p")


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = PackShelf(tmp_path)

    def full(*_: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="disk full"):
            shelf.place("p", PackContent({"rules/a.yml": b"a"}, {}))
    assert list((tmp_path / "packs" / "p").iterdir()) == []
    assert shelf.names() == []


def test_names_of_packs_are_plain() -> None:
    assert name_from("https://x.example/d/Sigma_Core+.tar.gz?x=1") == "sigma-core"
    assert name_from("/a/rules.tar.xz") == "rules"
    for name in ("../x", "", "A", "a/b", ".hidden"):
        with pytest.raises(PackRefused):
            check_name(name)
