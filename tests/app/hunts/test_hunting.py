"""A hunt finds the same whatever way the work is cut, and tells what it could not look at."""

import gzip
import json
import os
import tarfile
from collections.abc import Sequence
from multiprocessing import active_children
from pathlib import Path
from threading import Lock, Thread

import pytest

from tocsin.app.hunts import hunt_processes, hunt_worker
from tocsin.app.hunts.hunt_summary import HuntSummary
from tocsin.app.hunts.hunting import Hunt, HuntPlan
from tocsin.app.moment import parse_moment
from tocsin.app.rules.hunt_selection import lean, needed_by_stateful, selected
from tocsin.detect.errors import DetectError
from tocsin.detect.hunt import HuntHit, iso_time
from tocsin.detect.reading.ruleset import RuleSet, load_rules
from tocsin.ingest.errors import IngestError
from tocsin.model.severity import Level

CHANGED_S = 1_780_000_000
GUESSED = """\
title: A password is guessed
id: 6f1c1b58-5a1b-4a73-9d5e-0a8f7d9f1a11
status: test
level: medium
tags: [attack.credential-access, attack.t1110.001]
logsource: {product: linux, service: sshd}
detection:
  failed: {message|startswith: Failed password}
  condition: failed
"""
SHELL = """\
title: A shell is started
id: 0b1f3c7e-93a5-4a52-8f0e-5b7f6f9b2c22
status: test
level: high
tags: [attack.execution, attack.t1059.003]
logsource: {product: windows, category: process_creation}
detection:
  shell: {Image|endswith: '\\cmd.exe'}
  condition: shell
"""


@pytest.fixture
def ruleset(tmp_path: Path) -> RuleSet:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "guessed.yml").write_text(GUESSED)
    (folder / "shell.yml").write_text(SHELL)
    (folder / "broken.yml").write_text("title: [")
    return load_rules([folder])


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Two files of some hundred records, a quarter of which are hits, and a line of rubbish."""
    folder = tmp_path / "logs"
    folder.mkdir()
    auth = [
        f"Nov 21 03:{at // 60:02}:{at % 60:02} jump-01 sshd[900]: "
        + ("Failed password for root" if at % 4 == 0 else "Accepted password for deploy")
        + " from 203.0.113.9 port 40001 ssh2"
        for at in range(400)
    ]
    put(folder / "auth.log", "\n".join(auth).encode() + b"\n")
    windows = [
        json.dumps(started(at, "cmd.exe" if at % 4 == 0 else "calc.exe")) for at in range(400)
    ]
    windows.insert(100, '{"Image": ')
    windows.insert(200, "")
    put(folder / "windows.ndjson", "\n".join(windows).encode())
    return folder


def started(at: int, image: str) -> dict[str, object]:
    time = f"2026-11-21T03:{at // 60:02}:{at % 60:02}.000Z"
    return {
        "Channel": "Microsoft-Windows-Sysmon/Operational",
        "Provider_Name": "Microsoft-Windows-Sysmon",
        "EventID": 1,
        "Computer": f"pc{at % 3}",
        "TimeCreated": time,
        "UtcTime": time.replace("T", " ").rstrip("Z"),
        "Image": f"C:\\Windows\\{image}",
        "CommandLine": f"{image} /c {at}",
    }


def put(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    os.utime(path, (CHANGED_S, CHANGED_S))


def hunt(plan: HuntPlan, ruleset: RuleSet) -> tuple[list[HuntHit], HuntSummary]:
    with Hunt(plan) as opened:
        summary, hits = opened.hits(ruleset)
        return [hit for _, hit in hits], summary


def plan(*paths: Path, jobs: int = 1, task: int = 1 << 24, gathered: int = 1 << 24) -> HuntPlan:
    return HuntPlan(tuple(paths), jobs=jobs, task_bytes=task, gathered_bytes=gathered)


@pytest.fixture
def whole(logs: Path, ruleset: RuleSet) -> list[HuntHit]:
    return hunt(plan(logs), ruleset)[0]


def test_hits_come_in_the_order_of_files_and_records(whole: list[HuntHit]) -> None:
    assert [Path(hit.file).name for hit in whole] == ["auth.log"] * 100 + ["windows.ndjson"] * 100
    assert [hit.record for hit in whole[:3]] == ["1", "5", "9"]
    lines = Path(whole[100].file).read_text().splitlines()
    for hit in whole[100:]:
        assert (
            json.loads(lines[int(hit.record) - 1])["CommandLine"]
            == (json.loads(hit.event)["CommandLine"])
        )


@pytest.mark.parametrize(
    ("task", "gathered"), [(700, 1), (5_000, 1 << 20), (1 << 24, 1), (333, 333)]
)
def test_the_cutting_changes_nothing(
    logs: Path, ruleset: RuleSet, whole: list[HuntHit], task: int, gathered: int
) -> None:
    found, summary = hunt(plan(logs, task=task, gathered=gathered), ruleset)
    assert told(found) == told(whole)
    (trouble,) = summary.troubles
    assert (Path(trouble.file).name, trouble.ordinal) == ("windows.ndjson", 101)


@pytest.fixture(params=["forked", "spawned"])
def processes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How processes come to be: copies of this one, or new ones as on other systems."""
    if request.param == "spawned":
        monkeypatch.setattr(hunt_processes, "can_fork", lambda: False)
    elif not hunt_worker.can_fork():
        pytest.skip("this process can't be copied: it has other threads, or is not on Linux")


