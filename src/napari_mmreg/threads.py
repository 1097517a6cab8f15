"""How threads that compute wait for each other."""

from __future__ import annotations

import os


def let_threads_sleep() -> None:
    """Have the threads that torch computes with sleep while they wait, not spin.

    Call it before torch is imported, in a process that is ours to decide about; what the user has
    set counts. Spinning threads hold the cores that those they wait for need: beside other work, a
    run can take several times as long with two threads as with one.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
