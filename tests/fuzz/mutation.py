"""Makes bad input out of good: bytes are changed blindly, JSON where it hurts, both repeatably."""

import json
from collections.abc import Sequence
from copy import deepcopy
from random import Random
from typing import Any

_PIECES = (
    *(b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xc3\x28", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80"),
    *(b"\n", b"\r\n", b"\t", b" ", b"|", b"=", b'"', b"'", b"\\", b"\\n", b"\\u0000", b"\\ud800"),
    *(b"{", b"}", b"[", b"]", b"{}", b"[]", b"[[[[[[", b'{"a":', b",", b":", b"<", b">", b"<0>"),
    *(b"-1", b"0", b"1e999", b"NaN", b"18446744073709551616", b"9223372036854775808", b"-0.0"),
    *(b"null", b"true", b"-", b"%", b"%s", b"$", b"CEF:0|", b"LEEF:2.0|", b"@cee:", b"audit("),
    *(b"0001-01-01T00:00:00Z", b"9999-12-31T23:59:60Z", b"1970", b"2026-02-30", b"Feb 30 25:61:61"),
    *(b"::ffff:1.2.3.4", b"fe80::1%eth0", b"999.1.1.1", b"0x", b"\xe2\x80\xae", b"\x1b[31m"),
)
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 2**31, 2**63, 2**64, -(2**63) - 1, 1e308, -0.0),
    *("", " ", "\0", "\ud83d\ude00", "x" * 3000, "-", "null", "0", "1e400", "NaN", "\u202e", "\n"),
    *([], {}, [None], [[[]]], {"": ""}, {"a": {"b": [1, "2", None, {"c": 3}]}}, [1, "a", None, {}]),
    *(
        "9999-12-31T23:59:59.999999999Z",
        "0000-00-00T00:00:00Z",
        253402300800,
        -62135596801,
        "1.2.3",
    ),
)


class Mutator:
    """Cases out of ``seeds``; the same for the same ``seed``."""

    def __init__(self, seeds: Sequence[bytes], seed: int) -> None:
        assert seeds, "nothing to mutate"
        self._seeds = seeds
        self._chance = Random(seed)  # noqa: S311

    def case(self) -> bytes:
        chance = self._chance
        case = chance.choice(self._seeds)
        if case[:1] in b"{[" and chance.random() < 0.5:
            case = self._with_other_value(case)
            if chance.random() < 0.7:
                return case
        changed = bytearray(case)
        for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
            self._change(changed)
        return bytes(changed)

    def _change(self, case: bytearray) -> None:
        chance = self._chance
        at = chance.randrange(len(case) + 1)
        length = min(len(case) - at, chance.choice((1, 1, 2, 4, 8, 40)))
        match chance.randrange(9):
            case 0 if length:
                case[at] ^= 1 << chance.randrange(8)
            case 1 if length:
                case[at] = chance.randrange(256)
            case 2:
                del case[at : at + length]
            case 3:
                case[at:at] = chance.choice(_PIECES)
            case 4:
                case[at : at + length] = chance.choice(_PIECES)
            case 5:
                case[at:at] = case[at : at + length] * chance.choice((1, 2, 50))
            case 6 if chance.random() < 0.3:
                del case[at:]
            case 7:
                other = chance.choice(self._seeds)
                cut = chance.randrange(len(other) + 1)
                case[at:] = other[cut : cut + 4000]
            case _:
                to = chance.randrange(len(case) + 1)
                case[to:to] = case[at : at + length]

    def _with_other_value(self, case: bytes) -> bytes:
        """One or two values, names or places of them inside a JSON text changed."""
        try:
            whole = json.loads(case)
        except (ValueError, RecursionError):
            return case
        for _ in range(self._chance.choice((1, 1, 2, 4))):
            self._change_inside(whole)
        text = json.dumps(whole, ensure_ascii=self._chance.random() < 0.5)
        return text.encode("utf-8", "surrogatepass")

    def _change_inside(self, holder: Any) -> None:
        chance = self._chance
        while isinstance(holder, dict | list) and holder:
            key = (
                chance.choice(list(holder))
                if isinstance(holder, dict)
                else chance.randrange(len(holder))
            )
            inner = holder[key]
            if isinstance(inner, dict | list) and inner and chance.random() < 0.7:
                holder = inner
                continue
            match chance.randrange(6):
                case 0:
                    del holder[key]
                case 1 if isinstance(holder, dict):
                    holder[
                        chance.choice((key + "x", "", "a.b", "\0", "_id", "Event", "message"))
                    ] = inner
                case 2:
                    holder[key] = [inner]
                case 3:
                    holder[key] = {"a": inner}
                case _:
                    holder[key] = deepcopy(chance.choice(_VALUES))
            return
