"""The declared form of a connector's mapping: what a ``mapping.yml`` may say (docs/mapping.md)."""

from pathlib import Path
from typing import Annotated, Any, Literal

import re2
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from tocsin.normalize.mapping_file import Parse, read_documents, say_problems
from tocsin.normalize.ocsf_classes import CLASS_UIDS
from tocsin.normalize.parsed_files import parsed
from tocsin.normalize.template import parse_template

Scalar = bool | int | float | str


class Declared(BaseModel):
    """A part of a mapping; a word it doesn't know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _expression(value: object) -> object:
    if isinstance(value, str):
        return {"field": value}
    if isinstance(value, bool | int | float):
        return {"const": value}
    if isinstance(value, list):
        return {"first_of": value}
    return value


def _condition(value: object) -> object:
    if isinstance(value, list):
        return {"is_in": value}
    if isinstance(value, dict):
        return value
    return {"is_in": [value]}


def _as_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _re2(value: str) -> str:
    try:
        re2.compile(value)
    except re2.error as error:
        raise ValueError(f"not a regular expression RE2 knows: {error}") from error
    return value


Regex = Annotated[str, AfterValidator(_re2)]


def _template(value: str) -> str:
    parse_template(value)
    return value


Template = Annotated[str, AfterValidator(_template)]


class Expression(Declared):
    """Where a value comes from (exactly one source), then what is done to it, in this order.

    Written short: text is a field's name, a number or truth value is that constant, a list is
    ``first_of``. Empty text and ``-`` are no value in an OCSF column.
    """

    field: str | None = None
    const: Scalar | None = None
    first_of: list["Derived"] | None = None
    template: Template | None = None
    """Text with ``{Field}`` in it; null when one of them is, unless ``missing`` stands in. What
    stands in square brackets is left out where a field in it has no value."""
    missing: str | None = None
    null_if: list[str] = Field(default_factory=list)
    first: bool = False
    """Of a list take the first member."""
    join: str | None = None
    """Of a list make one text, its members apart by this."""
    extract: Regex | None = None
    """RE2 with one group; null where it doesn't match."""
    split: str | None = None
    part: int = 0
    lower: bool = False
    upper: bool = False
    hex: bool = False
    """Hexadecimal text (``0x3e7``) to an integer."""
    lookup: dict[str, Scalar] | None = None
    """Value (as text, any case) to value; null where it has no line."""
    present: Scalar | None = None
    """Where there is any value, this one instead."""
    cast: Literal["int", "float", "text", "bool", "json", "time", "words"] | None = None
    """``time`` is seconds to OCSF's milliseconds, ``words`` text to the list of its words."""
    default: Scalar | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> "Expression":
        sources = [self.field, self.const, self.first_of, self.template]
        if sum(source is not None for source in sources) != 1:
            raise ValueError("needs exactly one of field, const, first_of, template")
        if self.lookup is not None and len({type(item) for item in self.lookup.values()}) > 1:
            raise ValueError("lookup must give values of one type")
        if self.extract is not None and re2.compile(self.extract).groups != 1:
            raise ValueError("extract must have exactly one group that captures")
        return self


Derived = Annotated[Expression, BeforeValidator(_expression)]


class Condition(Declared):
    """What a field must be for a record to be recognized; all that is said must hold.

    Written short: a value or a list of values means "is one of" (as text, any case).
    """

    is_in: list[Scalar] | None = None
    prefix: Annotated[list[str], BeforeValidator(_as_list)] | None = None
    present: bool | None = None
    matches: Regex | None = None
    """RE2, searched for anywhere in the text; costs more than the others."""


Recognize = dict[str, Annotated[Condition, BeforeValidator(_condition)]]


class Pairs(Declared):
    """How keys, values and pairs are apart in a text."""

    assign: str = "="
    between: str = " "


class Pattern(Declared):
    """What makes native fields of a text: one of ``regex``, ``columns`` and ``pairs``."""

    regex: Regex | None = None
    """RE2; its named groups become fields."""
    columns: list[str] | None = None
    """Names for the values between separators, quoted as in CSV; an empty name is passed over."""
    separator: str = ","
    pairs: Pairs | None = None
    """``key=value`` anywhere in the text; the keys become fields."""
    field: str = "message"
    starts: str | None = None
    """Only values that start so are tried: a cheap way to have many patterns."""
    set: dict[str, str] = Field(default_factory=dict)
    """Fields with a fixed value for the records this pattern reads."""
    integers: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _says_one_way(self) -> "Pattern":
        if sum(way is not None for way in (self.regex, self.columns, self.pairs)) != 1:
            raise ValueError("needs exactly one of regex, columns, pairs")
        if self.regex is None:
            return self
        found = re2.compile(self.regex)
        if found.groups != len(found.groupindex) or not found.groups:
            raise ValueError("every group must be named, as (?P<name>…), or not capture: (?:…)")
        return self


class TimeField(Declared):
    """A field the event's time may be read from. A time without a zone is UTC."""

    field: str
    format: str = "iso"
    """``iso epoch epoch_s epoch_ms epoch_us epoch_ns syslog apache`` or a strptime pattern with
    ``%``; ``epoch`` tells the unit by the size of the number."""


class LogSourceNames(Declared):
    """What Sigma calls this log source."""

    product: str | None = None
    categories: list[str] = Field(default_factory=list)
    services: list[str] = Field(default_factory=list)