@pytest.mark.usefixtures("processes")
def test_two_processes_find_what_one_finds(
    logs: Path, ruleset: RuleSet, whole: list[HuntHit]
) -> None:
    found, summary = hunt(plan(logs, jobs=2, task=5_000), ruleset)
    assert told(found) == told(whole)
    alone = hunt(plan(logs, task=5_000), ruleset)
    assert found == alone[0]
    assert untimed(summary) == untimed(alone[1])


def test_the_files_of_a_process_that_dies_are_named_and_the_others_hunted_through(
    logs: Path, ruleset: RuleSet, whole: list[HuntHit]
) -> None:
    with Hunt(plan(logs, jobs=2, task=5_000)) as opened:
        killed = False

        def kill_one(*_: int) -> None:
            nonlocal killed
            if not killed:
                killed = True
                victim = next(
                    process
                    for process in active_children()
                    if process.name == "tocsin-hunt" and process.is_alive()
                )
                victim.kill()
                victim.join()

        summary, told_hits = opened.hits(ruleset, kill_one)
        found = [hit for _, hit in told_hits]
    assert killed
    dead = [trouble for trouble in summary.troubles if "signal 9" in trouble.reason]
    assert dead
    assert all("the process that read it died" in trouble.reason for trouble in dead)
    assert set(told(found)) < set(told(whole))
    missed = {Path(hit.file).name for hit in set(told(whole)) - set(told(found))}
    assert missed <= {Path(trouble.file).name for trouble in dead}


@pytest.mark.usefixtures("processes")
def test_a_process_that_died_before_it_was_asked_is_replaced(
    logs: Path, ruleset: RuleSet, whole: list[HuntHit]
) -> None:
    with Hunt(plan(logs, jobs=2, task=5_000)) as opened:
        opened.prepare(ruleset)
        victim = next(one for one in active_children() if one.name == "tocsin-hunt")
        victim.kill()
        victim.join()
        summary, told_hits = opened.hits(ruleset)
        found = [hit for _, hit in told_hits]
    (dead,) = [trouble for trouble in summary.troubles if "signal 9" in trouble.reason]
    assert set(told(found)) < set(told(whole)), dead


def test_a_hunt_whose_processes_keep_dying_ends(
    logs: Path, ruleset: RuleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hunt_processes, "_MOST_DEATHS", 0)
    with Hunt(plan(logs, jobs=2, task=5_000)) as opened:
        opened.prepare(ruleset)
        for process in active_children():
            if process.name == "tocsin-hunt":
                process.kill()
        _, told_hits = opened.hits(ruleset)
        with pytest.raises(DetectError, match="give the hunt more memory, or --jobs 1"):
            list(told_hits)


