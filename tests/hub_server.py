"""A hub of models on this machine: enough of the real one's interface for its real client, with faults on demand.

Two servers listen on 127.0.0.1: the hub itself (metadata, logins, ``resolve``) and the store it redirects to for the
contents of large files, on another port and therefore another origin. Every request is kept in
:attr:`HubServer.requests`, with what it carried and how many bytes of content it was sent.
"""

import hashlib
import io
import json
import socket
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

Where = Literal["api", "resolve", "store"]
Content = bytes | Path

LARGE = 1024
"""Files from this size on lie in the store and have a sha256, as LFS files do on the real hub."""


@dataclass
class Fault:
    """What goes wrong, where, and how often (``times`` None: always).

    ``status`` answers with an error; ``cut`` breaks the connection after that many bytes of content; ``rate`` sends
    no more bytes per second; ``damage`` changes the byte at that position of the file; ``whole`` ignores the
    wanted range, ``says`` names another than is sent; ``etag`` names another version; ``redirect`` points elsewhere.
    ``path`` limits it to one file.
    """

    where: Where
    times: int | None = 1
    path: str | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    cut: int | None = None
    rate: float | None = None
    damage: int | None = None
    whole: bool = False
    says: str | None = None
    etag: str | None = None
    redirect: str | None = None


@dataclass
class Repository:
    """One repository: files by path, and who may read it (``gated``: only accounts on the list)."""

    files: dict[str, Content]
    gated: bool = False
    commit: str = ""
    digests: dict[str, str] = field(default_factory=dict[str, str])


@dataclass
class Account:
    """A token's account: which gated repositories it may read, and whether the token still holds."""

    accepted: set[str] = field(default_factory=set[str])
    expired: bool = False
    may_read_gated: bool = True


@dataclass(frozen=True)
class Seen:
    """One request as it arrived, and what it was answered."""

    where: Where
    method: str
    path: str
    wanted: str | None
    authorization: str | None
    status: int
    sent: int


class HubServer:
    """The two servers; use :func:`running_hub`. ``tokens`` holds the accounts, ``faults`` what is to go wrong."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.tokens: dict[str, Account] = {}
        self.faults: list[Fault] = []
        self.requests: list[Seen] = []
        self.generation = 0
        self.answering = 0
        self.connections: dict[str, int] = {"hub": 0, "store": 0}
        self.lock = threading.Lock()
        self._servers = [_Server(self, "hub"), _Server(self, "store")]
        self.url, self.store_url = (f"http://127.0.0.1:{server.server_port}" for server in self._servers)

    def add(self, name: str, files: Mapping[str, Content], *, gated: bool = False) -> Repository:
        """Publish a repository, or a new commit of it."""
        repository = Repository(dict(files), gated)
        for path, content in files.items():
            repository.digests[path] = _sha256(content)
        listing = json.dumps(sorted(repository.digests.items()))
        repository.commit = hashlib.sha1(listing.encode(), usedforsecurity=False).hexdigest()
        self.repositories[name] = repository
        return repository

    def sent(self, path: str | None = None) -> int:
        """Count the bytes of content sent so far, of all files or of one."""
        with self.lock:
            return sum(seen.sent for seen in self.requests if path is None or seen.path == path)

    def settle(self) -> None:
        """Wait until every answer that was begun has come to its end, so that :meth:`sent` counts it."""
        while True:
            with self.lock:
                if self.answering == 0:
                    return
            time.sleep(0.01)

    def expire_links(self) -> None:
        """Let every redirect to the store that was given out so far come to its end."""
        self.generation += 1

    def take_fault(self, where: Where, path: str) -> Fault:
        """Use up one of the faults that fit; an empty one where nothing is to go wrong."""
        with self.lock:
            for fault in self.faults:
                if fault.where == where and fault.path in (None, path) and fault.times != 0:
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
        return Fault(where)

    def start(self) -> None:
        """Serve, each server in a thread of its own."""
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Stop serving."""
        for server in self._servers:
            server.shutdown()
            server.server_close()


