"""A dry run tells everything and writes nothing."""

import pytest
from sqlalchemy import text

from tests.respond.rig import PLAYBOOKS, Rig
from tocsin.model.response import Target
from tocsin.respond.errors import BadRequest
from tocsin.respond.playbook import load_playbook


def test_a_simulation_walks_everything_and_writes_nothing(rig: Rig) -> None:
    playbook = load_playbook(PLAYBOOKS / "contain-address.json")
    told = rig.desk.simulate(playbook, target=Target("ipv4_net", "203.0.113.9"), lease_s=60)
    assert [(step.name, step.detail) for step in told] == [
        ("Look the address up", "203.0.113.9: no asset of ours, services: none"),
        (
            "Pass the gate",
            "would block 203.0.113.9 by the blocklist for 1 min (ask): touches no asset of ours",
        ),
        (
            "Ask for approval",
            "would ask operations: May we block 203.0.113.9 by the blocklist for 1 min? "
            "At most 0 people use what it touches.",
        ),
        (
            "Put it on the blocklist",
            "would block 203.0.113.9 by the blocklist for 1 min (ask): touches no asset of ours",
        ),
        ("Verify that it holds", "would verify the containment"),
        ("Hold, then undo", "would end the lease"),
        ("Outcome", "succeeded, if every approval is given"),
    ]
    assert rig.trail.audited == []
    with rig.state.read() as tx:
        for table in ("playbook_runs", "approvals", "leases", "blocklist_entries"):
            statement = text(f"SELECT count(*) FROM {table}")  # noqa: S608 -- names above
            assert tx.execute(statement).scalar_one() == 0


def test_a_simulation_stops_where_the_run_would(rig: Rig) -> None:
    playbook = load_playbook(PLAYBOOKS / "contain-address.json")
    told = rig.desk.simulate(playbook, target=Target("ipv4_net", "8.8.8.8"), lease_s=60)
    assert told[-2].detail.startswith("would stop: never touch public name servers")
    assert told[-1].detail.startswith("refused: Pass the gate")


def test_a_playbook_with_problems_is_not_simulated(rig: Rig) -> None:
    problems = load_playbook(PLAYBOOKS / "absent.json")
    with pytest.raises(BadRequest, match="can't be walked"):
        rig.desk.simulate(problems, target=Target("ipv4_net", "203.0.113.9"), lease_s=60)
