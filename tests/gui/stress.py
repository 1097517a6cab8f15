"""Random use of the docks in a real window; `test_stress.py` runs it in a process of its own.

A wrong OpenGL context, a layer removed while a frame is pending: such faults end the process, so
they cannot be tested in the one that runs all other tests. Most of them end it only now and then,
but the watches see each of them whenever it occurs.
"""

from __future__ import annotations

import faulthandler
import gc
import sys
from collections import Counter
from pathlib import Path
from typing import ClassVar

import napari
import numpy as np
from qtpy.QtTest import QTest
from skimage import data, transform

from napari_mmreg import register
from napari_mmreg.gui.landmarks.dock import LandmarksDock
from napari_mmreg.gui.register.dock import RegisterDock
from napari_mmreg.gui.shared import strings

sys.path.insert(0, str(Path(__file__).parents[1]))
from layer_watch import ContextWatch, ListWatch

MOST_RUNS = 3
MOST_TILED = 4
"""Steps in grid mode at a time: napari builds every tile anew when a layer comes, goes or hides."""


class Stress:
    """One window, two images, and what a user may do with them."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.done: Counter[str] = Counter()
        self.tiled = 0
        scene = transform.resize(data.camera(), (96, 112), anti_aliasing=True).astype(np.float32)
        self.fixed, self.moving = scene[4:84, 6:102], 1 - scene[8:88, 3:99]
        self.result = register(self.fixed, self.moving, model="classical", device="cpu")
        self.viewer = napari.Viewer()
        self.viewer.window._qt_window.resize(1390, 960)  # smaller ones lived by luck
        self.add_images()
        self.open_dock()
        self.pause(200)
        self.watches = ContextWatch(self.viewer), ListWatch(self.viewer.layers)
        # napari collects garbage with every removed layer: not through all that is imported.
        gc.collect()
        gc.freeze()

    def pause(self, milliseconds: int = 5) -> None:
        """Let napari draw."""
        QTest.qWait(milliseconds)

    def add_images(self) -> None:
        self.viewer.add_image(self.fixed, name="visible")
        self.viewer.add_image(self.moving, name="infrared", blending="additive")

    def open_dock(self) -> None:
        self.dock = RegisterDock(self.viewer, lambda *_, **__: self.result)
        self.area = self.viewer.window.add_dock_widget(self.dock, name="Register images")

    # What a user does

    def run(self) -> None:
        if len(self.dock.session.runs.runs) >= MOST_RUNS:
            self.remove()
        self.dock.start()
        # Mostly watched to the end, sometimes disturbed by the next step.
        if self.random.random() < 0.7:
            self.wait_for_run()

    def wait_for_run(self) -> None:
        while self.dock.busy:
            self.pause()

    def queue(self) -> None:
        """Press Register several times, with other settings each time, and perhaps think better."""
        for _ in range(int(self.random.integers(2, 5))):
            self.dock.advanced.seed.setValue(int(self.random.integers(3)))
            self.dock._on_register_key()
        box, chance = self.dock.queue_box, self.random.random()
        if box.list.count() > 1 and chance < 0.3:
            box.remove_button(int(self.random.integers(1, box.list.count()))).click()
        elif chance < 0.5:
            box.cancel_all.click()
        elif chance < 0.8:
            self.wait_for_run()
        while len(self.dock.session.runs.runs) > MOST_RUNS and not self.dock.busy:
            self.remove()

    def cancel(self) -> None:
        self.dock.cancel()

    def choose_run(self) -> None:
        runs = self.dock.runs.runs
        if runs.count():
            runs.setCurrentRow(int(self.random.integers(runs.count())))

    def by_hand(self) -> None:
        """Take the moving image in hand or let it go, and move it."""
        box = self.dock.start_box
        buttons = (box.by_hand, box.by_hand, box.flip, box.turn, box.undo, box.reset)
        buttons[self.random.integers(len(buttons))].click()
        held = box.placing.held
        if held is not None:
            matrix = np.array(held.affine)
            matrix[:2, 2] += self.random.uniform(-9, 9, 2)
            held.affine = matrix

    def draw(self) -> None:
        """Begin a mask or go on with it, or choose none."""
        areas = self.dock.start_box.areas
        if self.random.random() < 0.5:
            areas.draw_moving.click()
        else:
            areas.moving_mask.select(None)

    def keep(self) -> None:
        numbers = self.dock.runs.runs.numbers
        if numbers:
            self.dock.runs.runs.tick(
                int(self.random.choice(numbers)), on=self.random.random() < 0.5
            )

    def offer(self) -> None:
        """Show or hide a kind of layers."""
        buttons = [b for b in self.dock.layers.toggles.values() if b.isVisibleTo(self.dock.layers)]
        if buttons:
            buttons[int(self.random.integers(len(buttons)))].click()

    def motion(self) -> None:
        self.dock.layers.motion.select(self.random.choice(list(strings.MOTIONS)))

    def hold(self) -> None:
        self.dock.compare.hold.pressed.emit()
        self.pause()
        self.dock.compare.hold.released.emit()

    def worst(self) -> None:
        self.dock.results.look_at_worst()

    def remove(self) -> None:
        self.dock._on_remove()

    def compare(self) -> None:
        self.dock.compare.mode.select(self.random.choice(list(strings.MODES)))
        self.dock.compare.source.select(self.random.choice(list(strings.SOURCES)))

    def slide(self) -> None:
        slider = self.dock.compare.amount
        if slider.isEnabled():
            slider.setValue(int(self.random.integers(slider.minimum(), slider.maximum() + 1)))

    def arrows(self) -> None:
        self.dock.layers.arrows.setValue(int(self.random.integers(4, 100)))

    def toggle(self) -> None:
        if self.viewer.layers:
            layer = self.viewer.layers[int(self.random.integers(len(self.viewer.layers)))]
            layer.visible = not layer.visible

    def delete(self, count: int = 1) -> None:
        """Remove layers by hand, not those that the next run needs."""
        images = ("visible", "infrared")
        others = [layer for layer in self.viewer.layers if layer.name not in images]
        chosen = self.random.permutation(len(others))[:count]
        self.viewer.layers.selection = {others[i] for i in chosen}
        self.viewer.layers.remove_selected()

    def delete_several(self) -> None:
        self.delete(3)

    def delete_run(self) -> None:
        """Remove all that belongs to the shown run by hand, its comparison, too."""
        run = self.dock.runs.run
        if run is not None:
            own = {la for la in self.viewer.layers if la.name.startswith(f"[{run.number}] ")}
            self.viewer.layers.selection = own
            self.viewer.layers.remove_selected()

    def move(self) -> None:
        count = len(self.viewer.layers)
        if count:
            self.viewer.layers.move(*(int(i) for i in self.random.integers(count, size=2)))

    def clear(self) -> None:
        self.viewer.layers.clear()
        self.pause(int(self.random.integers(0, 20)))
        self.add_images()

    def tile(self) -> None:
        """Show the layers side by side for some steps."""
        self.viewer.canvas.grid.enabled = True
        self.tiled = MOST_TILED

    def untile(self) -> None:
        self.tiled -= 1
        if self.tiled == 0:
            self.viewer.canvas.grid.enabled = False

    def zoom(self) -> None:
        self.viewer.scene.camera.zoom *= float(self.random.uniform(0.7, 1.5))

    def mark(self) -> None:
        """Open the other dock, mark, close it again: its layers come and go."""
        dock = LandmarksDock(self.viewer)
        area = self.viewer.window.add_dock_widget(dock, name="Landmarks")
        self.pause(20)
        self.viewer.window.remove_dock_widget(area)

    def reopen(self) -> None:
        self.viewer.window.remove_dock_widget(self.area)
        self.pause()
        self.open_dock()

    WEIGHTS: ClassVar[dict[str, int]] = {
        "run": 8,
        "queue": 12,
        "cancel": 2,
        "choose_run": 20,
        "keep": 10,
        "by_hand": 40,
        "draw": 6,
        "offer": 60,
        "motion": 10,
        "hold": 8,
        "worst": 6,
        "remove": 8,
        "compare": 40,
        "slide": 60,
        "arrows": 30,
        "toggle": 150,
        "delete": 16,
        "delete_several": 4,
        "delete_run": 4,
        "move": 10,
        "clear": 2,
        "tile": 4,
        "zoom": 60,
        "mark": 1,
        "reopen": 2,
    }
    """How often, together about 520; adding and removing layers is what takes long."""

    def begin(self) -> None:
        """Do what ended napari every time: run, remove, hide, show."""
        self.dock.start()
        self.wait_for_run()
        self.pause(100)
        self.remove()
        self.pause(100)
        for _ in range(2):
            self.viewer.layers[0].visible = not self.viewer.layers[0].visible
            self.pause(50)

    def step(self) -> None:
        weights = np.array(list(self.WEIGHTS.values()), dtype=float)
        action = str(self.random.choice(list(self.WEIGHTS), p=weights / weights.sum()))
        self.done[action] += 1
        if self.tiled:
            self.untile()
        getattr(self, action)()
        self.pause(int(self.random.integers(0, 15)))


def main(steps: int, seed: int) -> None:
    """Use the docks at random, then close the window."""
    faulthandler.enable()
    stress = Stress(seed)
    stress.begin()
    for _ in range(steps):
        stress.step()
    for watch in stress.watches:
        watch.stop()
    stress.viewer.close()
    print("alive", steps, dict(stress.done))
    faults = [fault for watch in stress.watches for fault in watch.faults]
    if faults:
        print(len(faults), "faults; the first:", faults[0], file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