@contextmanager
def running_hub() -> Generator[HubServer]:
    """Serve an empty hub for the length of a ``with``."""
    hub = HubServer()
    hub.start()
    try:
        yield hub
    finally:
        hub.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, hub: HubServer, role: str) -> None:
        self.hub = hub
        self.role = role
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about clients that went away: tests make them do so."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        parts = unquote(url.path).strip("/").split("/")
        self.hub = self.server.hub
        if self.server.role == "store":
            return self._store(parts)
        if parts[0] == "api":
            return self._api(parts[1:])
        if "resolve" in parts:
            at = parts.index("resolve")
            return self._resolve("/".join(parts[:at]), parts[at + 1], "/".join(parts[at + 2 :]))
        return self._error("api", self.path, 404, "EntryNotFound", "not here")

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Keep quiet."""

    def setup(self) -> None:
        """Count the connections."""
        super().setup()
        with self.server.hub.lock:
            self.server.hub.connections[self.server.role] += 1

    # The hub.

    def _api(self, parts: list[str]) -> None:
        path = "/".join(parts)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        fault = self.hub.take_fault("api", path)
        if self._wrong("api", path, fault):
            return None
        account, refused = self._account("api", path)
        if refused:
            return None
        if path == "whoami-v2":
            if account is None:
                return self._error("api", path, 401, None, "Invalid username or password.")
            return self._json("api", path, {"name": "ann", "type": "user", "auth": {}})
        repository = self._repository("api", path, "/".join(parts[1:3]))
        if repository is None:
            return None
        rest = parts[3:]
        if rest and rest[1] not in ("main", repository.commit):
            return self._error("api", path, 404, "RevisionNotFound", f"Invalid rev id: {rest[1]}")
        name = "/".join(parts[1:3])
        if not rest or rest[0] == "revision":
            siblings = [{"rfilename": p} for p in repository.files]
            info = {"id": name, "modelId": name, "sha": repository.commit, "siblings": siblings, "tags": []}
            return self._json("api", path, {**info, "gated": "auto" if repository.gated else False})
        wanted = parse_qs(body).get("paths", []) if rest[0] == "paths-info" else list(repository.files)
        return self._json("api", path, [entry_of(repository, p) for p in wanted if p in repository.files])

    def _resolve(self, name: str, revision: str, path: str) -> None:
        fault = self.hub.take_fault("resolve", path)
        if self._wrong("resolve", path, fault):
            return None
        account, refused = self._account("resolve", path)
        repository = None if refused else self._repository("resolve", path, name)
        if repository is None:
            return None
        page = f"{self.hub.url}/{name}"
        if repository.gated and account is None:
            text = f"Access to model {name} is restricted. You must have access to it and be authenticated."
            return self._error("resolve", path, 401, "GatedRepo", text)
        if repository.gated and account is not None and not account.may_read_gated:
            text = "Please enable access to public gated repositories in your fine-grained token settings."
            return self._error("resolve", path, 403, "GatedRepo", text)
        if repository.gated and account is not None and name not in account.accepted:
            text = f"Access to model {name} is restricted and you are not in the authorized list. Visit {page}"
            return self._error("resolve", path, 403, "GatedRepo", text)
        if path not in repository.files or revision not in ("main", repository.commit):
            return self._error("resolve", path, 404, "EntryNotFound", "Entry not found")
        content = repository.files[path]
        headers = {"X-Repo-Commit": repository.commit, "Accept-Ranges": "bytes"}
        if _size(content) < LARGE:
            return self._content("resolve", path, content, fault, {**headers, "ETag": f'"{_blob(content)}"'})
        headers["X-Linked-Etag"] = f'"{fault.etag or repository.digests[path]}"'
        headers["X-Linked-Size"] = str(_size(content))
        headers["Location"] = f"{self.hub.store_url}/{self.hub.generation}/{name}/{path}?Signature=secret"
        return self._answer("resolve", path, 302, headers, b"")

    def _store(self, parts: list[str]) -> None:
        name, path = "/".join(parts[1:3]), "/".join(parts[3:])
        fault = self.hub.take_fault("store", path)
        if self._wrong("store", path, fault):
            return None
        if int(parts[0]) < self.hub.generation:
            return self._error("store", path, 403, None, "Request has expired")
        repository = self.hub.repositories[name]
        etag = fault.etag or repository.digests[path]
        return self._content("store", path, repository.files[path], fault, {"ETag": f'"{etag}"'})

    # What both do.

    def _account(self, where: Where, path: str) -> tuple[Account | None, bool]:
        """Return the account of the request's token, and whether the request was refused for its token."""
        sent = self.headers.get("Authorization")
        if sent is None:
            return None, False
        account = self.hub.tokens.get(sent.removeprefix("Bearer "))
        if account is None:
            self._error(where, path, 401, None, "Invalid credentials in Authorization header")
        elif account.expired:
            self._error(where, path, 401, None, 'User Access Token "laptop" is expired')
        return account, account is None or account.expired

    def _repository(self, where: Where, path: str, name: str) -> Repository | None:
        repository = self.hub.repositories.get(name)
        if repository is None and self.headers.get("Authorization") is None:
            self._error(where, path, 401, None, "Invalid username or password.")
        elif repository is None:
            self._error(where, path, 404, "RepoNotFound", "Repository not found")
        return repository

    def _wrong(self, where: Where, path: str, fault: Fault) -> bool:
        """Answer with the fault's error or redirect, where it has one."""
        if fault.redirect is not None:
            self._answer(where, path, 307, {"Location": fault.redirect}, b"")
        elif fault.status is not None:
            self._answer(where, path, fault.status, {"Content-Type": "text/plain", **fault.headers}, b"trouble")
        return fault.redirect is not None or fault.status is not None

    def _content(self, where: Where, path: str, content: Content, fault: Fault, headers: dict[str, str]) -> None:
        size = _size(content)
        start, stop = 0, size
        wanted = self.headers.get("Range")
        if wanted and not fault.whole:
            first, last = wanted.removeprefix("bytes=").split("-")
            start, stop = int(first), min(int(last) + 1, size)
            headers["Content-Range"] = fault.says or f"bytes {start}-{stop - 1}/{size}"
        status = 206 if "Content-Range" in headers else 200
        self._answer(where, path, status, headers, _pieces(content, start, stop, fault), stop - start, fault.cut)

    def _error(self, where: Where, path: str, status: int, code: str | None, text: str) -> None:
        headers = {"X-Error-Message": text, "Content-Type": "application/json"}
        if code is not None:
            headers["X-Error-Code"] = code
        self._answer(where, path, status, headers, json.dumps({"error": text}).encode())

    def _json(self, where: Where, path: str, value: Any) -> None:
        self._answer(where, path, 200, {"Content-Type": "application/json"}, json.dumps(value).encode())

    def _answer(
        self,
        where: Where,
        path: str,
        status: int,
        headers: Mapping[str, str],
        body: bytes | Iterator[bytes],
        length: int | None = None,
        cut: int | None = None,
    ) -> None:
        counted = not isinstance(body, bytes)
        pieces = iter([body]) if isinstance(body, bytes) else body
        asked, token = self.headers.get("Range"), self.headers.get("Authorization")
        seen = Seen(where, self.command, path, asked, token, status, 0)
        # Noted before anything is sent: a client that has its answer may look at once.
        with self.hub.lock:
            index = len(self.hub.requests)
            self.hub.requests.append(seen)
            self.hub.answering += 1
        sent = 0
        try:
            self._send_head(status, headers, len(body) if isinstance(body, bytes) else length)
            for piece in () if self.command == "HEAD" else pieces:
                part = piece if cut is None else piece[: cut - sent]
                self.wfile.write(part)
                sent += len(part)
                if cut is not None and sent >= cut:
                    self.close_connection = True
                    with suppress(OSError):
                        self.connection.shutdown(socket.SHUT_RDWR)
                    break
        finally:
            with self.hub.lock:
                self.hub.requests[index] = replace(seen, sent=sent if counted else 0)
                self.hub.answering -= 1

    def _send_head(self, status: int, headers: Mapping[str, str], length: int | None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()


def entry_of(repository: Repository, path: str) -> dict[str, Any]:
    """Describe a file as the hub lists it."""
    size, digest = _size(repository.files[path]), repository.digests[path]
    entry: dict[str, Any] = {"type": "file", "path": path, "size": size, "oid": _blob(repository.files[path])}
    if size >= LARGE:
        entry["lfs"] = {"oid": digest, "size": size, "pointerSize": 134}
    return entry


def _pieces(content: Content, start: int, stop: int, fault: Fault) -> Iterator[bytes]:
    """Yield the wanted bytes, as slowly and as damaged as the fault has it."""
    step = 1 << 16 if fault.rate is None else max(256, int(fault.rate / 20))
    with content.open("rb") if isinstance(content, Path) else io.BytesIO(content) as file:
        for at in range(start, stop, step):
            end = min(at + step, stop)
            file.seek(at)
            piece = file.read(end - at)
            if fault.damage is not None and at <= fault.damage < end:
                spoiled = bytearray(piece)
                spoiled[fault.damage - at] ^= 0xFF
                piece = bytes(spoiled)
            yield piece
            if fault.rate is not None:
                time.sleep(len(piece) / fault.rate)


def _size(content: Content) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _sha256(content: Content) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _blob(content: Content) -> str:
    """Name a content as git does; for large files the real hub names the LFS pointer's instead."""
    data = content if isinstance(content, bytes) and len(content) < LARGE else b"pointer"
    return hashlib.sha1(f"blob {len(data)}\0".encode() + data, usedforsecurity=False).hexdigest()
