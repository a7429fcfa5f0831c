"""A filter is said in Sigma on native fields, and what can't be said is named."""

import pytest
import yaml

from tocsin.app.drafting.detection_writing import ALWAYS, detection_of
from tocsin.app.drafting.lucene_to_sigma import SaidInSigma
from tocsin.app.drafting.native_places import NativePlace, NotNative

PLACES = {
    "user": NativePlace("User"),
    "process": NativePlace("Image", separator="\\"),
    "cmd": NativePlace("CommandLine"),
    "src_ip": NativePlace("SourceIp"),
    "port": NativePlace("DestinationPort"),
    "status_id": NativePlace("outcome", values={"2": ("FAILURE", "DENY"), "1": ("SUCCESS",)}),
    "class_uid": NativePlace(constant="1007"),
}


def places_of(name: str) -> list[NativePlace]:
    if name not in PLACES:
        raise NotNative("nowhere")
    return [PLACES[name]]


def said(text: str) -> SaidInSigma:
    return SaidInSigma(text, places_of, lambda _: True)


@pytest.mark.parametrize(
    ("query", "detection"),
    [
        ("user:bob", "{selection: {User: bob}, condition: selection}"),
        ("port:22", "{selection: {DestinationPort: 22}, condition: selection}"),
        (
            "user:bob AND cmd:*-enc*",
            "{selection: {User: bob, CommandLine|contains: -enc}, condition: selection}",
        ),
        ("cmd:net*", "{selection: {CommandLine|startswith: net}, condition: selection}"),
        ("cmd:*.ps1", "{selection: {CommandLine|endswith: .ps1}, condition: selection}"),
        ("cmd:a*b?c", "{selection: {CommandLine: 'a*b?c'}, condition: selection}"),
        (r'cmd:"100\\*"', r"{selection: {CommandLine: '100\\\*'}, condition: selection}"),
        ("user:(bob OR eve)", "{selection: {User: [bob, eve]}, condition: selection}"),
        (
            "user:bob OR port:22",
            "{selection: [{User: bob}, {DestinationPort: 22}], condition: selection}",
        ),
        (
            "user:bob AND NOT src_ip:10.0.0.0\\/8",
            "{selection: {User: bob}, filter: {SourceIp|cidr: 10.0.0.0/8},"
            " condition: selection and not filter}",
        ),
        ("cmd:/a+b/", "{selection: {CommandLine|re|i: a+b}, condition: selection}"),
        (
            "port:[1 TO 1024}",
            "{selection: {DestinationPort|gte: 1, DestinationPort|lt: 1024}, condition: selection}",
        ),
        ("port:>1024", "{selection: {DestinationPort|gt: 1024}, condition: selection}"),
        ("_exists_:user", "{selection: {User|exists: true}, condition: selection}"),
        ("user:*", "{selection: {User|exists: true}, condition: selection}"),
        ("mimikatz", "{keywords: [mimikatz], condition: keywords}"),
        ("status_id:2", "{selection: {outcome: [FAILURE, DENY]}, condition: selection}"),
        (
            "process:cmd.exe",
            r"{selection: {Image|endswith: '\cmd.exe'}, condition: selection}",
        ),
        (
            "(user:bob OR cmd:*x*) AND (port:22 OR cmd:*y*)",
            "{selection: [{User: bob}, {CommandLine|contains: x}],"
            " selection_2: [{DestinationPort: 22}, {CommandLine|contains: y}],"
            " condition: selection and selection_2}",
        ),
        (
            "NOT (user:bob AND cmd:*a* AND cmd:*b*)",
            "{filter: {User: bob, CommandLine|contains: a}, filter_2: {CommandLine|contains: b},"
            " condition: not (filter and filter_2)}",
        ),
        ("class_uid:1007 AND user:bob", "{selection: {User: bob}, condition: selection}"),
    ],
)
def test_a_filter_becomes_a_detection(query: str, detection: str) -> None:
    found = said(query)
    assert found.unsaid == []
    assert found.node is not None
    assert detection_of(found.node) == yaml.safe_load(detection)


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("user:bob AND source:okta", "source:okta: nowhere"),
        ("user:bob AND status_id:9", "status_id:9: no value of outcome stands for it"),
        ("user:bob AND class_uid:4001", "class_uid:4001: every event of the log source has '1007'"),
        ("user:bob AND user:[a TO b]", "Sigma compares whole numbers only"),
        ("user:bob AND process:/x/", "the pattern may begin anywhere"),
        ("user:bob AND NOT class_uid:1007", "every event of the log source has that"),
    ],
)
def test_what_can_t_be_said_is_named_and_left_out(query: str, named: str) -> None:
    found = said(query)
    assert len(found.unsaid) == 1
    assert named in found.unsaid[0]
    assert found.node is not None
    assert detection_of(found.node) == {"selection": {"User": "bob"}, "condition": "selection"}


def test_what_always_holds_asks_for_nothing() -> None:
    assert said("").node is None
    assert said("class_uid:1007").node is ALWAYS
    assert said("class_uid:1007 OR user:bob").node is ALWAYS


def test_what_is_behind_a_separator_may_be_all_there_is() -> None:
    found = SaidInSigma("process:cmd.exe", places_of, lambda _: False)
    assert found.node is not None
    assert detection_of(found.node)["selection"] == [
        {"Image|endswith": "\\cmd.exe"},
        {"Image": "cmd.exe"},
    ]


def test_of_several_places_the_one_the_events_have_is_taken() -> None:
    def both(_: str) -> list[NativePlace]:
        return [NativePlace("TargetUserName"), NativePlace("SubjectUserName")]

    found = SaidInSigma("user:bob", both, lambda node: "Subject" in str(node))
    assert found.node is not None
    assert detection_of(found.node)["selection"] == {"SubjectUserName": "bob"}
