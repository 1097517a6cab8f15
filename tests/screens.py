"""A virtual screen for each process that runs tests: a window elsewhere would take the focus."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable

SIZE = "1400x1000x24"

# The shell ends the server as soon as nobody holds its input any more, even after a crash.
_SERVE = (
    f"Xvfb -displayfd 3 -screen 0 {SIZE} -nolisten tcp 3>&1 >/dev/null 2>&1 & read -r _; kill $!"
)


def open_own_screen() -> Callable[[], None] | None:
    """Let windows of this process appear on a screen of its own; return what ends it again.

    Returns
    -------
    callable or None
        None where there is no Xvfb: then windows appear where they would.
    """
    if shutil.which("Xvfb") is None:
        return None
    server = subprocess.Popen(
        ["/bin/sh", "-c", _SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdin is not None
    assert server.stdout is not None
    number = server.stdout.readline().strip()  # it is written when the server is ready
    if not number:
        raise RuntimeError("Xvfb did not start: no virtual screen for the tests.")
    os.environ["DISPLAY"] = f":{number}"

    def end() -> None:
        server.communicate()  # closes its input

    return end
