"""The hub of models: what its repositories hold, and ranges of their files over plain HTTP.

Metadata and logins go through the hub's own client (``huggingface_hub``); contents come by ranged GET requests
through the HTTP client below it. The token goes to the hub's own origin and nowhere else: redirects are
followed by hand. No Xet, no telemetry. A proxy (HTTPS_PROXY, NO_PROXY, …), HF_ENDPOINT and HF_HUB_OFFLINE are
honoured.
"""

import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, Self, TypeVar
from urllib.parse import quote, urljoin, urlsplit

os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import httpx2
from huggingface_hub import HfApi, RepoFile, is_offline_mode, set_client_factory
from huggingface_hub.errors import HfHubHTTPError, HFValidationError

from mlx_model.library.endpoint import endpoint_from_environment, same_origin
from mlx_model.library.errors import ConnectionBroken, Damaged, LibraryError
from mlx_model.library.progress import Control
from mlx_model.library.refusals import refusal
from mlx_model.library.safe_paths import safe_path
from mlx_model.library.tokens import Token

_REDIRECTS: Final = 5
_LINK_SECONDS: Final = 600.0
"""How long a redirect to the store is used again; the hub signs them for an hour."""
_PATIENCE: Final = frozenset({408, 425, 429, 500, 502, 503, 504})

T = TypeVar("T")

# The hub's client has no timeouts of its own: a metadata request could hang for ever.
set_client_factory(lambda: httpx2.Client(timeout=30.0, follow_redirects=True))


@dataclass(frozen=True)
class Pace:
    """How ranges are fetched and how long trouble is borne; times in seconds.

    A range that does not move for ``attempts`` tries ends the transfer; each byte that arrives starts the count anew.
    The pause between tries grows from ``first_pause``; a server's Retry-After is followed up to ``longest_pause``.
    """

    range_bytes: int = 8 << 20
    parallel: int = 8
    ahead: int = 12
    attempts: int = 12
    first_pause: float = 1.0
    longest_pause: float = 120.0
    timeout: float = 30.0


@dataclass(frozen=True)
class RemoteFile:
    """One file of a repository at one commit.

    ``sha256`` is the hub's digest of its content (LFS); small files that git keeps itself have ``blob``, git's own.
    """

    repository: str
    commit: str
    path: str
    size: int
    sha256: str | None = None
    blob: str | None = None

    @property
    def title(self) -> str:
        """The file in words."""
        return f"{self.path} of {self.repository}"


class _Stale(Exception):
    """A link to the store has come to its end; ask the hub for a new one."""


class _Again(Exception):
    """Something that passes: try again after ``pause`` seconds, or after the usual pause if None."""

    def __init__(self, reason: str, pause: float | None = None) -> None:
        super().__init__(reason)
        self.pause = pause


