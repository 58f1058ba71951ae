"""A damaged file is mended by its bad pieces alone."""

from pathlib import Path

import pytest

from mlx_model.library.download import download, record_file, repair, unharmed
from mlx_model.library.errors import Damaged
from mlx_model.library.hub import Hub, RemoteFile
from tests.hub_server import HubServer
from tests.mlx_model.library.downloads import RANGE, arrived


def test_a_damaged_file_is_mended_by_its_bad_piece_alone(
    server: HubServer, hub: Hub, file: RemoteFile, content: bytes, target: Path
) -> None:
    record = download(hub, file, target)
    spoiled = bytearray(content)
    spoiled[123_456] ^= 1
    target.write_bytes(spoiled)
    assert not unharmed(record, target.parent)
    before = server.sent()
    assert repair(hub, record, target.parent).sha256 == record.sha256
    assert arrived(target, content)
    assert server.sent() - before == RANGE, "more than the bad piece was fetched"


@pytest.mark.parametrize("kept", [0, 100, 200_000])
def test_a_file_cut_short_or_gone_is_mended(
    server: HubServer, hub: Hub, file: RemoteFile, content: bytes, target: Path, kept: int
) -> None:
    record = download(hub, file, target)
    if kept:
        target.write_bytes(content[:kept])
    else:
        target.unlink()
    before = server.sent()
    repair(hub, record, target.parent)
    assert arrived(target, content)
    assert server.sent() - before == len(content) - kept // RANGE * RANGE


def test_what_was_made_here_cannot_be_mended_from_the_hub(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "made.safetensors").write_bytes(b"x")
    record = record_file(tmp_path / "made.safetensors", "made.safetensors")
    with pytest.raises(Damaged, match="was made on this machine; install the model again"):
        repair(hub, record, tmp_path)
