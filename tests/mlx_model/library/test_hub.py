"""What the hub says and refuses, and where the token goes, with the hub's real client."""

import logging
from pathlib import Path
from typing import Any

import keyring
import pytest
from huggingface_hub import close_session
from keyring.backends.fail import Keyring

from mlx_model.library.download import download
from mlx_model.library.errors import GatedRepository, LibraryError, NotOnHub, TokenRefused
from mlx_model.library.hub import Hub
from mlx_model.library.progress import Control
from mlx_model.library.tokens import Token, find_token, forget_token, keep_token
from mlx_model.request import Cancelled
from tests import hub_server
from tests.hub_server import Account, Fault, HubServer
from tests.mlx_model.library.conftest import QUICK, REPOSITORY, MemoryKeychain, with_token

SECRET = "hf_abcdefghijklmnop"  # noqa: S105
GATED = "gated/model"


def read(hub: Hub, content: bytes, path: str = "x.safetensors", name: str = GATED) -> bytes:
    file = hub.describe(name, [path])[0]
    data = bytearray()
    hub.fetch(file, 0, file.size, data.extend, Control())
    assert bytes(data) == content
    return bytes(data)


def test_files_are_described_by_commit_size_and_digest(server: HubServer, hub: Hub, content: bytes) -> None:
    repository = server.add(REPOSITORY, {"x.safetensors": content, "config.json": b"{}"})
    large, small = hub.describe(REPOSITORY, ["x.safetensors", "config.json"])
    assert (large.size, large.sha256, large.blob) == (300_000, repository.digests["x.safetensors"], None)
    assert (small.size, small.sha256, small.blob) == (2, None, "9e26dfeeb6e641a33dae4961196235bdb965b21b")
    assert large.commit == small.commit == repository.commit


def test_the_token_goes_to_the_hub_and_never_along_a_redirect(server: HubServer, content: bytes) -> None:
    server.add(GATED, {"x.safetensors": content}, gated=True)
    server.tokens[SECRET] = Account({GATED})
    with with_token(server, SECRET) as hub:
        read(hub, content)
    by_place = {
        where: {seen.authorization for seen in server.requests if seen.where == where}
        for where in ("api", "resolve", "store")
    }
    assert by_place == {"api": {f"Bearer {SECRET}"}, "resolve": {f"Bearer {SECRET}"}, "store": {None}}


def test_the_token_does_not_follow_a_redirect_of_the_metadata_either(server: HubServer, content: bytes) -> None:
    server.add(GATED, {"x.safetensors": content}, gated=True)
    server.faults.append(Fault("api", redirect=f"{server.store_url}/0/{GATED}/x.safetensors"))
    with with_token(server, SECRET) as hub, pytest.raises(LibraryError):
        hub.describe(GATED, ["x.safetensors"])
    strayed = [seen for seen in server.requests if seen.where == "store"]
    assert len(strayed) == 1
    assert strayed[0].authorization is None


