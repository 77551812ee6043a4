"""The routes that judge models on pairs that a client brings: evaluate and calibrate. Nothing is kept of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response
from starlette.routing import BaseRoute

from nearsense.errors import InputError
from nearsense.kinds import Scope
from nearsense.server import requests
from nearsense.server.changes import Changes, FileQuery, Flag, Key, fitting
from nearsense.server.described import changing
from nearsense.server.requests import Model, Prior, Text
from nearsense.server.settings import ServerSettings
from nearsense.server.uploads import FILE, told_as_query
from nearsense.server.work import Work

if TYPE_CHECKING:
    from nearsense.datasets import Dataset
    from nearsense.encoders import Encoder
    from nearsense.server.jobs import Advance
    from nearsense.server.service import Service
    from nearsense.server.uploads import Read

_MOST: Any = Field(min_length=20, max_length=ServerSettings.max_texts)
Few = Annotated[list[Model], Field(min_length=1, max_length=8)]


class LabelledPair(requests.Request):
    """Two texts, and whether they mean the same."""

    a: Text
    b: Text
    label: bool


class JudgedPair(requests.Request):
    """Two texts, and how near they are: a label, or a score."""

    a: Text
    b: Text
    label: bool | None = None
    score: Annotated[float, Field(ge=-1e6, le=1e6)] | None = None


_SAME = {"a": "Where is my parcel?", "b": "My parcel has not come.", "label": True}


class Evaluate(requests.Request):
    """Pairs of texts of which it is known how near they are, all with a label or all with a score."""

    pairs: Annotated[list[JudgedPair], Field(min_length=3, max_length=ServerSettings.max_texts)] = Field(
        examples=[[_SAME, {"a": "a cat", "b": "a tax", "label": False}, _SAME]]
    )
    models: Few | None = Field(None, description="Models of this server; the first without it.")
    baselines: bool = Field(True, description="Words alone beside the models.")


class Calibrate(requests.Request):
    """Pairs of texts of which it is known whether they mean the same."""

    pairs: Annotated[list[LabelledPair], _MOST] = Field(examples=[[_SAME] * 20])
    model: Model | None = None
    prior: Prior | None = None
    precision: Annotated[list[Prior], Field(max_length=10)] = Field([], description="Which score gives it?")
    min_probability: Annotated[list[Prior], Field(max_length=10)] = Field(
        [], description="Which score is so probable?"
    )


class _FileQuery(FileQuery):
    """What is said of a file of pairs."""

    columns: str | None = Field(None, max_length=500, description="a,b,label: its columns, with commas between.")
    positive: str | None = Field(None, max_length=100, description="The label that means the same.")
    model: Model | None = None


class EvaluateFile(_FileQuery):
    """A file to evaluate models on."""

    task: Literal["graded", "labelled", "triplets", "rerank", "intents", "clustering"] | None = None
    baselines: Flag = Field(True, description="Words alone beside the models.")


class CalibrateFile(_FileQuery):
    """A file to calibrate a model on."""

    prior: Prior | None = None


def routes(service: Service, changes: Changes) -> list[BaseRoute]:
    """/v1/evaluate, /v1/calibrate, and the same of files under /v1/files."""
    router = APIRouter(prefix="/v1", tags=["judging"])

    @router.post(
        "/evaluate",
        **changing(
            "evaluate", "How good models are on pairs, beside words alone.", "The figures.", key=Scope.READ
        ),
    )
    async def evaluate(asked: Evaluate, request: Request, key: Key = None) -> Response:
        with fitting():
            data = _dataset(asked)
        encoders = [service.encoder(name) for name in asked.models or (None,)]
        return await _evaluate(request, data, encoders, asked.baselines)

    @router.post(
        "/files/evaluate",
        **changing(
            "evaluate_file",
            "How good models are on a file, beside words alone.",
            "The figures.",
            body=FILE,
            key=Scope.READ,
        ),
    )
    async def evaluate_file(request: Request, said: Annotated[EvaluateFile, Query()], key: Key = None) -> Response:
        encoders = [service.encoder(said.model)]
        read = await changes.read(request, said)
        data = await service.pool.run(Work(service.settings.deadline), _dataset_of, read, said, said.task)
        return await _evaluate(request, data, encoders, said.baselines)

    @router.post(
        "/calibrate",
        **changing(
            "calibrate",
            "What scores mean, learnt from labelled pairs.",
            "The calibration, and thresholds.",
            key=Scope.READ,
        ),
    )
    async def calibrate(asked: Calibrate, request: Request, key: Key = None) -> Response:
        pairs = [(each.a, each.b, int(each.label)) for each in asked.pairs]
        how = {"precision": asked.precision, "min_probability": asked.min_probability}
        return await _calibrate(request, pairs, service.encoder(asked.model), asked.prior, how)

    @router.post(
        "/files/calibrate",
        **changing(
            "calibrate_file",
            "What scores mean, learnt from a file of labelled pairs.",
            "The calibration, and thresholds.",
            body=FILE,
            key=Scope.READ,
        ),
    )
    async def calibrate_file(
        request: Request, said: Annotated[CalibrateFile, Query()], key: Key = None
    ) -> Response:
        encoder = service.encoder(said.model)
        read = await changes.read(request, said)
        data: Any = await service.pool.run(Work(service.settings.deadline), _dataset_of, read, said, "labelled")
        pairs = [(a, b, int(label)) for (a, b), label in zip(data.pairs, data.labels, strict=True)]
        return await _calibrate(request, pairs, encoder, said.prior, {})

    async def _evaluate(request: Request, data: Dataset, encoders: list[Encoder], baselines: bool) -> Response:
        def doing(advance: Advance) -> dict[str, Any]:
            from nearsense.evaluation import evaluate as evaluated

            with fitting():
                return evaluated(encoders, data, baselines=baselines, progress=advance).to_dict()

        return await changes.make(request, "evaluate", doing, total=len(data), unit="texts")

    async def _calibrate(
        request: Request,
        pairs: list[tuple[str, str, int]],
        encoder: Encoder,
        prior: float | None,
        asked: dict[str, list[float]],
    ) -> Response:
        def doing(advance: Advance) -> dict[str, Any]:
            from nearsense.calibrating import calibrate as calibrated
            from nearsense.render.results import calibration_page

            with fitting():
                found = calibrated(pairs, encoder=encoder, prior=prior, progress=advance)
                thresholds = [found.threshold(**{name: each}) for name, values in asked.items() for each in values]  # type: ignore[arg-type]
            return {**calibration_page(found, thresholds).document, "calibration": found.to_dict()}

        return await changes.make(request, "calibrate", doing, total=len(pairs), unit="texts")

    return router.routes


def _dataset(asked: Evaluate) -> Dataset:
    """The pairs of a request as a data set."""
    from nearsense.datasets import GradedPairs, LabelledPairs

    pairs = [(each.a, each.b) for each in asked.pairs]
    labels = [each.label for each in asked.pairs if each.label is not None]
    scores = [each.score for each in asked.pairs if each.score is not None]
    if len(labels) == len(pairs) and not scores:
        return LabelledPairs(name="pairs", pairs=pairs, labels=labels)
    if len(scores) == len(pairs) and not labels:
        return GradedPairs(name="pairs", pairs=pairs, scores=scores)
    what = f"{len(pairs):,} pairs have {len(labels):,} labels and {len(scores):,} scores"
    raise InputError(what, why="all have the one or all the other", fix="give each pair a label, or each a score")


def _dataset_of(read: Read, said: _FileQuery, task: str | None) -> Dataset:
    """A file as a data set; its name is never one that could be fetched."""
    from nearsense.datasets.kinds import Task
    from nearsense.datasets.roles import Request as Wanted
    from nearsense.datasets.roles import build, roles_of

    columns = None if said.columns is None else tuple(part.strip() for part in said.columns.split(","))
    kind = None if task is None else Task(task)
    with told_as_query():
        roles = roles_of(read.table, kind, columns, positive=said.positive)
        return build(read.table, roles, Wanted(kind, columns, None, said.positive))