def test_processes_are_not_copied_while_another_thread_runs() -> None:
    held = Lock()
    with held:
        other = Thread(target=held.acquire)
        other.start()
        assert not hunt_worker.can_fork()
    other.join()


def untimed(summary: HuntSummary) -> dict[str, object]:
    of_the_run = {"jobs", "elapsed_s", "events_per_s", "mb_per_s"}
    return {name: told for name, told in summary.as_json().items() if name not in of_the_run}


def told(hits: Sequence[HuntHit]) -> list[HuntHit]:
    """Without the ids of events, which name the slice as well."""
    return [hit._replace(event_id="") for hit in hits]


def test_the_totals_add_up(logs: Path, ruleset: RuleSet) -> None:
    hits, summary = hunt(plan(logs, task=5_000), ruleset)
    totals = summary.as_json()
    assert (totals["hits"], len(hits)) == (200, 200)
    assert (totals["records"], totals["unreadable"]) == (800, 1)
    assert totals["files"] == 2
    assert totals["bytes"] == sum(path.stat().st_size for path in logs.iterdir())
    assert totals["by_level"] == {"high": 100, "medium": 100}
    assert totals["by_tactic"] == {"Execution": 100, "Credential Access": 100}
    assert totals["by_technique"] == {"T1110.001": 100, "T1059.003": 100}
    by_host = totals["by_host"]
    assert isinstance(by_host, dict)
    assert sum(by_host.values()) == 200
    assert by_host["jump-01"] == 100
    assert sum(summary.lanes.values()) == 800
    times = [hit.time_us for hit in hits]
    assert (totals["first"], totals["last"]) == (iso_time(min(times)), iso_time(max(times)))
    (problem,) = summary.ruleset.problems
    assert problem.path.endswith("broken.yml")


def test_lanes_no_rule_asks_for_are_told(logs: Path, ruleset: RuleSet) -> None:
    only = selected(ruleset, rules=["A shell is started"])
    hits, summary = hunt(plan(logs), only)
    assert len(hits) == 100
    assert sum(summary.unasked.values()) == 400


def test_a_range_of_time_leaves_out_what_is_outside(logs: Path, ruleset: RuleSet) -> None:
    since, until = parse_moment("2026-11-21T03:01:00Z"), parse_moment("2026-11-21T03:02:00Z")
    only = selected(ruleset, tags=["t1059.003"])
    hits, _ = hunt(HuntPlan((logs,), since=since, until=until, jobs=1), only)
    times = [iso_time(hit.time_us) for hit in hits]
    assert len(times) == 15
    assert min(times) == "2026-11-21T03:01:00Z"
    assert max(times) == "2026-11-21T03:01:56Z"


def test_records_of_many_kinds_in_one_file_are_each_told_by_themselves(
    logs: Path, ruleset: RuleSet, tmp_path: Path
) -> None:
    auth = (logs / "auth.log").read_bytes().splitlines()
    windows = (logs / "windows.ndjson").read_bytes().splitlines()[:100]
    mixed = tmp_path / "mixed.log"
    put(mixed, b"\n".join(line for both in zip(auth, windows, strict=False) for line in both))
    hits, _ = hunt(plan(mixed, task=3_000), ruleset)
    assert [hit.record for hit in hits[:4]] == ["1", "2", "9", "10"]
    assert len(hits) == 50


def test_what_cannot_be_read_does_not_stop_the_hunt(
    logs: Path, ruleset: RuleSet, tmp_path: Path
) -> None:
    put(logs / "a.evtx", b"ElfFile\0" + bytes(100))
    put(logs / "b.bin", bytes(range(32)) * 100)
    put(logs / "c.log.gz", gzip.compress((logs / "auth.log").read_bytes())[:-600])
    hits, summary = hunt(plan(logs), ruleset)
    assert len(hits) >= 200
    reasons = {Path(trouble.file).name: trouble.reason for trouble in summary.troubles}
    assert "header" in reasons["a.evtx"]
    assert "binary" in reasons["b.bin"]
    assert "can't be read on" in reasons["c.log.gz"]


