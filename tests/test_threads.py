"""How threads that compute wait for each other."""

import os

import pytest

from napari_mmreg.cli import main
from napari_mmreg.threads import SPINS, let_threads_sleep

POLICY, COUNT = "OMP_WAIT_POLICY", "GOMP_SPINCOUNT"


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    for name in (POLICY, COUNT):
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)


def test_the_command_lets_them_sleep(capsys):
    assert main(["models"]) == 0
    assert os.environ[COUNT] == SPINS


@pytest.mark.parametrize(("name", "value"), [(POLICY, "active"), (COUNT, "7")])
def test_what_the_user_has_set_counts(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    let_threads_sleep()
    assert {key: os.environ[key] for key in (POLICY, COUNT) if key in os.environ} == {name: value}
