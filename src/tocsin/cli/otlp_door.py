"""Opens the door for OpenTelemetry over gRPC, when the settings ask for it."""

import contextlib
import importlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from tocsin.app.settings.config import OtlpSettings
from tocsin.app.wiring import Tocsin
from tocsin.ingest.errors import IngestError
from tocsin.ingest.syslog.syslog_tls import tls_context

if TYPE_CHECKING:
    from tocsin.api.otlp_grpc import Certificate, OtlpGrpc


@contextlib.asynccontextmanager
async def open_otlp(house: Tocsin) -> AsyncIterator["OtlpGrpc | None"]:
    """The door, listening; None without a port for it, and then gRPC is not even imported.

    Raises IngestError that names the port or the file when it can't start.
    """
    settings = house.settings.otlp
    if settings.grpc_port is None:
        yield None
        return
    module = importlib.import_module("tocsin.api.otlp_grpc")
    certificate = _certificate(settings, module.Certificate)
    door: OtlpGrpc = module.OtlpGrpc(house, settings.host, settings.grpc_port, certificate)
    await door.start()
    try:
        yield door
    finally:
        await door.stop()


def _certificate(settings: OtlpSettings, make: "type[Certificate]") -> "Certificate | None":
    chain, key, client_ca = settings.tls_certificate, settings.tls_key, settings.tls_client_ca
    if chain is None or key is None:
        return None
    try:
        tls_context(chain, key, client_ca)  # tells by name what is wrong with a file
    except IngestError as error:
        raise IngestError(
            f"OTLP over gRPC can't listen on port {settings.grpc_port} with TLS: {error}"
        ) from error
    told = client_ca.read_bytes() if client_ca is not None else None
    return make(chain.read_bytes(), key.read_bytes(), told)
