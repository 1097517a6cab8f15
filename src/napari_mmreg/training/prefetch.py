"""Making the next batch while this one is learned from."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from napari_mmreg.training.batches import BatchGenerator, TrainingBatch


class BatchSource:
    """Hands out batches, the next one being made meanwhile where that is wanted."""

    def __init__(self, batches: BatchGenerator, prefetch: bool) -> None:
        self._batches = batches
        self._pool = ThreadPoolExecutor(1) if prefetch else None
        self._next: Future[TrainingBatch] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def __next__(self) -> TrainingBatch:
        if self._pool is None:
            return next(self._batches)
        index = self._batches.index
        pending = self._next or self._pool.submit(self._batches.make, index)
        self._next = self._pool.submit(self._batches.make, index + 1)
        self._batches.index = index + 1
        return pending.result()
