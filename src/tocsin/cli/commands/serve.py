"""``tocsin serve``: the server."""

import asyncio
from typing import Annotated

import typer

from tocsin.app.collector import setting_aside
from tocsin.app.wiring import open_tocsin
from tocsin.cli.options import ConfigOption, HomeOption, settings_for
from tocsin.cli.output import err
from tocsin.cli.server import Listening, serve_house

app = typer.Typer()


@app.command("serve")
def serve(
    home: HomeOption = None,
    config: ConfigOption = None,
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on.")] = None,
    port: Annotated[
        int | None, typer.Option("--port", help="HTTP port; 0 picks a free one.")
    ] = None,
    syslog_port: Annotated[
        int | None,
        typer.Option("--syslog-port", help="Syslog UDP and TCP port; 0 picks free ones."),
    ] = None,
) -> None:
    """Take events in, detect, and serve the console and the API, until stopped (Ctrl-C)."""
    settings = settings_for(
        home,
        config,
        http__host=host,
        http__port=port,
        syslog__udp_port=syslog_port,
        syslog__tcp_port=syslog_port,
    )
    with setting_aside():
        house = open_tocsin(settings)
    try:
        asyncio.run(serve_house(house, _tell))
    finally:
        house.close()


def _tell(listening: Listening) -> None:
    err.print(f"Tocsin is ready: {listening.url}", markup=False)
    if listening.syslog_udp or listening.syslog_tcp:
        err.print(
            f"  syslog: UDP port {listening.syslog_udp}, TCP port {listening.syslog_tcp}",
            markup=False,
        )
    for more in listening.syslog[1:]:
        ports = [("UDP", more.udp_port), ("TLS" if more.is_tls else "TCP", more.tcp_port)]
        shown = ", ".join(f"{kind} port {port}" for kind, port in ports if port)
        err.print(f"  syslog {more.name}: {shown}", markup=False)
    if listening.otlp_grpc:
        err.print(f"  OTLP over gRPC: port {listening.otlp_grpc}", markup=False)
    if listening.one_time_password:
        err.print(
            f"  first sign-in: administrator / {listening.one_time_password} (once; then choose your own)",
            markup=False,
        )
