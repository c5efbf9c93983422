"""One daemon for all tests of this folder, one with a short patience; a fresh slate for each test."""

from collections.abc import Iterator

import pytest

from tests.playbook.fault_upstream import refused_url
from tests.playbook.traffic import Lab, start_lab


@pytest.fixture(scope="session")
def shared_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with start_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="session")
def shared_impatient_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("impatient")
    with start_lab(folder, providers={"ollama": refused_url()}, config={"request_timeout": 1}) as lab:
        yield lab


@pytest.fixture
def lab(shared_lab: Lab) -> Lab:
    """A daemon with the usual time-outs in front of a fault upstream."""
    shared_lab.upstream.forget()
    return shared_lab


@pytest.fixture
def impatient(shared_impatient_lab: Lab) -> Lab:
    """One that gives an upstream up after one second of silence; its Ollama refuses connections."""
    shared_impatient_lab.upstream.forget()
    return shared_impatient_lab
