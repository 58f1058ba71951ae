"""The work of ``ace models``: install, import, check, mend, remove and export models, log in and out."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import typer

from mlx_model.cli.report import Report, reporting
from mlx_model.cli.transfer import Transfer, transferring
from mlx_model.library.catalogue import Catalogue, CatalogueModel, load_catalogue, model_named, models_of
from mlx_model.library.conversion import Conversion
from mlx_model.library.disk import size_text
from mlx_model.library.endpoint import endpoint_from_environment
from mlx_model.library.errors import LibraryError
from mlx_model.library.export import export
from mlx_model.library.folders import find_model, models_folder
from mlx_model.library.hub import Hub
from mlx_model.library.install import Order, install
from mlx_model.library.progress import Work
from mlx_model.library.recommendation import memory_bytes, recommended
from mlx_model.library.record import Finding, Record
from mlx_model.library.released_files import Found, Search, missing_parts, search, supplies_from, without_misfits
from mlx_model.library.supply import Choice, can_do_without_account
from mlx_model.library.tokens import Token, checked_token, find_token, forget_token, keep_token
from mlx_model.library.upkeep import installed_folder, remove, repair, verify, verify_sources
from mlx_model.places import home_expanded

_AGAIN: Final = (
    "note: the sources of {} were read in more than one go, so their sha256 was not compared; --full reads them again"
)
_NEVER: Final = "note: of {} there is no sha256 of the sources that could have been compared"


def convert(*given: Any, **named: Any) -> Conversion:
    """Convert released files, as :class:`~mlx_model.library.conversion.Convert` says; MLX is loaded for it."""
    from mlx_model.weights.convert import convert_part

    return convert_part(*given, **named)


def misfit(*given: Any, **named: Any) -> str | None:
    """Compare released files with a model, as :class:`~mlx_model.library.conversion.Misfit` says; it loads MLX."""
    from mlx_model.weights.fitting import misfit

    return misfit(*given, **named)


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
    with transferring(as_json, hint) as transfer, connect(transfer.work) as hub:
        _tell_installed(transfer, order, install(order, hub, convert, transfer.work))


def import_files(path: Path, name: str | None, *, yes: bool, fetch_missing: bool, as_json: bool) -> None:
    """Find released files on this machine and make a model of them."""
    path = home_expanded(str(path))
    with reporting(as_json) as report:
        catalogue = load_catalogue()
        model = model_named(catalogue, name) if name is not None else None
        searches = {
            family: without_misfits(search(path, catalogue, family), catalogue, family, misfit)
            for family in ([model.family_name] if model else catalogue.families)
        }
        for family, found in searches.items():
            for one in found.found:
                facts = {"family": family, "part": one.part, "layout": one.layout, "precision": one.precision}
                report.event("found", {**facts, "size": one.size, "files": [str(f.path) for f in one.files]})
        passed_over = _passed_over(searches)
        for file, why in passed_over.items():
            report.event("passed_over", {"file": str(file), "text": why})
        report.say(*_search_in_words(searches, passed_over))
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
    accepted = _accepted(catalogue, model, yes, as_json)
    order = Order(catalogue, model, models_folder(), accepted, local=supplies)
    # With nothing to fetch, the keychain is not asked for a token either.
    with transferring(as_json) as transfer, connect(transfer.work) if missing else Hub() as hub:
        _tell_installed(transfer, order, install(order, hub, convert, transfer.work))


def verify_model(name: str, *, full: bool, as_json: bool) -> None:
    """Compare a model with its record, and with ``full`` its sources too."""
    with transferring(as_json) as transfer:
        folder = installed_folder(models_folder(), name)
        record = Record.load(folder)
        findings = verify(folder, record, transfer.work)
        if full:
            with connect(transfer.work) as hub:
                findings += verify_sources(hub, record, transfer.work)
        _tell_findings(transfer.report, findings)
        if findings:
            raise LibraryError(f"{name} is damaged ({_count(findings)}); mend it with: ace models repair {name}")
        files, unchecked = len(list(record.files)), [part for part in record.parts if not part.digests_checked]
        again = [part.part for part in unchecked if any(source.remote is not None for source in part.sources)]
        never = [part.part for part in unchecked if part.part not in again]
        notes = [
            *([_AGAIN.format(", ".join(again))] if again and not full else []),
            *([_NEVER.format(", ".join(never))] if never else []),
        ]
        transfer.done(
            {"model": name, "files": files, "bytes": record.size, "unchecked": [part.part for part in unchecked]},
            f"{name} is whole: {files} files, {size_text(record.size)}, all as recorded",
            *notes,
        )


def repair_model(name: str, *, as_json: bool) -> None:
    """Mend a model."""
    with transferring(as_json) as transfer, connect(transfer.work) as hub:
        findings = repair(models_folder(), name, load_catalogue(), hub, convert, transfer.work)
        _tell_findings(transfer.report, findings)
        transfer.done(
            {"model": name, "mended": [finding.path for finding in findings]},
            f"{name} is whole; {_count(findings)} mended" if findings else f"{name} was whole already",
        )


def remove_model(name: str, *, yes: bool, as_json: bool) -> None:
    """Remove a model."""
    with transferring(as_json, steered=False) as transfer:
        if not yes and not _asks(as_json):
            raise LibraryError(f"add --yes to remove {name}: there is no terminal to ask on")
        if not yes and not typer.confirm(f"Remove {name}?", err=True):
            raise LibraryError(f"{name} stays")
        removed = remove(models_folder(), name, transfer.work)
        shared = f"; {size_text(removed.shared)} stay, other folders use them" if removed.shared else ""
        left = [f"note: files that are not of the model stay: {', '.join(removed.left[:5])}"] if removed.left else []
        transfer.done(
            {"model": name, "freed": removed.freed, "shared": removed.shared, "left": list(removed.left)},
            f"{name} is removed, {size_text(removed.freed)} are free again{shared}",
            *left,
        )


def show_where(name: str | None, *, as_json: bool) -> None:
    """Print the folder of a model, or that of all models."""
    with reporting(as_json) as report:
        folder = find_model(name) if name is not None else models_folder()
        report.event("done", {"folder": str(folder)})
        report.say(str(folder))


def export_model(name: str, target: Path, *, as_json: bool) -> None:
    """Write a model as a folder that can be published."""
    with transferring(as_json) as transfer:
        folder = installed_folder(models_folder(), name)
        files = export(folder, Record.load(folder), target, load_catalogue(), transfer.work)
        transfer.done(
            {"model": name, "folder": str(target), "files": [file.as_posix() for file in files]},
            f"{name} is written to {target}; read its README.md before you publish it",
        )


def log_in(*, as_json: bool) -> None:
    """Ask for a token, check it with the hub, and keep it in the keychain."""
    endpoint = endpoint_from_environment()
    with transferring(as_json, steered=False) as transfer:  # standard input brings the token
        if sys.stdin.isatty():
            secret = str(typer.prompt(f"Token (from {endpoint}/settings/tokens)", hide_input=True, err=True))
        else:
            secret = sys.stdin.readline()
        token = Token(checked_token(secret), "that was entered")
        with Hub(token, endpoint, on_wait=transfer.work.meter.waits) as hub:
            name = hub.who(transfer.work.control)
        keep_token(endpoint, token.secret)
        transfer.done({"account": name, "hub": endpoint}, f"logged in as {name}; the token is in the keychain")


def log_out(*, as_json: bool) -> None:
    """Take the token out of the keychain."""
    endpoint = endpoint_from_environment()
    with reporting(as_json) as report:
        forget_token(endpoint)
        report.event("done", {"hub": endpoint})
        report.say("the token is not in the keychain any more")


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


def _tell_installed(transfer: Transfer, order: Order, record: Record) -> None:
    parts = {
        part.part: {
            "alternative": part.alternative,
            "from": [source.title for source in part.sources],
            "digests_checked": part.digests_checked,
        }
        for part in record.parts
    }
    transfer.done(
        {"model": record.name, "folder": str(order.folder), "bytes": record.size, "parts": parts},
        f"{record.name} is installed in {order.folder} ({size_text(record.size)})",
        f'it paints with: ace edit PICTURE "INSTRUCTION" --model {record.name}',
    )


def _tell_findings(report: Report, findings: Sequence[Finding]) -> None:
    for finding in findings:
        report.event("finding", {"part": finding.part, "file": finding.path, "text": finding.problem})
        report.say(f"{finding.path} {finding.problem}")


def _count(findings: Sequence[Finding]) -> str:
    return "1 file" if len(findings) == 1 else f"{len(findings)} files"


def _passed_over(searches: dict[str, Search]) -> dict[Path, str]:
    """List the files that no family has a use for."""
    used = {file.path for found in searches.values() for one in found.found for file in one.files}
    return {
        path: why for found in searches.values() for path, why in found.passed_over if path.absolute() not in used
    }


def _search_in_words(searches: dict[str, Search], passed_over: dict[Path, str]) -> list[str]:
    found = dict.fromkeys(_found_in_words(one) for found in searches.values() for one in found.found)
    return [*found, *(f"{path} {why}" for path, why in passed_over.items())]


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
    return f"say which model to make of it, for example: ace models import {shlex.quote(str(path))} {names[0]}"
