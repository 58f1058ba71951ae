"""Which hub is meant, and which addresses belong to it."""

import os
from typing import Final
from urllib.parse import urlsplit

PUBLIC_HUB: Final = "https://huggingface.co"


def endpoint_from_environment() -> str:
    """Name the hub that is meant: HF_ENDPOINT, or the public one."""
    return (os.environ.get("HF_ENDPOINT") or PUBLIC_HUB).rstrip("/")


def same_origin(one: str, other: str) -> bool:
    """Whether two addresses have the same scheme, host and port; what is no address has none."""
    try:
        a, b = urlsplit(one), urlsplit(other)
        return (a.scheme, a.hostname, a.port) == (b.scheme, b.hostname, b.port) and a.hostname is not None
    except ValueError:
        return False
