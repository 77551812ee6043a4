"""Whether a graph counts in floating point: what bf16 would round to another place. Not what becomes of it.

bf16 keeps 8 bits. A position or a distance above 256 that is computed in it becomes a neighbour's, and so do the
row of a table that it points to, the angle of a rotation, the slope of a bias.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nearsense._openvino import Model

__all__ = ["counts_in_floats"]

COUNTING = ("Range", "CumSum", "NonZero", "TopK")
"""Steps that number things."""

PLACING = ("Sin", "Cos", "If", "Loop", "TensorIterator")
"""Steps that transformers have for places only, and those that hold graphs of their own."""

NUMBERS = ("input_ids", "position_ids")
"""Inputs that are numbers of rows; the others say yes or no."""


def counts_in_floats(model: Model) -> bool:
    """Whether numbers of tokens, places or rows go through floats on their way to where they are used.

    What follows from numbers alone is arithmetic of places; what looks up a table of weights is a model's own.

    Args:
        model: A graph as it was read.
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
