"""Models are found by name or path, and a path that cannot be one is a sentence."""

import hashlib
from pathlib import Path

import pytest

from mlx_model.library.folders import file_digest, find_model
from mlx_model.request import RequestError
from tests.mlx_model.locked import lock


def test_a_path_counts_from_the_folder_that_is_given(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_model(tiny_model.name, tiny_model.parent) == tiny_model
    assert find_model(str(tiny_model), tmp_path) == tiny_model
    with pytest.raises(RequestError, match="there is no model"):
        find_model(tiny_model.name)


def test_a_part_of_a_model_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACE_MODELS", str(tmp_path))
    (tmp_path / "big-4bit.installing").mkdir()
    with pytest.raises(RequestError, match="big-4bit is only begun; go on with: ace models install big-4bit"):
        find_model("big-4bit")
    (tmp_path / "big-4bit.installing").rename(tmp_path / "big-4bit")
    (tmp_path / "big-4bit" / "record.json").write_text("{}")
    with pytest.raises(RequestError, match=r"big-4bit is damaged \(it has no config.json\); mend it with: ace"):
        find_model("big-4bit")
    with pytest.raises(RequestError, match="there is no model"):
        find_model("../" + tmp_path.name + "/big-4bit")


@pytest.mark.parametrize(
    "name", ["m" * 300, "a/" + "m" * 300, "locked/m", "m\0", "\udcb0", "~nobody-of-that-name/m", ""]
)
def test_a_model_that_cannot_be_reached_is_a_sentence(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACE_MODELS", str(tmp_path / "locked" / "models"))
    (tmp_path / "locked").mkdir()
    lock(tmp_path / "locked", monkeypatch)
    with pytest.raises(RequestError, match="there is no model"):
        find_model(name)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert file_digest(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()
    lock(tmp_path, monkeypatch)
    with pytest.raises(RequestError, match="a cannot be read: Permission denied"):
        file_digest(tmp_path / "a")
