"""What became of one pair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from napari_mmreg.errors import RegistrationError

Verdict = Literal["ok", "doubtful", "failed", "error"]

WORST_FIRST: tuple[Verdict, ...] = ("error", "failed", "doubtful", "ok")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one pair of a batch.

    Attributes
    ----------
    id : str
        The pair's, and the name of its folder.
    status : {"ok", "doubtful", "failed", "error"}
        The registration's; ``"error"`` if there was none.
    reasons : tuple of str
        Sentences that say why.
    numbers : mapping of str to float
        `RegistrationResult.metrics`, and ``risk``: the mean probability of misregistration.
    seconds : float
        From reading the files to the last one written.
    reused : bool
        Whether it lay there from an earlier batch.
    """

    id: str
    status: Verdict
    reasons: tuple[str, ...]
    numbers: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    reused: bool = False

    @classmethod
    def of_error(cls, name: str, error: BaseException, seconds: float = 0.0) -> Outcome:
        """Return the outcome of a pair that raised."""
        said = str(error) or "no message"
        kind = "" if isinstance(error, RegistrationError) else f"{type(error).__name__}: "
        return cls(name, "error", (kind + said,), seconds=seconds)

    @classmethod
    def of_report(
        cls, name: str, report: Mapping[str, Any], seconds: float = 0.0, *, reused: bool = False
    ) -> Outcome:
        """Return the outcome that a ``report.json`` tells of.

        Raises
        ------
        KeyError, TypeError
            If it is no such report.
        """
        metrics = {key: entry["value"] for key, entry in report["metrics"].items()}
        numbers = {**metrics, "risk": report["misregistration"]["after"]["mean"]}
        known = {key: float(value) for key, value in numbers.items() if value is not None}
        reasons = tuple(str(reason) for reason in report["reasons"])
        return cls(name, report["status"], reasons, known, seconds, reused)

    @property
    def order(self) -> tuple[int, float]:
        """Sorts worst first."""
        return WORST_FIRST.index(self.status), -self.numbers.get("risk", 0.0)