def test_a_path_that_is_not_there_is_told_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(IngestError, match=r"nowhere.*no such file"):
        Hunt(plan(tmp_path / "nowhere"))


ANY = """\
title: Anything of Windows
id: 3d0d7a53-1f3a-4a63-8a53-7d0f6b1f3c33
status: test
level: low
logsource: {product: windows}
detection:
  any: {EventID|exists: true}
  condition: any
"""


@pytest.fixture
def any_event(tmp_path: Path) -> RuleSet:
    path = tmp_path / "any.yml"
    path.write_text(ANY)
    return load_rules([path])


def test_a_damaged_chunk_costs_no_other(large_sample: Path, any_event: RuleSet) -> None:
    whole, _ = hunt(plan(large_sample, task=65_536), any_event)
    content = bytearray(large_sample.read_bytes())
    content[4096 + 65536 : 4096 + 2 * 65536] = b"\xff" * 65536
    put(large_sample, bytes(content))
    hits, summary = hunt(plan(large_sample, task=65_536), any_event)
    (trouble,) = summary.troubles
    assert trouble.file == str(large_sample)
    assert "chunk 2" in trouble.reason
    assert 0 < len(hits) == summary.records < len(whole)
    left = [hit.record for hit in hits]
    assert [hit.record for hit in whole if hit.record in set(left)] == left


def test_slices_of_an_event_log_give_every_record_once(
    large_sample: Path, any_event: RuleSet
) -> None:
    in_one, summary = hunt(plan(large_sample), any_event)
    assert len(in_one) == summary.records > 1000
    for task in (65_536, 200_000):
        sliced, _ = hunt(plan(large_sample, task=task), any_event)
        assert told(sliced) == told(in_one)


def test_records_after_a_lost_slice_of_an_event_log_keep_their_numbers(
    large_sample: Path, any_event: RuleSet
) -> None:
    in_one, _ = hunt(plan(large_sample), any_event)
    with Hunt(plan(large_sample, jobs=2, task=200_000)) as opened:
        opened.prepare(any_event)
        victim = next(one for one in active_children() if one.name == "tocsin-hunt")
        victim.kill()
        victim.join()
        summary, hits = opened.hits(any_event)
        found = [hit for _, hit in hits]
    assert summary.troubles
    assert set(told(found)) < set(told(in_one))


@pytest.fixture
def large_sample(evtx_samples: Path, test_data: Path, tmp_path: Path) -> Path:
    index = (test_data / "evtx-attack-samples" / "index.jsonl").read_text(encoding="utf-8")
    largest = max(map(json.loads, index.splitlines()), key=lambda told: int(told["events"]))
    copy = tmp_path / "sample.evtx"
    put(copy, (evtx_samples / largest["file"]).read_bytes())
    return copy


@pytest.fixture(scope="module")
def evtx_samples(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evtx")
    with tarfile.open(test_data / "evtx-attack-samples" / "evtx.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


def test_rules_are_chosen_by_level_name_and_tag(ruleset: RuleSet) -> None:
    def titles(**chosen: object) -> list[str]:
        return [found.rule.title for found in selected(ruleset, **chosen).rules]  # type: ignore[arg-type]

    assert titles(level=Level.HIGH) == ["A shell is started"]
    assert titles(rules=["6F1C1B58-5a1b-4a73-9d5e-0a8f7d9f1a11"]) == ["A password is guessed"]
    assert titles(tags=["attack.t1059.003"]) == titles(tags=["execution"]) == ["A shell is started"]
    assert titles(tags=["t1059.003", "credential_access"]) == titles()
    assert titles(rules=["x"]) == []


def test_what_workers_are_given_matches_the_same(ruleset: RuleSet) -> None:
    thin = lean(ruleset)
    assert [found.condition for found in thin.rules] == [found.condition for found in ruleset.rules]
    assert not any(found.rule.source_text for found in thin.rules)
    assert needed_by_stateful(ruleset) == frozenset()
