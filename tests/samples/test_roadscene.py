"""The downloaded pair, from a server of our own."""

from __future__ import annotations

import hashlib
import http.server
import socket
import threading
from functools import partial

import imageio.v3 as iio
import numpy as np
import pytest

from napari_mmreg.samples import SampleError, load_sample, roadscene
from napari_mmreg.samples.download import cache_folder, fetch


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def server(tmp_path):
    """A local web server: its folder, its address, and which paths were asked for."""
    folder = tmp_path / "served"
    folder.mkdir()
    asked: list[str] = []

    class Recording(Quiet):
        def do_GET(self):
            asked.append(self.path)
            super().do_GET()

    handler = partial(Recording, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, daemon=True)
        thread.start()
        yield folder, f"http://127.0.0.1:{httpd.server_port}", asked
        httpd.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("MMREG_CACHE_DIR", str(folder))
    return folder


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def served_pair(server, cache, monkeypatch):
    """Two pictures of our own in the places of the real ones, with their own hashes."""
    folder, url, asked = server
    random = np.random.default_rng(0)
    coarse = np.kron(random.uniform(0, 255, (21, 25)), np.ones((16, 16)))[:331, :371]
    for name, picture in (
        ("VISIBLE", np.stack([coarse, coarse[::-1], coarse], axis=-1)),
        ("INFRARED", 255 - coarse),
    ):
        path = folder / getattr(roadscene, name).path
        path.parent.mkdir()
        iio.imwrite(path, picture.astype(np.uint8), quality=90)
        remote = roadscene.RemoteFile(getattr(roadscene, name).path, digest(path))
        monkeypatch.setattr(roadscene, name, remote)
    monkeypatch.setattr(roadscene, "BASE_URL", url)
    return folder, asked


def test_real_address_is_pinned_to_a_commit():
    assert roadscene.BASE_URL == (
        "https://raw.githubusercontent.com/hanna-xu/RoadScene/"
        "ab71420f8fc96396eeb97eecf3694909b3feb656"
    )
    assert roadscene.VISIBLE.sha256.startswith("09b11ddee8bb")
    assert roadscene.INFRARED.sha256.startswith("acf2fe229ff0")


def test_the_pair_is_downloaded_once_and_gets_a_known_misalignment(served_pair, cache):
    _, asked = served_pair
    sample = load_sample("roadscene_flir_08835")
    assert sorted(asked) == [
        "/crop_LR_visible/FLIR_08835.jpg",
        "/cropinfrared/FLIR_08835.jpg",
    ]
    assert sample.fixed.shape == (259, 291, 3)
    assert sample.moving.shape == (259, 291)
    assert "no licence" in sample.notes
    np.testing.assert_allclose(sample.truth.map(sample.fixed_points), sample.moving_points)
    load_sample("roadscene_flir_08835")
    assert len(asked) == 2  # the second time the files came from the cache
    assert len(list(cache.iterdir())) == 2


def test_a_changed_file_is_refused_and_not_kept(served_pair, cache):
    folder, _ = served_pair
    with (folder / roadscene.INFRARED.path).open("ab") as stream:
        stream.write(b"more")
    with pytest.raises(SampleError, match="not the expected one"):
        load_sample("roadscene_flir_08835")
    assert [p.name for p in cache.iterdir()] == ["roadscene_crop_LR_visible_FLIR_08835.jpg"]


def test_a_damaged_cache_is_repaired(served_pair, cache):
    load_sample("roadscene_flir_08835")
    damaged = cache / "roadscene_cropinfrared_FLIR_08835.jpg"
    damaged.write_bytes(b"half a file")
    load_sample("roadscene_flir_08835")
    assert digest(damaged) == roadscene.INFRARED.sha256


def test_a_missing_file_says_what_the_server_said(server, cache):
    _, url, _ = server
    with pytest.raises(SampleError, match="answered 404"):
        fetch(f"{url}/absent.jpg", "absent.jpg", "0" * 64)
    assert not list(cache.glob("*"))


def test_without_a_connection_the_message_says_so(cache):
    with socket.socket() as free:  # a port nobody listens on
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(SampleError, match="Connect to the internet"):
        fetch(f"http://127.0.0.1:{port}/a.jpg", "a.jpg", "0" * 64)
    assert not list(cache.glob("*"))


def test_a_cache_that_cannot_be_written_to_names_the_variable(server, tmp_path):
    folder, url, _ = server
    (folder / "a.txt").write_text("a")
    blocked = tmp_path / "a file, not a folder"
    blocked.write_text("")
    with pytest.raises(SampleError, match="MMREG_CACHE_DIR"):
        fetch(f"{url}/a.txt", "a.txt", digest(folder / "a.txt"), blocked)


def test_pictures_that_do_not_fit_are_refused(served_pair, monkeypatch):
    folder, _ = served_pair
    path = folder / roadscene.INFRARED.path
    iio.imwrite(path, np.zeros((40, 50), np.uint8))
    monkeypatch.setattr(
        roadscene, "INFRARED", roadscene.RemoteFile(roadscene.INFRARED.path, digest(path))
    )
    with pytest.raises(SampleError, match="do not belong together"):
        load_sample("roadscene_flir_08835")


def test_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("MMREG_CACHE_DIR", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("MMREG_CACHE_DIR")
    assert cache_folder().name == "napari-mmreg"


@pytest.mark.network
def test_the_real_pair_can_still_be_had(cache):
    sample = load_sample("roadscene_flir_08835")
    assert sample.fixed.shape[:2] == sample.moving.shape[:2]
