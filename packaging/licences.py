"""Gather the licences of all that a bundle holds: python packaging/licences.py [FOLDER].

One folder for each package that the program needs, by the requirements of `pyproject.toml` and theirs in turn on this
system, and for Python itself; `README.txt` lists them. Ends with 1 where a package says nothing of its licence.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
TEXTS = ROOT / "packaging" / "licences"
SIGNS = ("licen", "copying", "notice", "authors")
MISSING = {
    "pyside6-essentials": ("LGPL-3.0", "GPL-3.0"),
    "shiboken6": ("LGPL-3.0", "GPL-3.0"),
    "tokenizers": ("Apache-2.0",),
}
"""Packages that state a licence and bring no text of it."""
NOTES = {
    "pyside6-essentials": "Qt and its Python binding, under the LGPL 3. They lie in the bundle as libraries of their"
    " own, which may be exchanged; their source is at https://code.qt.io.",
}


def needed(name: str, seen: dict[str, Distribution]) -> None:
    """Find a package and all that it requires on this system."""
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return
    seen[name] = found
    for line in found.requires or ():
        requirement = Requirement(line)
        key = canonical(requirement.name)
        wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if wanted and key not in seen:
            needed(key, seen)
        if key == "mlx":  # what computes comes in a package of its own, by an extra on Linux
            for backend in ("mlx-cpu", "mlx-metal"):
                needed(backend, seen)


def canonical(name: str) -> str:
    """Give a package's name as all spell it."""
    return name.lower().replace("_", "-").replace(".", "-")


def texts_of(found: Distribution) -> Iterator[tuple[PurePosixPath, Path]]:
    """Yield the licences' texts that a package brings: where they are to lie, and where they are."""
    for file in found.files or ():
        inside = "dist-info" in file.parts[0]
        if inside and any(sign in file.name.lower() for sign in SIGNS) and file.suffix not in {".py", ".pyc"}:
            yield PurePosixPath(*file.parts[1:]), Path(str(found.locate_file(file)))


def stated(found: Distribution) -> str:
    """Give what a package says of its licence, in a line."""
    told = found.metadata
    classified = [line for line in told.get_all("Classifier") or () if line.startswith("License")]
    classes = "; ".join(line.rpartition(" :: ")[2] for line in classified)
    expression, licence = (next(iter(told.get_all(name) or ()), "") for name in ("License-Expression", "License"))
    return (expression or classes or licence.split("\n")[0]).strip()


def main() -> int:
    """Gather them."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "licences"
    shutil.rmtree(folder, ignore_errors=True)
    packages: dict[str, Distribution] = {}
    needed("ace-desktop", packages)
    del packages["ace-desktop"]
    lines: list[str] = []
    silent: list[str] = []
    for name, found in sorted(packages.items()):
        into = folder / f"{found.metadata['Name']}-{found.version}"
        for place, text in texts_of(found):
            (into / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(text, into / place)
        for text in MISSING.get(name, ()):
            into.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(TEXTS / f"{text}.txt", into / f"{text}.txt")
        if not into.exists():
            silent.append(name)
        lines.append(f"{found.metadata['Name']} {found.version}: {stated(found) or 'see its text'}")
        if name in NOTES:
            lines.append(f"    {NOTES[name]}")
    python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    (folder / python.replace(" ", "-")).mkdir(parents=True)
    shutil.copyfile(TEXTS / "PSF-2.0.txt", folder / python.replace(" ", "-") / "PSF-2.0.txt")
    lines.append(f"{python}: PSF-2.0")
    (folder / "README.txt").write_text("What ACE Desktop is made of.\n\n" + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"{folder}: licences of {len(packages) + 1} packages")
    if silent:
        print(f"No text of a licence comes with {', '.join(silent)}; add it to packaging/licences.py.")
    return 1 if silent else 0


if __name__ == "__main__":
    sys.exit(main())
