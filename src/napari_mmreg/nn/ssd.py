"""State-space duality (Mamba-2): the causal scan with one decay per head, as matrix products.

Source: Dao and Gu, *Transformers are SSMs* (arXiv 2405.21060), section 6. The form without
causality, for images, is in `napari_mmreg.nn.ssd_noncausal`.
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_mmreg.nn.kernels import Choice, choose_kernels
from napari_mmreg.nn.recurrence import linear_recurrence
from napari_mmreg.nn.segments import run_segments, segment_length


def ssd(
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
    """Run a scan with a scalar decay per head, chunk by chunk.

    With ``s = softplus(dt + dt_bias)`` (or ``dt + dt_bias``), every head holds an N x P state

    ``h[t] = exp(s[t] a) h[t - 1] + s[t] b[t] x[t]^T``, ``h[-1] = 0``

    and puts out ``y[t] = h[t]^T c[t] + d x[t]``, multiplied by ``silu(z[t])`` if there is a
    gate. Inside a chunk this is masked linear attention; between chunks only states pass. Time
    and memory grow linearly with L. Computed in float32 (float64 for float64), whatever
    autocast says; mamba-ssm's kernels use TF32 where PyTorch uses full float32.

    Parameters
    ----------
    x : Tensor
        Input, shape (B, L, H, P): H heads of P channels.
    dt : Tensor
        Step sizes, shape (B, L, H); not negative after bias and softplus.
    a : Tensor
        Decay rates (negative), shape (H,).
    b, c : Tensor
        Input and output weights, shape (B, L, G, N); H / G neighbouring heads share a group.
    d : Tensor, optional
        Skip weights, shape (H,).
    z : Tensor, optional
        Gate, shape (B, L, H, P).
    dt_bias : Tensor, optional
        Added to the steps, shape (H,).
    dt_softplus : bool
        Whether the steps go through a softplus.
    chunk : int
        Tokens in a chunk; 64 measured fastest on CPUs for N = 16 to 64.
    segment : int, optional
        Tokens worked on at once; chosen to suit the device when left out. The backward pass of
        a longer sequence computes them a second time.
    backend : {"auto", "torch", "mamba-ssm"}
        See `napari_mmreg.nn.kernels`.

    Returns
    -------
    Tensor
        Shape (B, L, H, P), dtype of `x`.

    Raises
    ------
    ValueError
        If the shapes do not fit together.
    """
    _check(x, dt, a, b, c)
    if chunk < 1:
        raise ValueError(f"A chunk has at least one token, not {chunk}.")
    kernels = choose_kernels(backend, x, b.shape[-1])
    work = torch.promote_types(x.dtype, torch.float32)
    with torch.autocast(x.device.type, enabled=False):
        if kernels is not None:
            return kernels.ssd(
                x.contiguous(), dt.contiguous(), a.float(),
                b.to(x.dtype).contiguous(), c.to(x.dtype).contiguous(), chunk,
                D=d if d is None else d.float(), z=z if z is None else z.to(x.dtype),
                dt_bias=dt_bias if dt_bias is None else dt_bias.float(), dt_softplus=dt_softplus,
            ).to(x.dtype)  # fmt: skip
        step = _steps(dt.to(work), dt_bias, softplus=dt_softplus)
        y = _scan(x.to(work), step, a.to(work), b.to(work), c.to(work), chunk, segment)
        return _finish(y, x, d, z)


def ssd_reference(
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
    """Run the scan token by token, as the definition reads; slow, for comparison.

    Parameters
    ----------
    x, dt, a, b, c, d, z, dt_bias, dt_softplus
        As for `ssd`.

    Returns
    -------
    Tensor
        Shape (B, L, H, P), dtype of `x`.
    """
    _check(x, dt, a, b, c)
    share = x.shape[2] // b.shape[2]
    b, c = b.repeat_interleave(share, 2), c.repeat_interleave(share, 2)
    step = _steps(dt, dt_bias, softplus=dt_softplus)
    state = x.new_zeros(x.shape[0], x.shape[2], b.shape[-1], x.shape[3])
    outputs = []
    for t in range(x.shape[1]):
        drive = step[:, t, :, None] * x[:, t]
        state = torch.exp(step[:, t] * a)[..., None, None] * state
        state = state + b[:, t, :, :, None] * drive[:, :, None]
        outputs.append(torch.einsum("bhnp,bhn->bhp", state, c[:, t]))
    return _finish(torch.stack(outputs, 1), x, d, z)


def _scan(
    x: Tensor, step: Tensor, a: Tensor, b: Tensor, c: Tensor, chunk: int, segment: int | None
) -> Tensor:
    """Evaluate the scan without skip and gate, segment by segment."""
    batch, length, heads, channels = x.shape
    groups, states = b.shape[2:]
    chunk = min(chunk, length)
    if segment is None:
        segment = segment_length(batch * heads * max(chunk, channels), x.device, chunk)
    return run_segments(
        partial(_chunked, chunk),
        [x, step, b, c],
        [a],
        x.new_zeros(batch, groups, heads // groups, states, channels),
        segment,
        dim=1,
    )


def _chunked(
    chunk: int, x: Tensor, step: Tensor, b: Tensor, c: Tensor, a: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """Evaluate a segment as matrix products; return its outputs and the last state."""
    length, groups = x.shape[1], b.shape[2]
    # Padding with zeros neither decays nor adds. Axes: batch, group, head of the group,
    # chunk, token of the chunk, channel or state: (B, G, R, K, T, P or N).
    drive = torch.unflatten(_cut(x * step.unsqueeze(-1), chunk), 1, (groups, -1))
    b = _cut(b, chunk).unsqueeze(2)
    c = _cut(c, chunk).unsqueeze(2)
    log_decay = torch.unflatten(_cut((step * a).unsqueeze(-1), chunk), 1, (groups, -1))
    summed = log_decay.squeeze(-1).cumsum(-1)  # (B, G, R, K, T)

    # Inside a chunk: token j reaches token i >= j, decayed by the steps after j.
    future = torch.ones(chunk, chunk, dtype=torch.bool, device=drive.device).triu(1)
    gap = (summed.unsqueeze(-1) - summed.unsqueeze(-2)).masked_fill(future, -torch.inf)
    y = ((c @ b.transpose(-1, -2)) * gap.exp()) @ drive

    # Between chunks: what each one leaves behind, then the recurrence over chunks.
    total = summed[..., -1:]
    left = (b.transpose(-1, -2) @ (drive * (total - summed).exp().unsqueeze(-1))).movedim(3, 0)
    kept = total.exp().unsqueeze(-1).movedim(3, 0).expand_as(left)
    # Chunks are few: short runs keep the number of steps near 2 * sqrt(chunks).
    run = max(8, round(len(left) ** 0.5))
    reached = linear_recurrence(kept, left, state, chunk=run)
    entering = torch.cat([state.unsqueeze(0), reached[:-1]]).movedim(0, 3)  # (B, G, R, K, N, P)
    y = y + (c @ entering) * summed.exp().unsqueeze(-1)
    return y.flatten(1, 2).flatten(2, 3)[:, :, :length].transpose(1, 2), reached[-1]


def _cut(sequence: Tensor, chunk: int) -> Tensor:
    """Turn (B, L, H, P) into (B, H, chunks, chunk, P), padded with zeros at the end."""
    padded = F.pad(sequence.transpose(1, 2), (0, 0, 0, -sequence.shape[1] % chunk))
    return torch.unflatten(padded, 2, (-1, chunk))


def _steps(dt: Tensor, bias: Tensor | None, *, softplus: bool) -> Tensor:
    step = dt if bias is None else dt + bias.to(dt.dtype)
    return F.softplus(step) if softplus else step


def _finish(y: Tensor, x: Tensor, d: Tensor | None, z: Tensor | None) -> Tensor:
    """Add the skip and apply the gate."""
    if d is not None:
        y = y + d.to(y.dtype)[:, None] * x
    if z is not None:
        y = y * F.silu(z.to(y.dtype))
    return y.to(x.dtype)


def _check(x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor) -> None:
    if x.ndim != 4:
        raise ValueError(f"x must be (B, L, H, P), not {tuple(x.shape)}.")
    batch, length, heads = x.shape[:3]
    if dt.shape != (batch, length, heads) or a.shape != (heads,):
        raise ValueError(
            f"For x {tuple(x.shape)}, dt must be ({batch}, {length}, {heads}) and a ({heads},); "
            f"they are {tuple(dt.shape)} and {tuple(a.shape)}."
        )
    if b.ndim != 4 or b.shape != c.shape or b.shape[:2] != (batch, length):
        raise ValueError(
            f"b and c must both be ({batch}, {length}, G, N); "
            f"they are {tuple(b.shape)} and {tuple(c.shape)}."
        )
    if heads % b.shape[2]:
        raise ValueError(f"{heads} heads cannot form {b.shape[2]} equal groups.")
