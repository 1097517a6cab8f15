import pytest
import torch

from napari_mmreg.nn.rssb import RSSB, ChannelAttention, channel_attention_block


def image(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("core", ["ssd", "selective_scan"])
@pytest.mark.parametrize("light", [False, True])
@pytest.mark.parametrize("shape", [(8, 8), (1, 5), (7, 13)])
def test_any_size_and_all_weights_learn(core, light, shape):
    torch.manual_seed(0)
    net = RSSB(8, state=4, core=core, light=light)
    y = net(image(2, 8, *shape))
    assert y.shape == (2, 8, *shape)
    y.square().mean().backward()
    assert all(p.grad.isfinite().all() for p in net.parameters())
    assert all(p.grad.abs().sum() > 0 for n, p in net.named_parameters() if "skip" in n)


def test_skip_scales_start_at_one_and_scale():
    net = RSSB(4, state=2)
    with torch.no_grad():
        net.scan.leave.weight.zero_()
        for parameter in net.conv.parameters():
            parameter.zero_()
    x = image(1, 4, 5, 6)
    torch.testing.assert_close(net(x), x)
    with torch.no_grad():
        net.scan_skip.mul_(torch.tensor([2.0, 3, 4, 5]).reshape(4, 1, 1))
        net.conv_skip.mul_(0.5)
    torch.testing.assert_close(net(x), x * torch.tensor([1, 1.5, 2, 2.5]).reshape(1, 4, 1, 1))


def test_light_variant_is_lighter():
    full, light = (
        sum(p.numel() for p in channel_attention_block(32, light=light).parameters())
        for light in (False, True)
    )
    assert light < full / 2


def test_flat_features_stay_flat_through_replicated_convolutions():
    flat = torch.ones(1, 6, 9, 9)
    for light in (False, True):
        y = channel_attention_block(6, light=light)(flat)
        torch.testing.assert_close(y, y[:, :, 4:5, 4:5].expand_as(y))
        y = channel_attention_block(6, light=light, padding_mode="zeros")(flat)
        assert not torch.allclose(y, y[:, :, 4:5, 4:5].expand_as(y), atol=1e-4)


def test_channel_attention_gates_whole_channels():
    torch.manual_seed(0)
    x = image(2, 5, 4, 4)
    ratio = ChannelAttention(5)(x) / x
    torch.testing.assert_close(ratio, ratio[:, :, :1, :1].expand_as(ratio))
    assert ((ratio > 0) & (ratio < 1)).all()
