"""Add a source: what to write into a sender's settings, with this server's address and a token."""

import ipaddress
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tocsin.app.access.access_errors import AccessError
from tocsin.console.panes import attempt
from tocsin.console.sender_texts import Doors, fill, read_senders, senders_file
from tocsin.console.visit import Forbidden, Needs, Refused, Visit, redirect, with_query
from tocsin.model.principal import Permission, Role

router = APIRouter(prefix="/sources/add")
Engineer = Annotated[Visit, Depends(Needs(Permission.SOURCES_WRITE))]
LIVES = {90: "90 days", 365: "1 year", 1825: "5 years"}


@router.get("")
def setup(visit: Engineer, sender: str = "") -> Response:
    return _page(visit, sender)


@router.get("/token")
def token_again(visit: Engineer) -> Response:
    """A token is shown once: coming back to its address leads to the page without it."""
    return redirect(visit.request, "/sources/add")


@router.post("/token")
def make_token(visit: Engineer) -> Response:
    """A token that may send and do nothing else, shown in this one answer."""
    if not visit.may(Permission.EVENTS_INGEST.value):
        raise Forbidden("this takes the permission events:ingest, which none of your roles has")
    name = visit.required("name", "a name for the token, such as the sender's")
    days = visit.text("days")
    if days not in map(str, LIVES):
        raise Refused("Please choose how long the token is to live.")
    try:
        secret = visit.tocsin.access.create_token(
            name,
            (Role.ENGINEER,),
            permissions=(Permission.EVENTS_INGEST,),
            lifetime_s=int(days) * 86_400,
            by=visit.principal.name,
            now=visit.now,
        )
    except AccessError as error:
        raise Refused(str(error)) from error
    return _page(visit, visit.text("sender"), secret, name)


def _page(visit: Visit, sender: str, token: str = "", token_name: str = "") -> Response:
    texts = attempt("The settings of senders", lambda: read_senders(senders_file()))
    doors = _doors(visit)
    offered = texts.value or []
    chosen = next((one for one in offered if one.slug == sender), offered[0] if offered else None)
    return visit.page(
        "source_setup.html",
        texts=texts,
        chosen=chosen,
        doors=doors,
        token=token,
        token_name=token_name,
        lives=LIVES,
        fill=lambda text: fill(text, doors, token),
        address_of_sender=lambda slug: with_query("/sources/add", {"sender": slug}),
        is_local_only=_is_loopback(visit.tocsin.settings.http.host),
        is_syslog_local_only=_is_loopback(visit.tocsin.settings.syslog.host),
    )


def _doors(visit: Visit) -> Doors:
    """The address this person has reached the server by, and the ports that are bound."""
    bound = visit.tocsin.home.facts
    more = bound.get("syslog_listeners", {})
    return Doors(
        str(visit.request.base_url).rstrip("/"),
        bound.get("syslog_tcp", 0),
        bound.get("syslog_udp", 0),
        bound.get("otlp_grpc", 0),
        tuple((name, ports["udp"], ports["tcp"]) for name, ports in more.items()),
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