@dataclass
class Hub:
    """A connection to a hub; close it, or use it in a ``with``. Safe to use from several threads.

    Nothing is opened, and no setting of a proxy is looked at, before something is asked for.
    """

    token: Token | None = None
    endpoint: str = field(default_factory=endpoint_from_environment)
    pace: Pace = field(default_factory=Pace)
    on_wait: Callable[[str | None], None] = lambda _: None

    def __post_init__(self) -> None:
        self._client: httpx2.Client | None = None
        self._lock = threading.Lock()
        self._links: dict[str, tuple[str, float]] = {}
        self._versions: dict[str, str] = {}
        self._not_before = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _connected(self) -> httpx2.Client:
        """Return what fetches contents, made when it is first needed."""
        with self._lock:
            if self._client is None:
                timeout = httpx2.Timeout(self.pace.timeout)
                limits = httpx2.Limits(max_connections=self.pace.parallel + 2)
                headers = {"Accept-Encoding": "identity"}
                try:
                    self._client = httpx2.Client(timeout=timeout, limits=limits, headers=headers)
                except (ValueError, ImportError, httpx2.InvalidURL) as error:
                    raise LibraryError(f"the proxy set in the environment cannot be used ({error})") from error
            return self._client

    # Metadata.

    def describe(
        self, repository: str, paths: Sequence[str], revision: str = "main", control: Control | None = None
    ) -> tuple[RemoteFile, ...]:
        """Look up files of a repository, pinned to the commit that ``revision`` means now.

        Raises:
            LibraryError: a file or the repository is not there, may not be read, or the hub cannot be reached.
        """
        for path in paths:
            safe_path(path)
        what = f"the repository {repository}"
        info = self._ask(lambda api: api.model_info(repository, revision=revision), what, control)
        commit = info.sha or revision
        listed = self._ask(lambda api: api.get_paths_info(repository, list(paths), revision=commit), what, control)
        found = {entry.path: entry for entry in listed if isinstance(entry, RepoFile)}
        if missing := [path for path in paths if path not in found]:
            gone = {"X-Error-Code": "EntryNotFound"}
            raise refusal(404, gone, f"{missing[0]} of {repository}", self.token, self.endpoint)
        return tuple(_remote_file(repository, commit, found[path]) for path in paths)

    def who(self, control: Control | None = None) -> str:
        """Name the account of the token; TokenRefused when the hub does not take it."""
        if self.token is None:
            raise LibraryError("there is no token yet: make one at " + self.endpoint + "/settings/tokens")
        secret = self.token.secret

        def name(api: HfApi) -> str:
            return str(api.whoami(secret)["name"])

        return self._ask(name, "the account", control)

    def _ask(self, question: Callable[[HfApi], T], what: str, control: Control | None) -> T:
        """Ask through the hub's client, with patience for what passes."""
        api = HfApi(self.endpoint, token=self.token.secret if self.token else False)

        def attempt() -> T:
            self._check_online()
            self._connected()  # the hub's own client would say of a wrong proxy only that something is wrong
            try:
                return question(api)
            except httpx2.TransportError as error:
                raise _trouble(error) from error
            except (httpx2.RequestError, httpx2.InvalidURL, RecursionError) as error:
                raise LibraryError(f"the hub gave no usable answer about {what} ({type(error).__name__})") from error
            except HFValidationError as error:
                raise LibraryError(f"{what} has a name that no repository can have") from error
            except HfHubHTTPError as error:
                self._check(error.response, what)
                raise LibraryError(f"the hub gave no usable answer about {what}") from error
            except (ValueError, KeyError, TypeError) as error:
                raise LibraryError(f"the hub gave no usable answer about {what} ({type(error).__name__})") from error

        return self._patiently(attempt, control or Control(), what, attempts=min(4, self.pace.attempts))

    # Contents.

    def fetch(self, file: RemoteFile, start: int, stop: int, sink: Callable[[bytes], None], control: Control) -> None:
        """Hand the bytes from ``start`` up to ``stop`` of a file to ``sink``, in order, piece by piece.

        What breaks off is continued where it stopped.

        Raises:
            LibraryError: the bytes cannot be had; what came so far has been handed over.
            Cancelled: ``control`` was cancelled.
        """
        at = start

        def take(piece: bytes) -> None:
            nonlocal at
            sink(piece)
            at += len(piece)
            control.checkpoint()

        def attempt() -> None:
            self._check_online()
            try:
                self._stream(file, at, stop, take)
            except httpx2.TransportError as error:
                raise _trouble(error) from error

        while at < stop:
            self._patiently(attempt, control, file.title, self.pace.attempts, lambda: at)

    def _stream(self, file: RemoteFile, start: int, stop: int, take: Callable[[bytes], None]) -> None:
        """One request for a range, through the hub's redirects; hands over at most what was asked for."""
        client, key = self._connected(), f"{file.repository}@{file.commit}/{file.path}"
        with self._lock:
            link, until = self._links.get(key, ("", 0.0))
        url = link if time.monotonic() < until else self._address(file)
        for _ in range(_REDIRECTS):
            request = client.build_request("GET", url, headers={"Range": f"bytes={start}-{stop - 1}"})
            if self._is_ours(url) and self.token is not None:
                request.headers["Authorization"] = f"Bearer {self.token.secret}"
            response = client.send(request, stream=True, follow_redirects=False)
            try:
                if response.is_redirect:
                    self._same_version(key, file, response.headers.get("X-Linked-Etag"))
                    url = self._next(url, response, file)
                    continue
                if not self._is_ours(url):
                    if response.status_code in (401, 403, 404, 410):
                        self._forget_link(key, link == url)
                    elif link != url:
                        with self._lock:
                            self._links[key] = (url, time.monotonic() + _LINK_SECONDS)
                self._check(response, file.title)
                self._check_range(file, response, start, stop)
                self._same_version(key + url, file, response.headers.get("ETag"), ours=False)
                left = stop - start
                for piece in response.iter_raw():  # to its end, or the connection could not be used again
                    if left <= 0:
                        break
                    take(piece[:left])
                    left -= len(piece)
                if left > 0:
                    raise _Again("the connection ended early")
                return
            finally:
                response.close()
        raise LibraryError(f"{file.title} cannot be fetched: the hub sends from one address to the next")

    def _address(self, file: RemoteFile) -> str:
        return f"{self.endpoint}/{file.repository}/resolve/{file.commit}/{quote(file.path)}"

    def _is_ours(self, url: str) -> bool:
        """Whether an address is of the hub's own origin, the only one that may see the token."""
        return same_origin(url, self.endpoint)

    def _next(self, url: str, response: httpx2.Response, file: RemoteFile) -> str:
        schemes = ("https",) if urlsplit(url).scheme == "https" else ("http", "https")
        target = ""
        try:
            target = urljoin(url, response.headers.get("Location", ""))
            usable = urlsplit(target).scheme in schemes and bool(httpx2.URL(target).host.encode("idna"))
        except (ValueError, httpx2.InvalidURL):
            usable = False
        if not usable:
            raise LibraryError(f"{file.title} cannot be fetched: the hub sends to an address that is not safe")
        return target

    def _forget_link(self, key: str, was_kept: bool) -> None:
        """Ask the hub for a new link to the store, at once if the one that ended was an old one."""
        with self._lock:
            self._links.pop(key, None)
        raise _Stale if was_kept else _Again("the store refused a link that the hub had just given out")

    def _same_version(self, key: str, file: RemoteFile, tag: str | None, ours: bool = True) -> None:
        """Raise Damaged where a file's version is not the one looked up, or changes from one range to the next."""
        if not tag or tag.startswith("W/"):
            return
        tag = tag.strip('"')
        if ours and file.sha256 is not None and re.fullmatch("[0-9a-f]{64}", tag):
            changed = tag != file.sha256
        else:
            with self._lock:
                changed = self._versions.setdefault(key, tag) != tag
        if changed:
            raise Damaged(f"{file.title} changed on the hub while it was being fetched; start again to fetch it anew")

    def _check(self, response: httpx2.Response, what: str) -> None:
        """Raise what a response that is not a success means."""
        if response.is_success:
            return
        if response.status_code in _PATIENCE:
            raise _Again(f"the hub answers with error {response.status_code}", _asked_pause(response.headers))
        raise refusal(response.status_code, response.headers, what, self.token, self.endpoint)

    def _check_range(self, file: RemoteFile, response: httpx2.Response, start: int, stop: int) -> None:
        """Raise where an answer is not the range that was asked for."""
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise LibraryError(f"{file.title} arrives in a coding of its own; a proxy on the way may be the cause")
        if response.status_code == 200 and start == 0:
            size = response.headers.get("Content-Length")
            if size is not None and re.fullmatch(r"\d{1,20}", size) and int(size) < stop:
                raise self._resized(file)
            return
        said = re.fullmatch(r"bytes (\d{1,20})-\d{1,20}/(\d{1,20}|\*)", response.headers.get("Content-Range", ""))
        if response.status_code != 206 or said is None or int(said[1]) != start:
            raise LibraryError(
                f"{file.title} cannot be fetched in parts: the server, or a proxy on the way, does not deliver ranges"
            )
        if said[2] != "*" and int(said[2]) != file.size:
            raise self._resized(file)

    def _resized(self, file: RemoteFile) -> Damaged:
        return Damaged(f"{file.title} has another size than the hub lists; start again to fetch it anew")

    # Patience.

    def _patiently(
        self,
        attempt: Callable[[], T],
        control: Control,
        what: str,
        attempts: int,
        position: Callable[[], int] = lambda: 0,
    ) -> T:
        """Try until it works, something final is said, or nothing has moved for too long."""
        failed, before = 0, position()
        while True:
            control.checkpoint()
            with self._lock:
                pause = self._not_before - time.monotonic()
            if pause > 0:
                control.wait(pause)
            try:
                result = attempt()
            except _Stale:
                continue
            except _Again as trouble:
                if position() != before:
                    failed, before = 0, position()
                failed += 1
                if failed >= attempts:
                    raise ConnectionBroken(
                        f"{what} could not be fetched from {urlsplit(self.endpoint).hostname}: {trouble}; check the "
                        "network and start again, what is already here is kept"
                    ) from trouble
                self._wait(trouble, failed, control)
            else:
                self.on_wait(None)
                return result

    def _wait(self, trouble: _Again, failed: int, control: Control) -> None:
        pause = min(self.pace.first_pause * 2 ** (failed - 1), self.pace.longest_pause)
        if trouble.pause is not None:
            pause = min(max(trouble.pause, self.pace.first_pause), self.pace.longest_pause)
            with self._lock:  # asked for by the server: it counts for all ranges under way
                self._not_before = max(self._not_before, time.monotonic() + pause)
        self.on_wait(f"{trouble}; trying again in {max(1, round(pause))} s")
        control.wait(pause)

    def _check_online(self) -> None:
        if is_offline_mode():
            raise LibraryError("HF_HUB_OFFLINE forbids to reach the hub; unset it to fetch models")


