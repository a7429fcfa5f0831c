"""The state store on PostgreSQL: what SQLite has no word for."""

import pytest
from sqlalchemy import insert, text

from tests.postgres_server import PostgresServer
from tests.store.conformance.test_state import count, row
from tocsin.store.engines.state.postgres_state import PostgresState
from tocsin.store.ports import HomeInUse, StoreAway, StoreError
from tocsin.store.tables import segments


def test_migrations_run_on_an_empty_database(postgres: PostgresServer):
    address = postgres.address(postgres.create_database())
    state = PostgresState(address)
    with state.begin() as tx:
        tx.execute(insert(segments).values(row("s1")))
    assert count(state) == 1
    state.close()


def test_two_schemas_of_a_database_are_two_stores(postgres: PostgresServer):
    address = postgres.address(postgres.create_database())
    first = PostgresState(address, is_server=True)
    with first.begin() as tx:
        tx.execute(text("CREATE SCHEMA other"))
    second = PostgresState(f"{address}&options=-csearch_path%3Dother", is_server=True)
    with second.begin() as tx:
        tx.execute(insert(segments).values(row("s1")))
    assert (count(first), count(second)) == (0, 1)
    first.close()
    second.close()


def test_a_second_server_is_refused_until_the_first_has_gone(postgres: PostgresServer):
    address = postgres.new_state()
    first = PostgresState(address, is_server=True)
    beside = PostgresState(address)  # a command on the same store
    with beside.begin() as tx:
        tx.execute(insert(segments).values(row("s1")))
    with pytest.raises(HomeInUse, match="served by another process"):
        PostgresState(address, is_server=True)
    first.close()
    PostgresState(address, is_server=True).close()
    beside.close()


def test_the_store_works_on_after_its_connections_were_cut(postgres: PostgresServer):
    state = PostgresState(postgres.new_state(), is_server=True)
    other = PostgresState(postgres.address("postgres"))
    with state.begin() as tx:
        tx.execute(insert(segments).values(row("s1")))
        mine = tx.execute(text("SELECT current_database()")).scalar_one()
    with other.begin() as tx:
        tx.execute(
            text(
                "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = :name"
            ),
            {"name": mine},
        )
    other.close()
    assert count(state) == 1
    with state.begin() as tx:
        tx.execute(insert(segments).values(row("s2")))
    assert count(state) == 2
    state.close()


def test_a_connection_that_is_cut_within_a_transaction_is_told_as_such(postgres: PostgresServer):
    state = PostgresState(postgres.new_state())
    for opened in (state.begin, state.read):
        with pytest.raises(StoreAway, match="can't be reached"), opened() as tx:
            tx.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert count(state) == 0
    state.close()


def test_a_commit_is_on_the_disk_whatever_the_server_is_set_to(postgres: PostgresServer):
    state = PostgresState(postgres.new_state())
    with state.begin() as tx:
        assert tx.execute(text("SHOW synchronous_commit")).scalar_one() == "on"
        assert tx.execute(text("SHOW TimeZone")).scalar_one() == "UTC"
    state.close()


def test_a_server_that_is_not_there_is_named_without_the_password():
    with pytest.raises(StoreError, match=r"tocsin:\*\*\*@127\.0\.0\.1:1/x can't be opened"):
        PostgresState("postgresql://tocsin:secret@127.0.0.1:1/x")


@pytest.mark.parametrize("address", ["postgresql://host:port/x", "nothing", "sqlite:///x"])
def test_an_address_that_is_none_says_how_one_looks(address: str):
    with pytest.raises(StoreError, match="postgresql://user@host"):
        PostgresState(address)
