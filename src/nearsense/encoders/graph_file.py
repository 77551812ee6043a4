"""A finished graph from a model's folder, ONNX or OpenVINO's own: its inputs, its output, its further files.

Whether it counts in floating point is looked at, too: bf16 would round that to another place. No weights here.
"""

from __future__ import annotations

import mmap
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from nearsense._openvino import openvino
from nearsense._paths import is_file
from nearsense.encoders.base import damaged, not_run_here
from nearsense.encoders.packing import INPUTS
from nearsense.encoders.places import inside
from nearsense.errors import BrokenModel, UnsupportedModel

if TYPE_CHECKING:
    from nearsense._openvino import Model


TOKENS = ("last_hidden_state", "token_embeddings")  # what exporters call the vectors of tokens
POOLED = ("sentence_embedding",)  # what they call a text's vector, where all of modules.json is within the graph
SCORES = ("logits", "scores")  # what they call a cross-encoder's numbers
NEEDED = ("input_ids", "attention_mask")  # without the mask, what fills a row would count as text

_UNKNOWN_STEP = re.compile("No conversion rule found|unsupported opset|Conversion is failed for")


@dataclass(frozen=True, slots=True)
class GraphFile:
    """A graph that can be compiled."""

    model: Model  # with one output
    width: int  # numbers of a vector
    pooled: bool  # it gives a vector a text, not a token
    files: tuple[Path, ...]
    counts: bool  # it counts in floating point, so bf16 would be wrong


def read_graph(file: Path, *, pairs: bool = False) -> GraphFile:
    """Look into a graph file, `.onnx` or OpenVINO's `.xml`; `pairs` for a cross-encoder's."""
    others = external_files(file) if file.suffix == ".onnx" else (_weights_of(file),)
    whole = _read(file, others)
    _require_inputs(whole, file)
    model = _with_one_output(whole, SCORES if pairs else (*TOKENS, *POOLED), file)
    output = model.output(0).partial_shape
    rank = output.rank.get_length()
    if rank not in ((2,) if pairs else (2, 3)) or output[rank - 1].is_dynamic:
        why = "a vector of known length for each text is needed, or for each token"
        raise not_run_here(f"{file} gives numbers of shape {output}", why)
    return GraphFile(model, output[rank - 1].get_length(), rank == 2, (file, *others), counts_in_floats(model))


def _weights_of(file: Path) -> Path:
    """The file beside an `.xml` that holds its weights."""
    weights = inside(file.parent, file.with_suffix(".bin").name)
    if not is_file(weights):
        raise damaged(f"{file} keeps its weights in {weights.name}, which is missing")
    return weights


def _read(file: Path, others: tuple[Path, ...]) -> Model:
    """Through the one reader that the name asks for: left to itself, OpenVINO tries all that it has."""
    reader = openvino().frontend.FrontEndManager().load_by_framework("onnx" if file.suffix == ".onnx" else "ir")
    try:
        with _side_by_side(file, others) as place:
            model: Model = reader.convert(reader.load(str(place)))
            return model
    except Exception as error:  # the library raises plain RuntimeErrors
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        unknown = next((line for line in lines if _UNKNOWN_STEP.search(line)), None)
        if unknown is not None:
            why = unknown.removeprefix("-- ")
            raise not_run_here(f"{file} has a step that OpenVINO does not know", why) from None
        raise damaged(f"{file} cannot be read", lines[-1] if lines else type(error).__name__) from None


@contextmanager
def _side_by_side(file: Path, others: tuple[Path, ...]) -> Iterator[Path]:
    """The graph in a folder with its external data; links of the hub's cache lead out of theirs.

    The folder may go once the graph is read: OpenVINO holds the files by then.
    """
    real = file.parent.resolve()
    if file.suffix != ".onnx" or all(each.resolve().is_relative_to(real) for each in others):
        yield file
        return
    with TemporaryDirectory(prefix="nearsense-") as folder:
        for each in (file, *others):
            target = Path(folder, each.relative_to(file.parent))
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(each.resolve(), target)
            except OSError:  # another file system
                shutil.copyfile(each, target)
        yield Path(folder, file.name)


def _require_inputs(model: Model, file: Path) -> None:
    """Only what is known may be asked for, for any number of texts of any length."""
    ports = {}
    for port in model.inputs:
        name = next((each for each in INPUTS if each in port.names), None)
        if name is None:
            asked = min(port.names, default="something without a name")
            raise not_run_here(f"{file} asks for {asked!r}", f"known are {', '.join(INPUTS)}")
        port.get_node().output(0).set_names({name})
        ports[name] = port
        shape = port.partial_shape
        if shape.rank.is_static and (len(shape) != 2 or not all(size.is_dynamic for size in shape)):
            why = "a graph has to take any number of texts, of any length"
            fix = "use a copy of the model that was exported with both axes dynamic"
            raise UnsupportedModel(f"{file} takes {name} of shape {shape} only", why=why, fix=fix)
    if absent := [name for name in NEEDED if name not in ports]:
        raise not_run_here(f"{file} does not ask for {absent[0]}", "what fills a row would count as text")


