"""Long sequences in segments that hand a state on, so that temporaries stay small.

On a CPU, temporaries beyond some MiB are mapped and paged in afresh at every call, which
more than doubled the time of long scans; kept small, they are used again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

Step = Callable[..., tuple[Tensor, Tensor]]

CPU_ELEMENTS = 2**21  # 8 MiB of float32: measured fastest of 2 to 16 MiB
GPU_ELEMENTS = 2**26  # 256 MiB: a GPU wants much work at once


def segment_length(elements_per_token: int, device: torch.device, multiple: int = 1) -> int:
    """Choose how many tokens to work on at once.

    Parameters
    ----------
    elements_per_token : int
        Size of the largest temporary for one token.
    device : torch.device
        Where the work is done.
    multiple : int
        The answer is a multiple of this, and at least this.

    Returns
    -------
    int
        Tokens in a segment.
    """
    budget = CPU_ELEMENTS if device.type == "cpu" else GPU_ELEMENTS
    return max(budget // elements_per_token // multiple, 1) * multiple


def run_segments(
    function: Step,
    timed: Sequence[Tensor],
    fixed: Sequence[Tensor],
    state: Tensor,
    segment: int,
    dim: int,
) -> Tensor:
    """Run a causal function over a sequence, one segment after the other.

    A sequence of more than one segment is computed a second time, segment by segment, in the
    backward pass; only its inputs and the states between segments are kept.

    Parameters
    ----------
    function : callable
        ``function(*timed, *fixed, state) -> (outputs, state)`` for the tensors of one segment.
        The outputs have the shape of the first timed tensor.
    timed : sequence of Tensor
        Tensors with the time along axis `dim`.
    fixed : sequence of Tensor
        Tensors that all segments share.
    state : Tensor
        The state before the first token; no gradient flows to it.
    segment : int
        Tokens in a segment, at least 1.
    dim : int
        Axis of the time.

    Returns
    -------
    Tensor
        The outputs of all tokens, in the shape of the first timed tensor.

    Raises
    ------
    ValueError
        If `segment` is not positive.
    """
    if segment < 1:
        raise ValueError(f"A segment has at least one token, not {segment}.")
    if timed[0].shape[dim] <= segment:
        return function(*timed, *fixed, state)[0]
    y: Tensor = _Segments.apply(  # type: ignore[no-untyped-call]
        function, len(timed), segment, dim, state, *timed, *fixed
    )
    return y


class _Segments(torch.autograd.Function):
    """Allocate beforehand what outlives a segment.

    Small results left between the large temporaries (as `torch.utils.checkpoint` leaves them)
    keep the allocator from using that space again: peak memory was four times as high.
    """

    @staticmethod
    def forward(
        ctx: Any,
        function: Step,
        count: int,
        segment: int,
        dim: int,
        state: Tensor,
        *tensors: Tensor,
    ) -> Tensor:
        timed, fixed = tensors[:count], tensors[count:]
        length = timed[0].shape[dim]
        parts = [(at, min(segment, length - at)) for at in range(0, length, segment)]
        entering = state.new_empty(len(parts), *state.shape)
        y = torch.empty_like(timed[0])
        for index, part in enumerate(parts):
            entering[index] = state
            outputs, state = function(*(t.narrow(dim, *part) for t in timed), *fixed, state)
            y.narrow(dim, *part).copy_(outputs)
        ctx.save_for_backward(*tensors, entering)
        ctx.function, ctx.count, ctx.parts, ctx.dim = function, count, parts, dim
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        *tensors, entering = ctx.saved_tensors
        timed, fixed = tensors[: ctx.count], tensors[ctx.count :]
        timed_grads = [torch.empty_like(t) for t in timed]
        fixed_grads = [torch.zeros_like(t) for t in fixed]
        state_grad = torch.zeros_like(entering[0])
        for index in reversed(range(len(ctx.parts))):
            part = ctx.parts[index]
            used = [*(t.narrow(ctx.dim, *part) for t in timed), *fixed, entering[index]]
            inputs = [t.detach().requires_grad_() for t in used]
            with torch.enable_grad():
                outputs = ctx.function(*inputs)
            *found, state_grad = torch.autograd.grad(
                outputs, inputs, (grads[0].narrow(ctx.dim, *part), state_grad)
            )
            for whole, piece in zip(timed_grads, found[: ctx.count], strict=True):
                whole.narrow(ctx.dim, *part).copy_(piece)
            for total, piece in zip(fixed_grads, found[ctx.count :], strict=True):
                total.add_(piece)
        return None, None, None, None, None, *timed_grads, *fixed_grads