class FurtherLogSource(Declared):
    """What Sigma may call it besides, under another product."""

    product: str
    categories: list[str] = Field(default_factory=list)
    services: list[str] = Field(default_factory=list)


_UNKNOWN, _INFORMATIONAL, _NO_NAMES = Expression(const=0), Expression(const=1), LogSourceNames()


class Shape(Declared):
    """Records of one kind: how they are told, what Sigma calls them, what they mean in OCSF."""

    name: str
    recognize: Recognize = Field(default_factory=dict)
    any_of: list[Recognize] = Field(default_factory=list)
    """At least one of these must hold too."""
    fallback: bool = False
    """Tried only when no other shape of any connector claims the record."""
    patterns: list[Pattern] = Field(default_factory=list)
    rename: dict[str, str] = Field(default_factory=dict)
    """Group names to field names, for names RE2 can't spell (``cs_method: cs-method``)."""
    absent: list[str] = Field(default_factory=list)
    """What a pattern may capture that means "nothing there", such as ``-``."""
    logsource: LogSourceNames = Field(default_factory=lambda: _NO_NAMES)
    also: list[FurtherLogSource] = Field(default_factory=list)
    time: list[TimeField] | None = None
    class_name: str = Field(default="base_event", alias="class")
    activity: Derived = Field(default_factory=lambda: _UNKNOWN)
    severity: Derived = Field(default_factory=lambda: _INFORMATIONAL)
    let: dict[str, Derived] = Field(default_factory=dict)
    """Values that ``add``, ``map`` and the like name as if they were fields; none is kept."""
    add: dict[str, Derived] = Field(default_factory=dict)
    """Native fields to add, under the names Sigma's rules ask for; none is overwritten."""
    use: list[str] = Field(default_factory=list)
    map: dict[str, Derived] = Field(default_factory=dict)
    is_ocsf: bool = False
    """The records are OCSF as they come; their attributes become the columns, class and all."""

    @model_validator(mode="after")
    def _class_is_known(self) -> "Shape":
        if self.class_name not in CLASS_UIDS:
            raise ValueError(f"class {self.class_name!r} is no class of OCSF; see ocsf_classes.py")
        return self


class Gives(Declared):
    """What records of one shape tell those of others about the event they belong to."""

    shape: str
    to: list[str]
    """Shapes that get it, each where it has no value itself."""
    columns: list[str]
    """OCSF paths of the giving shape."""


class Together(Declared):
    """Records that tell of one event together: same source, machine, time and serial."""

    by: str
    """The native field with the serial."""
    gives: list[Gives]


class Part(Declared):
    """A further file of a mapping: shapes and fragments only."""

    fragments: dict[str, dict[str, Derived]] = Field(default_factory=dict)
    shapes: list[Shape] = Field(default_factory=list)


class Mapping(Part):
    """Everything one connector declares about its records."""

    connector: str
    vendor: str
    product_name: str
    """The product as OCSF's ``metadata.product.name`` has it."""
    product: str
    """The product as Sigma's ``logsource`` has it."""
    also: list[FurtherLogSource] = Field(default_factory=list)
    """Further log sources that every shape answers for."""
    order: int = 100
    """Connectors with a smaller number are asked first whether a record is theirs."""
    include: list[str] = Field(default_factory=list)
    recognize: Recognize = Field(default_factory=dict)
    alias: dict[str, list[str]] = Field(default_factory=dict)
    """A field's one name and the paths it may arrive under; counts for recognition too."""
    lift: list[str] = Field(default_factory=list)
    """Objects (dotted paths) whose members are brought to the top, where no such name is yet."""
    time: list[TimeField] = Field(default_factory=list)
    use: list[str] = Field(default_factory=list)
    """Fragments that every shape uses."""
    together: Together | None = None

    @model_validator(mode="after")
    def _names_are_known(self) -> "Mapping":
        names = [shape.name for shape in self.shapes]
        for give in self.together.gives if self.together else ():
            strange = sorted({give.shape, *give.to}.difference(names))
            if strange:
                raise ValueError(f"together names the unknown shape {strange[0]!r}")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"shapes of the same name: {', '.join(twice)}")
        for shape in self.shapes:
            unknown = [name for name in (*self.use, *shape.use) if name not in self.fragments]
            if unknown:
                raise ValueError(f"shape {shape.name} uses unknown fragment {unknown[0]!r}")
        return self


def load_mapping(path: Path, parse: Parse = parsed) -> Mapping:
    """Read a ``mapping.yml`` and the files it includes; raises ``MappingError``.

    ``parse`` tells what a YAML text says.
    """
    main, parts = read_documents(path, parse)
    if not parts:
        with say_problems(main):
            return Mapping.model_validate(main.content)
    with say_problems(main):
        Part.model_validate(
            {name: main.content[name] for name in Part.model_fields if name in main.content}
        )
    merged: dict[str, Any] = dict(main.content)
    shapes = list(merged.get("shapes") or [])
    fragments = dict(merged.get("fragments") or {})
    for part in parts:
        with say_problems(part):
            Part.model_validate(part.content)
        shapes += part.content.get("shapes") or []
        fragments |= part.content.get("fragments") or {}
    with say_problems(main):
        return Mapping.model_validate(merged | {"shapes": shapes, "fragments": fragments})
