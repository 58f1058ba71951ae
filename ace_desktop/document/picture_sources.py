"""Pictures that are read when their turn comes: of many, few are in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from mlx_model.request import Picture, RequestError, digest


@dataclass(frozen=True, eq=False)
class PictureSources(Mapping[str, Picture]):
    """Pictures by digest: those `held`, and others that are read anew from their source whenever they are asked for.

    Raises (on reading):
        ValueError: what it is read from is gone, damaged or another picture by now.
    """

    held: Mapping[str, Picture]
    sources: Mapping[str, Callable[[], Picture]]

    def __getitem__(self, name: str) -> Picture:
        if name in self.held:
            return self.held[name]
        try:
            picture = self.sources[name]()
        except (OSError, RequestError) as error:
            raise ValueError(str(error)) from error
        if digest(picture) != name:
            raise ValueError("a picture was changed after the edit was asked for")
        return picture

    def __iter__(self) -> Iterator[str]:
        yield from self.held
        yield from (name for name in self.sources if name not in self.held)

    def __len__(self) -> int:
        return len(self.held.keys() | self.sources.keys())

    def __contains__(self, name: object) -> bool:
        return name in self.held or name in self.sources
