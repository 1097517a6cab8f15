import torch

from napari_mmreg.nn.adain import AdaIN2d, adain


def test_takes_the_statistics_of_the_style_and_the_layout_of_the_content():
    content, scale, shift = 4 + torch.randn(2, 3, 16, 9), torch.rand(2, 3) + 1, torch.randn(2, 3)
    y = adain(content, scale, shift)
    torch.testing.assert_close(y.mean((2, 3)), shift, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(y.std((2, 3), correction=0), scale, atol=1e-3, rtol=1e-3)
    centred = content - content.mean((2, 3), keepdim=True)
    ratio = (y - shift[..., None, None]) / centred
    torch.testing.assert_close(ratio, ratio[..., :1, :1].expand_as(ratio), rtol=1e-3, atol=1e-3)


def test_gain_and_offset_of_the_content_do_not_matter():
    content = torch.randn(1, 3, 8, 8, dtype=torch.float64)
    style = torch.rand(1, 3, dtype=torch.float64), torch.rand(1, 3, dtype=torch.float64)
    torch.testing.assert_close(
        adain(7 * content + 3, *style), adain(content, *style), rtol=1e-4, atol=1e-4
    )


def test_flat_content_has_no_texture_to_restyle():
    y = adain(torch.full((1, 2, 4, 4), 9.0), torch.ones(1, 2), torch.tensor([[1.0, -2]]))
    torch.testing.assert_close(y, torch.tensor([1.0, -2]).reshape(1, 2, 1, 1).expand(1, 2, 4, 4))


def test_module_starts_as_instance_normalisation_and_learns_its_style():
    layer, content, style = AdaIN2d(3, 5), torch.randn(2, 3, 6, 6), torch.randn(2, 5)
    torch.testing.assert_close(
        layer(content, style), torch.nn.functional.instance_norm(content), rtol=1e-4, atol=1e-4
    )
    layer(content, style)[..., 0, 0].sum().backward()
    assert layer.to_statistics.weight.grad.abs().sum() > 0


def test_bfloat16():
    y = adain(torch.randn(1, 2, 9, 9).bfloat16(), torch.ones(1, 2), torch.zeros(1, 2))
    assert y.dtype == torch.bfloat16
    assert y.isfinite().all()
