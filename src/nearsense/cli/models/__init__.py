"""models: the group of commands for models, and the list of them: what is here, what could be, published facts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nearsense._paths import expanded, is_file, is_folder
from nearsense.cli.options import ListOptions, takes
from nearsense.records import as_json

if TYPE_CHECKING:
    from nearsense.encoders.catalog import Kind, ModelCard
    from nearsense.encoders.folder import ModelFolder
    from nearsense.render import Page

TASKS = ("similarity", "search", "rerank", "duplicates")
KINDS = ("encoder", "cross-encoder", "static", "remote")


@click.group(invoke_without_command=True)
@click.option("--task", type=click.Choice(TASKS), help="Only models made for it, the best first.")
@click.option("--language", "languages", multiple=True, metavar="CODE", help="Only models that know it: en, de")
@click.option("--prefer", type=click.Choice(("quality", "speed")), help="What counts more.  [default: quality]")
@click.option("--kind", type=click.Choice(KINDS), help="Only models of this kind.")
@click.option("--here", is_flag=True, help="Only models that are on this machine.")
@takes(output=ListOptions)
@click.pass_context
def models(
    context: click.Context,
    task: str | None,
    languages: tuple[str, ...],
    prefer: str | None,
    kind: str | None,
    here: bool,
    output: ListOptions,
) -> None:
    """List the models that run here, then those that could: limits, languages, licences, published figures.

    With a task, a language or a preference, the models that fit, the best first (docs/models.md says by what).
    Models of your own (trained, distilled, adapters) are listed that lie in the folder where you are.

    \b
    Examples:
      nearsense models
      nearsense models --task search --language de --language en
      nearsense models --task duplicates --prefer speed --here
      nearsense models bench all-MiniLM-L6-v2
    """
    if context.invoked_subcommand is None:
        output.show(models_page(task, languages, prefer, kind, here))


COMMANDS = (models,)

COLUMNS = (
    "model", "runs>", "M>", "STS>", "search>", "lang>", "tokens>", "dims>", "licence>", "kind>", "comes from",
)  # fmt: skip
"""In the order in which a terminal has room for them: of 80 columns up to the languages."""

RUNS = {
    "here": "",
    "pull": "pull: nearsense models pull NAME brings it. ",
    "torch": "torch: needs PyTorch (pip install 'nearsense[torch]'). ",
    "server": "server: asks one. ",
}
"""Where a model runs, in the order of the list, and what a reader has to know of it."""

NOTE = (
    "M: millions of parameters. STS and search (retrieval) are figures that the models' makers or benchmarks "
    "published; nothing was measured here."
)
OTHER = " * is another measure than most: --json names each."


def models_page(
    task: str | None = None,
    languages: Sequence[str] = (),
    prefer: str | None = None,
    kind: str | None = None,
    here: bool = False,
) -> Page:
    """All models, those that run or were made here first; or those that fit, in the order of `recommend`."""
    from nearsense.encoders.folder import installed
    from nearsense.render import Page

    folders = {folder.name: folder for folder in installed()}
    if task or languages or prefer:
        cards = _recommended(task, languages, prefer)
        records = [_record(card, folders.get(card.name)) for card in cards]
    else:
        records = _all(folders)
    records = [each for each in records if (each["here"] or not here) and kind in (None, each["kind"])]
    cells = [_cells(record) for record in records]
    said = "".join(what for runs, what in RUNS.items() if any(row[1] == runs for row in cells))
    marked = any(cell.endswith("*") for row in cells for cell in row)
    note = f"{said}{NOTE}{OTHER if marked else ''}"
    return Page(document=records, records=records, columns=COLUMNS, cells=cells, note=note)


def record_of(name: str) -> dict[str, Any]:
    """What is known of one model, as the list has it."""
    from nearsense.encoders import REMOTE
    from nearsense.encoders.adapted import is_adapter
    from nearsense.encoders.folder import find
    from nearsense.encoders.places import interpret, present

    if is_adapter(name):
        return _adapter_record(name)
    card = interpret(name)[0]
    if card is None and name.startswith(REMOTE):
        from nearsense.encoders.catalog import Kind

        return _record(_bare(name, Kind.REMOTE), None)
    if card is not None and (card.kind.value == "remote" or present(name) is None):
        return _record(card, None)
    folder = find(name, offline=True)
    return _record(folder.card or _unknown(folder), folder)


def _recommended(task: str | None, languages: Sequence[str], prefer: str | None) -> list[ModelCard]:
    """The order of `recommend`; without a task, one task after the other."""
    from nearsense.encoders.catalog import Task
    from nearsense.encoders.recommend import recommend

    tasks = [task] if task else [each.value for each in Task]
    found = [card for each in tasks for card in recommend(each, languages, prefer or "quality")]
    return list({card.name: card for card in found}.values())


def _all(folders: dict[str, ModelFolder]) -> list[dict[str, Any]]:
    from nearsense.encoders.catalog import CATALOG

    here = [_record(folder.card or _unknown(folder), folder) for folder in folders.values()]
    here += _made_here()
    every = here + [_record(card, None) for card in CATALOG if card.name not in folders]
    return sorted(every, key=lambda record: [*RUNS].index(_runs(record)))


def _made_here() -> list[dict[str, Any]]:
    """The models that nearsense made, of those in the folder where one is, by the names to type."""
    from nearsense.encoders.adapted import is_adapter
    from nearsense.encoders.folder import TRAINED
    from nearsense.errors import NearsenseError

    found: list[dict[str, Any]] = []
    with suppress(OSError):  # a folder that may not be read has no models
        for each in sorted(Path().iterdir()):
            with suppress(NearsenseError, OSError):  # what is wrong with one, `card` says
                if is_adapter(each) or is_file(each / TRAINED):
                    found.append(record_of(f"./{each.name}") | {"name": f"./{each.name}"})
    return found


def _adapter_record(name: str) -> dict[str, Any]:
    """What is known of a map's folder: what its parent says, and of the map itself."""
    from nearsense.encoders.adapted import describe
    from nearsense.encoders.catalog import Kind
    from nearsense.errors import NearsenseError

    folder = expanded(name)
    known = describe(folder)
    source, parent = known["parent"], known.get("parent_name") or known["parent"]
    try:
        record = record_of(str(folder / source) if is_folder(folder / source) else source)
    except (NearsenseError, RecursionError):
        record = _record(_bare(parent, Kind.ENCODER), None)
    unlike = dict.fromkeys(("hub", "sts", "retrieval", "install", "parameters"))
    record |= {**unlike, "name": folder.resolve().name, "here": True, "dimension": known["dimension"]}
    record |= {"packages": [], "dimensions": [], "path": str(folder), "made": "adapter", "parent": parent}
    learnt = known.get("learnt") or {}
    with suppress(KeyError, TypeError, ValueError):
        said = "{figure} {before:.4f} before, {after:.4f} after, on {examples:,} examples".format(**learnt)
        record["learnt"] = f"a {known['kind']} map: {said}"
    return record


