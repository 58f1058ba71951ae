"""The commands of ``ace`` as they are typed; the work is imported only when a command runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import mlx_model
from mlx_model.cli import model_commands, options

if TYPE_CHECKING:
    from mlx_model.cli.edit import Job
    from mlx_model.cli.report import Report

app = typer.Typer(
    help="Edit pictures by instruction, on this machine.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(model_commands.app, name="models")


@app.callback(invoke_without_command=True)
def start(context: typer.Context, version: options.Version = False) -> None:
    """Edit pictures by instruction, on this machine."""
    if version:
        typer.echo(f"ace {mlx_model.__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit


@app.command()
def edit(
    picture: options.Picture,
    instruction: options.Instruction = "",
    mask: options.Mask = None,
    reference: options.References = None,
    task: options.Task = None,
    control: options.Control = None,
    control_picture: options.ControlPicture = None,
    strength: options.Strength = None,
    adapter: options.Adapters = None,
    region: options.Region = None,
    size: options.WorkingSize = None,
    seed: options.Seed = None,
    count: options.Count = 1,
    steps: options.Steps = None,
    guidance: options.Guidance = None,
    max_tokens: options.MaxTokens = None,
    model: options.Model = None,
    fit_mask: options.FitMask = False,
    grow: options.Grow = None,
    fade: options.Fade = None,
    no_colour_match: options.NoColourMatch = False,
    out: options.Out = None,
    embed_inputs: options.Embed = False,
    json: options.Json = False,
) -> None:
    """Edit a picture.

    ace edit photo.jpg "make the car red" --mask car.png -o red.png
    """
    from mlx_model.cli.edit import Job, parse_region, parse_size
    from mlx_model.cli.report import reporting

    with reporting(json, taken=_takes_stdout(picture, out)) as report:
        job = Job(
            instruction=instruction,
            picture=picture,
            mask=mask,
            references=tuple(reference or ()),
            task=task,
            control=control,
            control_picture=control_picture,
            strength=strength,
            adapters=tuple(adapter or ()),
            region=None if region is None else parse_region(region),
            size=None if size is None else parse_size(size),
            seed=seed,
            count=count,
            steps=steps,
            guidance=guidance,
            max_tokens=max_tokens,
            model=model,
            fit_mask=fit_mask,
            grow=grow,
            fade=fade,
            colour_match=not no_colour_match,
            out=out,
            embed_inputs=embed_inputs,
        )
        _do(job, report)


@app.command()
def generate(
    instruction: options.Instruction = "",
    reference: options.References = None,
    task: options.Task = None,
    adapter: options.Adapters = None,
    size: options.Size = None,
    seed: options.Seed = None,
    count: options.Count = 1,
    steps: options.Steps = None,
    guidance: options.Guidance = None,
    max_tokens: options.MaxTokens = None,
    model: options.Model = None,
    fit_mask: options.FitMask = False,
    out: options.Out = None,
    embed_inputs: options.Embed = False,
    json: options.Json = False,
) -> None:
    """Make a new picture, with the subject of a reference or without.

    ace generate "the star on a pink background" --reference star.png
    """
    from mlx_model.cli.edit import Job, parse_size
    from mlx_model.cli.report import reporting

    with reporting(json, taken=_takes_stdout(None, out)) as report:
        job = Job(
            instruction=instruction,
            references=tuple(reference or ()),
            task=task,
            adapters=tuple(adapter or ()),
            size=None if size is None else parse_size(size),
            seed=seed,
            count=count,
            steps=steps,
            guidance=guidance,
            max_tokens=max_tokens,
            model=model,
            fit_mask=fit_mask,
            out=out,
            embed_inputs=embed_inputs,
        )
        _do(job, report)


@app.command()
def batch(
    jobs: Annotated[Path, typer.Argument(metavar="JOBS.jsonl", help="One JSON object per line.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="DIR", help="For results without out.")] = None,
    json: options.Json = False,
) -> None:
    """Do many jobs, and carry on where it stopped.

    A line: {"picture": "a.png", "mask": "m.png", "instruction": "a red star", "seed": 1, "out": "b.png"}
    """
    from mlx_model.cli.batch import run_batch
    from mlx_model.cli.report import reporting

    with reporting(json) as report:
        if not run_batch(jobs, out, report):
            raise typer.Exit(2)


@app.command()
def replay(
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="A picture that ace made.")],
    inputs: Annotated[Path | None, typer.Option(metavar="DIR", help="Where inputs that moved are.")] = None,
    model: options.Model = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="OUT", help="Otherwise RESULT-replay.png.")
    ] = None,
    embed_inputs: options.Embed = False,
    json: options.Json = False,
) -> None:
    """Make a result again from the recipe that it carries."""
    from mlx_model.cli.replay import Replay, make_again
    from mlx_model.cli.report import reporting

    with reporting(json) as report:
        make_again(Replay(result, inputs, model, out, embed_inputs), report)


@app.command()
def tasks(json: options.Json = False) -> None:
    """List what can be done, and what each task needs."""
    from mlx_model.cli.tables import show_tasks

    show_tasks(json)


@app.command()
def info(json: options.Json = False) -> None:
    """Show this machine, its memory, and the models that are here."""
    from mlx_model.cli.tables import show_info

    show_info(json)


def _takes_stdout(picture: str | None, out: str | None) -> bool:
    return out == "-" or (out is None and picture == "-")


def _do(job: "Job", report: "Report") -> None:
    from mlx_model.cli.edit import Editors, carry_out, prepare

    carry_out(prepare(job), Editors(), report)
