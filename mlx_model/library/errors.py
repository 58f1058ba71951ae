"""What can go wrong while a model is fetched; every message is one sentence for the person who asked."""

from mlx_model.request import RequestError


class LibraryError(RequestError):
    """A model cannot be fetched, read or kept; what is already there stays and can be used to go on."""


class TokenRefused(LibraryError):
    """The hub does not know the token, or the token has expired."""


class NotOnHub(LibraryError):
    """The repository, its commit or the file is not (or no longer) there."""


class ConnectionBroken(LibraryError):
    """The hub could not be reached, or kept breaking off, for as long as it was tried."""


class DiskFull(LibraryError):
    """There is not enough room."""


class Damaged(LibraryError):
    """A file is not what it should be."""


class Changed(Damaged):
    """A file is not the one any more of which a part was read before."""


class GatedRepository(LibraryError):
    """The owner of a repository wants its licence accepted first.

    ``page`` is where to do so; ``steps`` says how to get in, a sentence each, in order.
    """

    def __init__(self, message: str, page: str, steps: tuple[str, str, str]) -> None:
        super().__init__(message)
        self.page = page
        self.steps = steps
