"""Entities are found in OCSF columns, named plainly and ordered as the rule wishes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.model.entity import Entity, EntityKind
from tocsin.model.lane import LogSource
from tocsin.model.rule import Rule
from tocsin.model.severity import Level
from tocsin.triage.entities import ENTITY_COLUMNS, account_entity, entities_of


def rule(*kinds: str) -> Rule:
    return Rule("r", "R", Level.HIGH, LogSource(), entity_kinds=kinds)


def keys(ocsf: dict[str, object], *kinds: str) -> list[str]:
    return [entity.key for entity in entities_of(rule(*kinds), ocsf)]


PROCESS: dict[str, object] = {
    "class_uid": 1007,
    "device.hostname": "WS01.corp.example",
    "actor.user.name": "CORP\\Alice",
    "src_endpoint.ip": "10.0.0.7",
    "dst_endpoint.ip": "203.0.113.9",
}


def test_the_default_order_begins_with_the_host() -> None:
    assert keys(PROCESS) == ["host:ws01", "user:alice", "address:10.0.0.7", "address:203.0.113.9"]


def test_the_rule_says_what_to_fold_on() -> None:
    assert keys(PROCESS, "address", "user")[:3] == [
        "address:10.0.0.7",
        "address:203.0.113.9",
        "user:alice",
    ]


def test_a_wish_for_users_also_takes_service_accounts() -> None:
    event: dict[str, object] = {"device.hostname": "db1", "actor.user.name": "svc-backup"}
    assert keys(event, "user") == ["service_account:svc-backup", "host:db1"]


def test_an_unknown_kind_in_a_rule_is_passed_over() -> None:
    assert keys(PROCESS, "planet", "user")[0] == "user:alice"


def test_at_a_sign_in_the_target_account_comes_before_the_actor() -> None:
    event: dict[str, object] = {"user.name": "bob", "actor.user.name": "alice"}
    assert keys({**event, "class_uid": 3002}) == ["user:bob", "user:alice"]
    assert keys({**event, "class_uid": 3001}) == ["user:alice", "user:bob"]


@pytest.mark.parametrize("name", ["CORP\\Alice", "alice@corp.example", "ALICE", " alice "])
def test_names_lose_their_domain_and_case(name: str) -> None:
    assert account_entity(name) == (Entity(EntityKind.USER, "alice"),)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("WS01$", "host:ws01"),
        ("CORP\\WS01$", "host:ws01"),
        ("svc_sql", "service_account:svc_sql"),
        ("deploy-svc", "service_account:deploy-svc"),
        ("dependabot[bot]", "service_account:dependabot[bot]"),
        ("system:serviceaccount:prod:web", "service_account:prod:web"),
        ("system:node:Worker1", "host:worker1"),
        ("system:kube-scheduler", "service_account:system:kube-scheduler"),
        ("arn:aws:iam::123456789012:user/dana", "user:dana"),
        ("arn:aws:sts::123456789012:assumed-role/Admin/dana", "user:dana"),
        ("arn:aws:iam::123456789012:root", "user:root"),
        ("sally", "user:sally"),
    ],
)
def test_kinds_of_accounts(name: str, expected: str) -> None:
    assert [entity.key for entity in account_entity(name)] == [expected]


def test_the_event_may_say_that_an_account_is_a_service() -> None:
    assert keys({"user.name": "batch", "user.type_id": 4}) == ["service_account:batch"]


@pytest.mark.parametrize(
    "name",
    ["NT AUTHORITY\\SYSTEM", "-", "", "DWM-1", "Font Driver Host\\UMFD-0", "ANONYMOUS LOGON"],
)
def test_accounts_every_machine_has_are_no_one(name: str) -> None:
    assert account_entity(name) == ()


def test_root_never_comes_before_its_host() -> None:
    event: dict[str, object] = {"device.hostname": "web1", "user.name": "root"}
    assert keys(event, "user") == ["host:web1", "user:root"]
    assert keys({"user.name": "root"}, "user") == ["user:root"]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::", "224.0.0.1", "x", "-"])
def test_addresses_that_name_no_machine_are_left_out(address: str) -> None:
    assert keys({"src_endpoint.ip": address}) == []


def test_addresses_are_written_in_one_way() -> None:
    event: dict[str, object] = {
        "src_endpoint.ip": "::ffff:192.0.2.1",
        "dst_endpoint.ip": "2001:DB8::1",
    }
    assert keys(event) == ["address:192.0.2.1", "address:2001:db8::1"]


def test_a_host_named_by_its_address_is_an_address() -> None:
    assert keys({"device.hostname": "192.0.2.4"}) == ["address:192.0.2.4"]


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("FILE1", ["host:ws01", "host:file1"]),
        ("file1.corp.example", ["host:ws01", "host:file1"]),
        ("www.bank.example", ["host:ws01"]),
        ("192.0.2.9", ["host:ws01", "address:192.0.2.9"]),
    ],
)
def test_the_other_end_is_a_host_when_it_is_in_our_domain(peer: str, expected: list[str]) -> None:
    event: dict[str, object] = {
        "device.hostname": "ws01.corp.example",
        "dst_endpoint.hostname": peer,
    }
    assert keys(event) == expected


def test_a_node_that_is_acted_on_is_a_host() -> None:
    event: dict[str, object] = {"resources.type": "nodes", "resources.name": "Worker1"}
    assert keys(event) == ["host:worker1"]


def test_cloud_accounts_and_clusters() -> None:
    event: dict[str, object] = {
        "cloud.account.uid": "123456789012",
        "resources.type": "cluster",
        "resources.name": "Prod",
    }
    assert keys(event) == ["cluster:prod", "cloud_account:123456789012"]


def test_an_event_that_names_no_one_has_no_entities() -> None:
    assert keys({"class_uid": 0, "message": "hello"}) == []


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(
            ["device.hostname", "user.name", "actor.user.name", "src_endpoint.ip", "class_uid"]
        ),
        st.one_of(
            st.text(max_size=400),
            st.integers(),
            st.none(),
            st.lists(st.text(max_size=5), max_size=3),
            st.text(st.characters(categories=["Cs", "Cc", "Cf"]), max_size=5),
        ),
    )
)
def test_any_columns_give_storable_names(ocsf: dict[str, object]) -> None:
    for entity in entities_of(rule("user"), ocsf):
        assert 0 < len(entity.name) <= 200
        assert entity.name.encode()
        assert "\0" not in entity.name
        assert Entity.from_key(entity.key) == entity


class Watched(dict[str, object]):
    """Keeps the names it was asked for."""

    def __init__(self, columns: dict[str, object]) -> None:
        super().__init__(columns)
        self.asked: set[str] = set()

    def get(self, name: str, default: object = None) -> object:
        self.asked.add(name)
        return super().get(name, default)


def test_the_columns_it_is_told_to_look_at_are_those_it_looks_at() -> None:
    asked: set[str] = set()
    sign_in = {**PROCESS, "class_uid": 3002, "user.name": "bob"}
    node = {**PROCESS, "resources.type": "nodes", "resources.name": "n1"}
    for columns in (PROCESS, sign_in, node, {}):
        watched = Watched(columns)
        entities_of(rule(), watched)
        asked |= watched.asked
    assert asked == ENTITY_COLUMNS
