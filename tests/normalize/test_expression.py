"""Expressions of a mapping, one by one."""

import pytest
from pydantic import TypeAdapter, ValidationError

from tocsin.normalize.columns import columns_of
from tocsin.normalize.expression import Fields, compile_expression
from tocsin.normalize.mapping import Derived, Expression

ROWS = [
    {"path": "C:\\Windows\\cmd.exe", "user": "CORP\\maja", "n": 7, "hex": "0x1f", "l": ["x", "y"]},
    {
        "path": "-",
        "user": None,
        "n": 8,
        "hex": "zz",
        "other": "ada",
        "l": [],
        "o": {"p": 1},
        "b": True,
    },
]


def _values(declared: object) -> list[object] | None:
    expression = TypeAdapter(Derived).validate_python(declared)
    found = compile_expression(expression)(Fields(columns_of(ROWS)))
    return None if found is None else found.to_pylist()


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("n", [7, 8]),
        ("absent", None),
        (3, [3, 3]),
        ({"const": "x"}, ["x", "x"]),
        (["path", "other"], ["C:\\Windows\\cmd.exe", "ada"]),
        ({"field": "path", "extract": "([^\\\\]+)$"}, ["cmd.exe", "-"]),
        ({"field": "path", "extract": "(?i)^c:(.*)"}, ["\\Windows\\cmd.exe", None]),
        ({"field": "path", "extract": r"^[^(\]]\:(?:[\\(])(\w+)"}, ["Windows", None]),
        ({"template": "{user}@{n}"}, ["CORP\\maja@7", None]),
        ({"template": "{user}@{absent}", "missing": "?"}, ["CORP\\maja@?", "?@?"]),
        ({"template": "{absent} {n}"}, None),
        ({"template": "[{user}][ at {n}]"}, ["CORP\\maja at 7", "at 8"]),
        ({"template": "[{absent} ]{n}[ of {other}[/{user}]]"}, ["7", "8 of ada"]),
        (
            {"template": "sign-in[ of {user}][ ({path})]"},
            ["sign-in of CORP\\maja (C:\\Windows\\cmd.exe)", "sign-in"],
        ),
        ({"template": "[{user}[: {absent}]]"}, ["CORP\\maja", None]),
        ({"template": "[{absent}][{o}]"}, None),
        ({"template": r"\[{n}\]"}, ["[7]", "[8]"]),
        ({"field": "hex", "hex": True}, [31, None]),
        ({"field": "n", "lookup": {"7": 1}, "default": 0}, [1, 0]),
        ({"field": "user", "lookup": {"corp\\MAJA": "yes"}}, ["yes", None]),
        ({"field": "user", "default": "nobody"}, ["CORP\\maja", "nobody"]),
        ({"field": "absent", "default": "nobody"}, ["nobody", "nobody"]),
        ({"field": "o", "default": 0}, ["0", '{"p":1}']),
        ({"field": "b", "default": 0}, ["0", "true"]),
        ({"field": "b", "default": False}, [False, True]),
        ({"field": "other", "default": 2}, ["2", "ada"]),
        ({"field": "l", "default": 1}, ['["x","y"]', "[]"]),
        ({"field": "user", "split": "\\", "part": 1}, ["maja", None]),
        ({"field": "user", "split": "\\", "part": -1}, ["maja", None]),
        ({"field": "path", "null_if": ["-"]}, ["C:\\Windows\\cmd.exe", None]),
        ({"field": "l", "first": True}, ["x", None]),
        ({"field": "l", "join": ","}, ["x,y", ""]),
        ({"field": "user", "lower": True}, ["corp\\maja", None]),
        ({"field": "user", "present": 2, "default": 1}, [2, 1]),
        ({"field": "o", "cast": "json"}, [None, '{"p":1}']),
        ({"field": "n", "cast": "text"}, ["7", "8"]),
        ({"field": "n", "cast": "time"}, [7000, 8000]),
        ({"const": "a  b", "cast": "words"}, [["a", "b"], ["a", "b"]]),
        ("o.p", [None, 1]),
    ],
)
def test_expressions(declared: object, expected: list[object] | None) -> None:
    assert _values(declared) == expected


@pytest.mark.parametrize(
    "declared",
    [
        {},
        {"field": "a", "const": 1},
        {"field": "a", "lookup": {"x": 1, "y": "z"}},
        {"field": "a", "extract": "no group"},
        {"field": "a", "extract": "(unclosed"},
        {"field": "a", "unheard_of": 1},
        {"template": "{a}[ by {b}"},
        {"template": "{a} by {b}]"},
    ],
)
def test_wrong_expressions_are_refused(declared: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Expression.model_validate(declared)
