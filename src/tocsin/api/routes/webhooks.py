"""Webhooks come in: POST /in/<name>, signed by who knows the secret."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from tocsin.api.body import read_body
from tocsin.api.guard import House
from tocsin.api.problem import Problem
from tocsin.ingest.pull.pull import PullError
from tocsin.ingest.pull.webhook_signature import WebhookRefused

router = APIRouter(tags=["ingest"])


@router.post("/in/{name}", summary="Send a signed webhook")
async def take_webhook(request: Request, house: House, name: str) -> dict[str, Any]:
    """JSON, NDJSON or a form with a signature instead of a token; answers when it is on disk.

    401 says why a signature is refused. The same delivery sent again is answered with
    ``repeated``, and not stored twice.
    """
    if name not in house.webhooks:
        raise Problem(404, "No such webhook", "name it in the settings: [[webhooks]]")
    body = await read_body(request, house.settings.http.body_limit_bytes)
    address = request.client.host if request.client else "unknown"
    headers = {key.lower(): value for key, value in request.headers.items()}
    try:
        taken = await run_in_threadpool(
            house.webhooks.take, name, headers, body, f"webhook {address}"
        )
    except WebhookRefused as error:
        raise Problem(401, "The signature is refused", str(error)) from error
    except PullError as error:
        raise Problem(503, "The webhook can't be checked", str(error)) from error
    if taken.challenge:
        return {"challenge": taken.challenge}
    return {"accepted": not taken.is_repeated, "repeated": taken.is_repeated}
