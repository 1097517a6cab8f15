"""Sets: directly, along a chain, both compared; with an engine that knows the truth."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from napari_mmreg import register_set
from napari_mmreg.cli import main
from napari_mmreg.errors import Cancelled, InputError
from napari_mmreg.geometry import MatrixTransform, Transform
from napari_mmreg.io import read_image, write_image
from napari_mmreg.series import engine
from results import make_result

OPTIONS = {"model": "classical", "device": "cpu"}

TURN = 2.0
"""Degrees by which each image is turned against the one before; it is shifted, too."""


def truth(n):
    """Pixels of image 0 to pixels of image n."""
    return MatrixTransform.from_params(
        rotation_degrees=TURN * n, translation=(1.0 * n, -2.0 * n), center=(20, 24)
    )


class Pairs:
    """Answers with the truth between two images whose first pixels name them."""

    def __init__(self):
        self.asked = []
        self.statuses = {}
        self.wrong = {}

    def __call__(self, _model, images, _options, run, *, refine):
        run.check()
        fixed, moving = (round(float(image.ravel()[0])) for image in images)
        self.asked.append((fixed, moving))
        found = truth(moving).compose(truth(fixed).inverse())
        found = self.wrong.get((fixed, moving), MatrixTransform.identity()).compose(found)
        status = self.statuses.get((fixed, moving), "ok")
        return make_result(*images, found, status=status, reasons=(f"{fixed} to {moving}",))


@pytest.fixture
def pairs(monkeypatch):
    stand_in = Pairs()
    monkeypatch.setattr(engine, "register_pair", stand_in)
    return stand_in


def images(number, shape=(40, 48)):
    made = [np.random.default_rng(n).random(shape).astype(np.float32) for n in range(number)]
    for n, image in enumerate(made):
        image[0, 0] = n
    return made


def assert_true(result, reference):
    places = np.array([(3.0, 4.0), (30.0, 11.0), (22.0, 40.0)])
    for member in result:
        expected = truth(member.index).compose(truth(reference).inverse()).map(places)
        np.testing.assert_allclose(member.transform.map(places), expected, atol=1e-9)


def test_each_to_the_reference(pairs):
    result = register_set(images(4), 1, **OPTIONS)
    assert pairs.asked == [(1, 0), (1, 2), (1, 3)]
    assert_true(result, 1)
    assert [member.neighbour for member in result] == [1, None, 1, 1]
    assert result.status == "ok"


def test_a_chain_outwards_from_the_middle(pairs):
    result = register_set(images(5), "middle", "chain", **OPTIONS)
    assert pairs.asked == [(2, 1), (1, 0), (2, 3), (3, 4)]
    assert_true(result, 2)
    assert [member.neighbour for member in result] == [1, 2, None, 2, 3]


def test_a_broken_link_is_left_out_of_the_chain(pairs):
    pairs.statuses = {(1, 2): "failed", (3, 4): "doubtful"}
    result = register_set(images(6), 0, "chain", **OPTIONS)
    assert [m.status for m in result] == ["ok", "ok", "failed", "ok", "doubtful", "doubtful"]
    assert result.members[3].neighbour == 1
    assert "Its neighbour could not be registered" in result.members[3].reasons[0]
    assert "link of its chain is doubtful (image 4)" in result.members[5].reasons[-1]
    assert result.status == "doubtful"


def test_both_ways_are_compared(pairs):
    pairs.wrong = {(0, 3): MatrixTransform.translation((3, 4))}
    for way in ("chain", "direct"):
        pairs.asked.clear()
        result = register_set(images(4), 0, way, check=True, **OPTIONS)
        assert len(pairs.asked) == 5  # the two ways beside the reference are one
        assert [member.apart_px for member in result][:2] == [None, None]
        assert result.members[2].apart_px == pytest.approx(0, abs=1e-6)
        assert result.members[3].apart_px == pytest.approx(5, abs=1e-6)
        assert [m.status for m in result] == ["ok", "ok", "ok", "doubtful"]
        assert "5.0 px apart" in result.members[3].reasons[-1]


def test_images_of_several_sizes_and_colours_are_saved_on_the_reference(pairs, tmp_path):
    given = images(3)
    given[1] = np.repeat(np.pad(given[1], ((0, 9), (0, 4)))[..., None], 3, axis=-1)
    result = register_set(given, 0, names=["green", "red/2", "2"], **OPTIONS)
    assert result.registered(1).shape == (40, 48, 3)
    result.save(tmp_path / "out")
    assert read_image(tmp_path / "out" / "registered" / "01_red_2.tif").shape == (40, 48, 3)
    loaded = Transform.load(tmp_path / "out" / "transforms" / "02.npz")
    np.testing.assert_allclose(loaded.map((3.0, 4.0)), truth(2).map((3.0, 4.0)))
    rows = list(csv.DictReader((tmp_path / "out" / "members.csv").read_text().splitlines()))
    assert [row["registered_to"] for row in rows] == ["", "0", "0"]
    with pytest.raises(InputError, match="already holds"):
        result.save(tmp_path / "out", replace=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": images(1)}, "two images or more"),
        ({"reference": 7}, "no image 7"),
        ({"reference": "last"}, "'middle'"),
        ({"way": "round"}, "not 'round'"),
        ({"names": ["a"]}, "1 names"),
    ],
)
def test_wrong_arguments_say_what_is_right(pairs, arguments, message):
    with pytest.raises(InputError, match=message):
        register_set(**{"images": images(3), **OPTIONS, **arguments})


def test_cancel_and_progress(pairs):
    heard = []
    register_set(
        images(3), 0, "chain", check=True, progress=lambda s, f: heard.append(f), **OPTIONS
    )
    assert heard == sorted(heard)
    assert heard[-1] == 1.0
    with pytest.raises(Cancelled):
        register_set(images(3), cancel=lambda: True, **OPTIONS)


def test_the_command_takes_files_and_stacks(pairs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for n, image in enumerate(images(3)):
        write_image(f"s{n}.tif", image)
    np.save("stack.npy", np.stack(images(3)))
    pairs.statuses = {(1, 2): "doubtful"}
    files = ["s0.tif", "s1.tif", "s2.tif"]
    engine_options = ["--model", "classical", "--way", "chain", "--check"]
    assert main(["set", *files, "-o", "out", *engine_options]) == 0
    said = capsys.readouterr()
    assert "s2" in said.out
    assert "image 2 (s2) doubtful" in said.err
    assert read_image("out/registered/01_s1.tif").shape == (40, 48)
    assert main(["set", "stack.npy", "-o", "two", "--model", "classical", "-q"]) == 0
    assert main(["set", "s0.tif", "-o", "three", "--model", "classical"]) == 2
    assert "two images or more" in capsys.readouterr().err