def _with_one_output(model: Model, wanted: tuple[str, ...], file: Path) -> Model:
    """The graph with the one output that is wanted, in float32."""
    outputs = {name: port for port in model.outputs for name in port.names}
    found = next((outputs[name] for name in wanted if name in outputs), None)
    if found is None or found.partial_shape.rank.is_dynamic:
        why = f"one of {', '.join(wanted)} is needed"
        raise not_run_here(f"{file} gives {', '.join(sorted(outputs)) or 'nothing'}", why)
    source = found.get_node().input_value(0)
    if source.get_element_type() != openvino().Type.f32:
        source = openvino().opset13.convert(source, "f32").output(0)
    return openvino().Model([openvino().opset13.result(source)], model.get_parameters(), file.stem)


_MESSAGES: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}
"""Which numbered fields of a message hold which messages (onnx.proto3); an entry: key (1) and value (2)."""

_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5  # how a field is written; there are no others in ONNX


def external_files(file: Path) -> tuple[Path, ...]:
    """The files beside an ONNX file that hold weights of its, by name."""
    try:
        with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
            names = sorted({location.decode() for location in _locations(content)})
    except (ValueError, IndexError) as error:
        raise damaged(f"{file} cannot be read", f"it is truncated or no ONNX file: {error}") from None
    except OSError as error:
        raise BrokenModel(f"{file} cannot be read", why=error.strerror or str(error)) from None
    found = tuple(inside(file.parent, name) for name in names)
    for each in found:
        if not is_file(each):
            raise damaged(f"{file} keeps weights in {each.name}, which is missing")
    return found


def _locations(content: mmap.mmap) -> Iterator[bytes]:
    """Every `location` of a tensor's data; a stack instead of recursion, for graphs may be nested without end."""
    left = [("model", 0, len(content))]
    while left:
        kind, start, end = left.pop()
        if kind == "entry":
            entry = {number: content[first:last] for number, first, last in _fields(content, start, end)}
            if entry.get(1) == b"location":
                yield entry.get(2, b"")
            continue
        known = _MESSAGES[kind]
        left += [
            (known[number], first, last) for number, first, last in _fields(content, start, end) if number in known
        ]


def _fields(content: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The fields of the message between two places that hold bytes: number, begin, end."""
    while start < end:
        tag, start = _varint(content, start)
        kind = tag & 7
        if kind == _VARINT:
            _, start = _varint(content, start)
        elif kind in (_EIGHT, _FOUR):
            start += 8 if kind == _EIGHT else 4
        elif kind == _BYTES:
            length, start = _varint(content, start)
            if start + length > end:
                raise ValueError(f"a field ends {start + length - end:,} bytes behind what holds it")
            yield tag >> 3, start, start + length
            start += length
        else:
            raise ValueError(f"a field of kind {kind}")


def _varint(content: mmap.mmap, start: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where it ends."""
    value = 0
    for place in range(10):
        byte = content[start + place]
        value |= (byte & 127) << (7 * place)
        if byte < 128:
            return value, start + place + 1
    raise ValueError("a number of more than ten bytes")


COUNTING = ("Range", "CumSum", "NonZero", "TopK")  # steps that number things

PLACING = ("Sin", "Cos", "If", "Loop", "TensorIterator")
"""Steps that transformers have for places only, and those that hold graphs of their own."""

NUMBERS = ("input_ids", "position_ids")  # inputs that are numbers of rows; the others say yes or no


def counts_in_floats(model: Model) -> bool:
    """Whether numbers of tokens, places or rows go through floats on their way to where they are used.

    What follows from numbers alone is arithmetic of places; what looks up a table of weights is a model's own.
    """
    fixed: set[str] = set()
    numbers: dict[str, bool] = {}  # steps that follow from whole numbers alone; True where those count something
    for node in model.get_ordered_ops():
        name, kind = node.get_friendly_name(), node.get_type_name()
        sources = [port.get_source_output().get_node().get_friendly_name() for port in node.inputs()]
        if kind == "Constant" or (sources and fixed.issuperset(sources)):
            fixed.add(name)
            continue
        if kind in PLACING:
            return True
        types = [port.get_element_type() for port in node.outputs()]
        counting = kind in COUNTING or any(numbers.get(source) for source in sources)
        if kind == "Parameter":
            counting = any(name in NUMBERS for name in node.output(0).get_names())
        whole = not any(each.is_real() for each in types)
        if not whole:
            looked_up = kind.startswith("Gather") and sources[0] in fixed
            if kind == "Parameter" or looked_up or not all(each in fixed or each in numbers for each in sources):
                continue
            if counting:
                return True
        numbers[name] = counting and not all(each.get_type_name() == "boolean" for each in types)
    return False
