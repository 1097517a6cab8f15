"""Which engines a run asks, in which order, and when an answer is enough."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_mmreg.models import get_info, load_model
from napari_mmreg.models.budgets import BALANCED, BEST, BUDGETS, check_budget
from napari_mmreg.models.registry import AUTO
from napari_mmreg.registration.candidate import Candidate, find_candidate

if TYPE_CHECKING:
    from napari_mmreg.alignment.elastic.network import ElasticNetwork
    from napari_mmreg.imaging import Pair
    from napari_mmreg.models import Model
    from napari_mmreg.run import Run

SECOND_OPINION = "classical"

SURE = 0.05
"""Probability of a wrong answer below which ``"auto"`` asks no further engine. Chosen on the 432
cases of `train` behind the error model, pairs left out in turn: less asks more for no better
answer."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run asks.

    Attributes
    ----------
    name : str
        What was asked for: a model or ``"auto"``.
    engines : tuple of str
        Models, in order.
    budget : str or None
        Of ``"auto"``.
    sure : float
        Probability of a wrong answer below which no further one is asked; 1 asks the next one only
        after an answer that is not ``"ok"``, 0 asks all.
    loaded : dict of str to Model
        Those that were asked before; they are kept for the next pair.
    """

    name: str
    engines: tuple[str, ...]
    budget: str | None = None
    sure: float = 1.0
    loaded: dict[str, Model] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, model: str, budget: str = BALANCED, *, refine: bool = True) -> Plan:
        """Return the plan of a model's name, or of ``"auto"``.

        Without `refine` an answer is a single model's, as it is.

        Raises
        ------
        InputError
            If there is no such budget.
        ModelError
            If there is no such model.
        """
        check_budget(budget)
        if model == AUTO:
            engines = BUDGETS[budget] if refine else BUDGETS[budget][:1]
            return cls(AUTO, engines, budget, 0.0 if budget == BEST else SURE)
        info = get_info(model)
        second = (SECOND_OPINION,) if refine and info.needs_weights else ()
        return cls(info.name, (info.name, *second))

    def load(self, name: str | None = None) -> Model:
        """Return a model, by default the first engine, loaded once.

        Raises
        ------
        ModelError
            If its weights are missing or damaged.
        """
        name = name or self.engines[0]
        if name not in self.loaded:
            self.loaded[name] = load_model(name)
        return self.loaded[name]

    def settles(self, candidate: Candidate) -> bool:
        """Whether an answer is enough to ask nobody else."""
        certificate = candidate.certificate
        trusted = certificate.status == "ok" and not candidate.rejected
        return trusted and certificate.chance_wrong < self.sure


def ask(
    plan: Plan,
    coarse: Pair,
    fine: Pair,
    run: Run,
    *,
    refine: bool,
    elastic: ElasticNetwork,
) -> tuple[Candidate, tuple[str, ...]]:
    """Ask one engine after the other until an answer is enough, and keep the best.

    Parameters
    ----------
    plan : Plan
    coarse, fine : Pair
        As of `find_candidate`.
    run : Run
    refine : bool
    elastic : ElasticNetwork

    Returns
    -------
    candidate : Candidate
    notes : tuple of str
        How it was chosen, if there was a choice.
    """
    best: Candidate | None = None
    asked: list[str] = []
    bend = plan.load().info.needs_weights
    share = 1 / len(plan.engines)
    for number, name in enumerate(plan.engines):
        model = plan.load(name)
        with run.part(number * share, (number + 1) * share):
            found = find_candidate(
                model, coarse, fine, run, refine=refine, elastic=elastic, bend=bend
            )
        asked.append(model.info.title)
        if best is None or found.is_better_than(best):
            best = found
        if plan.settles(found):
            break
    assert best is not None  # noqa: S101  # a plan has engines
    return best, _explain(plan, best, asked)


def _explain(plan: Plan, best: Candidate, asked: list[str]) -> tuple[str, ...]:
    title = get_info(best.model).title
    if len(asked) == 1:
        return (f"Auto asked {title} and was sure enough.",) if plan.name == AUTO else ()
    if plan.name == AUTO:
        return (
            f"Auto asked {', '.join(asked[:-1])} and {asked[-1]}, and kept the answer of {title}: "
            "its error is probably the smallest.",
        )
    if title == asked[0]:
        return ()
    return (
        f"{asked[0]} found no convincing alignment; this is the answer of {title}, which is "
        "probably nearer.",
    )
