"""``tocsin admin``: users, tokens and the audit chain."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from tocsin.app.access.doorkeeper import Doorkeeper, open_doorkeeper
from tocsin.app.home.stores import has_state
from tocsin.app.settings.config_errors import ConfigError
from tocsin.cli.commands.admin_backup import backup, backups, restore_backup
from tocsin.cli.commands.admin_check import check
from tocsin.cli.commands.admin_export import export
from tocsin.cli.commands.admin_hold import app as hold
from tocsin.cli.commands.admin_move import move
from tocsin.cli.commands.admin_retention import app as retention
from tocsin.cli.commands.admin_storage import storage
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption, settings_for
from tocsin.cli.output import Exit, out, print_json, print_table
from tocsin.model.principal import Role

app = typer.Typer(
    help="Users, tokens and the audit chain; backup, restore, check and export.",
    no_args_is_help=True,
)
user = typer.Typer(help="People who sign in.", no_args_is_help=True)
token = typer.Typer(help="Tokens for programs.", no_args_is_help=True)
audit = typer.Typer(help="The audit chain.", no_args_is_help=True)
app.add_typer(user, name="user")
app.add_typer(token, name="token")
app.add_typer(audit, name="audit")
app.command("backup")(backup)
app.command("backups")(backups)
app.command("restore")(restore_backup)
app.command("check")(check)
app.command("export")(export)
app.command("move")(move)
app.command("storage")(storage)
app.add_typer(retention, name="retention")
app.add_typer(hold, name="hold")

Roles = Annotated[list[Role], typer.Option("--role", help="A role; may be given again.")]


def _door(home: HomeOption, config: ConfigOption) -> Doorkeeper:
    return open_doorkeeper(settings_for(home, config))


@user.command("create")
def create_user(
    name: Annotated[str, typer.Argument(help="Name to sign in with.")],
    role: Roles,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a user; prints a one-time password that must be changed at the first sign-in."""
    with _door(home, config) as door:
        password = door.access.create_user(name, role, by="cli", now=datetime.now(UTC))
    if as_json:
        print_json({"name": name, "roles": role, "one_time_password": password})
    else:
        out.print(f"{name} can sign in once with: {password}", markup=False)


@user.command("list")
def list_users(
    home: HomeOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Every user with roles and state."""
    with _door(home, config) as door:
        users = door.access.users()
    if as_json:
        print_json(users)
        return
    print_table(
        "",
        ("name", "roles", "disabled"),
        ((one.name, " ".join(one.roles), "yes" if one.disabled else "") for one in users),
    )


@token.command("create")
def create_token(
    name: Annotated[str, typer.Argument(help="What the token is for.")],
    role: Roles,
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="Days it is valid.")] = 90,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an API token. It is shown once and kept only as a hash; no server needs to run."""
    with _door(home, config) as door:
        made = door.access.create_token(
            name, role, lifetime_s=days * 86400, by="cli", now=datetime.now(UTC)
        )
    if as_json:
        print_json({"token": made})
    else:
        out.print(made, markup=False)


@token.command("list")
def list_tokens(
    home: HomeOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Every token with its roles and expiry; never the token itself."""
    with _door(home, config) as door:
        tokens = door.access.tokens()
    if as_json:
        print_json(tokens)
        return
    print_table(
        "",
        ("id", "name", "roles", "expires", "last used", "revoked"),
        (
            (
                one.id,
                one.name,
                " ".join(one.roles),
                one.expires_at,
                one.last_used_at,
                one.revoked_at,
            )
            for one in tokens
        ),
    )


@token.command("revoke")
def revoke_token(
    token_id: Annotated[str, typer.Argument(help="Id from: tocsin admin token list")],
    home: HomeOption = None,
    config: ConfigOption = None,
) -> None:
    """End a token; a server that runs refuses it a second later at most."""
    with _door(home, config) as door:
        door.access.revoke_token(token_id, by="cli", now=datetime.now(UTC))
    out.print(f"{token_id} is revoked", markup=False)


@audit.command("verify")
def verify(
    anchor: Annotated[
        str | None,
        typer.Option("--anchor", help="Digest written down earlier that must be in the chain."),
    ] = None,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check every link of the audit chain. Exit code 2 when one is broken."""
    settings = settings_for(home, config)
    if not has_state(settings.home):
        raise ConfigError(f"{settings.home}: no data folder here; give one with --home")
    with _door(home, config) as door, door.state.read() as tx:
        verdict = door.audit.verify(tx, anchor=anchor)
    if as_json:
        print_json(verdict)
    elif verdict.ok:
        out.print(f"the chain holds: {verdict.entries} entries, head {verdict.head}", markup=False)
    else:
        out.print(f"BROKEN at entry {verdict.broken_at}: {verdict.reason}", markup=False)
    raise typer.Exit(Exit.DONE if verdict.ok else Exit.BAD_CONTENT)
