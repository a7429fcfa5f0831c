"""The rules bench counts what it says: labels seen, loud findings, each rule set for itself."""

import io
import tarfile
import zipfile
from pathlib import Path

import orjson
import pytest

from tocsin.app.benches.bench_rules import bench_rules
from tocsin.app.coverage.attack_samples import SampleError, attack_samples
from tocsin.app.coverage.sample_techniques import is_seen, techniques_named

RULE = """
title: {title}
id: {id}
status: test
level: {level}
tags: [attack.execution, attack.{technique}]
logsource: {{product: windows, category: process_creation}}
detection:
  line:
    CommandLine|contains: {word}
  condition: line
"""
EVENT = {
    "EventID": 1,
    "Provider_Name": "Microsoft-Windows-Sysmon",
    "Channel": "Microsoft-Windows-Sysmon/Operational",
    "Image": r"C:\Windows\System32\mshta.exe",
    "UtcTime": "2026-11-21 10:00:00.000",
}


def _lines(*commands: str) -> bytes:
    return b"".join(orjson.dumps({**EVENT, "CommandLine": line}) + b"\n" for line in commands)


def _rule(folder: Path, number: int, word: str, technique: str, level: str) -> None:
    folder.mkdir(exist_ok=True)
    id_ = f"00000000-0000-4000-8000-{number:012}"
    text = RULE.format(title=f"Rule {number}", id=id_, level=level, technique=technique, word=word)
    (folder / f"{number}.yml").write_text(text, encoding="utf-8")


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    folder = tmp_path / "samples"
    folder.mkdir()
    (folder / "one.json").write_bytes(_lines("mshta http://a", "mshta http://b", "notepad"))
    with zipfile.ZipFile(folder / "two.zip", "w") as packed:
        packed.writestr("../../two.json", _lines("schtasks /create", "calc"))
    meta = [{"attack": [{"technique": "T1053", "sub-technique": "005"}]}]
    index = [
        {"file": "one.json", "technique": "T1218.005"},
        {"file": "two.zip", "meta": meta},
    ]
    (folder / "index.jsonl").write_bytes(b"\n".join(orjson.dumps(line) for line in index))
    return folder


def test_rule_sets_are_measured_side_by_side(tmp_path: Path, samples: Path) -> None:
    _rule(tmp_path / "sharp", 1, "mshta http", "t1218.005", "high")
    _rule(tmp_path / "sharp", 2, "schtasks", "t1053", "medium")
    _rule(tmp_path / "loud", 3, "e", "t1059", "critical")
    told: list[tuple[str, int, int]] = []

    result = bench_rules(
        {"sharp": [tmp_path / "sharp"], "loud": [tmp_path / "loud"]},
        [samples],
        on_progress=lambda what, done, total: told.append((what, done, total)),
    )

    assert (result["recordings"], result["labels"], result["events"]) == (2, 2, 5)
    sharp, loud = result["rule_sets"]["sharp"], result["rule_sets"]["loud"]
    assert sharp["technique_recall"] == 1.0
    assert sharp["techniques_seen"] == 2
    assert sharp["recordings_seen_medium"] == 2
    assert sharp["high_findings"] == 2
    assert sharp["high_per_100k"] == 40_000.0
    assert sharp["findings_by_level"]["medium"] == 1
    assert loud["technique_recall"] == 0.0
    assert loud["high_findings"] == 2
    assert loud["loudest_high"] == {"Rule 3": 2}
    assert result["unseen_by_all"] == []
    assert told[-1] == ("done", 2, 2)
    assert orjson.dumps(result)


def test_technique_seen_by_nobody_is_named(tmp_path: Path, samples: Path) -> None:
    _rule(tmp_path / "pack", 1, "mshta http", "t1218.005", "high")
    result = bench_rules({"pack": [tmp_path / "pack"]}, [samples])
    assert result["rule_sets"]["pack"]["technique_recall"] == 0.5
    assert result["unseen_by_all"] == ["T1053.005"]


def test_member_of_an_archive_cannot_leave_the_work_folder(tmp_path: Path, samples: Path) -> None:
    work = tmp_path / "work"
    found = attack_samples([samples], work)
    paths = [path for sample in found for path in sample.paths]
    assert all(path.is_relative_to(work) or path.is_relative_to(samples) for path in paths)
    assert not (tmp_path / "two.json").exists()


def test_indexed_file_is_looked_for_in_the_archives(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    with tarfile.open(folder / "logs.tar.xz", "w:xz") as packed:
        for name in ("a/first.json", "a/other.json"):
            member = tarfile.TarInfo(name)
            content = _lines("calc")
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    (folder / "index.jsonl").write_bytes(b'{"file": "a/first.json", "technique": null}\n')
    (sample,) = attack_samples([folder], tmp_path / "work")
    assert sample.name == "set/a/first.json"
    assert sample.paths[0].read_bytes() == _lines("calc")


def test_folder_without_index_is_labeled_by_names(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "dcsync_lab.json").write_bytes(_lines("calc"))
    (folder / "morning.json").write_bytes(_lines("calc"))
    labels = {sample.name: sample.techniques for sample in attack_samples([folder], tmp_path / "w")}
    assert labels == {"set/dcsync_lab.json": {"T1003.006"}, "set/morning.json": frozenset()}


@pytest.mark.parametrize(
    ("index", "reason"),
    [
        (b'{"file": "gone.evtx"}', "gone.evtx is neither"),
        (b'{"name": 1}', "index.jsonl:1: no JSON object with a file"),
        (b"\n[", "index.jsonl:1: no JSON object with a file"),
    ],
)
def test_bad_index_is_told_with_its_place(tmp_path: Path, index: bytes, reason: str) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "index.jsonl").write_bytes(index)
    with pytest.raises(SampleError, match=reason):
        attack_samples([folder], tmp_path / "work")


def test_damaged_archive_and_missing_folder_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "logs.zip").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(SampleError, match=r"logs\.zip: can't be unpacked"):
        attack_samples([folder], tmp_path / "work")
    with pytest.raises(SampleError, match="no such folder"):
        attack_samples([tmp_path / "nowhere"], tmp_path / "work")


def test_no_rules_is_told(tmp_path: Path, samples: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SampleError, match="no match rules for empty"):
        bench_rules({"empty": [tmp_path / "empty"]}, [samples])
    with pytest.raises(SampleError, match="no rule set is given"):
        bench_rules({}, [samples])


def test_names_state_techniques() -> None:
    assert techniques_named("4765_sidhistory_add_t1178.evtx") == {"T1134.005"}
    assert techniques_named("Win_4985_T1186_Doppelganging.evtx") == {"T1055.013"}
    assert techniques_named("sysmon_3_10_Invoke-Mimikatz_hosted.evtx") == frozenset()
    assert techniques_named("bits_openvpn.evtx") == {"T1197"}
    assert techniques_named("LM_4624_1053.evtx") == frozenset()


def test_parent_and_child_tell_a_technique_and_a_sibling_does_not() -> None:
    assert is_seen("T1003.001", frozenset({"T1003"}))
    assert is_seen("T1003", frozenset({"T1003.006"}))
    assert not is_seen("T1003.001", frozenset({"T1003.006"}))
    assert not is_seen("T1003", frozenset({"T10031"}))


def test_real_recordings_are_read_whole(test_data: Path, tmp_path: Path) -> None:
    found = attack_samples([test_data / "evtx-attack-samples"], tmp_path)
    assert len(found) == 277
    assert sum(1 for sample in found if sample.techniques) > 200
    assert all(path.stat().st_size for sample in found for path in sample.paths)
