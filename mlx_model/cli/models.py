"""The work of ``ace models``: install, import, check, mend, remove and export models, log in and out."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import typer

from mlx_model.cli.report import reporting
from mlx_model.cli.transfer import transferring
from mlx_model.library.catalogue import Catalogue, CatalogueModel, load_catalogue, model_named, models_of
from mlx_model.library.conversion import Conversion
from mlx_model.library.disk import size_text
from mlx_model.library.endpoint import endpoint_from_environment
from mlx_model.library.errors import LibraryError
from mlx_model.library.export import export
from mlx_model.library.folders import models_folder
from mlx_model.library.hub import Hub
from mlx_model.library.install import Order, install
from mlx_model.library.progress import Control, Work
from mlx_model.library.recommendation import memory_bytes, recommended
from mlx_model.library.record import Record
from mlx_model.library.released_files import Found, Search, missing_parts, search, supplies_from
from mlx_model.library.supply import Choice, Supply, can_do_without_account
from mlx_model.library.tensor_files import TensorFile
from mlx_model.library.tokens import Token, find_token, forget_token, keep_token
from mlx_model.library.upkeep import Finding, installed_folder, remove, repair, verify, verify_sources
from mlx_model.weights.config import ModelConfig, QuantizationConfig


def convert(
    part: Any,
    files: Sequence[TensorFile],
    folder: Path,
    config: ModelConfig,
    quantization: QuantizationConfig | None,
    *,
    control: Control | None = None,
    report: Callable[[int, int], None] = lambda _done, _total: None,
) -> Conversion:
    """Convert released files into a part; MLX is loaded here, and only if there is something to convert."""
    from mlx_model.weights.convert import convert_part

    return convert_part(part, files, folder, config, quantization, control=control, report=report)


def connect(work: Work) -> Hub:
    """Connect to the hub of the environment with the token that belongs to it."""
    endpoint = endpoint_from_environment()
    return Hub(find_token(endpoint), endpoint, on_wait=work.meter.waits)


def install_model(name: str, *, yes: bool, choice: Choice, as_json: bool) -> None:
    """Install a model of the catalogue."""
    with reporting(as_json):
        catalogue = load_catalogue()
        model = model_named(catalogue, name)
    hint = ""
    if can_do_without_account(catalogue, model):
        hint = (
            f"Or, with no account, take files that others uploaded again (see docs/models.md): "
            f"ace models install {name} --without-account"
        )
    order = Order(catalogue, model, models_folder(), _accepted(catalogue, model, yes, as_json), choice)
    with transferring(as_json, hint) as (report, work), connect(work) as hub:
        record = install(order, hub, convert, work)
        _tell_installed(report.event, order, record, as_json)


def import_files(path: Path, name: str | None, *, yes: bool, fetch_missing: bool, as_json: bool) -> None:
    """Find released files on this machine and make a model of them."""
    with reporting(as_json) as report:
        catalogue = load_catalogue()
        model = model_named(catalogue, name) if name is not None else None
        searches = {
            family: search(path, catalogue, family)
            for family in ([model.family_name] if model else catalogue.families)
        }
        for family, found in searches.items():
            for one in found.found:
                facts = {"family": family, "part": one.part, "layout": one.layout, "precision": one.precision}
                report.event("found", {**facts, "size": one.size, "files": [str(f.path) for f in one.files]})
        passed_over = {path: why for found in searches.values() for path, why in found.passed_over}
        for file, why in passed_over.items():
            report.event("passed_over", {"file": str(file), "text": why})
        if not as_json:
            _print_search(searches)
        if model is None:
            raise LibraryError(_what_could_be_made(catalogue, searches, path))
        supplies = supplies_from(catalogue, model, searches[model.family_name].found)
        missing = missing_parts(catalogue, model, supplies)
        if not supplies:
            raise LibraryError(f"nothing of {model.name} was found in {path}; give the folder that holds its files")
        if missing and not fetch_missing:
            raise LibraryError(
                f"{model.name} lacks {'; '.join(missing)}; put them there, or add --fetch-missing to fetch them"
            )
    _make_of(catalogue, model, supplies, yes, as_json)


def _make_of(
    catalogue: Catalogue, model: CatalogueModel, supplies: dict[str, Supply], yes: bool, as_json: bool
) -> None:
    accepted = _accepted(catalogue, model, yes, as_json)
    order = Order(catalogue, model, models_folder(), accepted, local=supplies)
    with transferring(as_json) as (report, work), connect(work) as hub:
        record = install(order, hub, convert, work)
        _tell_installed(report.event, order, record, as_json)


def verify_model(name: str, *, full: bool, as_json: bool) -> None:
    """Compare a model with its record, and with ``full`` its sources too."""
    with transferring(as_json) as (report, work):
        folder = installed_folder(models_folder(), name)
        record = Record.load(folder)
        findings = verify(folder, record, work)
        if full:
            with connect(work) as hub:
                findings += verify_sources(hub, record, work)
        unchecked = [part.part for part in record.parts if not part.digests_checked]
        _tell_findings(report.event, findings, as_json)
        if findings:
            raise LibraryError(f"{name} is damaged ({_count(findings)}); mend it with: ace models repair {name}")
        facts = {"model": name, "files": len(list(record.files)), "bytes": record.size, "unchecked": unchecked}
        report.event("done", facts)
        if not as_json:
            typer.echo(f"{name} is whole: {facts['files']} files, {size_text(record.size)}, all as recorded")
            if unchecked and not full:
                typer.echo(
                    f"note: the sources of {', '.join(unchecked)} were read in more than one go or had no digest, so "
                    "it was not compared; --full reads them again"
                )


def repair_model(name: str, *, as_json: bool) -> None:
    """Mend a model."""
    with transferring(as_json) as (report, work), connect(work) as hub:
        findings = repair(models_folder(), name, load_catalogue(), hub, convert, work)
        _tell_findings(report.event, findings, as_json)
        report.event("done", {"model": name, "mended": [finding.path for finding in findings]})
        if not as_json:
            typer.echo(f"{name} is whole; {_count(findings)} mended" if findings else f"{name} was whole already")


def remove_model(name: str, *, yes: bool, as_json: bool) -> None:
    """Remove a model."""
    with transferring(as_json) as (report, work):
        if not yes and not _asks(as_json):
            raise LibraryError(f"add --yes to remove {name}: there is no terminal to ask on")
        if not yes and not typer.confirm(f"Remove {name}?", err=True):
            raise LibraryError(f"{name} stays")
        removed = remove(models_folder(), name, work)
        facts = {"model": name, "freed": removed.freed, "shared": removed.shared, "left": list(removed.left)}
        report.event("done", facts)
        if not as_json:
            shared = f"; {size_text(removed.shared)} stay, other models use them" if removed.shared else ""
            typer.echo(f"{name} is removed, {size_text(removed.freed)} are free again{shared}")
            if removed.left:
                typer.echo(f"note: files that are not of the model stay: {', '.join(removed.left[:5])}")


def show_where(name: str | None, *, as_json: bool) -> None:
    """Print the folder of a model, or that of all models."""
    from mlx_model.library.folders import find_model

    with reporting(as_json) as report:
        folder = find_model(name) if name is not None else models_folder()
        report.event("done", {"folder": str(folder)})
        if not as_json:
            typer.echo(folder)


def export_model(name: str, target: Path, *, as_json: bool) -> None:
    """Write a model as a folder that can be published."""
    with transferring(as_json) as (report, work):
        folder = installed_folder(models_folder(), name)
        files = export(folder, Record.load(folder), target, load_catalogue(), work)
        report.event("done", {"model": name, "folder": str(target), "files": [file.as_posix() for file in files]})
        if not as_json:
            typer.echo(f"{name} is written to {target}; read its README.md before you publish it")


def log_in(*, as_json: bool) -> None:
    """Ask for a token, check it with the hub, and keep it in the keychain."""
    endpoint = endpoint_from_environment()
    with transferring(as_json, steered=False) as (report, work):  # standard input brings the token
        if sys.stdin.isatty():
            secret = str(typer.prompt(f"Token (from {endpoint}/settings/tokens)", hide_input=True, err=True))
        else:
            secret = sys.stdin.readline()
        with Hub(Token(secret.strip(), "that was entered"), endpoint, on_wait=work.meter.waits) as hub:
            name = hub.who(work.control)
        keep_token(endpoint, secret)
        report.event("done", {"account": name, "hub": endpoint})
        if not as_json:
            typer.echo(f"logged in as {name}; the token is in the keychain")


def log_out(*, as_json: bool) -> None:
    """Take the token out of the keychain."""
    endpoint = endpoint_from_environment()
    with reporting(as_json) as report:
        forget_token(endpoint)
        report.event("done", {"hub": endpoint})
        if not as_json:
            typer.echo("the token is not in the keychain any more")


def _asks(as_json: bool) -> bool:
    return not as_json and sys.stdin.isatty() and sys.stderr.isatty()


def _accepted(catalogue: Catalogue, model: CatalogueModel, yes: bool, as_json: bool) -> frozenset[str]:
    """Show the licences, and ask where there is someone to ask."""
    accepted: set[str] = set()
    for name in model.family.licences:
        licence = catalogue.licences[name]
        if not as_json:
            sys.stderr.write(f"{licence.name} ({licence.page})\n{licence.text}\n")
        if yes or (_asks(as_json) and typer.confirm("Do you accept this licence?", err=True)):
            accepted.add(name)
    return frozenset(accepted)


def _tell_installed(event: Callable[[str, Any], None], order: Order, record: Record, as_json: bool) -> None:
    sources = {
        part.part: {
            "alternative": part.alternative,
            "from": [source.title for source in part.sources],
            "digests_checked": part.digests_checked,
        }
        for part in record.parts
    }
    folder = str(order.folder)
    event("done", {"model": record.name, "folder": folder, "bytes": record.size, "parts": sources})
    if not as_json:
        typer.echo(f"{record.name} is installed in {folder} ({size_text(record.size)})")


def _tell_findings(event: Callable[[str, Any], None], findings: Sequence[Finding], as_json: bool) -> None:
    for finding in findings:
        event("finding", {"part": finding.part, "file": finding.path, "text": finding.problem})
        if not as_json:
            typer.echo(f"{finding.path} {finding.problem}")


def _count(findings: Sequence[Finding]) -> str:
    return "1 file" if len(findings) == 1 else f"{len(findings)} files"


def _print_search(searches: dict[str, Search]) -> None:
    shown: set[str] = set()
    for found in searches.values():
        lines = [_found_in_words(one) for one in found.found] + [f"{path} {why}" for path, why in found.passed_over]
        for line in lines:
            if line not in shown:
                typer.echo(line)
                shown.add(line)


def _found_in_words(found: Found) -> str:
    first, *others = found.files
    more = f" and {len(others)} more" if others else ""
    how = f", {found.precision}" if found.precision else ""
    return f"found {found.part} ({found.layout}{how}, {size_text(found.size)}): {first.path}{more}"


def _what_could_be_made(catalogue: Catalogue, searches: dict[str, Search], path: Path) -> str:
    names = [
        model.name
        for family, found in searches.items()
        if any(catalogue.parts[one.part].converter == "transformer" for one in found.found)
        for best in [recommended([m for m in models_of(catalogue) if m.family_name == family], memory_bytes())]
        for model in ([best.model] if best else [m for m in models_of(catalogue) if m.family_name == family][:1])
    ]
    if not names:
        return f"no transformer of ACE++ or FLUX.1 Fill was found in {path}; give the folder that holds its files"
    return f"say which model to make of it, for example: ace models import {json.dumps(str(path))} {names[0]}"
