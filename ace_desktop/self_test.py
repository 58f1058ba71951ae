"""A program that tries itself out: `--self-test` says of every part that a bundle may lack whether it works.

Needs no screen, no network and no folder of the user's; what it writes lies in a temporary folder. Prints one line
per check, and ends with 1 where one failed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from .places import resources

if TYPE_CHECKING:
    from .document.state import State

SAMPLE = "repaint"
"""The sample of `resources/samples/demo.json` that is edited."""
_PATIENCE = 300.0
"""Seconds for the edit; a busy machine with two slow cores needs a tenth of them."""


class Failure(Exception):
    """Something is not as it should be; the message says what."""


@dataclass(frozen=True)
class Check:
    """One thing to try: `run` gets an empty folder, gives a few words and raises what goes wrong."""

    name: str
    run: Callable[[Path], str]


def main() -> int:
    """Run every check, even after one has failed; return 1 then, else 0."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    failed = 0
    for check in CHECKS:
        began = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="ace-self-test-") as folder:
            try:
                said, verdict = check.run(Path(folder)), "ok"
            except Exception as error:
                said, verdict = f"{type(error).__name__}: {error}", "FAILED"
                traceback.print_exc()
                failed += 1
        _say(f"{verdict:6}  {check.name}: {said} ({time.perf_counter() - began:.1f} s)")
    _say(f"{len(CHECKS) - failed} of {len(CHECKS)} checks passed")
    return min(failed, 1)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _resources(_folder: Path) -> str:
    from PySide6.QtGui import QGuiApplication
    from PySide6.QtSvg import QSvgRenderer
    from PySide6.QtWidgets import QApplication

    from mlx_model.library.catalogue import load_catalogue, models_of
    from mlx_model.library.folders import find_model
    from mlx_model.pictures.read import read_picture
    from mlx_model.weights.config import ModelConfig

    if QGuiApplication.instance() is None:
        QApplication([])
    drawings = sorted((resources() / "icons").rglob("*.svg"))
    pictures = sorted(file for file in (resources() / "samples").iterdir() if file.suffix in {".png", ".jpg"})
    texts = sorted((resources() / "translations").glob("*.json"))
    if not (drawings and pictures and texts):
        raise Failure(f"{resources()} lacks icons, samples or translations")
    broken = [file.name for file in drawings if not QSvgRenderer(str(file)).isValid()]
    if broken:
        raise Failure(f"these icons cannot be drawn: {', '.join(broken)}")
    for file in pictures:
        read_picture(file)
    for file in texts:
        json.loads(file.read_text(encoding="utf-8"))
    models = len(models_of(load_catalogue()))
    model = ModelConfig.load(find_model())
    return f"{len(drawings)} icons, {len(pictures)} samples, {models} models known, “{model.name}” built in"


def _window(folder: Path) -> str:
    from PySide6.QtWidgets import QApplication

    from .desktop import Desktop
    from .places import Places
    from .session import Session
    from .translation import tr

    application = QApplication.instance()
    if not isinstance(application, QApplication):
        application = QApplication([])
    desktop = Desktop(application, Places.under(folder))
    try:
        desktop.kept.change(language="ko")
        if tr("Canvas") == "Canvas":
            raise Failure("the Korean catalogue is not used")
        desktop.kept.change(language="en")
        window = desktop.show(Session(_photograph()))
        application.processEvents()
        seen = window.grab().toImage()
        colours = {seen.pixel(x, y) for x in range(0, seen.width(), 7) for y in range(0, seen.height(), 7)}
        if len(colours) < 100:
            raise Failure(f"the window shows {len(colours)} colours: the photograph is missing")
        window.close()
        application.processEvents()
    finally:
        desktop.close()
    return f"{seen.width()} × {seen.height()} on {application.platformName()}"


def _project(folder: Path) -> str:
    from .document.equality import equal
    from .document.opening import open_document
    from .document.openraster_write import write_openraster

    state = _photograph()
    write_openraster(folder / "a.ora", state)
    if not equal(open_document(folder / "a.ora"), state):
        raise Failure("a saved project opens as another one")
    return f"{(folder / 'a.ora').stat().st_size // 1024} kB saved, opened and equal"


def _exports(folder: Path) -> str:
    from .document.export import KINDS, Export, export_picture
    from .document.opening import open_document
    from .document.psd_write import write_psd

    state, written = _photograph(), [*KINDS, "psd"]
    for kind in written:
        path = folder / f"a.{kind}"
        write_psd(path, state) if kind == "psd" else export_picture(path, state, Export(kind))
        found = open_document(path)
        if (found.width, found.height) != (state.width, state.height):
            raise Failure(f"{kind} comes back as {found.width} × {found.height}")
    return ", ".join(written)


