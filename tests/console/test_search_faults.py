"""What is wrong with a filter is underlined where it is, and no further."""

import pytest

from tocsin.console.search_state import fault_in
from tocsin.store.fields import FieldCatalogue
from tocsin.store.lucene import compile_filter
from tocsin.store.ports import QueryError

WRONG = (
    ("dst_port:[1 TO x]", "x", "holds numbers"),
    ("dst_port:{x TO 5]", "x", "holds numbers"),
    ("dst_port:[-1 TO -x]", "-x", "holds numbers"),
    ('dst_port:["1" TO "x"]', '"x"', "holds numbers"),
    ("dst_port:>=x", "x", "holds numbers"),
    ("dst_port:(80 OR abc)", "abc", "whole numbers"),
    ("dst_port:-x", "-x", "whole numbers"),
    ("dst_port:80,443", "80,443", "whole numbers"),
    ("dst_port:9999999999999999999", "9999999999999999999", "18 digits"),
    ("dst_port:>=-5", "-5", 'in quotes here: >"-5"'),
    ("time:[2026-01-01 TO yesterday]", "yesterday", "is no time"),
    ("is_remote:[true TO false]", "[true TO false]", "has no range"),
    ("[1 TO 5]", "[1 TO 5]", "needs a field"),
    ("user:[a b]", "b", "TO between"),
    ("user:a AND (host:x OR usr.name:y)", "usr.name", "did you mean user.name"),
    ("user:(a OR host:b)", "host", "inside another field"),
    ("src_ip:10.0.0.0/33", "10.0.0.0/33", "no network"),
    ("src_ip:fe80::1", ":1", "in quotes"),
    ("user:a OR OR host:b", "OR", "none before it"),
    ("user:bob)", ")", "no parenthesis is open"),
    ("(NOT)", ")", "before this parenthesis"),
    ("host:/(a/ AND user:b", "/(a/", "no RE2 pattern: missing )"),
    ('user:"bob', '"bob', "come in pairs"),
    ('"a b"~3 AND user:b', '"a b"', "not for logs"),
    ("user:a && host:b", "&&", "in words"),
)


@pytest.mark.parametrize(("text", "underlined", "told"), WRONG)
def test_the_wrong_part_is_underlined(text: str, underlined: str, told: str) -> None:
    with pytest.raises(QueryError) as caught:
        compile_filter(text, FieldCatalogue())
    fault = fault_in(text, str(caught.value), caught.value.at)
    assert fault.wrong == underlined
    assert told in fault.message
    assert fault.before + fault.wrong + fault.after == text


@pytest.mark.parametrize("text", ["(user:bob", "user:", "user:a AND", "dst_port:[1 TO"])
def test_what_is_not_finished_is_marked_at_its_end(text: str) -> None:
    with pytest.raises(QueryError) as caught:
        compile_filter(text, FieldCatalogue())
    assert caught.value.at == len(text)
