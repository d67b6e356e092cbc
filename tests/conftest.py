"""Fixtures for all tests. Every test of the store runs on SQLite and on a real PostgreSQL."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import Connection, Engine

from monitor.store.database import migrate, open_engine
from tests.servers.postgres import Postgres

# How long an example takes says more of the machine than of the code.
settings.register_profile("duban", deadline=None)
settings.load_profile("duban")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of this test process. Where none can be started, the tests fail."""
    with Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def _migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def _migrated_postgres(postgres: Postgres) -> str:
    name = postgres.create()
    _migrate(postgres.url(name))
    return name


def _migrate(url: str) -> None:
    engine = open_engine(url)
    migrate(engine)
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    """The kind of database that the test runs on."""
    kind: str = request.param
    return kind


@pytest.fixture
def database_url(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of an empty database of its own."""
    if backend == "sqlite":
        yield f"sqlite:///{tmp_path}/duban.db"
    else:
        yield from _postgres_database(request, "template1")


@pytest.fixture
def migrated_url(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a database of its own with all tables and no rows."""
    if backend == "sqlite":
        shutil.copy(request.getfixturevalue("_migrated_sqlite"), tmp_path / "duban.db")
        yield f"sqlite:///{tmp_path}/duban.db"
    else:
        yield from _postgres_database(request, request.getfixturevalue("_migrated_postgres"))


def _postgres_database(request: pytest.FixtureRequest, template: str) -> Iterator[str]:
    server: Postgres = request.getfixturevalue("postgres")
    name = server.create(template)
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def engine(migrated_url: str) -> Iterator[Engine]:
    """An engine on a migrated, empty database."""
    engine = open_engine(migrated_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def _shared_sqlite(tmp_path_factory: pytest.TempPathFactory, _migrated_sqlite: Path) -> Iterator[Engine]:
    path = shutil.copy(_migrated_sqlite, tmp_path_factory.mktemp("sqlite") / "shared.db")
    engine = open_engine(f"sqlite:///{path}")
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def _shared_postgres(postgres: Postgres, _migrated_postgres: str) -> Iterator[Engine]:
    engine = open_engine(postgres.url(postgres.create(_migrated_postgres)))
    yield engine
    engine.dispose()


@pytest.fixture
def connection(backend: str, request: pytest.FixtureRequest) -> Iterator[Connection]:
    """One writing transaction on a migrated, empty database; rolled back at the end, so that all tests may share it."""
    engine: Engine = request.getfixturevalue("_shared_sqlite" if backend == "sqlite" else "_shared_postgres")
    with engine.connect() as connection:
        yield connection
        connection.rollback()
