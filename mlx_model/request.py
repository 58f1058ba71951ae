"""The vocabulary of an edit: what is asked for, how it goes, and what comes back.

Everything here is plain data: frozen, comparable, serialisable, and free of MLX. Pictures are named by the
digest of their pixels (:func:`digest`); the arrays themselves travel beside the request in a mapping from digest
to :class:`Picture`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from types import UnionType
from typing import Any, Literal, Self, TypeAlias, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt

Precision: TypeAlias = Literal["float32", "bfloat16"]
"""What a model computes in: bfloat16 takes half the memory, and on a GPU half the time."""

Box: TypeAlias = tuple[int, int, int, int]
"""A rectangle in pixels: left, top, width, height."""


class RequestError(ValueError):
    """What was asked for cannot be done; the message is one sentence for the person who asked."""


class UnusableNumbers(RequestError):
    """The model gave numbers that are no picture, in float32 as well: a fault of the device or of the weights."""


class OutOfMemory(RequestError):
    """An allocation failed on the way; everything was let go, so that a smaller request can be worked on."""


class Cancelled(Exception):
    """The request was cancelled while it was being worked on."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded picture in its own colour space and depth.

    ``pixels`` is uint8 or uint16, (height, width, 4), straight alpha, rows first. ``profile`` is the ICC profile
    the numbers are in, None meaning sRGB.
    """

    pixels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
    profile: bytes | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]


def digest(picture: Picture) -> str:
    """Name a picture by its content: the sha256 of shape, type, profile and pixels, as hexadecimal."""
    state = hashlib.sha256(f"{picture.pixels.shape} {picture.pixels.dtype}".encode())
    state.update(picture.profile or b"")
    state.update(np.ascontiguousarray(picture.pixels).data)
    return state.hexdigest()


@dataclass(frozen=True)
class Reference:
    """A picture the edit refers to, by digest, with an optional cut-out mask (white is the subject)."""

    picture: str
    mask: str | None = None


@dataclass(frozen=True)
class Adapter:
    """A LoRA by name (or by the path of its file) and how strongly it acts (1 is as trained)."""

    name: str
    strength: float = 1.0


@dataclass(frozen=True)
class EditRequest:
    """What should happen. Pictures, masks and references are digests; None means "as the task or model has it".

    ``mask`` names a picture whose first channel, times alpha, above half means "may change". ``task`` is a key of
    :data:`mlx_model.tasks.TASKS`; None infers it from what is given. ``strength`` is the repainting scale: 1
    paints the masked pixels anew, 0 keeps them visible to the model. ``region`` is the part of the picture that
    the model sees. ``size`` is the (width, height) of a new picture; where a picture is edited, which keeps its own
    size, the model works on what it sees as large as fits into it. ``grow`` and ``fade`` are the pixels by which the
    mask is grown for pasting back and over which that growth fades out (grow 0 keeps strictly inside the mask).
    ``max_tokens`` is how many tokens of 16 x 16 pixels the whole canvas may have, references included.
    """

    instruction: str = ""
    picture: str | None = None
    mask: str | None = None
    references: tuple[Reference, ...] = ()
    task: str | None = None
    control: str | None = None
    control_picture: str | None = None
    strength: float | None = None
    adapters: tuple[Adapter, ...] = ()
    region: Box | None = None
    size: tuple[int, int] | None = None
    seed: int = 0
    steps: int | None = None
    guidance: float | None = None
    grow: int = 4
    fade: int = 4
    colour_match: bool = True
    max_tokens: int | None = None

    def to_json(self) -> str:
        """Serialise; fields at their defaults are left out, so that old recipes stay readable."""
        changed = {f.name: value for f in fields(self) if (value := getattr(self, f.name)) != f.default}
        return json.dumps(
            {name: _plain(value) for name, value in changed.items()}, ensure_ascii=False, sort_keys=True
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what :meth:`to_json` wrote.

        Raises:
            RequestError: the text is not a request, or has fields that this version does not know.
        """
        try:
            values: dict[str, Any] = dict(json.loads(text))
            kinds = get_type_hints(cls)
            unknown = sorted(set(values) - set(kinds))
            if unknown:
                raise RequestError(f"this request has settings that this version does not know: {', '.join(unknown)}")
            return cls(**{name: _typed(value, kinds[name], name) for name, value in values.items()})
        except RequestError:
            raise
        except (TypeError, ValueError) as error:
            raise RequestError(f"this is not a readable edit request ({error})") from error


def _typed(value: Any, kind: Any, name: str) -> Any:
    """Turn a JSON value into a field's type: lists become tuples, groups become dataclasses."""
    options = get_args(kind)
    if isinstance(kind, UnionType):
        return None if value is None else _typed(value, options[0], name)
    if is_dataclass(kind) and isinstance(kind, type) and isinstance(value, dict):
        kinds = get_type_hints(kind)
        return kind(**{key: _typed(item, kinds.get(key, str), f"{name}.{key}") for key, item in value.items()})
    if get_origin(kind) is tuple and isinstance(value, list):
        kinds = options[:1] * len(value) if options[-1] is Ellipsis else options
        return tuple(_typed(item, k, name) for item, k in zip(value, kinds, strict=True))
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise RequestError(f"this is not a readable edit request: {name} cannot be {json.dumps(value)}")
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Reference | Adapter):
        return asdict(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return value


@dataclass(frozen=True, eq=False)
class Progress:
    """Where a running edit is.

    ``stage`` is one of "load", "text", "encode", "modulation", "denoise", "decode", "finish"; ``step`` of
    ``steps`` counts denoising steps; ``seconds_left`` is an estimate, None while there is nothing to estimate from;
    ``preview`` is a small sRGB uint8 (h, w, 3) picture of the region as it stands, when previews were asked for;
    ``notes`` say so far, in sentences, what was done without or done again.
    """

    stage: str
    step: int = 0
    steps: int = 0
    seconds_left: float | None = None
    preview: npt.NDArray[np.uint8] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Estimate:
    """What a request needs of this machine's memory, told before anything is loaded.

    ``needed`` and ``limit`` are bytes: the peak as the request will be carried out, and what may be used. ``request``
    is what was asked, its ``max_tokens`` lowered where only a smaller canvas fits; ``canvas_size`` is the (width,
    height) in pixels of that canvas, references included. ``released`` names what is let go on the way ("text",
    "modulation", "all" but the part in use, "preview" decoder); ``notes`` say so in sentences for the person.
    """

    needed: int
    limit: int
    request: EditRequest
    canvas_size: tuple[int, int]
    released: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether it can be carried out so."""
        return self.needed <= self.limit


@dataclass(frozen=True, eq=False)
class EditResult:
    """What came back.

    ``picture`` is the whole edited picture in the input's own colour space and depth; ``patch`` the changed part
    alone, same size, its alpha the paste-back mask; ``request`` the request with nothing left open (task, words,
    steps, guidance, strength, adapters, token budget and a new picture's size as used; a region or a size to work at
    only if one was asked for): it gives the same result again. ``seen_box`` is the box of the picture that the model
    saw and ``seen_size`` the (width, height) at which it worked; ``canvas_size`` includes the references. ``timings``
    are seconds by stage; ``warnings`` are sentences for the person about the result, ``notes`` those about how it was
    made: what was let go for want of memory, what was computed again.
    """

    picture: Picture
    patch: Picture
    request: EditRequest
    model: str
    seen_box: Box
    seen_size: tuple[int, int]
    canvas_size: tuple[int, int]
    timings: Mapping[str, float]
    versions: Mapping[str, str]
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
