"""The napari plugin: the *Register* dock, its layers, comparison and hover.

The only room that knows napari and Qt. What decides something lives in modules without Qt
(`modalities`, `placement`, `snapshot`, `fields`, `bundle`, `job`, `runs`, `comparison`,
`hover`), so that it can be tested without a window; `widgets` and `dock` only show it.
Nothing here imports torch before a run starts.
"""

from __future__ import annotations
