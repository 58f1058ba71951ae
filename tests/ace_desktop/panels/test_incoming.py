"""What is dropped or pasted from other programs: which picture is taken, and what is said where there is none."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QMimeData, QUrl
from PySide6.QtGui import QColor, QColorSpace, QImage

from ace_desktop.document.errors import DocumentError
from ace_desktop.panels import incoming
from ace_desktop.panels.incoming import has_pictures, of_image, pictures_of

RED = QColor(220, 40, 30)


def image(width: int = 6, height: int = 4) -> QImage:
    made = QImage(width, height, QImage.Format.Format_RGB32)
    made.fill(RED)
    return made


def png() -> bytes:
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image().save(buffer, "PNG")  # pyright: ignore[reportCallIssue, reportArgumentType] its stub has the type wrong
    return bytes(data.data())


def urls(*addresses: str) -> QMimeData:
    data = QMimeData()
    data.setUrls([QUrl(address) for address in addresses])
    return data


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, body = {
            "/red.png": (200, png()),
            "/page": (200, b"<html>"),
            "/large.png": (200, bytes(1000)),
        }.get(self.path, (404, b""))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def server() -> Iterator[str]:
    """Give the address of a server on this machine."""
    made = HTTPServer(("127.0.0.1", 0), _Answers)
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{made.server_port}"
    made.shutdown()
    thread.join()
    made.server_close()


def test_files_come_before_the_picture_that_stands_for_them(tmp_path: Path) -> None:
    (tmp_path / "apple.png").write_bytes(png())
    data = urls(QUrl.fromLocalFile(str(tmp_path / "apple.png")).toString())
    data.setImageData(image(64, 64))  # its icon
    [found] = pictures_of(data)
    assert found.name == "apple"
    assert found.read().size == (6, 4)


def test_a_picture_comes_before_the_address_it_was_taken_from() -> None:
    data = urls("https://nowhere.invalid/pictures/pear.jpg")
    data.setImageData(image())
    [found] = pictures_of(data)
    assert found.name == "pear"
    assert found.read().pixels[0, 0].tolist() == [220, 40, 30, 255]


def test_documents_and_other_files_are_no_pictures() -> None:
    data = urls("file:///work.ora", "file:///notes.txt")
    assert not has_pictures(data)
    assert pictures_of(data) == []


def test_a_picture_inside_its_address_is_decoded() -> None:
    [found] = pictures_of(urls("data:image/png;base64," + base64.b64encode(png()).decode()))
    assert found.read().size == (6, 4)
    [broken] = pictures_of(urls("data:image/png;base64,AAAA"))
    with pytest.raises(DocumentError, match="no picture that can be read"):
        broken.read()


def test_a_picture_is_fetched_from_its_address(server: str) -> None:
    [found] = pictures_of(urls(f"{server}/red.png"))
    assert found.name == "red"
    assert found.read().pixels[3, 5].tolist() == [220, 40, 30, 255]


@pytest.mark.parametrize(
    ("path", "sentence"), [("/page", "no picture that can be read"), ("/gone.png", "could not be fetched from 127")]
)
def test_what_cannot_be_fetched_is_said(server: str, path: str, sentence: str) -> None:
    [found] = pictures_of(urls(server + path))
    with pytest.raises(DocumentError, match=sentence):
        found.read()


def test_what_is_too_large_is_not_fetched_to_its_end(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming, "LARGEST", 100)
    [found] = pictures_of(urls(f"{server}/large.png"))
    with pytest.raises(DocumentError, match="could not be fetched"):
        found.read()


def test_a_picture_keeps_its_colour_space() -> None:
    wide = image()
    wide.setColorSpace(QColorSpace(QColorSpace.NamedColorSpace.DisplayP3))
    assert of_image(wide).profile
    plain = image()
    plain.setColorSpace(QColorSpace(QColorSpace.NamedColorSpace.SRgb))
    assert of_image(plain).profile is None
    assert np.all(of_image(plain).pixels[..., :3] == [220, 40, 30])
