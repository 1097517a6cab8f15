"""Which engines a run asks, in which order, and when an answer is enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_mmreg.errors import InputError
from napari_mmreg.models import get_info, load_model
from napari_mmreg.models.registry import AUTO
from napari_mmreg.registration.candidate import Candidate, find_candidate

if TYPE_CHECKING:
    from napari_mmreg.alignment.elastic.network import ElasticNetwork
    from napari_mmreg.imaging import Pair
    from napari_mmreg.models import Model
    from napari_mmreg.run import Run

SECOND_OPINION = "classical"

SURE = 0.05
"""Probability of a wrong answer below which ``"auto"`` asks no further engine."""

BUDGETS = {
    "fast": ("sasnet", "classical"),
    "balanced": ("rfnet", "classical", "regnetmamba2"),
    "best": ("rfnet", "classical", "regnetmamba2", "hrnet", "sasnet"),
}
"""Engines of ``"auto"`` in the order in which they are asked."""

BALANCED, BEST = "balanced", "best"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run asks.

    Attributes
    ----------
    name : str
        What was asked for: a model or ``"auto"``.
    engines : tuple of str
        Models, in order.
    sure : float
        Probability of a wrong answer below which no further one is asked; 1 asks the next one only
        after an answer that is not ``"ok"``, 0 asks all.
    """

    name: str
    engines: tuple[str, ...]
    sure: float = 1.0

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
        if budget not in BUDGETS:
            raise InputError(f"There is no budget {budget!r}; choose one of: {', '.join(BUDGETS)}.")
        if model == AUTO:
            engines = BUDGETS[budget] if refine else BUDGETS[budget][:1]
            return cls(AUTO, engines, 0.0 if budget == BEST else SURE)
        info = get_info(model)
        second = (SECOND_OPINION,) if refine and info.needs_weights else ()
        return cls(info.name, (info.name, *second))

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
    first: Model | None = None,
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
    first : Model, optional
        The plan's first engine, where it is loaded already.

    Returns
    -------
    candidate : Candidate
    notes : tuple of str
        How it was chosen, if there was a choice.
    """
    best: Candidate | None = None
    asked: list[str] = []
    share = 1 / len(plan.engines)
    for number, name in enumerate(plan.engines):
        model = first if first is not None and not number else load_model(name)
        with run.part(number * share, (number + 1) * share):
            found = find_candidate(model, coarse, fine, run, refine=refine, elastic=elastic)
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
