"""Make the pictures of the docs: real napari windows, real runs, sample pairs built at run time.

    python docs/make_pictures.py [--only NAME] [--out FOLDER] [--window WIDTH HEIGHT] [--theme NAME]

Needs a screen; on a machine without one: ``xvfb-run -a -s "-screen 0 1400x1000x24"``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import imageio.v3 as iio
import napari
import numpy as np
from napari.utils.notifications import notification_manager
from qtpy.QtTest import QTest

from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.gui.apply.dock import ApplyDock
from napari_mmreg.gui.batch.dock import BatchDock
from napari_mmreg.gui.evaluate.dock import EvaluateDock
from napari_mmreg.gui.landmarks.dock import LandmarksDock
from napari_mmreg.gui.register.dock import RegisterDock
from napari_mmreg.gui.register.tour import CLOSED
from napari_mmreg.gui.samples import load_ihc, load_thermal
from napari_mmreg.gui.series.dock import SeriesDock
from napari_mmreg.gui.shared import bundle as roles
from napari_mmreg.gui.shared import motion
from napari_mmreg.gui.shared.fused import BEFORE, FUSED, NO_FUSION
from napari_mmreg.gui.shared.kinds import KINDS
from napari_mmreg.gui.shared.matches import FIXED, LINES, MOVING
from napari_mmreg.gui.shared.memory import remember
from napari_mmreg.io import write_image
from napari_mmreg.landmarks.sessions import FOLDER_VARIABLE
from napari_mmreg.samples import load_sample

PICTURES = Path(__file__).parent / "pictures"
REPORT = Path(tempfile.gettempdir()) / "mmreg-report"
MAX_BYTES = 400_000
WINDOW = (1390, 960)


def main() -> None:
    """Make all pictures, or one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=sorted(SCENES))
    parser.add_argument("--out", type=Path, default=PICTURES)
    parser.add_argument("--window", type=int, nargs=2, default=WINDOW, metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--theme", default="dark", help="of napari's window: dark, light")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    for name, (sample, scene) in SCENES.items():
        if chosen.only in (None, name):
            os.environ[FOLDER_VARIABLE] = tempfile.mkdtemp()  # no session is found or kept
            remember(CLOSED, True)
            viewer, dock = open_window(sample, chosen.window, landmarks=scene in EVALUATIONS)
            viewer.theme = chosen.theme
            if name.startswith("landmarks"):
                dock = add_landmarks(viewer, dock)
            try:
                scene(viewer, dock)
                settle()
                if scene is evaluate_report:
                    browse(chosen.out / f"{name}.png")
                else:
                    save(viewer, chosen.out / f"{name}.png")
            finally:
                viewer.close()
                settle()


def open_window(
    sample, size=WINDOW, *, landmarks: bool = False
) -> tuple[napari.Viewer, RegisterDock]:
    """Open napari with a sample and the dock."""
    notification_manager.records.clear()
    viewer = napari.Viewer(show=False)
    for data, kwargs, kind in sample():
        if kind == "image" or landmarks:
            viewer.add_layer(napari.layers.Layer.create(data, kwargs, kind))
    viewer.window.show()
    viewer.window.resize(*size)
    settle()
    dock = RegisterDock(viewer)
    viewer.window.add_dock_widget(dock, name="Register images", area="right")
    settle(800)
    viewer.reset_view()
    return viewer, dock


def add_landmarks(viewer: napari.Viewer, register: RegisterDock) -> LandmarksDock:
    """Open the Landmarks dock over the Register dock; its session is not kept."""
    dock = LandmarksDock(viewer)
    dock.register = register
    above = viewer.window.add_dock_widget(dock, name="Landmarks", area="right", tabify=True)
    above.raise_()
    settle(600)
    return dock


def settle(milliseconds: int = 400) -> None:
    """Let the window draw."""
    QTest.qWait(milliseconds)


def run(dock: RegisterDock, seconds: int = 300) -> None:
    """Press *Register* and wait for the layers."""
    press_register(dock, seconds)
    if dock.runs.run is None:
        raise SystemExit(f"The run ended without a result: {dock.status.text}")


def press_register(dock: RegisterDock, seconds: int = 300) -> None:
    """Press *Register* and wait for the end of the run."""
    dock.run_bar.button.click()
    for _ in range(seconds * 20):
        settle(50)
        if not dock.run_bar.running and not dock.busy:
            break
    settle(1500)
    print(dock.status.text)


def result_layer(dock: RegisterDock, role: str):
    """Return a layer of the finished run; it is made if it is not there."""
    kind = next(kind for kind in KINDS if role in kind.roles)
    dock.session.runs.toggle(kind.name, on=True)
    return dock.runs.run.layers[role]


def point_at(viewer: napari.Viewer, layer, pixel) -> None:
    """Put the cursor on a pixel, as the mouse does."""
    viewer.cursor.position = tuple(layer.data_to_world(pixel))
    for callback in viewer.mouse_move_callbacks:
        callback(viewer, None)


def register_dock(_viewer, dock) -> None:
    """Before a run: what was guessed, the settings unfolded."""
    dock.advanced.expand(animate=False)


def start_by_hand(viewer, dock) -> None:
    """The moving image turned and dragged roughly into place, with its handles."""
    dock.start_section.fold(folded=False)
    _, moving = dock.images.pair
    moving.affine = MatrixTransform.translation((20, -60)).matrix
    settle()
    dock.start_box.by_hand.click()
    turn = np.deg2rad(12)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    matrix = np.eye(3)
    matrix[:2, :2] = rotation
    dock.start_box.placing.about_centre(moving, matrix)
    viewer.reset_view()
    viewer.scene.camera.zoom *= 0.8


def result_overlay(viewer, dock) -> None:
    """After a run, as it appears."""
    run(dock)
    point_at(viewer, dock.images.pair[0], np.array(dock.images.pair[0].data.shape[:2]) * 0.4)


def load_two_pairs():
    """The coffee and its thermal image, hidden, and the stained section."""
    hidden = [(data, {**kwargs, "visible": False}, kind) for data, kwargs, kind in load_thermal()]
    return [*hidden, *load_ihc()]


def queue(viewer, dock) -> None:
    """A run that goes on, and two more that wait."""
    dock.method.budget.select("best")
    dock.run_bar.button.click()
    dock.images.choose(*[layer for layer in viewer.layers if "coffee" in layer.name])
    for model in ("auto", "classical"):
        dock.method.model.select(model)
        dock.run_bar.add.click()
    while len(dock.live.curve.values) < 9:
        settle(20)


def tour(_viewer, dock) -> None:
    """The tour, at the button."""
    dock.tour.begin()
    dock.tour.next.click()


def load_bricks():
    """A wall whose bricks are as alike as their places, and its negative, shifted."""
    from skimage import data

    wall = data.brick()
    return [
        (wall[40:340, 40:340], {"name": "wall", "colormap": "green"}, "image"),
        (
            255 - wall[60:360, 70:370],
            {"name": "wall, negative", "colormap": "magenta", "blending": "additive"},
            "image",
        ),
    ]


def load_unrelated():
    """A cup of coffee, and a stain of a section of the colon."""
    return [load_thermal()[0], load_ihc()[1]]


def status_doubtful(_viewer, dock) -> None:
    """A result that fits well here, and nearly as well elsewhere."""
    dock.method.model.select("rfnet")
    dock.method.fusion.select(NO_FUSION)
    run(dock)


def status_failed(_viewer, dock) -> None:
    """Two images of different things."""
    dock.method.model.select("rfnet")
    dock.method.fusion.select(NO_FUSION)
    press_register(dock)


def load_large():
    """The stained section as a multiscale image, eight times as large, and the other sensor's."""
    from skimage.transform import resize

    from napari_mmreg.geometry.thinning import thin_block

    layers = []
    for data, kwargs, kind in load_ihc():
        if kind == "image":
            shape = (data.shape[0] * 8, data.shape[1] * 8, *data.shape[2:])
            full = resize(data, shape, order=1, preserve_range=True).astype(data.dtype)
            levels = [full, *(thin_block(full, 2**n) for n in (1, 2, 3))]
            layers.append((levels, {**kwargs, "multiscale": True}, kind))
    return layers


def large(viewer, dock) -> None:
    """A part of a multiscale pair after a run: the registered layer at its full resolution."""
    run(dock, 600)
    dock.compare.mode.select("off")
    dock.images.pair[1].visible = False
    registered = result_layer(dock, roles.REGISTERED)
    viewer.layers.selection.active = registered
    rows, cols = registered.data[0].shape[:2]
    camera = viewer.scene.camera
    camera.center = (0.45 * rows, 0.5 * cols)
    camera.zoom *= 4
    settle(4000)
    level = registered.data_level
    print(f"{rows} x {cols}, {len(registered.data)} levels, shown is level {level}")


def load_tiles():
    """A strip of the stained section, wider than a run sees, and its bent negative."""
    from skimage.transform import resize

    from napari_mmreg.geometry import DisplacementTransform

    picture = load_sample("ihc_two_stain").fixed
    fixed = resize(picture, (1100, 1100), preserve_range=True)[300:812].astype(np.uint8)
    knots = np.random.default_rng(0).normal(size=(4, 8, 2)) * 5
    bend = DisplacementTransform.coarse(knots, fixed.shape)
    moving = bend.inverse().resample(255 - fixed, fixed.shape, 1, fill=0)
    yield fixed, {"name": "section"}, "image"
    yield moving, {"name": "other stain"}, "image"


def tiles(_viewer, dock) -> None:
    """A run refined in tiles, compared with the former one."""
    dock.method.model.select("classical")
    run(dock)
    dock.runs.offer_tiles()
    dock.runs.tiles_menu.actions()[0].trigger()
    while dock.busy:
        settle(100)
    settle(1500)
    print(dock.status.text)
    former, _ = dock.session.runs.runs
    dock.compare.source.select(former)
    dock.compare.source.activated.emit(dock.compare.source.currentIndex())


def flow_arrows(_viewer, dock) -> None:
    """The arrows on the fixed image."""
    run(dock)
    dock.compare.mode.select("off")
    result_layer(dock, motion.ARROWS)
    result_layer(dock, roles.REGISTERED).visible = False
    dock.images.pair[1].visible = False


def transform_opened(viewer, dock) -> None:
    """A transform file that was dropped: the sample's own misalignment, as ANTs would have it."""
    sample = load_sample("visible_thermal_simulated")
    path = Path(tempfile.mkdtemp()) / "1Warp.nii.gz"
    sample.truth.save(path, fixed_shape=sample.fixed.shape)
    viewer.open(path, plugin="napari-mmreg")
    dock.images.pair[1].visible = False


def misregistration(viewer, dock) -> None:
    """The misregistration map over the fixed image."""
    run(dock)
    dock.compare.mode.select("off")
    result_layer(dock, roles.REGISTERED).visible = False
    dock.images.pair[1].visible = False
    result_layer(dock, roles.RISK).visible = True
    point_at(viewer, dock.images.pair[0], np.array(dock.images.pair[0].data.shape[:2]) * 0.6)


def motion_beyond(_viewer, dock) -> None:
    """What bends, without the shift that hides it."""
    flow_arrows(_viewer, dock)
    dock.layers.motion.select("beyond")


def runs(viewer, dock) -> None:
    """Two runs, the first one named, kept, and compared with the second."""
    dock.method.model.select("classical")
    run(dock)
    dock.session.runs.rename(1, "search alone")
    dock.session.runs.keep(1, kept=True)
    dock.method.model.select("auto")
    run(dock)
    dock.compare.source.select(dock.session.runs.runs[0])
    viewer.reset_view()


def compare_checkerboard(_viewer, dock) -> None:
    """Fixed and registered in tiles."""
    run(dock)
    dock.compare.mode.select("checkerboard")


def compare_beside(viewer, dock) -> None:
    """Two linked views, with the mouse over a place."""
    run(dock)
    dock.compare.mode.select("beside")
    look_closer(viewer, 2.5)
    viewer.cursor.position = (150.0, 130.0)
    for callback in viewer.mouse_move_callbacks:
        callback(viewer, None)


def look_closer(viewer, times) -> None:
    """Zoom in."""
    viewer.scene.camera.zoom *= times


def matches(_viewer, dock) -> None:
    """The matches of a matching model, on the fixed image and where they lay in the moving one."""
    dock.method.model.select("regnetmamba2")
    run(dock)
    dock.compare.mode.select("off")
    result_layer(dock, roles.REGISTERED).visible = False
    dock.images.pair[1].visible = False
    for role in (FIXED, MOVING, LINES):
        result_layer(dock, role).visible = True


def rendering(viewer, dock) -> None:
    """Fixed, registered, and as the fixed sensor would show it, one above the other."""
    dock.method.model.select("sasnet")
    run(dock)
    for layer in viewer.layers:
        layer.visible = False
    chosen = [result_layer(dock, role) for role in (roles.RERENDERED, roles.REGISTERED)]
    for layer in (*chosen, dock.images.pair[0]):
        layer.visible = True
        layer.blending = "translucent"
    viewer.canvas.grid.enabled = True
    viewer.canvas.grid.shape = (3, 1)
    viewer.reset_view()
    dock.area.verticalScrollBar().setValue(0)


def fusion(viewer, dock) -> None:
    """The fused images of a finished run, before above after in napari's grid."""
    run(dock)
    dock.method.fusion.select("laplacian")
    dock.runs.fuse.click()
    while dock.runner.busy:
        settle(50)
    settle(800)
    for layer in viewer.layers:
        layer.visible = False
    for role in (FUSED, BEFORE):
        result_layer(dock, role).visible = True
    viewer.canvas.grid.enabled = True
    viewer.canvas.grid.shape = (2, 1)
    viewer.reset_view()
    dock.area.verticalScrollBar().setValue(0)


def batch(viewer, dock) -> None:
    """Four pairs of files, one of them damaged."""
    scans = Path(tempfile.mkdtemp()) / "scans"
    scans.mkdir()
    names = {"tissue": "ihc_two_stain", "motorcycle": "motorcycle_rgb_depth"}
    for name, sample in {**names, "cup": "visible_thermal_simulated"}.items():
        pair = load_sample(sample)
        write_image(scans / f"{name}_a.tif", pair.fixed)
        write_image(scans / f"{name}_b.tif", pair.moving)
    for side in "ab":
        (scans / f"night_{side}.tif").write_bytes(b"II*\0 cut short")
    viewer.layers.clear()
    batches = BatchDock(viewer)
    viewer.window.add_dock_widget(batches, name="Batch registration", area="right")
    viewer.window.remove_dock_widget(dock)
    for side, pattern in (("fixed", "*_a.tif"), ("moving", "*_b.tif")):
        batches.form.patterns[side].value = scans / pattern
    batches.form.output.value = scans.parent / "results"
    batches.find_pairs()
    batches.run_bar.button.click()
    while batches.busy:
        settle(50)
    print(batches.status.text)
    batches.table.selectRow(0)
    batches.open_pair()
    while batches.busy or len(viewer.layers) < 3:
        settle(50)
    viewer.reset_view()
    settle(800)


def apply_dock(viewer, dock) -> None:
    """Labels and points of the moving image, carried onto the fixed one."""
    from skimage.measure import label, regionprops

    run(dock)
    dock.compare.mode.select("off")
    fixed, moving = dock.images.pair
    for layer in dock.runs.run.layers.values():
        layer.visible = False
    objects = label(moving.data > np.percentile(moving.data, 80))
    large = [region for region in regionprops(objects) if region.area > 300]
    for region in regionprops(objects):
        if region.area <= 300:
            objects[objects == region.label] = 0
    here = {"scale": moving.scale, "translate": moving.translate, "affine": moving.affine}
    viewer.add_labels(objects, name="warm areas", visible=False, **here)
    centres = [region.centroid for region in large]
    features = {"area": [float(region.area) for region in large]}
    viewer.add_points(centres, name="centres", features=features, size=10, visible=False, **here)
    apply = ApplyDock(viewer)
    viewer.window.add_dock_widget(apply, name="Apply registration", area="right")
    viewer.window.remove_dock_widget(dock)
    apply.form.choose_layers([viewer.layers["warm areas"], viewer.layers["centres"]])
    settle()
    apply.run_bar.button.click()
    while apply.busy:
        settle(50)
    settle(800)
    print(apply.status.text)
    moving.visible = False
    for name in ("warm areas", "centres"):
        viewer.layers[f"{name} on {fixed.name}"].visible = True
    viewer.reset_view()


def mark_pairs(dock: LandmarksDock, name: str, step: int, wrong: int | None = None) -> None:
    """Mark every `step`-th of a sample's landmarks to about a pixel; one may be misplaced."""
    sample = load_sample(name)
    rng = np.random.default_rng(0)
    fixed = sample.fixed_points[::step]
    moving = sample.truth.map(fixed) + rng.normal(0, 0.7, fixed.shape)
    if wrong is not None:
        moving[wrong] += (3, 14)
    for here, there in zip(fixed, moving, strict=True):
        dock.controller.book.add(here, there)
    dock.controller.measure()


def landmarks_marking(viewer, dock) -> None:
    """Marking a pair: the ghost shows where the moving landmark may be."""
    mark_pairs(dock, "visible_thermal_simulated", 3)
    viewer.reset_view()
    dock.pairs.mark.click()
    dock.controller.entry.click("fixed", np.array([236.0, 150.0]))
    settle(300)


def landmarks_errors(viewer, dock) -> None:
    """The table with a misplaced pair, which is found and said."""
    viewer.reset_view()
    mark_pairs(dock, "visible_thermal_simulated", 2, wrong=4)
    dock.controller.select({5})
    dock.fit.preview.setChecked(True)
    settle(300)
    dock.show_correction()


def landmarks_correction(viewer, dock) -> None:
    """A model's result corrected with landmarks, as a second result."""
    run(dock.register)
    viewer.reset_view()
    mark_pairs(dock, "ihc_two_stain", 2)
    settle(300)
    dock.correct.click()
    for _ in range(1200):
        settle(50)
        if not dock.busy:
            break
    settle(800)
    for layer in dock.controller.runs.runs[0].layers.values():
        layer.visible = False
    dock.controller.select({4})
    settle(300)
    dock.show_correction()
    viewer.layers.selection.active = dock.controller.runs.runs[-1].layers[roles.REGISTERED]


def evaluate(viewer, dock, sam: Path | None = None) -> EvaluateDock:
    """Register, then measure the run in a dock of its own, with a SAM or the built-in segmenter."""
    run(dock)
    dock.compare.mode.select("off")
    evaluation = EvaluateDock(viewer)
    viewer.window.add_dock_widget(evaluation, name="Evaluate registration", area="right")
    viewer.window.remove_dock_widget(dock)
    if sam is not None:
        evaluation.segmenter.set_folder(str(sam))
    settle()
    evaluation.run_bar.button.click()
    wait_for(evaluation)
    return evaluation


def wait_for(evaluation: EvaluateDock, seconds: int = 300) -> None:
    """Wait for the end of an evaluation."""
    for _ in range(seconds * 20):
        settle(50)
        if not evaluation.runner.busy:
            break
    settle(800)
    if evaluation.status.isVisible():
        print(evaluation.status.text)


def evaluate_dock(viewer, dock) -> None:
    """Numbers and objects of a run."""
    evaluation = evaluate(viewer, dock)
    evaluation.area.verticalScrollBar().setValue(330)


def evaluate_objects(viewer, dock) -> None:
    """The worst object, zoomed to."""
    evaluation = evaluate(viewer, dock)
    bar = evaluation.area.verticalScrollBar()
    bar.setValue(880)
    evaluation.box.objects.selectRow(0)


def evaluate_sam(viewer, dock) -> None:
    """The SAM of the tests: real classes, random weights, so the masks mean nothing."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from tiny_sam import save_tiny_sams

    evaluate(viewer, dock, save_tiny_sams(Path(tempfile.mkdtemp()))["sam"])


def evaluate_compare(viewer, dock) -> None:
    """Models compared, the best one selected."""
    evaluation = evaluate(viewer, dock)
    evaluation.models.bar.button.click()
    wait_for(evaluation)
    bar = evaluation.area.verticalScrollBar()
    bar.setValue(bar.maximum())


def evaluate_report(viewer, dock) -> None:
    """The report in a headless browser, instead of the window."""
    from napari_mmreg.evaluation.report import write_report

    evaluation = evaluate(viewer, dock)
    write_report([evaluation.shown], REPORT, "coffee thermal (simulated) onto coffee visible")


EVALUATIONS = (
    evaluate_dock,
    evaluate_objects,
    evaluate_sam,
    evaluate_compare,
    evaluate_report,
)


def series_dock(viewer, register) -> None:
    """A stack that drifts, with a plane that shows nothing, followed over time."""
    sample = load_sample("visible_thermal_simulated")
    fixed = np.asarray(sample.fixed)[20:292:2, 34:434:2]
    planes = []
    for n in range(8):
        drift = MatrixTransform.translation((3.0 * n, -2.0 * n + 0.3 * n * n))
        pull = sample.truth.compose(drift)
        planes.append(pull.resample(sample.moving, sample.fixed.shape[:2])[20:292:2, 34:434:2])
    moving = np.stack(planes).astype(np.float32)
    noise = np.random.default_rng(0).normal(moving[4].mean(), moving[4].std() / 5, moving[4].shape)
    moving[4] = noise
    viewer.window.remove_dock_widget(register)
    viewer.layers.clear()
    viewer.add_image(fixed, name="visible", rgb=True)
    limits = tuple(np.nanpercentile(moving, (1, 99)))
    viewer.add_image(moving, name="thermal", colormap="inferno", contrast_limits=limits)
    dock = SeriesDock(viewer)
    viewer.window.add_dock_widget(dock, name="Register stack or time series", area="right")
    dock.form.way.value = "follow"
    dock.form.model.value = "classical"
    settle(800)
    viewer.reset_view()
    dock.run_bar.button.click()
    for _ in range(12000):
        settle(50)
        if not dock.busy:
            break
    viewer.layers["thermal"].visible = False
    dock.table.setCurrentCell(6, 0)
    print(dock.status.text)


SCENES = {
    "apply_dock": (load_thermal, apply_dock),
    "batch": (load_thermal, batch),
    "series_dock": (load_thermal, series_dock),
    "evaluate_dock": (load_thermal, evaluate_dock),
    "evaluate_objects": (load_thermal, evaluate_objects),
    "evaluate_sam": (load_thermal, evaluate_sam),
    "evaluate_compare": (load_thermal, evaluate_compare),
    "evaluate_report": (load_thermal, evaluate_report),
    "register_dock": (load_ihc, register_dock),
    "start_by_hand": (load_ihc, start_by_hand),
    "result_overlay": (load_ihc, result_overlay),
    "status_doubtful": (load_bricks, status_doubtful),
    "status_failed": (load_unrelated, status_failed),
    "queue": (load_two_pairs, queue),
    "tour": (load_ihc, tour),
    "large": (load_large, large),
    "tiles": (load_tiles, tiles),
    "flow_arrows": (load_thermal, flow_arrows),
    "transform_opened": (load_thermal, transform_opened),
    "motion_beyond": (load_thermal, motion_beyond),
    "runs": (load_ihc, runs),
    "misregistration": (load_thermal, misregistration),
    "compare_checkerboard": (load_thermal, compare_checkerboard),
    "compare_beside": (load_ihc, compare_beside),
    "matches": (load_thermal, matches),
    "rendering": (load_thermal, rendering),
    "fusion": (load_thermal, fusion),
    "landmarks_marking": (load_thermal, landmarks_marking),
    "landmarks_errors": (load_thermal, landmarks_errors),
    "landmarks_correction": (load_ihc, landmarks_correction),
}


def browse(path: Path) -> None:
    """Photograph the report in a headless browser; without one the picture stays as it is."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        print("no chromium: the picture of the report was not made anew")
        return
    page = (REPORT / "evaluation.html").resolve().as_uri()
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    size = "--window-size=1120,1500"
    subprocess.run([browser, *options, size, f"--screenshot={path}", page], check=True)
    squeeze(iio.imread(path)[..., :3], path)


def save(viewer: napari.Viewer, path: Path) -> None:
    """Write a picture of the window."""
    squeeze(viewer.screenshot(canvas_only=False, flash=False)[..., :3], path)


def squeeze(picture: np.ndarray, path: Path) -> None:
    """Write a picture, with fewer colours if it would be large."""
    from PIL import Image

    iio.imwrite(path, picture, optimize=True)
    for colours in (256, 128, 64):
        if path.stat().st_size <= MAX_BYTES:
            break
        Image.fromarray(picture).quantize(colours, dither=Image.Dither.NONE).save(
            path, optimize=True
        )
    print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
