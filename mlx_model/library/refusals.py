"""What the hub's refusals mean, in a sentence each."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from mlx_model.library.errors import GatedRepository, LibraryError, NotOnHub, TokenRefused
from mlx_model.library.tokens import Token


def refusal(status: int, headers: Mapping[str, str], what: str, token: Token | None, endpoint: str) -> LibraryError:
    """Turn an HTTP error of the hub that is final into the error to raise.

    ``what`` names the file ("x.safetensors of owner/name") or repository ("the repository owner/name") in question.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    code, said = lower.get("x-error-code", ""), lower.get("x-error-message", "")
    hub, settings = urlsplit(endpoint).hostname, endpoint + "/settings/tokens"
    repository = what.rsplit(" ", 1)[-1]
    if code == "GatedRepo":
        return _gated(repository, said, token, endpoint)
    if status == 401 and token is not None and "expired" in said.lower():
        return TokenRefused(
            f"the token {token.origin} has expired; make a new one at {settings} and {_put_in_place(token)}"
        )
    if status == 401 and token is not None and code != "RepoNotFound":
        return TokenRefused(
            f"{hub} does not know the token {token.origin}; copy it again from {settings}, all of it, and "
            f"{_put_in_place(token)}"
        )
    if status in (401, 404) and code != "EntryNotFound" and code != "RevisionNotFound":
        return NotOnHub(f"the repository {repository} is not (or no longer) on {hub}; choose another source")
    if status in (404, 410):
        return NotOnHub(f"{what} is not (or no longer) on {hub}; choose another source")
    if status == 403 and "disabled" in said.lower():
        return NotOnHub(f"the repository {repository} was disabled on {hub}; choose another source")
    if status == 403:
        return LibraryError(
            f"{hub} does not allow this token to read {what}; make one with read access at {settings}"
        )
    if status == 407:
        return LibraryError(
            "the proxy wants a name and a password; put them into HTTPS_PROXY as http://name:password@…"
        )
    if status == 416:
        return LibraryError(f"{what} is shorter than the hub lists; start again to fetch it anew")
    return LibraryError(f"{hub} refuses {what} with error {status}; try again later or choose another source")


def _put_in_place(token: Token) -> str:
    """Say what to do with a new token: one in the environment goes before one that is entered."""
    variable = token.origin.removeprefix("in ")
    return f"set {variable} to it" if variable.isupper() else "enter it"


def _gated(repository: str, said: str, token: Token | None, endpoint: str) -> GatedRepository:
    """Tell the three steps into a repository whose licence has to be accepted."""
    page, settings = f"{endpoint}/{repository}", endpoint + "/settings/tokens"
    steps = (
        f"Open {page} and log in, or make an account.",
        "Read the licence there and accept it.",
        f"Make a token that may read at {settings} and enter it.",
    )
    if token is None:
        message = f"{repository} wants its licence accepted and a token: open {page}, accept, and enter a token"
    elif "fine-grained" in said.lower():
        message = (
            f"the token {token.origin} may not read {repository}: allow it to read public gated repositories at "
            f"{settings}, or make one of the kind Read"
        )
    elif "review" in said.lower() or "pending" in said.lower():
        message = f"the owner of {repository} has not answered the request for access yet; try again later"
    else:
        message = f"the licence of {repository} is not accepted yet: open {page} with the token's account and accept"
    return GatedRepository(message, page, steps)
