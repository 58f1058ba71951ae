"""The options of the commands, as annotated types: what they are called, and what ``--help`` says."""

from typing import Annotated, TypeAlias

from typer import Argument, Option

Picture: TypeAlias = Annotated[str, Argument(metavar="PICTURE", help="The picture to edit; - reads a pipe.")]
Instruction: TypeAlias = Annotated[
    str, Argument(metavar="INSTRUCTION", help="What you want to see, or what is to change.", show_default=False)
]
Mask: TypeAlias = Annotated[str | None, Option("--mask", "-m", metavar="M", help="White may change, black stays.")]
References: TypeAlias = Annotated[
    list[str] | None,
    Option("--reference", "-r", metavar="R[:MASK]", help="A picture to take from, with a mask of its subject."),
]
Task: TypeAlias = Annotated[
    str | None, Option(metavar="TASK", help="One of `ace tasks`; otherwise read from what is given.")
]
Control: TypeAlias = Annotated[
    str | None, Option(metavar="CONTROL", help="What to keep: canny, contour, depth, mosaic, grey or as-is.")
]
ControlPicture: TypeAlias = Annotated[
    str | None, Option(metavar="PICTURE", help="Your own edges or blocks, used as they are.")
]
Strength: TypeAlias = Annotated[
    float | None, Option(metavar="0..1", help="1 paints anew; 0 leaves what stands there in the model's view.")
]
Adapters: TypeAlias = Annotated[
    list[str] | None, Option("--adapter", metavar="NAME[=S]", help="A LoRA, and how strongly it acts.")
]
Region: TypeAlias = Annotated[str | None, Option(metavar="X,Y,W,H", help="The part that the model sees.")]
Size: TypeAlias = Annotated[str | None, Option(metavar="WxH", help="Size of a new picture.")]
WorkingSize: TypeAlias = Annotated[
    str | None, Option("--size", metavar="WxH", help="The largest size to work at; the result keeps the picture's.")
]
Seed: TypeAlias = Annotated[int | None, Option(metavar="N", help="Same seed, same picture; otherwise by chance.")]
Count: TypeAlias = Annotated[int, Option(metavar="N", help="How many variants, with seeds one after the other.")]
Steps: TypeAlias = Annotated[int | None, Option(metavar="N", help="Steps of painting; otherwise the model's own.")]
Guidance: TypeAlias = Annotated[
    float | None, Option(metavar="G", help="How closely to follow the instruction; otherwise the model's own.")
]
MaxTokens: TypeAlias = Annotated[
    int | None, Option(metavar="N", help="Most tokens (16x16 pixels) on the canvas; refused where memory is short.")
]
Model: TypeAlias = Annotated[str | None, Option(metavar="MODEL", help="A model's name (see `ace info`) or folder.")]
FitMask: TypeAlias = Annotated[bool, Option("--fit-mask", help="Stretch masks of another size.")]
Grow: TypeAlias = Annotated[
    int | None, Option(metavar="N", help="Pixels that the mask grows by for pasting; 0 stays strictly inside.")
]
Fade: TypeAlias = Annotated[int | None, Option(metavar="N", help="Pixels over which that growth fades out.")]
NoColourMatch: TypeAlias = Annotated[
    bool, Option("--no-colour-match", help="Do not match the result's colours to what is around it.")
]
Out: TypeAlias = Annotated[
    str | None,
    Option("--out", "-o", metavar="OUT", help="PNG, TIFF, WebP or JPEG by its name; or a folder; - writes a pipe."),
]
Embed: TypeAlias = Annotated[
    bool, Option("--embed-inputs", help="Put masks and references into the PNG, for `ace replay`.")
]
Json: TypeAlias = Annotated[bool, Option("--json", help="Tell everything as lines of JSON.")]
Version: TypeAlias = Annotated[bool, Option("--version", help="Show the version and exit.")]
