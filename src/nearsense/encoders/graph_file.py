"""A finished graph from a model's folder, ONNX or OpenVINO's own: which inputs and which output. No weights here.

OpenVINO reads no external data outside of a graph's folder, not even through links; the files are checked here all
the same, because they belong to a model's fingerprint, and because a snapshot of the hub's cache is made of links.
"""

from __future__ import annotations

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
from nearsense.encoders.counting import counts_in_floats
from nearsense.encoders.external import external_files
from nearsense.encoders.feeding import INPUTS
from nearsense.encoders.places import inside
from nearsense.errors import BrokenModel, UnsupportedModel

if TYPE_CHECKING:
    from nearsense._openvino import Model

__all__ = ["GraphFile", "read"]

TOKENS = ("last_hidden_state", "token_embeddings")
"""What exporters call the vectors of tokens."""

POOLED = ("sentence_embedding",)
"""What they call a text's vector, where all of modules.json is within the graph."""

SCORES = ("logits", "scores")
"""What they call a cross-encoder's numbers."""

NEEDED = ("input_ids", "attention_mask")
"""Without the mask, what fills a row would count as text."""

_UNKNOWN_STEP = re.compile("No conversion rule found|unsupported opset|Conversion is failed for")
_ANOTHER = "use another model (nearsense models)"


@dataclass(frozen=True, slots=True)
class GraphFile:
    """A graph that can be compiled.

    Args:
        model: The graph, with one output.
        width: The length of its vectors.
        pooled: It gives a vector a text, not a token.
        files: Everything that it consists of.
        counts: It counts in floating point, so bf16 would be wrong.
    """

    model: Model
    width: int
    pooled: bool
    files: tuple[Path, ...]
    counts: bool


def read(file: Path, *, pairs: bool = False) -> GraphFile:
    """Look into a graph file.

    Args:
        file: `.onnx`, or OpenVINO's `.xml`.
        pairs: It is a cross-encoder's.

    Raises:
        BrokenModel: It cannot be read, or is not whole, or names files outside of its folder.
        UnsupportedModel: It asks for something that is not known, or gives nothing that is.
    """
    others = external_files(file) if file.suffix == ".onnx" else (_weights_of(file),)
    whole = _read(file, others)
    _require_inputs(whole, file)
    model = _narrowed(whole, SCORES if pairs else (*TOKENS, *POOLED), file)
    output = model.output(0).partial_shape
    rank = output.rank.get_length()
    if rank not in ((2,) if pairs else (2, 3)) or output[rank - 1].is_dynamic:
        raise UnsupportedModel(
            f"{file} gives numbers of shape {output}",
            why="a vector of known length for each text is needed, or for each token",
            fix=_ANOTHER,
        )
    return GraphFile(model, output[rank - 1].get_length(), rank == 2, (file, *others), counts_in_floats(model))


def _weights_of(file: Path) -> Path:
    """The file beside an `.xml` that holds its weights."""
    weights = inside(file.parent, file.with_suffix(".bin").name)
    if not weights.is_file():
        raise BrokenModel(
            f"{file} keeps its weights in {weights.name}, which is missing", fix="get the model's folder anew"
        )
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
            raise UnsupportedModel(
                f"{file} has a step that OpenVINO does not know", why=unknown.removeprefix("-- "), fix=_ANOTHER
            ) from None
        raise BrokenModel(
            f"{file} cannot be read",
            why=lines[-1] if lines else type(error).__name__,
            fix="get the model's folder anew",
        ) from None


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
            raise UnsupportedModel(
                f"{file} asks for {asked!r}", why=f"known are {', '.join(INPUTS)}", fix=_ANOTHER
            )
        port.get_node().output(0).set_names({name})
        ports[name] = port
        shape = port.partial_shape
        if shape.rank.is_static and (len(shape) != 2 or not all(size.is_dynamic for size in shape)):
            raise UnsupportedModel(
                f"{file} takes {name} of shape {shape} only",
                why="a graph has to take any number of texts, of any length",
                fix="use a copy of the model that was exported with both axes dynamic",
            )
    if absent := [name for name in NEEDED if name not in ports]:
        raise UnsupportedModel(
            f"{file} does not ask for {absent[0]}", why="what fills a row would count as text", fix=_ANOTHER
        )


def _narrowed(model: Model, wanted: tuple[str, ...], file: Path) -> Model:
    """The graph with the one output that is wanted, in float32."""
    outputs = {name: port for port in model.outputs for name in port.names}
    found = next((outputs[name] for name in wanted if name in outputs), None)
    if found is None or found.partial_shape.rank.is_dynamic:
        raise UnsupportedModel(
            f"{file} gives {', '.join(sorted(outputs)) or 'nothing'}",
            why=f"one of {', '.join(wanted)} is needed",
            fix=_ANOTHER,
        )
    source = found.get_node().input_value(0)
    if source.get_element_type() != openvino().Type.f32:
        source = openvino().opset13.convert(source, "f32").output(0)
    return openvino().Model([openvino().opset13.result(source)], model.get_parameters(), file.stem)
