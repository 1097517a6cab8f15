"""Previews of a run: they show the way to the result, and change nothing of it."""

import numpy as np
import pytest
from skimage import data
from skimage.transform import resize

from napari_mmreg.errors import InputError
from napari_mmreg.registration import register


@pytest.fixture(scope="module")
def images():
    scene = resize(data.camera(), (200, 240), anti_aliasing=True).astype(np.float32)
    return scene[20:180, 20:212], np.sqrt(1 - scene[13:173, 25:217])


@pytest.mark.parametrize(
    ("model", "least"),
    [("classical", 7), pytest.param("rfnet", 7, marks=pytest.mark.slow)],
)
def test_results_are_the_same_to_the_bit(images, model, least):
    looks = []
    alone = register(*images, model=model, device="cpu")
    watched = register(*images, model=model, device="cpu", preview=looks.append)
    np.testing.assert_array_equal(alone.displacement, watched.displacement)
    np.testing.assert_array_equal(alone.registered, watched.registered)
    np.testing.assert_array_equal(alone.misregistration, watched.misregistration)
    assert alone.metrics == watched.metrics
    assert len(looks) >= least
    assert looks[0].similarity == watched.metrics["similarity_before"]
    assert looks[-1].similarity == watched.metrics["similarity_after"]
    stages = [look.stage for look in looks]
    assert stages[0] == "Preparing"
    assert stages[-1] == "Writing result"
    assert {"Global alignment", "Local refinement"} <= set(stages)
    assert all(max(look.picture.shape) <= 160 for look in looks)


def test_a_listener_is_a_function(images):
    with pytest.raises(InputError, match="preview is a str"):
        register(*images, model="classical", device="cpu", preview="yes")
