"""``tocsin sources test``: what becomes of a sample, and a draft for what nobody knows."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from tocsin.app.home.own_mappings import FOLDER, every_mapping_path, read_own_mappings
from tocsin.app.home.shipped import open_normalizer
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption, settings_for
from tocsin.cli.output import Exit, err, fail, out, print_json, print_table
from tocsin.ingest.cutting.files import read_paths
from tocsin.ingest.decode import decode
from tocsin.model.event import EventBatch
from tocsin.model.record import Origin, Unreadable
from tocsin.normalize.check import check_folder, write_expected
from tocsin.normalize.mapping_draft import MappingDraft, draft_mapping

UNKNOWN_LANE = "unknown.record"
_DRAFTED_FROM = 500
_COMPARED = 50


def try_source(
    path: Annotated[
        Path, typer.Argument(help="A connector's folder, or any file of logs.", metavar="PATH")
    ],
    write: Annotated[
        bool,
        typer.Option("--write", help="Write what each sample of a connector maps to beside it."),
    ] = False,
    draft: Annotated[
        Path | None,
        typer.Option("--draft", help="Write the draft for unknown records to this new file."),
    ] = None,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """See what is made of a sample: recognized as, mapped, left; or check a connector's folder.

    One's own mappings, `mappings/<connector>/mapping.yml` in the data folder, count. For records
    nobody recognizes a mapping.yml is drafted, which a person finishes. Exit code 2 when a
    connector has a problem, or records of a file are not recognized.
    """
    if not path.exists():
        fail(f"{path}: no such file or folder", Exit.BAD_CONFIGURATION)
    folder = settings_for(home, config).home
    if path.is_dir():
        _check_connector(path, folder, write, as_json)
    else:
        _show_file(path, folder, draft, as_json)


def _check_connector(folder: Path, home: Path, write: bool, as_json: bool) -> None:
    others = every_mapping_path(home)
    if write:
        for written in write_expected(folder, decode, others):
            err.print(f"wrote {written}; read it as if someone else had", markup=False)
    problems = check_folder(folder, decode, others=others)
    if as_json:
        print_json({"problems": problems})
    else:
        for problem in problems:
            out.print(problem, markup=False)
        out.print(f"{len(problems)} problems", markup=False)
    raise typer.Exit(Exit.BAD_CONTENT if problems else Exit.DONE)


@dataclass(slots=True)
class _Sample:
    """What a file came to. ``left`` are native fields whose value no OCSF attribute shows."""

    lanes: Counter[str] = field(default_factory=Counter)
    unreadable: list[Unreadable] = field(default_factory=list)
    first: dict[str, dict[str, dict[str, object]]] = field(default_factory=dict)
    left: dict[str, Counter[str]] = field(default_factory=dict)
    unknown: list[dict[str, object]] = field(default_factory=list)


def _read(path: Path, home: Path) -> _Sample:
    for problem in read_own_mappings(home).problems:
        err.print(f"not used: {problem}", markup=False)
    normalizer, sample = open_normalizer(home), _Sample()
    for number, item in enumerate(read_paths([path], None, datetime.now(UTC), None)):
        if isinstance(item, Unreadable):
            sample.unreadable.append(item)
            continue
        decoded = decode(item)
        sample.unreadable += decoded.unreadable
        origin = Origin(item.source, item.received_at, str(path), number)
        for batch in normalizer.normalize(decoded, origin):
            _take(sample, batch)
    return sample


def _take(sample: _Sample, batch: EventBatch) -> None:
    lane = batch.lane.id
    sample.lanes[lane] += len(batch)
    rows = range(min(len(batch), _COMPARED))
    native, ocsf = batch.native_rows(rows), batch.ocsf_rows(rows)
    if lane not in sample.first:
        sample.first[lane] = {"native": native[0], "ocsf": ocsf[0]}
    if lane == UNKNOWN_LANE:
        room = range(min(len(batch), _DRAFTED_FROM - len(sample.unknown)))
        sample.unknown += batch.native_rows(room)
        return
    left = sample.left.setdefault(lane, Counter())
    for before, after in zip(native, ocsf, strict=True):
        shown = {str(value) for value in after.values()}
        left.update(path for path, value in _leaves("", before) if str(value) not in shown)


def _leaves(prefix: str, record: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from _leaves(f"{prefix}{name}.", value)
        else:
            yield f"{prefix}{name}", value


def _show_file(path: Path, home: Path, draft_to: Path | None, as_json: bool) -> None:
    sample = _read(path, home)
    connector = "".join(c if c.isalnum() else "_" for c in path.name.split(".")[0].lower())
    drafted = draft_mapping(sample.unknown, connector) if sample.unknown else None
    if drafted is not None and draft_to is not None:
        _write_draft(draft_to, drafted)
    if as_json:
        print_json(
            {
                "lanes": sample.lanes,
                "first_of_lane": sample.first,
                "left": {lane: list(paths) for lane, paths in sample.left.items()},
                "unreadable": sample.unreadable,
                "draft": _draft_json(drafted) if drafted is not None else None,
            }
        )
    else:
        _print(sample, drafted, draft_to)
        if drafted is not None:
            place = home / FOLDER / connector / "mapping.yml"
            out.print(f"finished, it belongs in {place}; no restart is needed", markup=False)
    failed = bool(sample.unknown or sample.unreadable)
    raise typer.Exit(Exit.BAD_CONTENT if failed else Exit.DONE)


def _draft_json(drafted: MappingDraft) -> dict[str, object]:
    return {
        "text": drafted.text,
        "fields": drafted.fields,
        "time": drafted.time.model_dump() if drafted.time is not None else None,
        "class": drafted.class_name,
        "records": drafted.records,
    }


def _write_draft(path: Path, drafted: MappingDraft) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(drafted.text)
    except OSError as error:
        fail(f"{path}: {error.strerror}; name a new file", Exit.BAD_CONFIGURATION)


def _print(sample: _Sample, drafted: MappingDraft | None, draft_to: Path | None) -> None:
    print_table("recognized as", ("lane", "records"), sample.lanes.most_common())
    for lane, fields in sample.first.items():
        if lane == UNKNOWN_LANE:
            continue
        print_table(f"the first of {lane}, as OCSF", ("field", "value"), fields["ocsf"].items())
        left = sample.left[lane]
        if left:
            out.print(f"left as {lane} has them (native only): {', '.join(left)}", markup=False)
    for problem in sample.unreadable[:20]:
        out.print(f"unreadable: record {problem.ordinal}: {problem.reason}", markup=False)
    unknown = sample.lanes[UNKNOWN_LANE]
    out.print(
        f"{unknown} records not recognized, {len(sample.unreadable)} unreadable", markup=False
    )
    if drafted is not None and draft_to is not None:
        out.print(f"wrote {draft_to}: finish it as docs/mapping.md says", markup=False)
    elif drafted is not None:
        out.print("a draft of mapping.yml for them (--draft FILE writes it):\n", markup=False)
        out.print(drafted.text, markup=False, soft_wrap=True)
