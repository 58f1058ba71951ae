"""What the bundle tells macOS fits what the program opens and writes."""

import plistlib
import tomllib
from pathlib import Path
from typing import Any

import pytest

from ace_desktop.document.export import KINDS
from ace_desktop.translation import LANGUAGES

ROOT = Path(__file__).parents[2]
TYPES = {
    "png": "public.png",
    "jpeg": "public.jpeg",
    "webp": "org.webmproject.webp",
    "tiff": "public.tiff",
    "avif": "public.avif",
    "psd": "com.adobe.photoshop-image",
    "psb": "com.adobe.photoshop-large-image",
    "ora": "org.openraster.ora",
    "heic": "public.heic",
}


@pytest.fixture
def bundle() -> dict[str, Any]:
    """Give the settings of the bundle."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["briefcase"]["app"]["ace-desktop"]


def test_everything_that_can_be_opened_is_declared_with_its_role(bundle: dict[str, Any]) -> None:
    roles = {
        uti: kind["CFBundleTypeRole"]
        for kind in bundle["macOS"]["info"]["CFBundleDocumentTypes"]
        for uti in kind["LSItemContentTypes"]
    }
    assert set(TYPES.values()) <= set(roles)
    assert KINDS.keys() <= TYPES.keys()
    written = {*KINDS, "psd", "psb", "ora"}
    assert {name: roles[uti] for name, uti in TYPES.items()} == {
        name: "Editor" if name in written else "Viewer" for name in TYPES
    }


def test_types_that_the_system_does_not_know_are_imported(bundle: dict[str, Any]) -> None:
    info = bundle["macOS"]["info"]
    used = {uti for kind in info["CFBundleDocumentTypes"] for uti in kind["LSItemContentTypes"]}
    declared = {kind["UTTypeIdentifier"] for kind in info["UTImportedTypeDeclarations"]}
    assert declared == {uti for uti in used if uti.startswith("org.openraster.")}
    assert info["CFBundleLocalizations"] == list(LANGUAGES)
    assert plistlib.loads(plistlib.dumps(info)) == info


def test_what_it_is_made_of_is_there_and_no_entitlement_is_asked_for(bundle: dict[str, Any]) -> None:
    assert all((ROOT / source).is_dir() for source in bundle["sources"] if not source.startswith("build/"))
    assert bundle["macOS"]["min_os_version"] == "14.0"
    assert not any(bundle["macOS"]["entitlement"].values())