def test_the_token_is_in_no_log_no_message_and_no_file(
    server: HubServer, content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.add(GATED, {"x.safetensors": content}, gated=True)
    keep_token(server.url, SECRET)
    server.tokens[SECRET] = Account({GATED})
    with Hub(find_token(server.url), server.url, QUICK) as hub:
        download(hub, hub.describe(GATED, ["x.safetensors"])[0], tmp_path / "x.safetensors")
        server.tokens.clear()
        with pytest.raises(TokenRefused) as refused:
            hub.describe(GATED, ["x.safetensors"])
        said = f"{hub!r} {refused.value} {caplog.text}"
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert caplog.text, "nothing was logged, so this proves nothing"
    assert SECRET not in said
    assert SECRET.encode() not in kept


def test_a_token_that_was_kept_is_used_again_after_a_resume(
    server: HubServer, content: bytes, tmp_path: Path
) -> None:
    server.add(GATED, {"x.safetensors": content}, gated=True)
    server.tokens[SECRET] = Account({GATED})
    keep_token(server.url, f" {SECRET}\n")
    server.faults.append(Fault("store", times=None, cut=20_000))
    with Hub(find_token(server.url), server.url, QUICK) as hub:
        file = hub.describe(GATED, ["x.safetensors"])[0]
        control = Control()

        def stop_half_way(progress: object) -> None:
            if getattr(progress, "done", 0) > 100_000:
                control.cancel()

        with pytest.raises(Cancelled):
            download(hub, file, tmp_path / "x.safetensors", control=control, report=stop_half_way)
    server.faults.clear()
    with Hub(find_token(server.url), server.url, QUICK) as hub:  # a new process would begin here
        download(hub, file, tmp_path / "x.safetensors")
    assert (tmp_path / "x.safetensors").read_bytes() == content
    assert {seen.authorization for seen in server.requests if seen.where == "resolve"} == {f"Bearer {SECRET}"}


def test_a_gated_repository_gives_the_three_steps(server: HubServer, hub: Hub, content: bytes) -> None:
    server.add(GATED, {"x.safetensors": content}, gated=True)
    with pytest.raises(GatedRepository, match="wants its licence accepted and a token") as refused:
        read(hub, content)
    page = f"{server.url}/{GATED}"
    assert refused.value.page == page
    assert len(refused.value.steps) == 3
    assert page in refused.value.steps[0]
    assert "accept" in refused.value.steps[1]
    assert f"{server.url}/settings/tokens" in refused.value.steps[2]


@pytest.mark.parametrize(
    ("account", "error", "sentence"),
    [
        (None, TokenRefused, "does not know the token in the keychain; copy it again"),
        (Account(expired=True), TokenRefused, "the token in the keychain has expired; make a new one at"),
        (Account(), GatedRepository, "the licence of gated/model is not accepted yet: open http"),
        (Account(may_read_gated=False), GatedRepository, "allow it to read public gated repositories"),
    ],
)
def test_a_token_that_does_not_help_is_told_apart(
    server: HubServer, content: bytes, account: Account | None, error: type[LibraryError], sentence: str
) -> None:
    server.add(GATED, {"x.safetensors": content}, gated=True)
    if account is not None:
        server.tokens[SECRET] = account
    with with_token(server, SECRET) as hub, pytest.raises(error, match=sentence) as refused:
        read(hub, content)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("token", [None, SECRET])
def test_a_repository_that_is_gone_is_a_sentence(server: HubServer, token: str | None) -> None:
    server.tokens[SECRET] = Account()
    with (
        Hub(endpoint=server.url, pace=QUICK) if token is None else with_token(server, token) as hub,
        pytest.raises(NotOnHub, match=r"the repository owner/gone is not \(or no longer\) on 127.0.0.1"),
    ):
        hub.describe("owner/gone", ["x.safetensors"])


def test_a_file_or_commit_that_is_gone_is_a_sentence(server: HubServer, hub: Hub, content: bytes) -> None:
    server.add(REPOSITORY, {"x.safetensors": content})
    with pytest.raises(NotOnHub, match=r"y\.safetensors of owner/model is not"):
        hub.describe(REPOSITORY, ["y.safetensors"])
    with pytest.raises(NotOnHub, match="owner/model is not"):
        hub.describe(REPOSITORY, ["x.safetensors"], revision="0" * 40)
    file = hub.describe(REPOSITORY, ["x.safetensors"])[0]
    server.add(REPOSITORY, {"other.safetensors": content})
    with pytest.raises(NotOnHub, match=r"x\.safetensors of owner/model is not"):
        hub.fetch(file, 0, 10, bytearray().extend, Control())


def test_who_the_token_belongs_to(server: HubServer, hub: Hub) -> None:
    server.tokens[SECRET] = Account()
    with with_token(server, SECRET) as known:
        assert known.who() == "ann"
    with with_token(server, "hf_unknown_one") as unknown, pytest.raises(TokenRefused, match="copy it again"):
        unknown.who()
    with pytest.raises(LibraryError, match="there is no token yet"):
        hub.who()


def test_metadata_is_asked_again_after_trouble_and_the_wait_is_told(server: HubServer, content: bytes) -> None:
    server.add(REPOSITORY, {"x.safetensors": content})
    server.faults += [Fault("api", status=429, headers={"Retry-After": "0"}), Fault("api", status=500)]
    told: list[str | None] = []
    with Hub(endpoint=server.url, pace=QUICK, on_wait=told.append) as hub:
        assert hub.describe(REPOSITORY, ["x.safetensors"])[0].size == len(content)
    assert told[0] is not None
    assert told[0].startswith("the hub answers with error 429; trying again in")
    assert told[-1] is None


def test_answers_that_make_no_sense_are_a_sentence(server: HubServer, hub: Hub) -> None:
    server.add(REPOSITORY, {"x.safetensors": b"x" * 5000}).digests["x.safetensors"] = "../../etc"
    with pytest.raises(LibraryError, match="in a way that cannot be used"):
        hub.describe(REPOSITORY, ["x.safetensors"])
    server.faults.append(Fault("api", status=418))
    with pytest.raises(LibraryError, match="refuses the repository owner/model with error 418"):
        hub.describe(REPOSITORY, ["x.safetensors"])


@pytest.mark.parametrize("what", [{"size": "12"}, {"size": None}, {"size": 1.5}, {"size": True}, {"oid": 7}])
def test_a_listing_of_the_wrong_kind_is_a_sentence(
    server: HubServer, hub: Hub, monkeypatch: pytest.MonkeyPatch, what: dict[str, Any]
) -> None:
    server.add(REPOSITORY, {"x.safetensors": b"x" * 5000})
    listed = hub_server.entry_of

    def wrong(repository: hub_server.Repository, path: str) -> dict[str, Any]:
        entry = listed(repository, path)
        lfs = entry["lfs"] | {"oid": what["oid"]} if "oid" in what else entry["lfs"]
        return {**entry, **what, "lfs": lfs}

    monkeypatch.setattr(hub_server, "entry_of", wrong)
    with pytest.raises(LibraryError, match="in a way that cannot be used"):
        hub.describe(REPOSITORY, ["x.safetensors"])


def test_metadata_that_is_sent_in_circles_is_a_sentence(server: HubServer, hub: Hub) -> None:
    server.add(REPOSITORY, {"x.safetensors": b"x" * 5000})
    server.faults.append(Fault("api", times=None, redirect=f"{server.url}/api/models/{REPOSITORY}"))
    with pytest.raises(LibraryError, match="the hub gave no usable answer about the repository owner/model"):
        hub.describe(REPOSITORY, ["x.safetensors"])


def test_an_answer_without_end_of_brackets_is_a_sentence(
    server: HubServer, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add(REPOSITORY, {"x.safetensors": b"x" * 5000})

    def brackets(*_: object, **__: object) -> str:
        return "[" * 100_000

    monkeypatch.setattr(hub_server.json, "dumps", brackets)
    with pytest.raises(LibraryError, match="the hub gave no usable answer about the repository owner/model"):
        hub.describe(REPOSITORY, ["x.safetensors"])


@pytest.mark.parametrize(
    "path", ["../x", "/etc/passwd", "a//b", "a/../../b", "C:\\x", "a\\b", "x\n", "", "a/.", "x" * 300]
)
def test_paths_that_lead_elsewhere_are_refused_before_anything_is_asked(
    server: HubServer, hub: Hub, path: str
) -> None:
    server.add(REPOSITORY, {path: b"x" * 5000})
    with pytest.raises(LibraryError, match="not a plain path"):
        hub.describe(REPOSITORY, [path])
    assert server.requests == []


def test_the_hub_of_the_environment_is_used(server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.add(REPOSITORY, {"x.safetensors": b"x" * 5000})
    monkeypatch.setenv("HF_ENDPOINT", server.url + "/")
    with Hub(pace=QUICK) as hub:
        assert hub.describe(REPOSITORY, ["x.safetensors"])[0].size == 5000
    monkeypatch.setenv("HF_ENDPOINT", "not an address")
    with Hub(pace=QUICK) as hub, pytest.raises(LibraryError, match="HF_ENDPOINT does not name a hub"):
        hub.describe(REPOSITORY, ["x.safetensors"])


def test_a_proxy_of_the_environment_is_used(
    server: HubServer, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub itself plays the proxy: whoever uses it asks it for an address that has no server."""
    server.add(REPOSITORY, {"x.safetensors": content, "config.json": b'{"a": 1}'})
    for name in ("NO_PROXY", "no_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", server.url)
    close_session()  # the hub's client keeps its connections, with the proxy of the time when it made them
    with Hub(endpoint="http://hub.invalid", pace=QUICK) as hub:
        file, small = hub.describe(REPOSITORY, ["x.safetensors", "config.json"])
        fetched = bytearray()
        hub.fetch(small, 0, small.size, fetched.extend, Control())
        monkeypatch.setenv("HTTP_PROXY", "nonsense://x")
    assert file.size == len(content)
    assert fetched == b'{"a": 1}', "contents come another way than what is said of them"
    close_session()
    with Hub(endpoint="http://hub.invalid", pace=QUICK) as hub:  # as good as any until something is asked for
        with pytest.raises(LibraryError, match="the proxy set in the environment cannot be used"):
            hub.describe(REPOSITORY, ["x.safetensors"])
        with pytest.raises(LibraryError, match="the proxy set in the environment cannot be used"):
            hub.fetch(small, 0, small.size, fetched.extend, Control())


def test_a_refused_token_of_the_environment_has_to_be_changed_there(server: HubServer) -> None:
    """One that is entered would not be used: the environment goes first."""
    server.add(REPOSITORY, {"x.safetensors": b"x" * 5000})
    server.tokens[SECRET] = Account(expired=True)
    for secret, says in ((SECRET, " has expired; .* and"), ("hf_unknown_here", "; .*, all of it, and")):
        with (
            Hub(Token(secret, "in HF_TOKEN"), server.url, QUICK) as hub,
            pytest.raises(TokenRefused, match=f"the token in HF_TOKEN{says} set HF_TOKEN to it$"),
        ):
            hub.describe(REPOSITORY, ["x.safetensors"])


def test_where_the_token_comes_from(monkeypatch: pytest.MonkeyPatch, keychain: MemoryKeychain) -> None:
    endpoint = "https://huggingface.co"
    assert find_token(endpoint) is None
    keep_token(endpoint, SECRET)
    found = find_token(endpoint)
    assert found is not None
    assert (found.secret, found.origin) == (SECRET, "in the keychain")
    assert SECRET not in repr(found)
    assert find_token("https://another.example") is None, "one hub's token must not go to another"
    monkeypatch.setenv("HF_TOKEN", SECRET + "2")
    assert getattr(find_token(endpoint), "origin", None) == "in HF_TOKEN"
    monkeypatch.delenv("HF_TOKEN")
    forget_token(endpoint)
    forget_token(endpoint)
    assert keychain.secrets == {}


@pytest.mark.parametrize(
    ("endpoint", "goes_to", "not_to"),
    [
        (None, "https://huggingface.co", "https://mirror.example"),
        ("https://mirror.example", "https://mirror.example", "https://huggingface.co"),
        ("https://mirror.example", "https://mirror.example/", "http://mirror.example"),
        ("https://mirror.example:8443", "https://mirror.example:8443", "https://mirror.example"),
        (None, "https://huggingface.co", "https://huggingface.co.example"),
    ],
)
def test_a_token_of_the_environment_goes_to_the_hub_it_belongs_to_only(
    endpoint: str | None, goes_to: str, not_to: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The public hub, or the one that HF_ENDPOINT names beside it; so does the login of the hub's own client."""
    if endpoint is not None:
        monkeypatch.setenv("HF_ENDPOINT", endpoint)
    monkeypatch.setenv("HF_TOKEN", SECRET)
    assert getattr(find_token(goes_to), "secret", None) == SECRET
    assert find_token(not_to) is None
    monkeypatch.delenv("HF_TOKEN")
    (tmp_path / "login").write_text(SECRET)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "login"))
    assert getattr(find_token(goes_to), "origin", None) == "of the hub's own login on this machine"
    assert find_token(not_to) is None


def test_a_variable_that_holds_no_token_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_abcdefgh\nijklmnop")
    with pytest.raises(LibraryError, match=r"^HF_TOKEN does not hold an access token.*; correct it") as no:
        find_token("https://huggingface.co")
    assert "abcdefgh" not in str(no.value)


@pytest.mark.parametrize("text", ["", "two words", "hf_x\r\nHost: evil", "kurz", "hf_ünicode_text", "x" * 5000])
def test_what_cannot_be_a_token_is_not_kept(text: str, keychain: MemoryKeychain) -> None:
    with pytest.raises(LibraryError, match="not an access token"):
        keep_token("https://huggingface.co", text)
    assert keychain.secrets == {}


def test_without_a_keychain_the_token_is_not_kept_but_the_environment_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keyring.set_keyring(Keyring())
    with pytest.raises(LibraryError, match=r"no keychain that could keep the token safely.*set it as HF_TOKEN"):
        keep_token("https://huggingface.co", SECRET)
    assert find_token("https://huggingface.co") is None
    monkeypatch.setenv("HF_TOKEN", SECRET)
    assert find_token("https://huggingface.co") is not None


def test_offline_by_choice_is_a_sentence(
    server: HubServer, hub: Hub, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add(REPOSITORY, {"x.safetensors": content})
    file = hub.describe(REPOSITORY, ["x.safetensors"])[0]
    asked = len(server.requests)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(LibraryError, match="HF_HUB_OFFLINE forbids"):
        hub.describe(REPOSITORY, ["x.safetensors"])
    with pytest.raises(LibraryError, match="HF_HUB_OFFLINE forbids"):
        hub.fetch(file, 0, 10, bytearray().extend, Control())
    assert len(server.requests) == asked
