"""The building blocks of transformer graphs in OpenVINO's operations. Not which model puts them together how.

What counts or points (positions, distances, rows of a table) is int32 from the inputs on: in bf16 every float is
rounded to 8 bits, and a row number above 256 would become that of a neighbour.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._openvino import openvino

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense._openvino import Model
    from nearsense.encoders.weights import Weights

MASKED = np.float32(-1e4)  # what is added to a score that must not count: exp(-10000) is zero in every precision

ACTIVATIONS = {"gelu": "erf", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh", "relu": ""}
"""What lies between the two halves of a block, and which approximation of GELU it is."""


class Graph:
    """One graph in the making: what is computed from packed rows (see packing.py), step by step."""

    def __init__(
        self, weights: Weights, *, heads: int, epsilon: float, activation: str, typed: bool = False
    ) -> None:
        self._op: Any = openvino().opset13
        self._weights, self._heads, self._epsilon = weights, heads, epsilon
        self._activation = activation
        names = ("ids", "positions", "segments", *(("types",) if typed else ()))
        self._inputs = {name: self._op.parameter([-1, -1], np.int32, name) for name in names}
        for name, node in self._inputs.items():
            node.output(0).set_names({name})
        self.ids, self.positions, self.types = (self._inputs.get(name) for name in ("ids", "positions", "types"))

    def weight(self, name: str) -> NDArray[np.float32]:
        """A tensor of the model."""
        return self._weights[name]

    def table(self, name: str) -> NDArray[Any]:
        """A tensor whose rows are looked up: float16 where it is stored so, for it may be most of the model."""
        stored = self._weights.stored(name)
        return stored if stored is not None and stored.dtype == np.float16 else self.weight(name)

    def look_up(self, table: NDArray[Any], rows: Any) -> Any:
        """The rows of a table, one for each token, as float32."""
        found = self._op.gather(self._constant(table), rows, self._integers(0))
        return found if table.dtype == np.float32 else self._op.convert(found, np.float32)

    def add(self, x: Any, *others: Any) -> Any:
        """Sums."""
        for other in others:
            x = self._op.add(x, other)
        return x

    def linear(self, x: Any, name: str) -> Any:
        """A product with the matrix `name`, and its bias."""
        weight, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        if weight.ndim != 2 or bias.shape != weight.shape[:1]:
            raise ValueError(f"{name}: a weight of shape {weight.shape}, a bias of shape {bias.shape}")
        product = self._op.matmul(x, self._constant(weight), False, True)
        return self._op.add(product, self._constant(bias))

    def norm(self, x: Any, name: str) -> Any:
        """Layer normalisation (Ba et al. 2016)."""
        weight, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        width = x.get_output_partial_shape(0)[-1]
        if not weight.shape == bias.shape == (width.get_length(),):
            raise ValueError(f"{name}: shapes {weight.shape} and {bias.shape} for vectors of {width}")
        standard = self._op.mvn(x, self._integers(-1), True, self._epsilon, "INSIDE_SQRT")
        return self._op.add(self._op.multiply(standard, self._constant(weight)), self._constant(bias))

    def feed_forward(self, x: Any, first: str, second: str) -> Any:
        """Two products with the activation between them."""
        inner = self.linear(x, first)
        form = ACTIVATIONS[self._activation]
        return self.linear(self._op.gelu(inner, form) if form else self._op.relu(inner), second)

    def mask(self) -> Any:
        """Zero where two tokens are of the same text, shape (r, 1, w, w): what is added to scores."""
        segments = self._inputs["segments"]
        op = self._op
        same = op.equal(op.unsqueeze(segments, self._integers(1)), op.unsqueeze(segments, self._integers(2)))
        chosen = op.select(same, self._constant(np.float32(0)), self._constant(MASKED))
        return op.unsqueeze(chosen, self._integers(1))

    def distances(self, table: NDArray[np.float32]) -> Any:
        """What each head adds for the distance between two tokens, shape (r, heads, w, w).

        `table` has the shape (2 * m + 1, heads), for the distances from -m to m; farther ones count as m.
        """
        op, reach = self._op, np.int32(len(table) // 2)
        here, there = (op.unsqueeze(self.positions, self._integers(axis)) for axis in (2, 1))
        distance = op.maximum(op.minimum(op.subtract(there, here), self._constant(reach)), self._constant(-reach))
        rows = op.add(distance, self._constant(reach))  # whole numbers throughout: bf16 has 8 bits
        return op.transpose(self.look_up(table, rows), self._integers(0, 3, 1, 2))

    def attention(self, x: Any, names: Sequence[str], mask: Any) -> Any:
        """Scaled dot product attention (Vaswani et al. 2017) by four matrices: query, key, value and output."""
        query, key, value, output = names
        op, hidden = self._op, self.weight(f"{query}.weight").shape[0]
        size = hidden // self._heads
        apart, swapped = self._integers(0, 0, self._heads, size), self._integers(0, 2, 1, 3)
        q, k, v = (
            op.transpose(op.reshape(self.linear(x, name), apart, True), swapped) for name in (query, key, value)
        )
        scale = self._constant(np.float32(size**-0.5))
        attended = op.transpose(op.scaled_dot_product_attention(q, k, v, mask, scale, causal=False), swapped)
        return self.linear(op.reshape(attended, self._integers(0, 0, hidden), True), output)

    def to_model(self, x: Any, name: str) -> Model:
        """The graph that ends in `x`, ready to be compiled."""
        return openvino().Model([self._op.result(x)], list(self._inputs.values()), name)

    def _constant(self, values: NDArray[Any] | np.float32 | np.int32) -> Any:
        return self._op.constant(np.asarray(values), shared_memory=True)

    def _integers(self, *values: int) -> Any:
        return self._op.constant(np.array(values, np.int64))
