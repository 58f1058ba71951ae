"""The Python in README and docs runs as it stands there, and what they point to exists."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
BLOCKS = [
    pytest.param(block, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.S))
]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_of_python_runs(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "resources").symlink_to(ROOT / "resources")
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    shutil.copy(ROOT / "resources/samples/repaint.png", tmp_path / "photo.png")
    shutil.copy(ROOT / "resources/samples/repaint-mask.png", tmp_path / "mask.png")
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "documentation", "exec"), {})  # noqa: S102
    if "out.png" in block:
        before, after = (np.asarray(Image.open(tmp_path / name).convert("RGB")) for name in ("photo.png", "out.png"))
        assert before.shape == after.shape
        assert (before != after).any()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing
