"""``tocsin sources pulls``: how it goes with what is fetched, and what webhooks refused."""

from datetime import UTC, datetime
from typing import Any

from tocsin.app.plain import as_json as plain
from tocsin.app.senders.source_ledgers import source_ledgers
from tocsin.cli.data_folder import open_house, server_of
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption
from tocsin.cli.output import print_json, print_table
from tocsin.cli.remote import Remote

_COLUMNS = ("name", "state", "since", "lag", "position", "last", "refused", "error")


def list_pulls(
    home: HomeOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Buckets, topics, streams and APIs that are fetched, and webhooks, each with how it goes.

    State is connected, failing (the error says why; it is tried again) or full (we have no room);
    lag is what waits over there; position is what was taken last.
    """
    intakes = [one["intake"] for one in _ledgers(home, config) if one.get("intake")]
    if as_json:
        print_json(intakes)
        return
    print_table("", _COLUMNS, (_row(one) for one in intakes))


def _ledgers(home: Any, config: Any) -> list[dict[str, Any]]:
    facts = server_of(home, config)
    if facts:
        listed: list[dict[str, Any]] = Remote(facts).get("/api/v1/sources")["sources"]
        return listed
    house = open_house(home, config)
    try:
        told = source_ledgers(
            *(house.state, house.sources, house.spool, datetime.now(UTC), house.intakes())
        )
        return [plain(ledger) for ledger in told.ledgers]
    finally:
        house.close()


def _row(one: dict[str, Any]) -> tuple[object, ...]:
    lag = "" if one["lag"] is None else f"{one['lag']} {one['unit']}"
    refused = ", ".join(f"{count} {reason}" for reason, count in one["refused"].items())
    return (
        *(one["name"], one["state"], one["since"] or "", lag, one["position"]),
        *(one["last_at"] or "", refused, one["error"]),
    )
