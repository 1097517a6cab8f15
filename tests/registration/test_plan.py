"""Which engines are asked, and when an answer is enough."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from napari_mmreg.errors import InputError, ModelError
from napari_mmreg.models import list_models
from napari_mmreg.models.budgets import BUDGETS
from napari_mmreg.registration import plan as module
from napari_mmreg.registration.candidate import Candidate
from napari_mmreg.registration.plan import Plan, ask
from napari_mmreg.run import Run


def answers(monkeypatch, **said):
    """Let engines answer with (status, expected error, chance of being wrong), by name."""
    asked = []

    def find(model, coarse, fine, run, *, refine, elastic, bend):
        assert bend == (next(iter(said)) != "classical")
        status, error, chance = said[model.info.name]
        asked.append(model.info.name)
        run.step(1.0)
        certificate = SimpleNamespace(status=status, expected_error=error, chance_wrong=chance)
        return Candidate(model.info.name, None, certificate, None)

    info = {i.name: i for i in list_models()}
    monkeypatch.setattr(module, "load_model", lambda name: SimpleNamespace(info=info[name]))
    monkeypatch.setattr(module, "find_candidate", find)
    return asked


def chosen(plan):
    candidate, notes = ask(plan, None, None, Run(), refine=True, elastic=None)
    return candidate.model, notes


def test_every_engine_of_a_budget_exists():
    known = {info.name for info in list_models()}
    assert all(known.issuperset(engines) for engines in BUDGETS.values())


def test_auto_stops_when_it_is_sure(monkeypatch):
    asked = answers(monkeypatch, rfnet=("ok", 1.0, 0.01))
    name, notes = chosen(Plan.of("auto"))
    assert (name, asked) == ("rfnet", ["rfnet"])
    assert "RFNet" in notes[0]
    assert "sure" in notes[0]


def test_auto_goes_on_until_it_is_sure(monkeypatch):
    asked = answers(
        monkeypatch,
        rfnet=("ok", 2.0, 0.2),
        hrnet=("doubtful", 3.0, 0.4),
        classical=("doubtful", 9.0, 0.6),
        regnetmamba2=("ok", 1.2, 0.02),
    )
    name, notes = chosen(Plan.of("auto"))
    assert (name, asked) == ("regnetmamba2", ["rfnet", "hrnet", "classical", "regnetmamba2"])
    assert "RegNetMamba-2" in notes[0]


def test_a_failed_answer_never_wins(monkeypatch):
    answers(
        monkeypatch,
        rfnet=("failed", 1.0, 0.99),
        hrnet=("failed", 1.0, 0.99),
        classical=("doubtful", 6.0, 0.5),
        regnetmamba2=("failed", 2.0, 0.99),
    )
    assert chosen(Plan.of("auto"))[0] == "classical"


def test_the_best_budget_asks_all_and_keeps_the_nearest(monkeypatch):
    sure = ("ok", 1.5, 0.0)
    asked = answers(
        monkeypatch,
        rfnet=sure,
        classical=sure,
        regnetmamba2=sure,
        hrnet=("ok", 0.5, 0),
        sasnet=sure,
    )
    assert chosen(Plan.of("auto", "best"))[0] == "hrnet"
    assert asked == list(BUDGETS["best"])


def test_a_model_that_holds_is_asked_alone(monkeypatch):
    asked = answers(monkeypatch, hrnet=("ok", 3.0, 0.19), classical=("ok", 1.0, 0.0))
    assert chosen(Plan.of("hrnet")) == ("hrnet", ())
    assert asked == ["hrnet"]


def test_a_second_answer_has_to_be_clearly_nearer(monkeypatch):
    answers(monkeypatch, hrnet=("doubtful", 2.0, 0.3), classical=("ok", 1.9, 0.1))
    assert chosen(Plan.of("hrnet"))[0] == "hrnet"
    answers(monkeypatch, hrnet=("doubtful", 2.0, 0.3), classical=("ok", 1.5, 0.1))
    assert chosen(Plan.of("hrnet"))[0] == "classical"


def test_the_classical_search_alone_bends_without_a_network(monkeypatch):
    asked = answers(monkeypatch, classical=("doubtful", 2.0, 0.3))
    assert chosen(Plan.of("classical")) == ("classical", ())
    assert asked == ["classical"]


def test_models_are_kept_for_the_next_pair(monkeypatch):
    made = []
    monkeypatch.setattr(module, "load_model", lambda name: made.append(name) or object())
    plan = Plan.of("rfnet")
    assert plan.load() is plan.load("rfnet")
    assert made == ["rfnet"]


def test_what_there_is_not_is_refused():
    with pytest.raises(InputError, match="fast, balanced, best"):
        Plan.of("auto", "unlimited")
    with pytest.raises(ModelError, match="hrnet"):
        Plan.of("hrnt")
