"""The *Landmarks* dock.

What decides something lives in modules without Qt (`controller`, `layers`, `marking`, `preview`),
so that it can be tested without a window; `dock` and the other widgets only show it.
"""

from __future__ import annotations
