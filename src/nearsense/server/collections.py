"""Collections that change over HTTP: made, filled, emptied, followed, kept in order. What is asked: see verbs.py.

What a request was told is done is on the disk. A change of up to 1,024 texts is answered when it is there; a
larger one is a job, whose `done` counts what is there.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi import Path as InPath
from pydantic import ConfigDict, Field, WithJsonSchema, model_validator
from starlette.responses import Response
from starlette.routing import BaseRoute

from nearsense.collection.documents import checked_documents
from nearsense.collection.searching import as_filter
from nearsense.errors import InputError
from nearsense.files import documents as documents_of
from nearsense.kinds import Scope
from nearsense.records import Document
from nearsense.server import decisions, judging, requests, watching
from nearsense.server.changes import Called, Changes, FileQuery, Flag, Key, fitting, job_routes
from nearsense.server.described import JOB, changing, operation
from nearsense.server.errors import JSON, Refused, not_found
from nearsense.server.requests import NAME, Model, Text
from nearsense.server.settings import ServerSettings
from nearsense.server.uploads import FILE, SECONDS, Read, told_as_query
from nearsense.server.work import Work

if TYPE_CHECKING:
    from nearsense.collection import Collection
    from nearsense.server.jobs import Advance
    from nearsense.server.service import Service

ENDING = ".nearsense"

Known = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^\x00]*$", description="A document's id.")]
Id = Annotated[
    Known, WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[^\\x00]*$"})
]
"""Of a new document: in UTF-8 it has 512 bytes at most, which a schema can only say of the longest characters."""
Metadata = Annotated[dict[str, Any], Field(description="JSON that filters may ask for.")]


class KnownDocument(requests.Request):
    """A document and the id by which it is known."""

    id: Id
    text: Text
    metadata: Metadata = Field(default_factory=dict)


class NewDocument(requests.Request):
    """A document; without an id it is given one."""

    id: Id | None = None
    text: Text
    metadata: Metadata = Field(default_factory=dict)


_MOST: Any = Field(min_length=1, max_length=ServerSettings.max_texts)
_EXAMPLE = [{"id": "1", "text": "Reset your password here.", "metadata": {"lang": "en"}}]


class AddDocuments(requests.Request):
    """Documents whose ids are new."""

    documents: Annotated[list[Text | NewDocument], _MOST] = Field(examples=[_EXAMPLE])


class PutDocuments(requests.Request):
    """Documents that take the place of those of their ids, or are new."""

    documents: Annotated[list[KnownDocument], _MOST] = Field(examples=[_EXAMPLE])


class SyncDocuments(PutDocuments):
    """All documents that there shall be: only what changed is encoded."""

    remove: bool = Field(True, description="Delete what is not among them.")
    dry_run: bool = Field(False, description="Only say what would happen.")


_ONE: Any = {"oneOf": [{"required": ["ids"]}, {"required": ["where"]}]}
Filter = Annotated[
    dict[str, Any], WithJsonSchema({"allOf": [{"type": "object", "x-filter": True}], "minProperties": 1})
]


class DeleteDocuments(requests.Request):
    """Which documents go: by their ids, or all that a filter lets pass."""

    model_config = ConfigDict(json_schema_extra=_ONE)

    ids: Annotated[list[Known], _MOST] = Field(None, examples=[["1", "2"]])  # type: ignore[arg-type]  # or left out
    where: Filter = Field(None, description="A filter, in place of ids.")  # type: ignore[arg-type]

    @model_validator(mode="after")
    def one(self) -> DeleteDocuments:
        """Refuse neither and both."""
        if (self.ids is None) == (self.where is None) or self.where == {}:
            raise ValueError("it takes ids, or a filter that does not let everything pass: one of them")
        return self


class CreateCollection(requests.Request):
    """A collection to be made."""

    name: Annotated[str, Field(pattern=f"^{NAME}$", examples=["tickets"])]
    model: Model | None = None
    role: Literal["passage", "query"] = Field("passage", description="What its texts are to the model.")


class Reembed(requests.Request):
    """The model that a collection goes over to."""

    model: Model


def routes(service: Service, settings: ServerSettings) -> list[BaseRoute]:
    """All routes that change something, or tell of it."""
    changes = Changes(service)
    rooms = (_documents, _upkeep, job_routes, decisions.routes, judging.routes, watching.routes)
    return [route for room in rooms for route in room(service, changes)]


# -- documents


def _documents(service: Service, changes: Changes) -> list[BaseRoute]:
    router = APIRouter(prefix="/v1", tags=["collections"])

    @router.post(
        "/collections",
        **changing(
            "create_collection",
            "Make a collection, in the folder that the operator named.",
            "It is there.",
            201,
            job=False,
        ),
    )
    async def create(asked: CreateCollection, request: Request, key: Key = None) -> Response:
        def doing(_: Advance) -> dict[str, Any]:
            return created(service, asked.name, asked.model, asked.role)

        return await changes.make(request, "create", doing, status=201, job=False)

    @router.post(
        "/collections/{name}/documents",
        **changing("add_documents", "Add documents whose ids are new.", "They are on the disk."),
    )
    async def add(name: Called, asked: AddDocuments, request: Request, key: Key = None) -> Response:
        service.collection(name)
        return await _write(request, name, _given(asked.documents, key), "add", key)

    @router.put(
        "/collections/{name}/documents",
        **changing(
            "put_documents",
            "Add documents, or put them in the place of those of their ids.",
            "They are on the disk.",
        ),
    )
    async def put(name: Called, asked: PutDocuments, request: Request, key: Key = None) -> Response:
        service.collection(name)
        return await _write(request, name, _given(asked.documents, None), "upsert", None)

    @router.post(
        "/collections/{name}/sync",
        **changing(
            "sync_documents", "Have a collection hold these documents and no others.", "They are on the disk."
        ),
    )
    async def sync(name: Called, asked: SyncDocuments, request: Request, key: Key = None) -> Response:
        service.collection(name)
        documents = _given(asked.documents, None)
        return await _sync(request, name, documents, asked.remove, asked.dry_run)

    @router.post(
        "/collections/{name}/files",
        **changing(
            "upload_file",
            "Add, put or sync the rows of a file: csv, tsv, jsonl, json, txt, xlsx, xls, ods, parquet.",
            "They are on the disk.",
            body=FILE,
        ),
    )
    async def files(
        name: Called, request: Request, upload: Annotated[UploadQuery, Query()], key: Key = None
    ) -> Response:
        service.collection(name)
        read = await changes.read(request, upload)
        work = Work(SECONDS)
        documents = await service.pool.run(work, _rows, read, upload.text, upload.id, upload.skip_empty)
        if upload.mode == "sync":
            return await _sync(request, name, documents, upload.remove, upload.dry_run, read.notes)
        return await _write(request, name, documents, upload.mode, key, read.notes)

    @router.post(
        "/collections/{name}/delete",
        **changing(
            "delete_documents",
            "Delete documents by their ids, or all that a filter lets pass.",
            "They are gone.",
            job=False,
        ),
    )
    async def delete(name: Called, asked: DeleteDocuments, request: Request, key: Key = None) -> Response:
        service.collection(name)
        as_filter(asked.where)
        how: dict[str, Any] = {"ids": asked.ids, "where": asked.where}

        def doing(_: Advance) -> dict[str, Any]:
            with fitting():
                return service.ask(name, lambda room: told(name, room, deleted=room.delete(**how)))

        return await changes.make(request, "delete", doing, target=name, job=False)

    @router.get("/collections/{name}/documents/{id:path}", **operation("document", "A document.", "The document."))
    async def get(name: Called, id: Wanted, request: Request) -> Response:  # noqa: A002 - what it is called
        def one() -> JSON:
            found = service.ask(name, lambda room: room.get(id))[0]
            if found is None:
                what = f"there is no document {id!r}"
                raise Refused(404, "document_not_found", what, fix="give the id of a hit")
            return JSON({"id": found.id, "text": found.text, "metadata": dict(found.metadata)})

        return await service.pool.run_for(request, Work(service.settings.deadline), one)

    @router.delete(
        "/collections/{name}/documents/{id:path}",
        **changing(
            "delete_document", "Delete a document; one that is not there is no error.", "It is gone.", job=False
        ),
    )
    async def delete_one(name: Called, id: Wanted, request: Request) -> Response:  # noqa: A002 - as above
        def doing(_: Advance) -> dict[str, Any]:
            return service.ask(name, lambda room: told(name, room, deleted=room.delete([id])))

        return await changes.make(request, "delete", doing, target=name, job=False)

    async def _write(
        request: Request,
        name: str,
        documents: list[Document],
        mode: str,
        key: str | None,
        notes: Sequence[str] = (),
    ) -> Response:
        def doing(advance: Advance) -> dict[str, Any]:
            tries = [key is not None]

            def verb(room: Collection) -> dict[str, Any]:
                again, overwrite = any(tries), mode == "upsert"
                tries.append(True)  # where it went over to another model in the middle, some may be there
                return written(name, room, documents, advance, again=again, overwrite=overwrite)

            return _noted(service.ask(name, verb), notes)

        return await changes.make(request, mode, doing, target=name, total=len(documents))

    async def _sync(
        request: Request,
        name: str,
        documents: list[Document],
        remove: bool,
        dry_run: bool,
        notes: Sequence[str] = (),
    ) -> Response:
        def doing(advance: Advance) -> dict[str, Any]:
            def verb(room: Collection) -> dict[str, Any]:
                report = room.sync(documents, remove=remove, dry_run=dry_run, progress=advance)
                return told(name, room, **report.to_dict())

            return _noted(service.ask(name, verb), notes)

        return await changes.make(request, "sync", doing, target=name, total=len(documents))

    return router.routes


Wanted = Annotated[str, InPath(min_length=1, max_length=512, description="The document's id.")]


class UploadQuery(FileQuery):
    """What is said of a file of documents."""

    mode: Literal["add", "upsert", "sync"] = Field("add", description="As the routes of these names do.")
    text: str | None = Field(
        None, max_length=500, description="The column of the texts; of several they are joined."
    )
    id: str | None = Field(None, max_length=500, description="The column of the ids.")
    skip_empty: Flag = Field(False, description="Leave out rows without a text.")
    remove: Flag = Field(True, description="With sync: delete what the file has no more.")
    dry_run: Flag = Field(False, description="With sync: only say what would happen.")


def _rows(read: Read, text: str | None, id_: str | None, skip_empty: bool) -> list[Document]:
    """The rows of a file as documents that can be kept."""
    with told_as_query():
        items = documents_of(read.table, text=text, id=id_, skip_empty=skip_empty, numbers=True).items
    _require_different([document.id for document in items], lambda row: read.table.place(row))
    return checked_documents(items).documents


def _given(documents: Sequence[Any], key: str | None) -> list[Document]:
    """The documents of a request; those without an id get one, the same for the same Idempotency-Key."""
    found = []
    for place, each in enumerate(documents):
        text, id_, metadata = (each, None, {}) if isinstance(each, str) else (each.text, each.id, each.metadata)
        if id_ is None:
            id_ = str(uuid.uuid4() if key is None else uuid.uuid5(uuid.NAMESPACE_OID, f"{key}/{place}"))
        found.append(Document(id_, text, metadata))
    _require_different([document.id for document in found], lambda row: f"document {row}")
    for place, document in enumerate(found):
        try:
            checked_documents([document])
        except InputError as error:
            raise InputError(f"document {place}: {error.what}", why=error.why, fix=error.fix) from None
    return found


def _require_different(ids: Sequence[str], place: Callable[[int], str]) -> None:
    """Refuse two documents of one id."""
    if len(set(ids)) == len(ids):
        return
    first: dict[str, int] = {}
    for row, id_ in enumerate(ids):
        if (other := first.setdefault(id_, row)) != row:
            what = f"{place(other)} and {place(row)} have the same id, {id_[:100]!r}"
            fix = "give each an id of its own, or name another column of ids"
            raise Refused(409, "duplicate_id", what, why="a document is known by its id", fix=fix)


def written(
    name: str, room: Collection, documents: Sequence[Document], advance: Advance, *, again: bool, overwrite: bool
) -> dict[str, Any]:
    """Write documents; `again`: it may be a repetition, and those that are there, just so, are no error."""
    ids = [document.id for document in documents]
    if overwrite:
        count = room.upsert(documents, progress=advance)
        return told(name, room, written=count, ids=ids)
    there = {found.id: found for found in room.get(ids) if found is not None}
    rest = [document for document in documents if not (again and _same(document, there.get(document.id)))]
    if taken := [document.id for document in rest if document.id in there]:
        more = f", and {len(taken) - 1:,} more" if len(taken) > 1 else ""
        what = f"document {ids.index(taken[0])}: {taken[0]!r} is in {name} already{more}"
        raise Refused(409, "document_exists", what, why="add never replaces", fix="use PUT, or sync")
    count = room.add(rest, progress=advance) if rest else 0
    unchanged = {"unchanged": len(documents) - len(rest)} if again else {}
    return told(name, room, added=count, **unchanged, ids=ids)


def _same(document: Document, other: Document | None) -> bool:
    return other is not None and document.text == other.text and dict(document.metadata) == dict(other.metadata)


def told(name: str, room: Collection, **what: Any) -> dict[str, Any]:
    """What was done to a collection, and how many documents it has now."""
    if len(what.get("ids", ())) > ServerSettings.max_texts:
        del what["ids"]  # of a file: the client knows them
    return {"collection": name, **what, "documents": len(room)}


def _noted(result: dict[str, Any], notes: Sequence[str]) -> dict[str, Any]:
    return result | ({"notes": list(notes)} if notes else {})


# -- collections


def created(service: Service, name: str, model: str | None, role: str) -> dict[str, Any]:
    """Make a collection in the operator's folder, and serve it; nothing that is there is touched.

    Raises:
        Refused: The operator named no folder, or something of that name is there.
    """
    from nearsense.collection import open_collection

    folder = service.settings.folder
    if folder is None:
        what, why = "collections cannot be made here", "the operator named no folder for them"
        raise Refused(403, "no_folder", what, why=why, fix="nearsense serve --folder FOLDER")
    if model is None:
        encoder = next(iter(service.models.values()))
    elif model in service.models:
        encoder = service.models[model]
    else:
        raise not_found("model", model, service.models)
    path = Path(os.path.realpath(folder)) / f"{name}{ENDING}"
    taken = Refused(409, "collection_exists", f"{name} is there already", fix="choose another name")
    if name in service.collections:
        raise taken
    try:
        path.mkdir()  # who makes the folder makes the collection: nobody else can have it
    except FileExistsError:
        raise taken from None
    try:
        open_collection(path, encoder, role=role).close()
        room = service.add_collection(path, name=name, encoder=encoder)
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise
    known = room.info()
    return told(name, room, model=known.model, dimension=known.dimension, role=known.role)


def _upkeep(service: Service, changes: Changes) -> list[BaseRoute]:
    router = APIRouter(prefix="/v1", tags=["collections"])

    def job(name: str, said: str, verb: Callable[[Collection, Advance], Mapping[str, Any]]) -> None:
        @router.post(f"/collections/{{name}}/{name}", **operation(name, said, JOB, key=Scope.WRITE))
        async def endpoint(
            request: Request, called: Annotated[str, InPath(alias="name", pattern=f"^{NAME}$")]
        ) -> Response:
            service.collection(called)

            def doing(advance: Advance) -> dict[str, Any]:
                return service.ask(called, lambda room: told(called, room, **verb(room, advance)))

            return await changes.make(request, name, doing, target=called, job=True)

    def build(room: Collection, advance: Advance) -> Mapping[str, Any]:
        room.build(progress=advance)
        known = room.info()
        return {"index": known.index, "recall": known.recall}

    def compact(room: Collection, advance: Advance) -> Mapping[str, Any]:
        room.compact(progress=advance)
        return {"size": room.info().size}

    def verify(room: Collection, _: Advance) -> Mapping[str, Any]:
        return room.verify().to_dict()

    job("build", "Make the files now that searches are fast with.", build)
    job("compact", "Remove from the disk what was deleted.", compact)
    job("verify", "Read everything, and check every checksum.", verify)

    @router.post(
        "/collections/{name}/reembed",
        **operation(
            "reembed",
            "Go over to another model of this server; searches use the old one until all is encoded.",
            JOB,
            key=Scope.WRITE,
        ),
    )
    async def reembed(name: Called, asked: Reembed, request: Request, key: Key = None) -> Response:
        total, encoder = len(service.collection(name)), service.encoder(asked.model)

        def doing(advance: Advance) -> dict[str, Any]:
            report = service.ask(name, lambda room: room.reembed(encoder, progress=advance))
            return told(name, service.collection(name), **report.to_dict())

        return await changes.make(request, "reembed", doing, target=name, total=total, job=True)

    return router.routes
