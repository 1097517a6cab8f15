"""How threads that compute wait for each other."""

import os

import pytest

from napari_mmreg.cli import main
from napari_mmreg.threads import let_threads_sleep

POLICY = "OMP_WAIT_POLICY"


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    monkeypatch.setenv(POLICY, "")  # so that it is put back
    monkeypatch.delenv(POLICY)


def test_the_command_lets_them_sleep(capsys):
    assert main(["models"]) == 0
    assert os.environ[POLICY] == "passive"


def test_what_the_user_has_set_counts(monkeypatch):
    monkeypatch.setenv(POLICY, "active")
    let_threads_sleep()
    assert os.environ[POLICY] == "active"
