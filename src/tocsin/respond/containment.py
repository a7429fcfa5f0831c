"""Carries out the commands of a playbook for one run: locate, plan, ask, deny, verify, end."""

import base64
import json
from functools import partial
from typing import Any

from tocsin.respond.asking import Asking, LogEntry, RunFacts
from tocsin.respond.blast_radius import blast_radius
from tocsin.respond.cacao import ActionStep, Command
from tocsin.respond.command import (
    APPROVAL_EXTENSION,
    OpenC2,
    filled,
    parse_openc2,
    read_approval,
    whole,
)
from tocsin.respond.errors import Refused, RespondError
from tocsin.respond.gate import Decision
from tocsin.respond.leasing import Leasing
from tocsin.respond.parts import Books, ResponseParts
from tocsin.respond.planner import Planner, Wish
from tocsin.respond.target import network_of, network_target
from tocsin.respond.walker import Scope
from tocsin.store.durable import JsonObject, StepFailed, Walk


class Containment:
    """The performer of one durable run; its step counter makes the keys of the run's log."""

    def __init__(
        self,
        parts: ResponseParts,
        books: Books,
        planner: Planner,
        asking: Asking,
        leasing: Leasing,
        facts: RunFacts,
    ) -> None:
        self._parts = parts
        self._books = books
        self._planner = planner
        self._asking = asking
        self._leasing = leasing
        self._facts = facts
        self._count = 0

    async def perform(
        self, walk: Walk, step_id: str, step: ActionStep, agent: str, scope: Scope
    ) -> dict[str, str]:
        answers: dict[str, str] = {}
        for command in step.commands:
            self._count += 1
            entry = LogEntry(f"{walk.run_id}#{self._count}", step_id, step.name or step_id)
            try:
                answers |= await self._carry_out(walk, entry, step, command, agent, scope)
            except (StepFailed, RespondError) as error:
                await walk.step("note", partial(self._note_failure, entry, error))
                raise
        return answers

    async def _carry_out(
        self,
        walk: Walk,
        entry: LogEntry,
        step: ActionStep,
        command: Command,
        agent: str,
        scope: Scope,
    ) -> dict[str, str]:
        if command.type == "manual":
            return await self._ask(walk, entry, step, command, scope)
        openc2 = read_filled(command, scope)
        timeout_s = None if step.timeout is None else step.timeout / 1000
        if openc2.action == "locate":
            target = openc2.target_text
            return await walk.step("locate", partial(self._locate, entry, target), timeout_s)
        if openc2.action == "query":
            lease_id = openc2.target_text
            call = partial(self._verify, entry, lease_id)
            return await walk.step("verify", call, timeout_s)
        if openc2.action == "delete":
            end_now = openc2.args.start_time is None
            return await self._leasing.hold(walk, self._facts, entry, openc2.target_text, end_now)
        wish = wish_of(openc2, agent)
        if openc2.args.own.plan_only:
            scope.plan = wish.as_json()
            return await walk.step("plan", partial(self._plan, entry, wish), timeout_s)
        granted = await self._leasing.contain(walk, self._facts, entry, wish)
        return {name: str(granted[name]) for name in ("lease", "expires_at", "expires_ms")}

    async def _ask(
        self, walk: Walk, entry: LogEntry, step: ActionStep, command: Command, scope: Scope
    ) -> dict[str, str]:
        if scope.plan is None:
            raise RespondError("asks for approval before a plan_only step has made the plan")
        approval = read_approval(step.step_extensions[APPROVAL_EXTENSION])
        deadline_s = approval.deadline_s
        if deadline_s is None and step.timeout is not None:
            deadline_s = max(step.timeout // 1000, 1)
        question = filled(command.command or "", scope.variables)
        wish = Wish.from_json(scope.plan)
        return await self._asking.ask(walk, self._facts, entry, wish, question, deadline_s)

    def _locate(self, entry: LogEntry, text: str, _: str) -> JsonObject:
        self._begin(entry)
        answers = locate(self._parts, text)
        detail = (
            f"{text} is {answers['asset']}, carrying {answers['services'] or 'no service'}"
            if answers["asset"]
            else f"{text} is no asset of ours"
        )
        self._end(entry, detail)
        return answers

    def _plan(self, entry: LogEntry, wish: Wish, _: str) -> JsonObject:
        self._begin(entry)
        ruling = self._planner.rule(wish)
        if ruling.decision is Decision.REFUSE:
            raise Refused("; ".join(ruling.reasons))
        whom = f", ask {ruling.asked_of}" if ruling.asked_of else ""
        self._end(entry, f"{ruling.plan.impact.summary}: {ruling.decision.value}{whom}")
        return {
            "decision": ruling.decision.value,
            "asked_of": ruling.asked_of,
            "digest": ruling.plan.digest,
            "summary": ruling.plan.impact.summary,
        }

    def _verify(self, entry: LogEntry, lease_id: str, _: str) -> JsonObject:
        return self._leasing.verify(self._facts, entry, lease_id)

    def _note_failure(
        self, entry: LogEntry, error: StepFailed | RespondError, _: str
    ) -> JsonObject:
        reason = error.reason if isinstance(error, StepFailed) else str(error)
        kind = error.kind if isinstance(error, StepFailed) else type(error).__name__
        status = "refused" if kind == Refused.__name__ else "failed"
        now = self._parts.clock()
        run_id = self._facts.run_id
        with self._parts.state.begin() as tx:
            self._books.runs.begin_step(tx, run_id, entry.key, entry.step_id, entry.name, now)
            self._books.runs.end_step(tx, run_id, entry.key, status, reason, now)
        return {}

    def _begin(self, entry: LogEntry) -> None:
        with self._parts.state.begin() as tx:
            self._books.runs.begin_step(
                tx,
                self._facts.run_id,
                entry.key,
                entry.step_id,
                entry.name,
                self._parts.clock(),
            )

    def _end(self, entry: LogEntry, detail: str) -> None:
        with self._parts.state.begin() as tx:
            self._books.runs.end_step(
                tx, self._facts.run_id, entry.key, "done", detail, self._parts.clock()
            )


def read_filled(command: Command, scope: Scope) -> OpenC2:
    """The command with its variables put in, value by value, and checked again."""
    content: Any = json.loads(base64.b64decode(command.content_b64 or ""))
    return parse_openc2(filled(content, scope.variables))


def wish_of(openc2: OpenC2, agent: str) -> Wish:
    """What a deny command wishes: OpenC2 durations are milliseconds, leases whole seconds."""
    duration_ms = whole(openc2.args.duration, "args.duration")
    return Wish(agent, network_target(openc2.target_text), duration_ms // 1000)


def locate(parts: ResponseParts, text: str) -> dict[str, str]:
    """Whose address that is, and what it carries; empty texts when it is not ours."""
    radius = blast_radius(network_of(network_target(text)), parts.assets)
    return {
        "asset": ", ".join(asset.name for asset in radius.assets),
        "services": ", ".join(service.name for service in radius.services),
        "owner": ", ".join(dict.fromkeys(asset.owner for asset in radius.assets)),
        "users": str(radius.users),
    }
