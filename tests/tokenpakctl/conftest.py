"""Fixtures: a home of its own for every test, and a daemon that answers from a table."""

from collections.abc import Iterator

import pytest

from tests.tokenpakctl.control_double import ControlDouble, home, socket_of


@pytest.fixture
def environ() -> Iterator[dict[str, str]]:
    with home() as found:
        yield found


@pytest.fixture
def daemon(environ: dict[str, str]) -> Iterator[ControlDouble]:
    double = ControlDouble(socket_of(environ), {})
    yield double
    double.close()
