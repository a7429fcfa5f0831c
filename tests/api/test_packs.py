"""Rule packs over the API: sent, previewed, updated, rolled back, pinned and removed."""

import base64
import io
import tarfile
import threading
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi.testclient import TestClient

from tests.app.packs.test_pack_signature import minisign, minisign_key
from tests.detect.rule_texts import rule_text
from tests.server_process import wait_until
from tocsin.app.backtests.history_jobs import JobKind, JobState
from tocsin.app.wiring import Tocsin

PATIENCE_S = 120.0
IDS = [f"5f0b7f3e-0000-4000-8000-0000000000{number:02x}" for number in range(8)]


def rule(number: int, *, rule_id: str = "", **changes: str) -> str:
    text = rule_text(f"  s: {{Image: a{number}}}\n  condition: s", rule_id=rule_id or IDS[number])
    text = text.replace("title: A rule", f"title: Rule {number}")
    for before, after in changes.items():
        text = text.replace(before, after)
    return text


def archive(*rules: str) -> bytes:
    sent = io.BytesIO()
    with tarfile.open(fileobj=sent, mode="w:gz") as made:
        for number, text in enumerate((*rules, "ours")):
            name = f"rules/{number}.yml" if number < len(rules) else "LICENSE"
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            made.addfile(member, io.BytesIO(text.encode()))
    return sent.getvalue()


def sent(client: TestClient, content: bytes) -> str:
    answer = client.post("/api/v1/pack-uploads", content=content, params={"filename": "Ours.tgz"})
    assert answer.status_code == 201, answer.text
    assert answer.json()["name"] == "ours"
    return str(answer.json()["origin"])


def installed(client: TestClient, content: bytes, **more: Any) -> dict[str, Any]:
    origin = sent(client, content)
    answer = client.post("/api/v1/packs", json={"origin": origin, "name": "ours", **more})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def in_force(client: TestClient) -> set[str]:
    return {one["id"] for one in client.get("/api/v1/rules").json()["rules"] if one["path"]} & {
        *IDS
    }


def test_an_archive_is_sent_installed_and_removed(client: TestClient, house: Tocsin) -> None:
    told = installed(client, archive(rule(0), rule(1), "title: Bad\n"))
    assert told["rules"] == IDS[:2]
    assert len(told["refused"]) == 1
    assert in_force(client) == set(IDS[:2])
    (pack,) = client.get("/api/v1/packs").json()["packs"]
    assert (pack["name"], pack["rules"], pack["notices"]) == ("ours", 2, ["LICENSE"])
    again = client.post("/api/v1/packs", json={"origin": pack["origin"], "name": "ours"})
    assert again.status_code == 409
    assert client.delete("/api/v1/packs/ours").status_code == 200
    assert in_force(client) == set()
    assert client.delete("/api/v1/packs/ours").status_code == 404
    with house.state.read() as tx:
        actions = [one.action for one in house.audit.page(tx).items]
    assert {"packs.add", "packs.remove"} <= set(actions)


def test_an_update_is_previewed_confirmed_and_rolled_back(client: TestClient) -> None:
    installed(client, archive(rule(0), rule(1), rule(2)))
    newer = archive(rule(0, **{"level: high": "level: low"}), rule(1), rule(2), rule(3))
    origin = sent(client, newer)
    shown = client.post("/api/v1/packs/ours/preview", json={"origin": origin}).json()
    assert shown["change"]["added"] == [f"{IDS[3]} Rule 3"]
    assert shown["asks"] == ["Rule 0: its level falls from high to low"]
    assert shown["needs_confirming"]
    (changed,) = [one for one in shown["updates"] if one["rule_id"] == IDS[0]]
    assert "+level: low" in changed["diff"]
    assert in_force(client) == set(IDS[:3])
    seen = {"origin": origin, "seen": "0" * 64}
    refused = client.post("/api/v1/packs/ours/update", json=seen)
    assert refused.status_code == 409
    seen["seen"] = shown["pack"]["digest"]
    assert client.post("/api/v1/packs/ours/update", json=seen).status_code == 200
    assert in_force(client) == set(IDS[:4])
    back = client.post("/api/v1/packs/ours/rollback", json={}).json()
    assert back["installed"] is False
    assert back["change"]["removed"] == [f"{IDS[3]} Rule 3"]
    digest = back["pack"]["digest"]
    done = client.post("/api/v1/packs/ours/rollback", json={"seen": digest})
    assert done.status_code == 200, done.text
    assert in_force(client) == set(IDS[:3])
    assert client.get(f"/api/v1/rules/{IDS[0]}").json()["level"] == "high"
    assert client.post("/api/v1/packs/ours/rollback", json={}).status_code == 422


def test_a_preview_is_tried_on_stored_events_when_asked(client: TestClient, house: Tocsin) -> None:
    installed(client, archive(rule(0), rule(1)))
    newer = archive(rule(0, **{"level: high": "level: low"}), rule(1))
    asked = {"origin": sent(client, newer), "replay_days": 7}
    job = client.post("/api/v1/packs/ours/preview", json=asked).json()["replay_job"]
    assert (job["kind"], job["rule_id"]) == ("replay", "ours")
    over = threading.Event()
    house.history_jobs.submit(JobKind.FILL, "r", "me", lambda _: over.set())
    assert over.wait(PATIENCE_S)
    done = client.get(f"/api/v1/rule-jobs/{job['id']}").json()
    assert (done["state"], done["error"]) == ("done", "")
    (one,) = done["result"]["rules"]
    assert (one["id"], one["before"], one["after"]) == (IDS[0], 0, 0)
    assert client.post(f"/api/v1/rule-jobs/{job['id']}/resume").status_code == 409


