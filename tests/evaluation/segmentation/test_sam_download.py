"""Fetching on request, from a server on this machine."""

from __future__ import annotations

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from napari_mmreg.errors import Cancelled, ModelError
from napari_mmreg.evaluation.segmentation.sam_download import SamSource, fetch_sam

SOURCE = SamSource("someone/tiny", "Tiny", "none", 1)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("MMREG_SAM", str(tmp_path / "kept"))
    files = tmp_path / "site" / "someone" / "tiny" / "resolve" / "main"
    files.mkdir(parents=True)
    (files / "config.json").write_text("{}")
    (files / "model.safetensors").write_bytes(b"weights" * 300_000)
    handler = partial(_Quiet, directory=str(tmp_path / "site"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}", tmp_path / "kept"
        httpd.shutdown()


def test_weights_and_config_are_fetched_once(server):
    host, kept = server
    seen = []
    fetched = fetch_sam(SOURCE, seen.append, host=host)
    assert fetched.folder == kept / "someone--tiny"
    assert fetched.sha256 == hashlib.sha256(b"weights" * 300_000).hexdigest()
    assert seen[-1] == pytest.approx(1.0)
    seen.clear()
    assert fetch_sam(SOURCE, seen.append, host=host) == fetched
    assert not seen


def test_nothing_half_finished_is_left(server):
    host, kept = server
    with pytest.raises(Cancelled):
        fetch_sam(SOURCE, cancel=lambda: True, host=host)
    assert not list(kept.rglob("*.part"))
    with pytest.raises(ModelError, match="Download the model elsewhere"):
        fetch_sam(SamSource("someone/else", "", "", 1), host=host)
