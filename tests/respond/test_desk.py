"""A containment from the request to the undo, on the real stores and engine."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.respond.rig import OPERATOR, RESPONDER, Rig, person, quick_policy, utc_now
from tocsin.model.asset import Asset, BusinessService
from tocsin.model.principal import Permission, Role
from tocsin.model.response import ApprovalStatus, LeaseStatus, RunStatus, Target
from tocsin.respond.errors import BadRequest, NotAllowed, NotFound, NotNow

ADDRESS = "203.0.113.66"


def test_an_address_is_contained_after_approval_and_free_after_the_lease(rig: Rig) -> None:
    run = rig.request(ADDRESS, lease_s=2)
    approval = rig.asked(run)
    assert rig.now_of(run).status is RunStatus.WAITING
    assert rig.blocked() == []
    assert approval.asked_of == "operations"
    rig.approve(run)
    lease = rig.lease(run, LeaseStatus.ACTIVE, verified=True)
    assert rig.blocked() == [ADDRESS]
    assert lease.approved_by == OPERATOR.name
    ended = rig.ended(run)
    assert (ended.status, ended.error) == (RunStatus.SUCCEEDED, "")
    assert [step.name for step in ended.steps] == [
        "Look the address up",
        "Pass the gate",
        "Ask for approval",
        "Put it on the blocklist",
        "Verify that it holds",
        "Hold, then undo",
    ]
    assert {step.status for step in ended.steps} == {"done"}
    undone = rig.lease(run, LeaseStatus.UNDONE)
    assert (undone.undone_by, undone.error) == ("expiry", "")
    assert undone.undone_at is not None
    assert undone.undone_at >= undone.expires_at
    assert rig.blocked() == []


def test_a_person_ends_a_lease_early(rig: Rig) -> None:
    run = rig.request(ADDRESS, lease_s=3600)
    rig.approve(run)
    lease = rig.lease(run, LeaseStatus.ACTIVE, verified=True)
    rig.desk.undo(lease.id, by=RESPONDER, reason="it is our own scanner", now=utc_now())
    assert rig.ended(run).status is RunStatus.SUCCEEDED
    undone = rig.lease(run, LeaseStatus.UNDONE)
    assert undone.undone_by == RESPONDER.name
    assert rig.blocked() == []
    with pytest.raises(NotNow, match="undone already"):
        rig.desk.undo(lease.id, by=RESPONDER, reason="again", now=utc_now())


def test_a_denied_containment_is_refused_and_leaves_no_lease(rig: Rig) -> None:
    run = rig.request(ADDRESS)
    approval = rig.asked(run)
    rig.desk.decide(approval.id, approve=False, by=OPERATOR, reason="a customer", now=utc_now())
    ended = rig.ended(run)
    assert ended.status is RunStatus.REFUSED
    assert "said no: a customer" in ended.error
    assert rig.leases_of(run) == ()
    assert ended.steps[-1].status == "refused"


def test_silence_is_no(tmp_path: Path) -> None:
    rig = Rig(tmp_path, quick_policy(approval_deadline_s=1))
    try:
        run = rig.request(ADDRESS)
        ended = rig.ended(run)
        assert ended.status is RunStatus.FAILED
        assert "did not answer in time" in ended.error
        with rig.state.read() as tx:
            approval = rig.desk.approvals(tx, run_id=run.id).items[0]
        assert approval.status is ApprovalStatus.EXPIRED
        with pytest.raises(NotNow, match="expired already"):
            rig.desk.decide(approval.id, approve=True, by=OPERATOR, reason="late", now=utc_now())
    finally:
        rig.close()


def test_the_gate_refuses_what_is_never_touched(rig: Rig) -> None:
    ended = rig.ended(rig.request("127.0.0.1"))
    assert ended.status is RunStatus.REFUSED
    assert "never touch this host and the loopback" in ended.error
    assert [step.status for step in ended.steps] == ["done", "refused"]


def test_the_service_approver_is_asked_and_the_impact_is_told(rig: Rig) -> None:
    rig.directory.services["Payroll"] = BusinessService("Payroll", "bela", "bela.marchetti", 60, 1)
    rig.directory.assets["nh-fs01"] = Asset(
        "nh-fs01", "file_server", "henrik", 1, ("198.51.100.30",), ("Payroll",)
    )
    run = rig.request("198.51.100.30")
    approval = rig.asked(run)
    assert approval.asked_of == "bela.marchetti"
    assert approval.plan.impact.services == ("Payroll",)
    assert approval.plan.impact.users == 60
    assert "At most 60 people use what it touches" in approval.question
    other = person("amara.quill", Role.ANALYST, may=[Permission.RESPONSE_APPROVE])
    with pytest.raises(NotAllowed, match=r"bela\.marchetti is asked"):
        rig.desk.decide(approval.id, approve=True, by=other, reason="ok", now=utc_now())
    owner = person("bela.marchetti", Role.ANALYST, may=[Permission.RESPONSE_APPROVE])
    rig.approve(run, by=owner)
    assert rig.lease(run, LeaseStatus.ACTIVE).approved_by == "bela.marchetti"


def test_a_changed_blast_radius_voids_the_approval_and_asks_again(rig: Rig) -> None:
    run = rig.request("198.51.100.30")
    first = rig.asked(run)
    rig.directory.services["Mail"] = BusinessService("Mail", "henrik", "henrik.ostrow", 60, 1)
    rig.directory.assets["nh-mail01"] = Asset(
        "nh-mail01", "mail_server", "henrik", 1, ("198.51.100.30",), ("Mail",)
    )
    rig.approve(run)
    second = rig.asked(run, number=2)
    assert second.asked_of == "henrik.ostrow"
    assert second.plan.digest != first.plan.digest
    with rig.state.read() as tx:
        void = rig.desk.approval(tx, first.id)
    assert void is not None
    assert void.status is ApprovalStatus.SUPERSEDED
    assert rig.blocked() == []
    rig.approve(run, number=2)
    rig.lease(run, LeaseStatus.ACTIVE)
    assert rig.blocked() == ["198.51.100.30"]


def test_the_requester_cannot_approve_even_with_every_right(rig: Rig) -> None:
    everything = person("gideon.aske", *Role, may=list(Permission))
    run = rig.request(ADDRESS, by=everything)
    approval = rig.asked(run)
    with pytest.raises(NotAllowed, match="somebody else must"):
        rig.desk.decide(approval.id, approve=True, by=everything, reason="me", now=utc_now())
    rig.approve(run)
    with pytest.raises(NotNow, match="approved already"):
        rig.desk.decide(approval.id, approve=False, by=OPERATOR, reason="oops", now=utc_now())


def test_each_call_needs_its_permission(rig: Rig) -> None:
    nobody = person("eve", Role.ANALYST)
    with pytest.raises(NotAllowed, match="response:request"):
        rig.request(ADDRESS, by=nobody)
    with pytest.raises(NotAllowed, match="response:approve"):
        rig.desk.decide("approval-1", approve=True, by=nobody, reason="", now=utc_now())
    with pytest.raises(NotAllowed, match="response:undo"):
        rig.desk.undo("lease-1", by=nobody, reason="", now=utc_now())


def test_a_request_that_can_not_be_carried_out_is_refused_at_once(rig: Rig) -> None:
    with pytest.raises(BadRequest, match="is not an address"):
        rig.request("evil.example")
    with pytest.raises(BadRequest, match="host bits"):
        rig.request("203.0.113.66/24")
    with pytest.raises(BadRequest, match="a lease of 0 s"):
        rig.request(ADDRESS, lease_s=0)
    with pytest.raises(NotFound, match="no playbook"):
        rig.desk.request(
            playbook_id="playbook--none",
            case_id="case-1",
            target=Target("ipv4_net", ADDRESS),
            lease_s=60,
            by=RESPONDER,
            now=utc_now(),
        )


def test_every_write_is_audited_before_and_after_and_told_to_the_case(rig: Rig) -> None:
    run = rig.request(ADDRESS, lease_s=1)
    rig.approve(run)
    rig.ended(run)
    rig.lease(run, LeaseStatus.UNDONE)
    trail = [(action, outcome) for action, outcome, _ in rig.trail.audited]
    assert trail == [
        ("response.request", "started"),
        ("response.approval.ask", "asked"),
        ("response.approval.decide", "approved"),
        ("response.contain", "started"),
        ("response.contain", "done"),
        ("response.undo", "started"),
        ("response.undo", "done"),
        ("response.run", "succeeded"),
    ]
    assert {case_id for case_id, _ in rig.trail.told} == {"case-1"}
    assert any("is free again (expiry)" in text for _, text in rig.trail.told)


def test_decisions_are_signed_and_a_changed_record_is_not_genuine(rig: Rig) -> None:
    run = rig.request(ADDRESS)
    approval = rig.approve(run)
    lease = rig.lease(run, LeaseStatus.ACTIVE, verified=True)
    with rig.state.read() as tx:
        (decided,) = rig.desk.decisions(tx, approval.id)
        (made,) = rig.desk.decisions(tx, lease.id)
    assert decided.record["decided_by"] == OPERATOR.name
    assert decided.record["plan"]["digest"] == made.record["plan_digest"]
    for record in (decided, made):
        assert rig.desk.is_genuine(record)
        forged = replace(record, record={**record.record, "case": "case-2"})
        assert not rig.desk.is_genuine(forged)
    assert not rig.desk.is_genuine(replace(decided, signature=made.signature))


def test_pages_continue_where_they_stopped(rig: Rig) -> None:
    runs = [rig.request(f"203.0.113.{number}") for number in range(1, 6)]
    for run in runs:
        rig.asked(run)
    seen: list[str] = []
    cursor: str | None = None
    while True:
        with rig.state.read() as tx:
            page = rig.desk.approvals(tx, status=ApprovalStatus.PENDING, cursor=cursor, size=2)
        assert page.total == 5
        seen.extend(approval.run_id for approval in page.items)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(seen) == sorted(run.id for run in runs)
    with rig.state.read() as tx, pytest.raises(BadRequest, match="cursor"):
        rig.desk.runs(tx, cursor="'; drop table")


def test_a_playbook_whose_action_is_switched_off_is_not_offered_and_says_why(rig: Rig) -> None:
    assert [playbook.name for playbook in rig.desk.playbooks()] == ["Contain an address"]
    (problem,) = rig.desk.playbook_problems()
    assert problem.path.endswith("contain-address-on-this-machine.json")
    assert "needs the action 'nftables'" in problem.reason
