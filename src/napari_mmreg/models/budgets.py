"""Which engines ``"auto"`` may ask."""

from __future__ import annotations

from napari_mmreg.errors import InputError

BUDGETS = {
    "fast": ("sasnet", "classical"),
    "balanced": ("rfnet", "hrnet", "classical", "regnetmamba2"),
    "best": ("rfnet", "hrnet", "classical", "regnetmamba2", "sasnet"),
}
"""Engines in the order in which they are asked."""

BALANCED, BEST = "balanced", "best"


def check_budget(budget: object) -> None:
    """Raise `InputError` if there is no such budget."""
    if not isinstance(budget, str) or budget not in BUDGETS:
        raise InputError(f"There is no budget {budget!r}; choose one of: {', '.join(BUDGETS)}.")
