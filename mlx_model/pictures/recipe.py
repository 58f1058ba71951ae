"""The recipe that every result carries: all that is needed to make it again, and how it was made, in plain view.

A PNG holds it in a text chunk of our own, ``ace-recipe``; TIFF, WebP and JPEG hold it inside their XMP. Beside it
stand the ``parameters`` line that other programs show, and XMP's ``Iptc4xmpExt:DigitalSourceType`` (IPTC Photo
Metadata Standard 2025.1).
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final
from xml.sax.saxutils import escape, unescape

from mlx_model.pictures import png
from mlx_model.pictures.write import ATTACHMENT, Metadata
from mlx_model.request import EditRequest, RequestError

KEYWORD: Final = "ace-recipe"
_FORMAT: Final = 1
_SOURCE_TYPES: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_XMP_RECIPE: Final = re.compile(rb"<ace:Recipe>(.*?)</ace:Recipe>", re.DOTALL)


@dataclass(frozen=True)
class Input:
    """One input of an edit.

    ``role`` is "picture", "mask", "reference 1", "mask of reference 1" (and so on) or "control picture"; ``digest``
    names the pixels that the request used, ``sha256`` and ``bytes`` the file, ``path`` where it last was ("-" came
    through a pipe). ``fitted`` is the (width, height) that a mask was stretched to before use.
    """

    role: str
    digest: str
    sha256: str
    bytes: int
    path: str
    fitted: tuple[int, int] | None = None


@dataclass(frozen=True)
class SavedRecipe:
    """What was asked with nothing left open, of which model, on what, and what came out.

    ``model_folder`` is where the model last was; ``adapters`` maps the name of each adapter to the sha256 of its
    file; ``device`` is the kind of device; ``result`` is the digest of the result's pixels as they were before any
    lossy writing.
    """

    request: EditRequest
    model: str
    model_folder: str
    model_digest: str
    adapters: Mapping[str, str]
    versions: Mapping[str, str]
    device: str
    inputs: tuple[Input, ...]
    result: str

    def to_json(self) -> str:
        """Serialise, every setting of the request written out, so that later defaults change nothing."""
        text = json.dumps({"format": _FORMAT, **asdict(self)}, ensure_ascii=False, sort_keys=True)
        # Bytes of a file name that are no UTF-8 are lone surrogates here; Python escapes those as JSON does.
        return text.encode("utf-8", "backslashreplace").decode()


def recipe_from_json(text: str, name: str) -> SavedRecipe:
    """Read what :meth:`SavedRecipe.to_json` wrote; ``name`` is what the error calls the file.

    Raises:
        RequestError: it is damaged, or of a later format.
    """
    try:
        values: dict[str, Any] = dict(json.loads(text))
        if values.pop("format") != _FORMAT:
            raise RequestError(f"the recipe in {name} was written by a later version of this program; update it")
        request = EditRequest.from_json(json.dumps(values.pop("request")))
        entries: list[dict[str, Any]] = values.pop("inputs")
        for entry in entries:
            entry["fitted"] = tuple(entry["fitted"]) if entry["fitted"] else None
        inputs = tuple(Input(**entry) for entry in entries)
        return SavedRecipe(request=request, inputs=inputs, **values)
    except RequestError:
        raise
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise RequestError(f"the recipe in {name} is damaged and cannot be read") from error


def find_recipe(data: bytes, name: str) -> SavedRecipe:
    """Take the recipe out of a saved result's bytes.

    Raises:
        RequestError: there is none, or it is damaged.
    """
    text = png.texts_of(data).get(KEYWORD)
    if text is None and (match := _XMP_RECIPE.search(data)):
        text = unescape(match[1].decode("utf-8", "replace"))
    if text is None:
        raise RequestError(f"{name} carries no recipe: it was not made by ace, or another program took it out")
    return recipe_from_json(text, name)


def attachments_of(data: bytes) -> list[bytes]:
    """Return the PNG files embedded in a saved result by ``--embed-inputs``."""
    return [whole for name, whole in png.chunks_of(data) if name == ATTACHMENT]


def metadata_for(
    recipe: SavedRecipe, size: tuple[int, int], kind: str, attachments: Sequence[bytes] = ()
) -> Metadata:
    """Lay the recipe out for a kind of file; ``size`` is the result's (width, height)."""
    text = recipe.to_json()
    if kind != "png":
        return Metadata(xmp=_xmp(recipe, text))
    return Metadata({KEYWORD: text, "parameters": parameters_line(recipe, size)}, _xmp(recipe), attachments)


def parameters_line(recipe: SavedRecipe, size: tuple[int, int]) -> str:
    """Return the instruction and, on the last line, the settings in the form that other programs read."""
    request = recipe.request
    settings = {
        "Steps": request.steps,
        "Sampler": "Euler",
        "CFG scale": 1,  # FLUX takes its guidance as an input instead of computing each step twice
        "Distilled CFG Scale": request.guidance,
        "Seed": request.seed,
        "Size": f"{size[0]}x{size[1]}",
        "Model hash": recipe.model_digest[:10],
        "Model": recipe.model,
        "Denoising strength": request.strength,
        "Version": f"ACE Desktop {recipe.versions.get('ace', '')}".strip(),
    }
    return f"{request.instruction}\n" + ", ".join(f"{key}: {value}" for key, value in settings.items())


def _xmp(recipe: SavedRecipe, text: str = "") -> str:
    edited = recipe.request.picture is not None
    source = "compositeWithTrainedAlgorithmicMedia" if edited else "trainedAlgorithmicMedia"
    held = f"\n   <ace:Recipe>{escape(text)}</ace:Recipe>" if text else ""
    return f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:ace="urn:ace-desktop:recipe">
   <xmp:CreatorTool>ACE Desktop {escape(recipe.versions.get("ace", ""))}</xmp:CreatorTool>
   <Iptc4xmpExt:DigitalSourceType>{_SOURCE_TYPES}{source}</Iptc4xmpExt:DigitalSourceType>{held}
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""
