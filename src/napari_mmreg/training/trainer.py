"""The one trainer: every recipe, CPU and GPU, resumable to the bit on the CPU."""

from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from napari_mmreg.errors import InputError, ModelError, RegistrationError
from napari_mmreg.models.weights import load_weights
from napari_mmreg.training.checkpoint import (
    list_checkpoints,
    load_checkpoint,
    prune_checkpoints,
    save_checkpoint,
)
from napari_mmreg.training.prefetch import BatchSource
from napari_mmreg.training.record import Table, duration, plot_run
from napari_mmreg.training.stopping import StopRequest

if TYPE_CHECKING:
    from napari_mmreg.training.batches import BatchGenerator, TrainingBatch
    from napari_mmreg.training.recipe import Recipe

log = logging.getLogger(__name__)

# So many steps in a row without a finite gradient mean that the run has diverged.
_LOST = 20

Validate = Callable[[nn.Module], dict[str, float]]


@dataclass(frozen=True, slots=True)
class TrainerConfig:
    """Limits and habits of a run.

    Attributes
    ----------
    out : Path
        The run's folder.
    steps, hours : int, float or None
        The run ends at whichever comes first; hours count over all resumptions.
    seed : int
    device : str
    amp : bool
        bfloat16 autocast where the recipe allows it; on CUDA only, where it is faster.
    checkpoint_minutes, validate_minutes : float
    validate_steps : int or None
        Validate every so many steps instead.
    log_steps : int
        Steps that one row of the log averages over.
    keep : int
        Checkpoints kept.
    prefetch : bool
        Make the next batch in a second thread while this one is learned from.
    """

    out: Path
    steps: int | None = None
    hours: float | None = None
    seed: int = 0
    device: str = "cpu"
    amp: bool = True
    checkpoint_minutes: float = 10.0
    validate_minutes: float = 20.0
    validate_steps: int | None = None
    log_steps: int = 20
    keep: int = 2
    prefetch: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: ``"finished"`` or ``"stopped"``, after how many steps and seconds."""

    ending: str
    step: int
    seconds: float


class Trainer:
    """Trains one recipe.

    Parameters
    ----------
    recipe : Recipe
    constructor : dict
        Arguments of the recipe's `build_model`.
    batches : BatchGenerator
        On the device of `config`.
    config : TrainerConfig
    validate : callable, optional
        Given the averaged model, returns named numbers; ``"score"`` (lower is better) chooses
        the weights kept as the best.

    Raises
    ------
    InputError
        If there is neither a limit of steps nor of hours.
    """

    def __init__(
        self,
        recipe: Recipe,
        constructor: dict[str, Any],
        batches: BatchGenerator,
        config: TrainerConfig,
        validate: Validate | None = None,
    ) -> None:
        if config.steps is None and config.hours is None:
            raise InputError("Give the training a limit: --hours, --steps, or both.")
        self.recipe, self.batches, self.config = recipe, batches, config
        self.device = torch.device(config.device)
        self._validate = validate
        torch.manual_seed(config.seed)
        if self.device.type == "cuda":
            torch.set_float32_matmul_precision("high" if recipe.mixed else "highest")
        self.model = recipe.build_model(constructor).to(self.device)
        self.average = copy.deepcopy(self.model).requires_grad_(False).eval()
        self._optimiser = self._build_optimiser()
        self.step = 0
        self.seconds = 0.0
        self.best = math.inf
        self._lost = 0
        self._sums: dict[str, float] = {}
        self._checkpoints = config.out / "checkpoints"
        config.out.mkdir(parents=True, exist_ok=True)
        self._log = Table(config.out / "log.csv")
        self._scores = Table(config.out / "validation.csv")

    def _build_optimiser(self) -> torch.optim.AdamW:
        """Decay matrices and kernels; not biases, scales and the like."""
        options = self.recipe.optimisation
        parameters = list(self.model.parameters())
        groups = [
            {
                "params": [p for p in parameters if p.ndim >= 2],
                "weight_decay": options.weight_decay,
            },
            {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(
            [g for g in groups if g["params"]], lr=options.learning_rate, betas=options.betas
        )

    @property
    def progress(self) -> float:
        """How much of the run is done, in [0, 1]."""
        done = 0.0
        if self.config.steps is not None:
            done = self.step / max(self.config.steps, 1)
        if self.config.hours is not None:
            done = max(done, self.seconds / max(self.config.hours * 3600, 1e-9))
        return min(done, 1.0)

    def start_from(self, folder: str | Path) -> None:
        """Begin with trained weights instead of random ones; see `models.weights.load_weights`."""
        state = load_weights(folder, self.recipe.build_model).state_dict()
        try:
            self.model.load_state_dict(state, strict=True)
        except RuntimeError as error:
            raise ModelError(
                f"The weights in {folder} do not fit the model as it is built now; leave out the "
                f"constructor's arguments that differ. {error}"
            ) from error
        self.average.load_state_dict(state, strict=True)

    def resume(self) -> bool:
        """Go on from the newest checkpoint; return whether there was one."""
        found = list_checkpoints(self._checkpoints)
        if not found:
            return False
        checkpoint = load_checkpoint(found[-1])
        state = checkpoint.state
        if state["recipe"] != self.recipe.name:
            raise ModelError(
                f"{found[-1]} belongs to the recipe {state['recipe']!r}, not to "
                f"{self.recipe.name!r}; choose another --out."
            )
        try:
            self.model.load_state_dict(checkpoint.model, strict=True)
            self.average.load_state_dict(checkpoint.average, strict=True)
        except RuntimeError as error:
            raise ModelError(
                f"{found[-1]} does not fit the model as it is built now; resume with the "
                f"constructor's arguments of that run, or choose another --out. {error}"
            ) from error
        self._optimiser.load_state_dict(state["optimiser"])
        self.batches.load_state_dict(state["batches"])
        self.step, self.seconds = state["step"], state["seconds"]
        self.best, self._sums = state["best"], state["sums"]
        torch.set_rng_state(state["rng"])
        if self.device.type == "cuda" and state["rng_cuda"] is not None:
            torch.cuda.set_rng_state(state["rng_cuda"], self.device)
        self._log = Table(self._log.path, self.step)
        self._scores = Table(self._scores.path, self.step)
        return True

    def run(self) -> Outcome:
        """Train until a limit or a signal (SIGTERM, SIGINT); a checkpoint is left either way."""
        started, before = time.monotonic(), self.seconds
        saved = validated = started
        with StopRequest() as stop, BatchSource(self.batches, self.config.prefetch) as source:
            while self.progress < 1.0 and not stop.requested:
                self.train_step(next(source))
                now = time.monotonic()
                self.seconds = before + now - started
                if self._validation_due(now - validated):
                    self.validate()
                    validated = time.monotonic()
                if now - saved > self.config.checkpoint_minutes * 60:
                    self.save()
                    saved = time.monotonic()
        self.seconds = before + time.monotonic() - started
        ending = "stopped" if self.progress < 1.0 else "finished"
        if ending == "finished" and not self._just_validated():
            self.validate()
        self.save()
        return Outcome(ending, self.step, self.seconds)

    def _validation_due(self, waited: float) -> bool:
        if self._validate is None:
            return False
        if self.config.validate_steps is not None:
            return self.step % self.config.validate_steps == 0
        return waited > self.config.validate_minutes * 60

    def _just_validated(self) -> bool:
        rows = self._scores.rows
        return bool(rows) and rows[-1]["step"] == self.step

    def _rate(self) -> float:
        options = self.recipe.optimisation
        cosine = 0.5 + 0.5 * math.cos(math.pi * self.progress)
        rate = options.final + (1.0 - options.final) * cosine
        warm = min(1.0, (self.step + 1) / max(options.warm_up, 1))
        return options.learning_rate * rate * warm

    def train_step(self, batch: TrainingBatch) -> None:
        """Learn from one batch: loss, gradient, step, moving average, log."""
        rate = self._rate()
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self.model.train()
        self.recipe.prepare(self.model, self.progress)
        self._optimiser.zero_grad(set_to_none=True)
        mixed = self.config.amp and self.recipe.mixed and self.device.type == "cuda"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=mixed):
            terms = self.recipe.loss(self.model, batch, self.progress)
        total = torch.stack([v.float() for k, v in terms.items() if not k.startswith("log_")])
        loss = total.sum()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = float(
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.optimisation.clip)
        )
        if math.isfinite(norm):
            self._optimiser.step()
            self._update_average()
            self._lost = 0
        else:
            self._count_lost()
        self.step += 1
        self._note(terms, float(loss.detach()), norm, rate)

    def _count_lost(self) -> None:
        self._lost += 1
        if self._lost >= _LOST:
            raise RegistrationError(
                f"The gradient was not finite {_LOST} times in a row, last at step {self.step}. "
                f"Lower the learning rate, then resume from the last checkpoint."
            )

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.recipe.optimisation.average, (1 + self.step) / (10 + self.step))
        new = self.model.state_dict()
        for name, value in self.average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(new[name].to(value.dtype), 1.0 - decay)
            else:
                value.copy_(new[name])

    def _note(self, terms: dict[str, Tensor], loss: float, norm: float, rate: float) -> None:
        """Add a step to the log; every `log_steps` steps write the means."""
        values = {"loss": loss, "gradient": norm}
        for name, value in terms.items():
            values[name if name.startswith("log_") else f"term_{name}"] = float(value.detach())
        for name, number in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + number
        self._sums["count"] = self._sums.get("count", 0.0) + 1
        if self.step % self.config.log_steps:
            return
        count = self._sums.pop("count")
        means = {name: round(value / count, 6) for name, value in self._sums.items()}
        self._sums = {}
        self._log.add({**self._when(), "rate": rate, **means})
        left = self.seconds * (1 - self.progress) / max(self.progress, 1e-9)
        log.info(
            "step %d (%.1f %%), loss %.4f, %s left",
            self.step,
            100 * self.progress,
            means["loss"],
            duration(left),
        )

    def _when(self) -> dict[str, float | int]:
        return {
            "step": self.step,
            "hours": round(self.seconds / 3600, 5),
            "progress": round(self.progress, 5),
        }

    def validate(self) -> dict[str, float]:
        """Score the averaged weights; keep them if they are the best so far."""
        if self._validate is None:
            return {}
        rng = torch.get_rng_state()
        with torch.inference_mode():
            scores = self._validate(self.average)
        torch.set_rng_state(rng)
        self._scores.add({**self._when(), **{k: round(v, 4) for k, v in scores.items()}})
        plot_run(self._log, self._scores, self.config.out / "curves.png")
        log.info("validation: %s", ", ".join(f"{k} {v:.3g}" for k, v in scores.items()))
        if scores.get("score", math.inf) < self.best:
            self.best = scores["score"]
            save_checkpoint(self.config.out / "best", 0, self.model, self.average, self._state())
        return scores

    def _state(self) -> dict[str, Any]:
        cuda = self.device.type == "cuda"
        return {
            "recipe": self.recipe.name,
            "step": self.step,
            "seconds": self.seconds,
            "best": self.best,
            "sums": dict(self._sums),
            "optimiser": self._optimiser.state_dict(),
            "batches": {**self.batches.state_dict()},
            "rng": torch.get_rng_state(),
            "rng_cuda": torch.cuda.get_rng_state(self.device) if cuda else None,
        }

    def save(self) -> Path:
        """Write a checkpoint and the plots; return the checkpoint's folder."""
        path = save_checkpoint(
            self._checkpoints, self.step, self.model, self.average, self._state()
        )
        prune_checkpoints(self._checkpoints, self.config.keep)
        plot_run(self._log, self._scores, self.config.out / "curves.png")
        return path