def _remote_file(repository: str, commit: str, entry: RepoFile) -> RemoteFile:
    sha256 = entry.lfs.sha256 if entry.lfs is not None else None
    digest = str(sha256 or entry.blob_id)  # the hub's client takes what the answer holds, of whatever kind
    if type(entry.size) is not int or entry.size < 0 or not re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", digest):
        raise LibraryError(f"the hub lists {entry.path} of {repository} in a way that cannot be used")
    if sha256 is not None:
        return RemoteFile(repository, commit, entry.path, entry.size, sha256=sha256)
    return RemoteFile(repository, commit, entry.path, entry.size, blob=entry.blob_id)


def _asked_pause(headers: httpx2.Headers) -> float | None:
    """Read the pause a server asks for, in seconds: Retry-After (seconds or a date), or the hub's RateLimit."""
    asked = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}", asked):
        return float(asked)
    if asked:
        try:
            return max(0.0, (parsedate_to_datetime(asked) - datetime.now(UTC)).total_seconds())
        except (ValueError, TypeError):
            return None
    limit = re.search(r";\s*r\s*=\s*0\s*;\s*t\s*=\s*(\d{1,9})", headers.get("RateLimit", ""))
    return float(limit[1]) if limit else None


def _trouble(error: httpx2.TransportError) -> Exception:
    """Say what broke a connection: something that passes, or not."""
    if isinstance(error, httpx2.ProxyError):
        return LibraryError(f"the proxy set in HTTPS_PROXY or ALL_PROXY refuses: {error}")
    if isinstance(error, httpx2.UnsupportedProtocol | httpx2.LocalProtocolError):
        return LibraryError("HF_ENDPOINT does not name a hub: it is an address such as https://huggingface.co")
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return _Again("there is no connection")
    if isinstance(error, httpx2.TimeoutException):
        return _Again("nothing arrives any more")
    return _Again("the connection broke off")
