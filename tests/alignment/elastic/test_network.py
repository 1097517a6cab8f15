import numpy as np
import pytest
import torch
from skimage import data

from napari_mmreg.alignment.elastic.config import ElasticConfig
from napari_mmreg.alignment.elastic.network import ElasticNetwork


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return ElasticNetwork(ElasticConfig()).eval()


def images(rows, cols, count=2, seed=0):
    return torch.rand(count, 1, rows, cols, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(16, 16), (33, 47), (61, 100)])
def test_any_size(network, shape):
    fixed, moving = images(*shape, 1), images(*shape, 1, 1)
    known = torch.ones_like(fixed)
    with torch.inference_mode():
        output = network(fixed, moving, known, known)
    assert output.flow(shape).shape == (1, 2, *shape)
    assert output.flow(shape).isfinite().all()
    assert output.log_error.isfinite().all()
    assert output.steps[-1].stride == 2


def test_nothing_moves_without_data(network):
    fixed, moving = images(48, 64), images(48, 64, seed=1)
    known, none = torch.ones_like(fixed), torch.zeros_like(fixed)
    with torch.inference_mode():
        for masks in ((none, known), (known, none), (none, none)):
            assert network(fixed, moving, *masks).flow((48, 64)).abs().max() < 1e-6


def test_equal_pictures_stay_in_place(network):
    camera = torch.from_numpy(data.camera()[::4, ::4].astype(np.float32) / 255)[None, None]
    known = torch.ones_like(camera)
    with torch.inference_mode():
        assert network(camera, camera, known, known).flow((128, 128)).norm(dim=1).mean() < 0.3


def test_a_batch_is_its_members_and_the_same_every_time(network):
    fixed, moving = images(40, 56), images(40, 56, seed=1)
    known = torch.ones_like(fixed)
    with torch.inference_mode():
        both = network(fixed, moving, known, known).flow((40, 56))
        again = network(fixed, moving, known, known).flow((40, 56))
        alone = network(fixed[1:], moving[1:], known[1:], known[1:]).flow((40, 56))
    assert torch.equal(both, again)
    torch.testing.assert_close(both[1:], alone, atol=2e-3, rtol=0)


def test_every_parameter_learns():
    torch.manual_seed(0)
    network = ElasticNetwork(ElasticConfig())
    fixed, moving = images(48, 48), images(48, 48, seed=1)
    known = torch.ones_like(fixed)
    output = network(fixed, moving, known, known)
    steps = sum(step.field.square().sum() for step in output.steps)
    (steps + output.log_error.sum()).backward()
    silent = [name for name, p in network.named_parameters() if p.grad is None]
    assert silent == []


def test_cancel(network):
    class Stop(Exception):
        pass

    def check():
        raise Stop

    fixed = images(32, 32)
    with pytest.raises(Stop):
        network(fixed, fixed, torch.ones_like(fixed), torch.ones_like(fixed), check)
