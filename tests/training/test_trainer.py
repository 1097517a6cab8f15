import os
import signal
from dataclasses import replace
from typing import ClassVar

import pytest
import torch
from torch import nn

from napari_mmreg.errors import InputError, ModelError, RegistrationError
from napari_mmreg.training.batches import BatchConfig, BatchGenerator
from napari_mmreg.training.checkpoint import list_checkpoints, load_checkpoint, save_checkpoint
from napari_mmreg.training.recipe import Optimisation
from napari_mmreg.training.record import Table, duration, plot_run
from napari_mmreg.training.trainer import Trainer, TrainerConfig


class Shift(nn.Module):
    """A mean flow from a few features; dropout and batch norm make resuming harder."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(2, 8, 5, 4), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.2)
        )
        self.head = nn.Linear(8, 2)

    def forward(self, fixed, moving):
        return self.head(self.body(torch.cat([fixed, moving], 1)).mean((2, 3)))


class ShiftRecipe:
    name = "shift"
    batches = BatchConfig(batch=3, sizes=((32, 40),))
    optimisation = Optimisation(warm_up=3, average=0.9)
    constructor: ClassVar = {}
    notes = "A test."
    mixed = True

    def __init__(self):
        self.progress = []
        self.broken = False
        self.on_step = None

    def build_model(self, config):
        return Shift(**config)

    def prepare(self, model, progress):
        self.progress.append(progress)

    def loss(self, model, batch, progress):
        if self.on_step:
            self.on_step(len(self.progress))
        error = model(batch.fixed, batch.moving) - batch.flow.mean((2, 3))
        if self.broken:
            error = error * float("nan")
        return {"shift": error.square().mean(), "log_largest": error.detach().abs().max()}

    def predict_flow(self, model, fixed, moving, fixed_mask=None, moving_mask=None):
        return model(fixed, moving)[..., None, None].expand(-1, -1, *fixed.shape[2:])


def make(pairs, out, recipe=None, validate=None, **limits):
    recipe = recipe or ShiftRecipe()
    batches = BatchGenerator(pairs, recipe.batches, seed=3)
    config = TrainerConfig(out=out, seed=3, log_steps=4, **{"steps": 10, **limits})
    return Trainer(recipe, {}, batches, config, validate)


def same(one, two):
    assert one.keys() == two.keys()
    return all(torch.equal(one[k], two[k]) for k in one)


def test_broken_and_resumed_equals_unbroken(pairs, tmp_path):
    whole = make(pairs, tmp_path / "whole")
    assert whole.run().ending == "finished"

    first = ShiftRecipe()
    first.on_step = lambda step: os.kill(os.getpid(), signal.SIGTERM) if step == 6 else None
    outcome = make(pairs, tmp_path / "parts", first).run()
    assert (outcome.ending, outcome.step) == ("stopped", 6)
    torch.rand(17)  # whatever happened in between
    rest = make(pairs, tmp_path / "parts")
    assert rest.resume()
    assert rest.step == 6
    assert rest.run().step == 10

    assert same(whole.model.state_dict(), rest.model.state_dict())
    assert same(whole.average.state_dict(), rest.average.state_dict())
    rows = [Table(tmp_path / n / "log.csv", 100).rows for n in ("whole", "parts")]
    for row in (*rows[0], *rows[1]):
        row.pop("hours")
    assert rows[0] == rows[1]
    assert [r["step"] for r in rows[0]] == [4, 8]


def test_another_start_gives_other_weights(pairs, tmp_path):
    """What the test above compares is not constant."""
    one = make(pairs, tmp_path / "a")
    before = {k: v.clone() for k, v in one.model.state_dict().items()}
    one.run()
    assert not same(before, one.model.state_dict())
    assert not same(one.model.state_dict(), one.average.state_dict())


def test_signal_handlers_are_given_back(pairs, tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    make(pairs, tmp_path, steps=2).run()
    assert signal.getsignal(signal.SIGTERM) is before


def test_progress_runs_from_zero_to_one(pairs, tmp_path):
    recipe = ShiftRecipe()
    trainer = make(pairs, tmp_path, recipe, steps=5)
    trainer.run()
    assert recipe.progress == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8])
    assert trainer.progress == 1.0


def test_hours_are_a_limit_too(pairs, tmp_path):
    outcome = make(pairs, tmp_path, steps=10**6, hours=1e-5).run()
    assert outcome.ending == "finished"
    assert 0 < outcome.step < 10**6


def test_rate_warms_up_and_falls(pairs, tmp_path):
    make(pairs, tmp_path, steps=40).run()
    rates = [r["rate"] for r in Table(tmp_path / "log.csv", 100).rows]
    assert max(rates) == rates[0] < 1e-3
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.1 * rates[0]


def test_best_weights_are_kept(pairs, tmp_path):
    scores = iter([3.0, 1.0, 2.0, 4.0])
    seen = []

    def validate(model):
        assert not model.training
        torch.rand(5)  # must not disturb the training
        seen.append({k: v.clone() for k, v in model.state_dict().items()})
        return {"score": next(scores), "R256_median": 5.0}

    whole = make(pairs, tmp_path / "a", validate=validate, validate_steps=3)
    whole.run()
    assert len(seen) == 4  # after 3, 6, 9 steps and at the end
    best = load_checkpoint(list_checkpoints(tmp_path / "a" / "best")[-1])
    assert same(best.average, seen[1])
    assert best.state["step"] == 6
    rows = Table(tmp_path / "a" / "validation.csv", 100).rows
    assert [r["step"] for r in rows] == [3, 6, 9, 10]
    plain = make(pairs, tmp_path / "b")
    plain.run()
    assert same(plain.model.state_dict(), whole.model.state_dict())


def test_a_diverged_run_stops_and_keeps_its_weights(pairs, tmp_path):
    recipe = ShiftRecipe()
    trainer = make(pairs, tmp_path, recipe, steps=100)
    before = {k: v.clone() for k, v in trainer.model.named_parameters()}
    recipe.broken = True
    with pytest.raises(RegistrationError, match="learning rate"):
        trainer.run()
    assert same(before, dict(trainer.model.named_parameters()))


def test_no_limit(pairs, tmp_path):
    with pytest.raises(InputError, match="--hours"):
        make(pairs, tmp_path, steps=None)


def test_resuming_what_is_not_there(pairs, tmp_path):
    assert not make(pairs, tmp_path).resume()


def test_resuming_another_model(pairs, tmp_path):
    make(pairs, tmp_path, steps=1).run()
    other = ShiftRecipe()
    other.name = "other"
    with pytest.raises(ModelError, match="'shift'"):
        make(pairs, tmp_path, other).resume()
    wider = ShiftRecipe()
    wider.build_model = lambda config: nn.Linear(2, 2)
    with pytest.raises(ModelError, match="does not fit"):
        make(pairs, tmp_path, wider).resume()


def test_checkpoints_are_complete_or_absent(pairs, tmp_path):
    trainer = make(pairs, tmp_path, steps=4)
    trainer.run()
    folder = tmp_path / "checkpoints"
    (folder / ".partial-step-000000009").mkdir()
    assert [p.name for p in list_checkpoints(folder)] == ["step-000000004"]
    for step in (5, 6, 7):
        trainer.step = step
        trainer.save()
    names = sorted(p.name for p in folder.iterdir())
    assert names == ["step-000000006", "step-000000007"]


def test_damaged_checkpoint(tmp_path):
    model = nn.Linear(2, 2)
    path = save_checkpoint(tmp_path, 1, model, model, {"step": 1})
    (path / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(ModelError, match="cannot be read"):
        load_checkpoint(path)


def test_checkpoints_execute_nothing(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "boom"),))

    model = nn.Linear(2, 2)
    path = save_checkpoint(tmp_path, 1, model, model, {"step": Bomb()})
    with pytest.raises(ModelError, match="cannot be read"):
        load_checkpoint(path)
    assert not (tmp_path / "boom").exists()


def test_table_takes_new_columns_and_drops_what_was_lost(tmp_path):
    table = Table(tmp_path / "t.csv")
    table.add({"step": 1, "hours": 0.1, "a": 2.0})
    table.add({"step": 2, "hours": 0.2, "b": 3.0})
    again = Table(tmp_path / "t.csv", last_step=1)
    assert again.rows == [{"step": 1, "hours": 0.1, "a": 2.0}]
    assert Table(tmp_path / "t.csv", 5).column("b") == [(0.2, 3.0)]


def test_plot(tmp_path):
    pytest.importorskip("matplotlib")
    log, scores = Table(tmp_path / "l.csv"), Table(tmp_path / "v.csv")
    plot_run(log, scores, tmp_path / "empty.png")
    for i in range(1, 5):
        log.add({"step": i, "hours": 0.1 * i, "loss": 1 / i, "term_a": 0.5 / i})
        scores.add({"step": i, "hours": 0.1 * i, "R256_median": 9.0 - i})
    plot_run(log, scores, tmp_path / "full.png")
    assert (tmp_path / "full.png").stat().st_size > (tmp_path / "empty.png").stat().st_size


def test_durations_are_readable():
    assert [duration(s) for s in (12, 600, 7500)] == ["12 s", "10 min", "2 h 05 min"]


def test_frozen_parts_do_not_move(pairs, tmp_path):
    class Frozen(ShiftRecipe):
        def prepare(self, model, progress):
            super().prepare(model, progress)
            model.head.requires_grad_(progress >= 0.5)

    trainer = make(pairs, tmp_path, Frozen(), steps=4)
    before = trainer.model.head.weight.clone()
    batches = trainer.batches
    trainer.train_step(next(batches))
    assert torch.equal(before, trainer.model.head.weight)
    trainer.run()
    assert not torch.equal(before, trainer.model.head.weight)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_the_gpu(pairs, tmp_path):
    recipe = ShiftRecipe()
    batches = BatchGenerator(pairs, replace(recipe.batches), 3, "cuda")
    config = TrainerConfig(out=tmp_path, steps=4, device="cuda", prefetch=True)
    assert Trainer(recipe, {}, batches, config).run().ending == "finished"