def _unknown(folder: ModelFolder) -> ModelCard:
    """What the folder of a model without a row says of it."""
    from nearsense.encoders.catalog import Kind

    kind = Kind.CROSS if folder.scores_pairs else Kind.ENCODER
    if folder.static:
        kind = Kind.STATIC
    size = int(folder.config.get("hidden_size") or folder.trained.get("dimension") or 0)
    card = _bare(folder.name, kind, size)
    return replace(card, languages=folder.languages, licence=str(folder.trained.get("licence") or ""))


def _bare(name: str, kind: Kind, dimension: int = 0) -> ModelCard:
    """The row of a model of which nothing else is known."""
    from nearsense.encoders.catalog import ModelCard

    facts: dict[str, Any] = {"hub": "", "max_tokens": 0, "languages": (), "licence": "", "tasks": ()}
    return ModelCard(name=name, kind=kind, dimension=dimension, **facts)


def _record(card: ModelCard, folder: ModelFolder | None) -> dict[str, Any]:
    if folder is not None and folder.limit is not None:
        card = replace(card, max_tokens=folder.limit)  # what the folder says is what runs
    record = {name: value or None for name, value in as_json(card, "name hub kind").items()}
    record["here"] = folder is not None
    record |= {name: value or None for name, value in as_json(card, _LIMITS).items()}
    record["packages"] = [f"{each.name} {each.version}" for each in card.packed.wheels] if card.packed else []
    record |= as_json(card, "tasks prompts needs_role dimensions quantization torch price")
    record |= {
        name: figure and asdict(figure) for name, figure in (("sts", card.sts), ("retrieval", card.retrieval))
    }
    here, made = (None, {}) if folder is None else (str(folder.path), folder.trained)
    record |= {"made": made.get("method") or made.get("kind"), "parent": made.get("parent"), "learnt": None}
    return record | {"path": here, "install": None if here else card.install}


_LIMITS = "dimension max_tokens parameters languages licence source"


def _cells(record: dict[str, Any]) -> tuple[str, ...]:
    return (
        record["name"],
        _runs(record),
        _number(record["parameters"]),
        _figure(record["sts"]),
        _figure(record["retrieval"]),
        _languages(record["languages"] or []),
        _number(record["max_tokens"]),
        _number(record["dimension"]),
        record["licence"] or "not stated",
        f"{record['made']} of {record['parent']}" if record["made"] else record["kind"],
        _where(record),
    )


def _runs(record: dict[str, Any]) -> str:
    """Where a model runs, one of `RUNS`."""
    if record["kind"] == "remote":
        return "server"
    if record["torch"] and find_spec("sentence_transformers") is None:
        return "torch"
    return "here" if record["here"] else "pull"


def _where(record: dict[str, Any]) -> str:
    """The path, or how to get it where that is not the usual way, which the note says."""
    if record["path"]:
        return str(record["path"])
    usual = f"nearsense models pull {record['name']}"
    return "not here" if record["install"] == usual else f"not here: {record['install']}"


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _languages(codes: Sequence[str]) -> str:
    """The code of the only one, or how many they are; nothing where nobody says."""
    return "".join(codes) if len(codes) <= 1 else str(len(codes))


def _figure(figure: dict[str, Any] | None) -> str:
    from nearsense.encoders.catalog import MEASURES

    if figure is None:
        return ""
    usual = [MEASURES[name]["measure"] for name in ("mteb-sts", "mteb-retrieval")]
    return f"{figure['value']:.1f}" + ("" if figure["measure"] in usual else "*")
