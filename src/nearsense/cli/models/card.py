"""models card, probe: what is known of one model: its limits, its licence, whose weights, what its scores mean."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from nearsense.cli.models import models, record_of
from nearsense.cli.options import OutputOptions, ReadOptions, quiet_option, takes
from nearsense.errors import InputError, NearsenseError
from nearsense.kinds import Metric, Ranking
from nearsense.records import Origin, as_json, percent

if TYPE_CHECKING:
    from nearsense.calibration import Background, Calibration
    from nearsense.encoders import CrossEncoder, Encoder

SHOWN = {
    "name": "model", "kind": "kind", "made": "made by", "parent": "made of", "learnt": "learnt",
    "source": "weights of", "licence": "licence", "hub": "on the hub",
    "packages": "in packages", "path": "here", "install": "to have it", "dimension": "dimensions",
    "max_tokens": "tokens at most", "parameters": "parameters, millions", "languages": "languages",
    "tasks": "made for", "prompts": "before texts", "sts": "STS, published", "retrieval": "retrieval, published",
}  # fmt: skip
"""What the table shows, in this order, and what it is called there."""


@models.command()
@click.argument("name")
@click.option("--corpus", metavar="FILE", help="Texts of yours: how far is the probe from them?")
@click.option("--text", metavar="COLUMN", help="The column of FILE with the texts.")
@takes(reading=ReadOptions)
@quiet_option
@takes(output=OutputOptions)
def card(
    name: str, corpus: str | None, text: str | None, reading: ReadOptions, quiet: bool, output: OutputOptions
) -> None:
    """Show what is known of a model: licence, whose weights, limits, languages, how to get it, what scores mean.

    NAME is one of the catalogue, or a model that is here. Nothing is downloaded, and nothing is sent to a server.
    A model that is here is tried on the probe (pairs of texts that come with nearsense) the first time.

    \b
    Examples:
      nearsense models card multilingual-e5-small-4bit
      nearsense models card all-MiniLM-L6-v2 --corpus tickets.csv --text body
      nearsense models card all-MiniLM-L6-v2 --json
    """
    from nearsense.render import Page

    if text is not None and corpus is None:
        raise click.UsageError("--text is a column of --corpus FILE: give that too")
    record, rows = record_of(name), []
    cells = [(title, _words(record[key])) for key, title in SHOWN.items() if record[key]]
    record["bands"], own = None, None
    try:
        model = _loaded(name, record)
    except NearsenseError as error:
        if corpus is not None:
            raise
        model, rows = None, [("probabilities", f"none: {error.what}")]
    if corpus is not None:
        own = _distance_record(*_corpus(name, model, corpus, text, reading, not quiet))
    if model is not None:
        record["bands"] = bands_of(model) | ({} if own is None else {"corpus": own})
        rows = _in_words(record["bands"], own)
    output.show(Page(document=record, records=[record], columns=("fact", "value"), cells=[*cells, *rows]))


@models.command()
@click.argument("name")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@takes(output=OutputOptions)
def probe(name: str, yes: bool, output: OutputOptions) -> None:
    """Try a model on the probe, so that it has probabilities: pairs of texts that come with nearsense.

    A model that runs here is tried when it is first used. To one on a server the texts are sent, and only by this
    command; it says how many before, and asks. What the model gives them is kept in the cache.

    \b
    Examples:
      nearsense models probe openai:text-embedding-3-small
      nearsense models probe openai:text-embedding-3-small --yes --json
    """
    from nearsense.cli.outputs import require_consent
    from nearsense.probing import probe_result, texts_to_send
    from nearsense.render import Page

    model = _loaded(name, record_of(name), must=True)
    assert model is not None
    if count := texts_to_send(model):
        sys.stderr.write(f"{name}: {count:,} texts of the probe go to the server\n")
        require_consent("Send them?", yes)
    for passages in (False, True):
        probe_result(model, passages=passages, send=True)
    bands = bands_of(model)
    record = {"name": model.name, "bands": bands}
    output.show(Page(record, [record], ("fact", "value"), _in_words(bands, None)))


def _loaded(name: str, record: dict[str, Any], *, must: bool = False) -> Encoder | CrossEncoder | None:
    """The model; unless it must be, None where it would have to be fetched, or a server asked for a vector."""
    from nearsense.encoders import load, load_cross

    at_hand = record["dimension"] if record["kind"] == "remote" else record["path"]
    if not must and not at_hand:
        return None
    return load_cross(name) if record["kind"] == "cross-encoder" else load(name)


def _corpus(
    name: str,
    model: Encoder | CrossEncoder | None,
    corpus: str,
    text: str | None,
    reading: ReadOptions,
    progress: bool,
) -> tuple[Encoder, Background]:
    """The model, and what random pairs of a corpus score by it."""
    from nearsense.calibrating import background
    from nearsense.encoders import is_encoder
    from nearsense.encoders.cache import runner_of
    from nearsense.encoders.remote import RemoteEncoder
    from nearsense.files import documents

    why = "is not here" if model is None else "runs on a server, and nothing is sent there"
    if model is not None and not is_encoder(model):
        why = "is a cross-encoder"
    if model is None or isinstance(runner_of(model), RemoteEncoder) or not is_encoder(model):
        what = f"{name} {why}: your texts cannot be compared with the probe"
        raise InputError(what, fix="leave --corpus away, or pull the model")
    found = documents(reading.read(corpus), text=text, skip_empty=True)
    return model, background(found.items, encoder=model, progress=progress)


def _words(value: Any) -> str:
    if isinstance(value, dict) and "measure" in value:
        return f"{value['value']} ({value['measure']}; {value['source']})"
    if isinstance(value, dict):
        return ", ".join(f"{role}: {prompt!r}" for role, prompt in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


SHARES = {"one_in_ten": 0.1, "half": 0.5, "nine_in_ten": 0.9}
"""Shares of same pairs whose scores are shown."""


def bands_of(model: Encoder | CrossEncoder) -> dict[str, Any]:
    """The bands of a model as JSON values: levels of the probe, and for each task the scores of some shares.

    Nothing is sent anywhere: a model on a server has bands once it was tried on request.
    """
    from nearsense.calibration import Task, shipped_calibration
    from nearsense.calibrator import NEAREST, Calibrator, carried_calibration
    from nearsense.encoders import is_encoder
    from nearsense.probing import probe_result

    metric = Metric.COSINE if is_encoder(model) else Ranking.CROSS
    origin, tasks = Origin(model.name, model.fingerprint, metric), {}
    carried = carried_calibration(model)
    for task in Task if carried is None else ():
        found = Calibrator(task).of(origin, model)
        if found is not None:
            here = found.here(expected=1 / NEAREST if task is Task.PASSAGE else None)
            by = "probe" if shipped_calibration(origin, task) is None else "shipped"
            tasks[task.value] = _shares(here, by)
    if carried is not None:
        tasks[carried.task] = _shares(carried, "folder")
    tried = {name: probe_result(model, passages=name == "passages") for name in ("pairs", "passages")}
    return {
        "probe": {name: None if each is None else as_json(each, _LEVELS) for name, each in tried.items()},
        "tasks": tasks,
    }


def _shares(calibration: Calibration, by: str) -> dict[str, Any]:
    """Which share of pairs is expected to be the same, and from which scores on some shares are."""
    known = {name: _score(calibration, share) for name, share in SHARES.items()}
    return {"from": by, "expected": round(calibration.prior or calibration.share, 4), **known}


def _distance_record(model: Encoder, background: Background) -> dict[str, Any]:
    """How far the probe is from a corpus, as JSON values: what random pairs of both score, and what that moves."""
    from nearsense.calibration import Task
    from nearsense.calibrator import Calibrator
    from nearsense.probing import probe_result

    found = Calibrator(Task.PARAPHRASE).of(Origin(model.name, model.fingerprint), model)
    tried = probe_result(model)
    low, middle, high = background.random
    known: dict[str, Any] = {"texts": background.texts, "random": list(background.random)}
    if tried is not None and tried.random is not None:
        bottom, level, top = tried.random
        known |= {"probe": list(tried.random), "apart": (middle - level) / max((top - bottom) / 2, 1e-6)}
    if found is not None and found.population is not None:
        known["half"] = _score(found.here(random=(middle, (high - low) / _TENTH_TO_NINETIETH)), 0.5)
    return known


_LEVELS = "language pairs levels random"

_TENTH_TO_NINETIETH = 2.563
"""Standard deviations between these percentiles of a normal distribution."""


def _in_words(bands: dict[str, Any], corpus: dict[str, Any] | None) -> list[tuple[str, str]]:
    """The bands as rows of a table: what, and what is to be said of it."""
    from nearsense.render import PROBABLE

    rows = [_unrelated(name, levels) for name, levels in bands["probe"].items() if levels is not None]
    for task, each in bands["tasks"].items():
        by = _BY[each["from"]]
        scores = [f"{words} at {each[name]:.2f}" for name, words in _WORDS.items() if each[name] is not None]
        means, expected = PROBABLE.get(task, "as its labels say"), percent(each["expected"])
        said = f"{means}: {', '.join(scores)}; {expected} are expected to; {by}"
        rows.append((task, said))
    if not bands["tasks"]:
        rows.append(("probabilities", _why_none(bands["probe"])))
    return rows if corpus is None else [*rows, ("your texts", _distance(corpus))]


_BY = {"shipped": "comes with these weights", "probe": "by the probe", "folder": "lies in the model's folder"}
_WORDS = {"half": "half", "nine_in_ten": "nine of ten", "one_in_ten": "one of ten"}


def _unrelated(name: str, levels: dict[str, Any]) -> tuple[str, str]:
    _, middle, end = levels["levels"]["unrelated"]
    what = "unrelated texts" if name == "pairs" else "a question and unrelated text"
    said = f"{end:.2f} is where unrelated ends: 95 of 100 such pairs score less"
    return what, f"{said}, half of them under {middle:.2f}"


def _why_none(probe: dict[str, Any]) -> str:
    if any(each is not None for each in probe.values()):
        return "none: on the probe it does not tell what says the same from what is unrelated"
    return "none: it was not tried on the probe; nearsense models probe NAME tries it"


def _distance(corpus: dict[str, Any]) -> str:
    low, middle, high = corpus["random"]
    said = f"random pairs of {corpus['texts']:,} texts score {middle:.2f} ({low:.2f} to {high:.2f})"
    if "probe" not in corpus:
        return said
    bottom, level, top = corpus["probe"]
    more, less = ("more", "less") if corpus["apart"] > 0 else ("less", "more")
    alike = abs(corpus["apart"]) < _ALIKE
    means = "alike, so the bands hold" if alike else f"yours have {more} in common, so a score says {less}"
    half = corpus.get("half")
    said = f"{said}, those of the probe {level:.2f} ({bottom:.2f} to {top:.2f}): {means}"
    if half is not None:
        said += f"; where nearsense sees 50 pairs of them, half are paraphrases at {half:.2f}"
    return said


_ALIKE = 0.5
"""Half of a spread: medians that are no farther apart are alike."""


def _score(calibration: Calibration, share: float) -> float | None:
    """The score at which a single pair is so probable; None where none is, or every one."""
    try:
        found = calibration.threshold(min_probability=share).score
    except InputError:
        return None
    reference = calibration.reference
    bounded = reference.min() >= 0 and reference.max() <= 1  # such a model gives no score outside
    return None if bounded and not 0 <= found <= 1 else round(found, 4)
