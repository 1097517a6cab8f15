"""The selective scan of Mamba: a state-space recurrence whose coefficients follow the input.

Source: Gu and Dao, *Mamba: Linear-Time Sequence Modeling with Selective State Spaces*
(arXiv 2312.00752), algorithm 2 and section 3.3. The chunked evaluation is our own.
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_mmreg.nn.kernels import Choice, choose_kernels
from napari_mmreg.nn.recurrence import linear_recurrence
from napari_mmreg.nn.segments import run_segments, segment_length


def selective_scan(
    x: Tensor,
    dt: Tensor,
    a: Tensor,
    b: Tensor,
    c: Tensor,
    d: Tensor | None = None,
    z: Tensor | None = None,
    *,
    dt_bias: Tensor | None = None,
    dt_softplus: bool = False,
    chunk: int = 64,
    segment: int | None = None,
    backend: Choice = "auto",
) -> Tensor:
    """Run a selective scan over a sequence.

    With ``s = softplus(dt + dt_bias)`` (or ``dt + dt_bias``), every channel holds N states

    ``h[t] = exp(s[t] a) h[t - 1] + s[t] b[t] x[t]``, ``h[-1] = 0``

    and puts out ``y[t] = <c[t], h[t]> + d x[t]``, multiplied by ``silu(z[t])`` if there is a
    gate. Computed in float32 (float64 for float64), whatever autocast says.

    Parameters
    ----------
    x, dt : Tensor
        Input and step sizes, shape (B, D, L).
    a : Tensor
        Decay rates (negative), shape (D, N).
    b, c : Tensor
        Input and output weights, shape (B, N, L), or (B, G, N, L) when the channels form G
        groups of D / G neighbours with weights of their own.
    d : Tensor, optional
        Skip weights, shape (D,).
    z : Tensor, optional
        Gate, shape (B, D, L).
    dt_bias : Tensor, optional
        Added to the steps, shape (D,).
    dt_softplus : bool
        Whether the steps go through a softplus.
    chunk : int
        Steps in a chunk; the chunks of a segment advance together.
    segment : int, optional
        Tokens of which all states are held at once; chosen to suit the device when left out.
        The backward pass of a longer sequence computes them a second time.
    backend : {"auto", "torch", "mamba-ssm"}
        See `napari_mmreg.nn.kernels`.

    Returns
    -------
    Tensor
        Shape (B, D, L), dtype of `x`.

    Raises
    ------
    ValueError
        If the shapes do not fit together.
    """
    b, c = _grouped(x, dt, a, b, c)
    kernels = choose_kernels(backend, x, a.shape[1])
    work = torch.promote_types(x.dtype, torch.float32)
    with torch.autocast(x.device.type, enabled=False):
        if kernels is not None:
            return kernels.selective_scan(
                x.contiguous(), dt.to(x.dtype).contiguous(), a.float(),
                b.to(x.dtype).contiguous(), c.to(x.dtype).contiguous(),
                _to(d, torch.float32), _to(z, x.dtype), _to(dt_bias, torch.float32), dt_softplus,
            )  # fmt: skip
        y = _scan(
            x.to(work),
            _steps(dt.to(work), _to(dt_bias, work), softplus=dt_softplus),
            a.to(work), b.to(work), c.to(work), chunk, segment,
        )  # fmt: skip
        if d is not None:
            y = y + d.to(work)[:, None] * x
        if z is not None:
            y = y * F.silu(z.to(work))
        return y.to(x.dtype)


def selective_scan_reference(
    x: Tensor,
    dt: Tensor,
    a: Tensor,
    b: Tensor,
    c: Tensor,
    d: Tensor | None = None,
    z: Tensor | None = None,
    *,
    dt_bias: Tensor | None = None,
    dt_softplus: bool = False,
) -> Tensor:
    """Run a selective scan step by step, as the definition reads; slow, for comparison.

    Parameters
    ----------
    x, dt, a, b, c, d, z, dt_bias, dt_softplus
        As for `selective_scan`.

    Returns
    -------
    Tensor
        Shape (B, D, L), dtype of `x`.
    """
    b, c = _grouped(x, dt, a, b, c)
    share = x.shape[1] // b.shape[1]
    b, c = b.repeat_interleave(share, 1), c.repeat_interleave(share, 1)  # (B, D, N, L)
    step = _steps(dt, dt_bias, softplus=dt_softplus)
    state = torch.zeros_like(b[..., 0])
    outputs = []
    for t in range(x.shape[-1]):
        state = torch.exp(step[:, :, t, None] * a) * state
        state = state + (step[:, :, t] * x[:, :, t])[..., None] * b[..., t]
        outputs.append((state * c[..., t]).sum(-1))
    y = torch.stack(outputs, -1)
    if d is not None:
        y = y + d[:, None] * x
    if z is not None:
        y = y * F.silu(z)
    return y.to(x.dtype)


def _scan(
    x: Tensor, step: Tensor, a: Tensor, b: Tensor, c: Tensor, chunk: int, segment: int | None
) -> Tensor:
    """Evaluate ``y[t] = <c[t], h[t]>`` segment by segment."""
    batch, channels, _ = x.shape
    groups, states = b.shape[1:3]
    share = channels // groups
    # Time first, so that one step of all chunks is one operation on long contiguous rows,
    # and channels last, because every broadcast of b and c is along the channels.
    grouped = (torch.unflatten(t, 1, (groups, share)) for t in (x, step))
    timed = [t.permute(3, 0, 1, 2).contiguous() for t in (*grouped, b, c)]
    rates = a.reshape(groups, share, states).transpose(1, 2).contiguous()
    if segment is None:
        segment = segment_length(batch * channels * states, x.device, chunk)
    y = run_segments(
        partial(_segment, chunk),
        timed,
        [rates],
        x.new_zeros(batch, groups, states, share),
        segment,
        dim=0,
    )
    return y.flatten(2).permute(1, 2, 0)


def _segment(
    chunk: int, x: Tensor, step: Tensor, b: Tensor, c: Tensor, rates: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """Advance one segment: (L, B, G, C) inputs and steps -> outputs and the last state."""
    decay = torch.exp(step.unsqueeze(-2) * rates)  # (L, B, G, N, C)
    update = b.unsqueeze(-1) * (step * x).unsqueeze(-2)
    states = linear_recurrence(decay, update, state, chunk=chunk)
    return (c.unsqueeze(-2) @ states).squeeze(-2), states[-1]


def _steps(dt: Tensor, bias: Tensor | None, *, softplus: bool) -> Tensor:
    step = dt if bias is None else dt + bias[:, None]
    return F.softplus(step) if softplus else step


def _to(tensor: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    return None if tensor is None else tensor.to(dtype).contiguous()


def _grouped(x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """Check the shapes and give `b` and `c` their group axis."""
    if x.ndim != 3 or dt.shape != x.shape:
        raise ValueError(
            f"x and dt must both be (B, D, L); they are {tuple(x.shape)} and {tuple(dt.shape)}."
        )
    b = b.unsqueeze(1) if b.ndim == 3 else b
    c = c.unsqueeze(1) if c.ndim == 3 else c
    batch, channels, length = x.shape
    if a.ndim != 2 or len(a) != channels:
        raise ValueError(f"a must be ({channels}, N), not {tuple(a.shape)}.")
    if b.ndim != 4 or b.shape != c.shape or (*b.shape[::3], b.shape[2]) != (
        batch, length, a.shape[1]
    ):  # fmt: skip
        raise ValueError(
            f"b and c must both be ({batch}, [G,] {a.shape[1]}, {length}); "
            f"they are {tuple(b.shape)} and {tuple(c.shape)}."
        )
    if channels % b.shape[1]:
        raise ValueError(f"{channels} channels cannot form {b.shape[1]} equal groups.")
    return b, c
