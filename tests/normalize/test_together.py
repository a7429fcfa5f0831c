"""Records of one event, however they arrive, get what the others say; none waits or is lost."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tocsin.connectors.catalog import mapping_paths
from tocsin.ingest.decode import decode
from tocsin.model.event import EventBatch
from tocsin.model.record import Origin, RawBatch
from tocsin.normalize.errors import MappingError
from tocsin.normalize.mapping import load_mapping
from tocsin.normalize.normalizer import Normalizer

NOW = datetime(2026, 7, 1, tzinfo=UTC)
CALL = (
    "type=SYSCALL msg=audit({at}): arch=c000003e syscall=59 success=yes exit=0 ppid=10 pid=11 "
    'auid=1000 uid=0 euid=0 ses=4 comm="nc" exe="/usr/bin/nc" key="net"'
)
ARGUMENTS = 'type=EXECVE msg=audit({at}): argc=3 a0="nc" a1="198.51.100.7" a2="4444"'
FOLDER = 'type=CWD msg=audit({at}): cwd="/srv"'
FILE = 'type=PATH msg=audit({at}): item=0 name="/usr/bin/nc" nametype=NORMAL ouid=0'
TITLE = "type=PROCTITLE msg=audit({at}): proctitle=6E63002D6C"
WHOLE = (CALL, ARGUMENTS, FOLDER, FILE, TITLE)


@pytest.fixture
def normalizer() -> Normalizer:
    (path,) = [path for path in mapping_paths() if path.parent.name == "auditd"]
    return Normalizer([load_mapping(path)])


def records(*templates: str, at: str = "1782807242.843:30826") -> list[str]:
    return [template.replace("{at}", at) for template in templates]


def took(
    normalizer: Normalizer, lines: list[str], source: str = "host-1", position: int = 1
) -> dict[str, list[dict[str, object]]]:
    """The events of one turn by shape."""
    decoded = decode(RawBatch(source, "\n".join(lines).encode(), NOW))
    batches: list[EventBatch] = normalizer.normalize(decoded, Origin(source, NOW, "t", position))
    return {batch.lane.shape: batch.ocsf_rows(range(len(batch))) for batch in batches}


def test_a_system_call_gets_its_command_line_and_folder(normalizer: Normalizer) -> None:
    (call,) = took(normalizer, records(*WHOLE))["syscall"]
    assert call["process.cmd_line"] == "nc 198.51.100.7 4444"
    assert call["process.working_directory"] == "/srv"


def test_arguments_files_and_titles_get_who_did_it(normalizer: Normalizer) -> None:
    found = took(normalizer, records(*WHOLE))
    for shape in ("execve", "path", "proctitle", "cwd"):
        (event,) = found[shape]
        assert event["actor.user.uid"] == "1000"
        assert event["actor.process.file.path"] == "/usr/bin/nc"
    assert found["execve"][0]["process.parent_process.pid"] == 10


def test_no_record_is_taken_away_or_changed_for_rules(normalizer: Normalizer) -> None:
    lines = records(*WHOLE)
    decoded = decode(RawBatch("host-1", "\n".join(lines).encode(), NOW))
    batches = normalizer.normalize(decoded, Origin("host-1", NOW, "t", 1))
    assert sum(map(len, batches)) == len(lines)
    (execve,) = [batch for batch in batches if batch.lane.shape == "execve"]
    assert "exe" not in execve.native.schema.names


def test_calls_that_interleave_are_told_apart(normalizer: Normalizer) -> None:
    first = records(*WHOLE)
    second = records(
        CALL.replace('"nc"', '"ls"'), ARGUMENTS.replace('"nc"', '"ls"'), at="1782807242.843:30827"
    )
    mixed = [first[0], second[0], second[1], *first[1:]]
    calls = {
        str(call["metadata.correlation_uid"]): call["process.cmd_line"]
        for call in took(normalizer, mixed)["syscall"]
    }
    assert calls == {"30826": "nc 198.51.100.7 4444", "30827": "ls 198.51.100.7 4444"}


def test_what_comes_in_a_later_turn_gets_what_was_said_before(normalizer: Normalizer) -> None:
    call, *others = records(*WHOLE)
    took(normalizer, [call])
    found = took(normalizer, others, position=2)
    assert found["execve"][0]["actor.user.uid"] == "1000"


@pytest.mark.parametrize(
    ("source", "at"), [("host-2", "1782807242.843:30826"), ("host-1", "1782807999.000:30826")]
)
def test_the_same_serial_elsewhere_or_after_a_reboot_is_another_event(
    normalizer: Normalizer, source: str, at: str
) -> None:
    took(normalizer, records(CALL))
    (event,) = took(normalizer, records(ARGUMENTS, at=at), source, 2)["execve"]
    assert "actor.user.uid" not in event


def test_unknown_shapes_are_refused_with_their_file(tmp_path: Path) -> None:
    path = tmp_path / "mapping.yml"
    path.write_text(
        "connector: x\nvendor: v\nproduct_name: p\nproduct: x\n"
        "together: {by: serial, gives: [{shape: here, to: [there], columns: [a]}]}\n"
        "shapes:\n  - {name: here, recognize: {a: 1}, logsource: {services: [s]}}\n"
    )
    with pytest.raises(MappingError, match=r"mapping\.yml:.*unknown shape 'there'"):
        load_mapping(path)
