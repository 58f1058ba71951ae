"""The commands of ``ace models`` as they are typed; the work is imported only when a command runs."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from mlx_model.cli import options

app = typer.Typer(help="Install, check and remove models.", no_args_is_help=True)

Name: TypeAlias = Annotated[str, typer.Argument(metavar="MODEL", help="A model's name; see `ace models list`.")]
Yes: TypeAlias = Annotated[
    bool, typer.Option("--yes", "-y", help="Accept the licence, or confirm, without a question.")
]


@app.callback()
def before(context: typer.Context) -> None:
    """Install, check and remove models."""
    if context.invoked_subcommand != "list":
        from mlx_model.cli.report import say_error
        from mlx_model.library.endpoint import require_address
        from mlx_model.library.errors import LibraryError

        try:
            require_address()
        except LibraryError as error:
            say_error(str(error))
            raise typer.Exit(2) from error


@app.command("list")
def list_models(json: options.Json = False) -> None:
    """List the models that there are, and which suits this machine."""
    from mlx_model.cli.model_list import show_models

    show_models(json)


@app.command()
def install(
    model: Name,
    yes: Yes = False,
    source: Annotated[
        list[str] | None, typer.Option(metavar="PART=NAME", help="Take a part from this source; see docs/models.md.")
    ] = None,
    without_account: Annotated[
        bool, typer.Option("--without-account", help="Take files that others uploaded again, where need be.")
    ] = False,
    convert: Annotated[
        bool, typer.Option("--convert", help="Convert the released files even where a ready-made model is offered.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Fetch a model, quantizing it on the way; goes on where it stopped.

    ace models install ace-plus-fft-4bit
    """
    from mlx_model.cli.models import install_model
    from mlx_model.library.supply import Choice

    pairs = [text.partition("=") for text in source or ()]
    if wrong := [text for text, equals, name in pairs if not equals or not name]:
        raise typer.BadParameter(f"--source {wrong[0]} is not PART=NAME")
    choice = Choice({part: name for part, _, name in pairs}, without_account, convert)
    install_model(model, yes=yes, choice=choice, as_json=json)


@app.command("import")
def import_model(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A hub cache, ComfyUI folder, disk or file.")],
    model: Annotated[str | None, typer.Argument(metavar="MODEL", help="What to make; otherwise only shows.")] = None,
    yes: Yes = False,
    fetch_missing: Annotated[
        bool, typer.Option("--fetch-missing", help="Fetch the parts that are not there.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Make a model of released files that are on this machine already, with no network.

    ace models import ~/ComfyUI/models ace-plus-fill-4bit
    """
    from mlx_model.cli.models import import_files

    import_files(path, model, yes=yes, fetch_missing=fetch_missing, as_json=json)


@app.command()
def verify(
    model: Name,
    full: Annotated[bool, typer.Option("--full", help="Read the sources on the hub again as well.")] = False,
    json: options.Json = False,
) -> None:
    """Compare the files of a model with what was recorded when it was installed."""
    from mlx_model.cli.models import verify_model

    verify_model(model, full=full, as_json=json)


@app.command()
def repair(model: Name, json: options.Json = False) -> None:
    """Mend a model by fetching only what is bad."""
    from mlx_model.cli.models import repair_model

    repair_model(model, as_json=json)


@app.command()
def remove(model: Name, yes: Yes = False, json: options.Json = False) -> None:
    """Remove a model; what other models use stays."""
    from mlx_model.cli.models import remove_model

    remove_model(model, yes=yes, as_json=json)


@app.command()
def where(
    model: Annotated[str | None, typer.Argument(metavar="MODEL", help="Otherwise the folder of all.")] = None,
    json: options.Json = False,
) -> None:
    """Print the folder of a model."""
    from mlx_model.cli.models import show_where

    show_where(model, as_json=json)


@app.command()
def export(
    model: Name,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder.")],
    json: options.Json = False,
) -> None:
    """Write a model with a model card into a folder that can be published."""
    from mlx_model.cli.models import export_model

    export_model(model, folder, as_json=json)


@app.command()
def login(json: options.Json = False) -> None:
    """Enter an access token of the hub; it is checked and kept in the system's keychain."""
    from mlx_model.cli.models import log_in

    log_in(as_json=json)


@app.command()
def logout(json: options.Json = False) -> None:
    """Take the access token out of the keychain."""
    from mlx_model.cli.models import log_out

    log_out(as_json=json)