def test_a_replay_that_a_stop_has_cut_off_is_resumed_with_the_rules_it_was_asked_for(
    client: TestClient, house: Tocsin, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(client, archive(rule(0), rule(1)))
    go = threading.Event()
    house.history_jobs.submit(JobKind.FILL, "r", "me", lambda _: go.wait(PATIENCE_S))
    begun = []
    submit = house.history_jobs.submit
    monkeypatch.setattr(
        house.history_jobs, "submit", lambda *asked: begun.append(submit(*asked)) or begun[-1]
    )
    asked = {"origin": sent(client, archive(rule(1))), "replay_days": 7}
    client.post("/api/v1/packs/ours/preview", json=asked).raise_for_status()
    (job,) = begun
    job.cut_off()
    go.set()
    wait_until(lambda: job.is_over, "the cut off replay to end")
    job.state = JobState.INTERRUPTED  # as the next start finds it
    assert client.post(f"/api/v1/rule-jobs/{job.id}/resume").status_code == 202
    wait_until(lambda: job.is_over, "the resumed replay to end")
    assert (job.state, job.error) == (JobState.DONE, "")
    assert [(one["id"], one["after"]) for one in job.result["rules"]] == [(IDS[0], None)]
    kept = house.settings.home / "cache" / "backtests"
    wait_until(lambda: not list(kept.glob("replay*")), "what was asked to be forgotten")


def test_decisions_follow_a_rule_to_its_new_id(client: TestClient) -> None:
    installed(client, archive(rule(0), rule(1)))
    body = {"level": "critical", "reason": "ours"}
    client.post(f"/api/v1/rules/{IDS[0]}/level", json=body)
    renamed = rule(0, rule_id=IDS[7], **{"title: Rule 0": "title: Quite another"})
    renamed += f"related:\n  - {{id: {IDS[0]}, type: renamed}}\n"
    origin = sent(client, archive(renamed, rule(1)))
    shown = client.post("/api/v1/packs/ours/preview", json={"origin": origin}).json()
    assert shown["followed"] == [{"before": IDS[0], "after": IDS[7]}]
    assert [one["because"] for one in shown["change"]["renumbered"]] == ["related"]
    body = {"origin": origin, "seen": shown["pack"]["digest"]}
    assert client.post("/api/v1/packs/ours/update", json=body).status_code == 200
    assert client.get(f"/api/v1/rules/{IDS[7]}").json()["level"] == "critical"
    history = client.get(f"/api/v1/rules/{IDS[7]}/history").json()["history"]
    assert IDS[0] in history[0]["what"]


def test_an_update_that_deletes_all_or_is_pinned_is_refused(client: TestClient) -> None:
    installed(client, archive(*(rule(number) for number in range(5))))
    origin = sent(client, archive(rule(0)))
    shown = client.post("/api/v1/packs/ours/preview", json={"origin": origin}).json()
    body = {"origin": origin, "seen": shown["pack"]["digest"]}
    refused = client.post("/api/v1/packs/ours/update", json=body)
    assert refused.status_code == 409
    assert "4 of 5" in refused.json()["detail"]
    client.post("/api/v1/packs/ours/pin", json={"pinned": True})
    assert client.post("/api/v1/packs/ours/update", json=body).status_code == 409
    assert client.post("/api/v1/packs/ours/update", json={**body, "force": True}).status_code == 200
    assert in_force(client) == {IDS[0]}


def test_a_signed_pack_is_updated_by_its_signer_only(client: TestClient) -> None:
    private, other = (Ed25519PrivateKey.from_private_bytes(one * 32) for one in (b"a", b"b"))
    first, second = archive(rule(0)), archive(rule(0), rule(1))
    signature = base64.b64encode(minisign(first, private)).decode()
    told = installed(client, first, key=minisign_key(private), signature=signature)
    assert told["pack"]["signed_by"] == "0706050403020100"
    origin = sent(client, second)
    unsigned = client.post("/api/v1/packs/ours/preview", json={"origin": origin})
    assert unsigned.status_code == 422
    assert "must be signed with the key 0706050403020100" in unsigned.json()["detail"]
    forged = base64.b64encode(minisign(second, other)).decode()
    body = {"origin": origin, "signature": forged}
    assert client.post("/api/v1/packs/ours/preview", json=body).status_code == 422
    body["signature"] = base64.b64encode(minisign(second, private)).decode()
    assert client.post("/api/v1/packs/ours/preview", json=body).status_code == 200


@pytest.mark.parametrize("origin", ["/etc", "http://127.0.0.1/x", "upload:../../state.sqlite", ""])
def test_paths_of_the_machine_can_not_be_read(client: TestClient, origin: str) -> None:
    answer = client.post("/api/v1/packs", json={"origin": origin, "name": "x"})
    assert answer.status_code == 422, answer.text
    assert client.post("/api/v1/pack-uploads", content=b"").status_code == 422
