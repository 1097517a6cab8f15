import pytest
import torch
import torch.nn.functional as F

from napari_mmreg.nn.deform import DeformConv2d, deform_conv2d


def case(batch=2, channels=3, outputs=4, size=3, shape=(6, 7), seed=0):
    generator = torch.Generator().manual_seed(seed)

    def draw(*dims):
        return torch.randn(*dims, generator=generator, dtype=torch.float64)

    return {
        "x": draw(batch, channels, *shape),
        "offset": draw(batch, 2 * size * size, *shape),
        "weight": draw(outputs, channels, size, size),
        "bias": draw(outputs),
        "mask": torch.sigmoid(draw(batch, size * size, *shape)),
    }


def by_hand(x, offset, weight, bias, mask, dilation=1):
    """Bilinear sums written out, zero outside."""
    batch, _, height, width = x.shape
    size = weight.shape[-1]
    y = torch.zeros(batch, len(weight), height, width, dtype=x.dtype)
    padded = F.pad(x, (40,) * 4)
    for n in range(batch):
        for row in range(height):
            for column in range(width):
                total = bias.clone()
                for i in range(size):
                    for j in range(size):
                        k = i * size + j
                        px = column + (j - size // 2) * dilation + offset[n, 2 * k, row, column]
                        py = row + (i - size // 2) * dilation + offset[n, 2 * k + 1, row, column]
                        left, top = int(px.floor()), int(py.floor())
                        u, v = px - left, py - top
                        corner = padded[n, :, top + 40 : top + 42, left + 40 : left + 42]
                        value = (
                            (1 - v) * (1 - u) * corner[:, 0, 0]
                            + (1 - v) * u * corner[:, 0, 1]
                            + v * (1 - u) * corner[:, 1, 0]
                            + v * u * corner[:, 1, 1]
                        )
                        total = total + weight[:, :, i, j] @ value * mask[n, k, row, column]
                y[n, :, row, column] = total
    return y


@pytest.mark.parametrize(("size", "dilation"), [(3, 1), (3, 2), (1, 1), (5, 1)])
@pytest.mark.parametrize("shape", [(6, 7), (1, 4), (3, 1)])
def test_no_offset_is_a_convolution(size, dilation, shape):
    c = case(size=size, shape=shape)
    expected = F.conv2d(
        c["x"], c["weight"], c["bias"], padding=dilation * (size // 2), dilation=dilation
    )
    still = torch.zeros_like(c["offset"])
    y = deform_conv2d(c["x"], still, c["weight"], c["bias"], dilation=dilation)
    torch.testing.assert_close(y, expected)


def test_x_offset_moves_along_columns():
    c = case()
    offset = torch.zeros_like(c["offset"]).unflatten(1, (9, 2))
    offset[:, :, 0], offset[:, :, 1] = 2, -1
    shifted = torch.zeros_like(c["x"])
    shifted[:, :, 1:, :-2] = c["x"][:, :, :-1, 2:]  # shifted(x, y) = x(x + 2, y - 1)
    y = deform_conv2d(c["x"], offset.flatten(1, 2), c["weight"])
    expected = F.conv2d(shifted, c["weight"], padding=1)
    torch.testing.assert_close(y[:, :, 2:-2, 2:-3], expected[:, :, 2:-2, 2:-3])


@pytest.mark.parametrize("dilation", [1, 2])
def test_random_offsets_and_masks_equal_the_written_out_sums(dilation):
    c = case(batch=1, channels=2, outputs=2, shape=(4, 5))
    c["offset"] = 1.7 * c["offset"]
    torch.testing.assert_close(
        deform_conv2d(**c, dilation=dilation), by_hand(**c, dilation=dilation)
    )


def test_border_repeats_the_edge():
    c = case(shape=(5, 5))
    flat = torch.full_like(c["x"], 2)
    far = 3 * c["offset"]
    y = deform_conv2d(flat, far, c["weight"], c["bias"], border=True)
    expected = (2 * c["weight"].sum((1, 2, 3)) + c["bias"])[:, None, None].expand_as(y)
    torch.testing.assert_close(y, expected)


@pytest.mark.parametrize("border", [False, True])
def test_gradcheck(border):
    c = case(batch=1, channels=2, outputs=2, shape=(3, 4))
    # Away from whole pixels, where bilinear sampling has no derivative, and inside the frame.
    c["offset"] = 0.25 + 0.1 * torch.tanh(c["offset"])
    tensors = tuple(v.requires_grad_() for v in c.values())
    assert torch.autograd.gradcheck(
        lambda *t: deform_conv2d(**dict(zip(c, t, strict=True)), border=border), tensors
    )


def test_refuses_shapes_that_do_not_fit():
    c = case()
    with pytest.raises(ValueError, match="offsets"):
        deform_conv2d(**(c | {"offset": c["offset"][:, :9]}))
    with pytest.raises(ValueError, match="odd K"):
        deform_conv2d(**(c | {"weight": c["weight"][..., :2]}))


def test_module_starts_as_half_a_convolution_and_learns_where_to_look():
    torch.manual_seed(0)
    layer, x = DeformConv2d(3, 4), torch.randn(2, 3, 7, 6)
    padded = F.pad(x, (1,) * 4, mode="replicate")
    expected = F.conv2d(padded, layer.weight) / 2 + layer.bias[:, None, None]
    torch.testing.assert_close(layer(x), expected, rtol=1e-4, atol=1e-5)
    layer(x).square().mean().backward()
    assert all(p.grad.abs().sum() > 0 for p in layer.parameters())


def test_autocast_stays_finite():
    layer = DeformConv2d(3, 4)
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(torch.randn(1, 3, 40, 33))
    assert y.isfinite().all()