def _photograph() -> State:
    from .document.opening import open_document

    return open_document(resources() / "samples" / "photograph.jpg")


def _library(_folder: Path) -> str:
    """Load what fetching models needs, and what is found by name at run time, which freezers overlook."""
    import ssl

    import httpx2
    import huggingface_hub
    import keyring

    for name in ("gguf", "mlx_model.library.install", "mlx_model.library.upkeep"):
        import_module(name)
    with httpx2.Client() as client:
        client.build_request("GET", "https://localhost/")
    roots = ssl.create_default_context().cert_store_stats()["x509_ca"]
    return f"hub client {huggingface_hub.__version__}, tokens kept by {type(keyring.get_keyring()).__module__}, " + (
        f"{roots} certificates"
    )


def _edit(folder: Path) -> str:
    """Edit a sample as the window does: by the engine, in the model's process."""
    import numpy as np
    from PySide6.QtWidgets import QApplication

    from mlx_model.library.folders import find_model
    from mlx_model.pictures.read import read_picture
    from mlx_model.request import EditRequest, EditResult, digest

    from .engine.engine import Engine
    from .engine.jobs import ENDED, Job

    application = QApplication.instance() or QApplication([])
    samples = resources() / "samples"
    sample = next(s for s in json.loads((samples / "demo.json").read_text(encoding="utf-8")) if s["name"] == SAMPLE)
    picture, mask = (read_picture(samples / sample[name]) for name in ("picture", "mask"))
    request = EditRequest(sample["instruction"], picture=digest(picture), mask=digest(mask), seed=1, grow=0)
    engine = Engine(folder)
    made: list[EditResult] = []

    def keep(_job: str, _index: int, result: EditResult) -> None:
        made.append(result)

    engine.made.connect(keep)
    try:
        job = engine.submit(Job((request,), {digest(found): found for found in (picture, mask)}, find_model()))
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline and (status := engine.status(job)) and status.phase not in ENDED:
            application.processEvents()
            time.sleep(0.01)
        status, process = engine.status(job), engine.process_id
    finally:
        engine.close()
    if not made or status is None:
        told = (status.sentence, status.details) if status else ()
        raise Failure("; ".join(filter(None, told)) or "the model's process does not answer")
    changed = (made[0].picture.pixels != picture.pixels).any(-1)
    inside = mask.pixels[..., 0] > 0
    if np.any(changed & ~inside) or not np.any(changed & inside):
        raise Failure(f"the edit changed {np.count_nonzero(changed & ~inside)} pixels outside its mask")
    return f"“{sample['instruction']}” by the built-in model in process {process}"


def _command(folder: Path) -> str:
    """Start what installs models, which is a process too."""
    from .install_process import ace_command

    surroundings = {**os.environ, "ACE_MODELS": str(folder)}
    done = subprocess.run(
        [*ace_command(), "models", "list", "--json"],
        env=surroundings,
        capture_output=True,
        check=False,
        timeout=_PATIENCE,
    )
    if done.returncode:
        raise Failure(done.stderr.decode(errors="replace")[-500:] or f"it ended with {done.returncode}")
    return f"{len([json.loads(line) for line in done.stdout.splitlines()])} models listed"


def _licences(_folder: Path) -> str:
    if not getattr(sys, "frozen", False):
        return "gathered when the program is frozen"
    found = sorted(folder.name for folder in (resources().parent / "licences").iterdir() if folder.is_dir())
    for name in ("Python", "PySide6_Essentials", "mlx"):
        if not any(folder.lower().startswith(name.lower()) for folder in found):
            raise Failure(f"the licence of {name} is not in the bundle")
    return f"of {len(found)} packages"


def _own_files(_folder: Path) -> str:
    """See that all that was loaded so far is the bundle's own."""
    if not getattr(sys, "frozen", False):
        return "not frozen"
    bundle = resources().parent
    home = next((folder for folder in bundle.parents if folder.name == "Contents"), bundle)
    named = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    files = [file for file in named if isinstance(file, str)]
    # What is in an archive of the bundle's has a name that is no path.
    foreign = [file for file in files if Path(file).is_absolute() and not Path(file).is_relative_to(home)]
    if foreign:
        raise Failure(f"{len(foreign)} modules come from elsewhere, among them {foreign[0]}")
    return f"{len(files)} modules, none from outside the bundle"


CHECKS = (
    Check("resources", _resources),
    Check("window", _window),
    Check("project", _project),
    Check("exports", _exports),
    Check("model library", _library),
    Check("edit by the engine", _edit),
    Check("process that installs models", _command),
    Check("licences", _licences),
    Check("own files", _own_files),
)
