"""How threads that compute wait for each other."""

from __future__ import annotations

import os

SPINS = "1000"
"""Measured with 1,024 x 1,024 pixels on two threads and two cores: 1.7 s (by default 1.6), and 4 s
beside two processes that hold both cores (by default 13)."""


def let_threads_sleep() -> None:
    """Have the threads that torch computes with sleep after a short wait, not spin.

    Call it before torch is imported, in a process that is ours to decide about; what the user has
    set counts. Spinning threads hold the cores that those they wait for need: beside other work, a
    run can take several times as long with two threads as with one. It is heard by GNU's OpenMP,
    which torch has on Linux.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
