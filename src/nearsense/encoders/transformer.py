"""The architectures of transformer encoders: what each one's tensors are called and how they are put together.

A graph takes packed rows (see packing.py): ids, positions and segments, int32, shape (r, w), and for pairs of
texts types. It returns token vectors, float32, shape (r, w, h). To add an architecture, write one function and one
row of `ARCHITECTURES`: docs/adding-a-model.md.

In bf16 OpenVINO keeps in f32 the sums and norms that reach an output without a matrix product between: here, the
whole residual stream, since pooling comes after the graph. A pooling product inside would be 15 % faster, but
lower the least cosine to f32 from 0.99992 to 0.99987.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._openvino import openvino
from nearsense.encoders.base import damaged, not_run_here
from nearsense.errors import UnsupportedModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense._openvino import Model
    from nearsense.encoders.weights import Weights


GRAPH_VERSION = 5  # counts up with every change that alters a compiled graph: caches of older ones are not used


MASKED = np.float32(-1e4)  # what is added to a score that must not count: exp(-10000) is zero in every precision

ACTIVATIONS = {"gelu": "erf", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh", "relu": ""}
"""What lies between the two halves of a block, and which approximation of GELU it is."""


class Graph:
    """One graph in the making: what is computed from packed rows (see packing.py), step by step.

    What counts or points (positions, distances, rows of a table) is int32 from the inputs on: in bf16 every float
    is rounded to 8 bits, and a row number above 256 would become that of a neighbour.
    """

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


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a configuration says, in one vocabulary for all architectures."""

    hidden: int  # numbers of a token's vector
    heads: int
    layers: int  # blocks
    positions: int  # rows of the table of positions
    vocabulary: int  # rows of the table of words
    epsilon: float  # of the layer norms
    activation: str  # between the halves of a block
    first: int = 0  # the row of the table of positions that a text's first token has

    @property
    def max_tokens(self) -> int:
        """The most tokens that there are positions for."""
        return self.positions - self.first


@dataclass(frozen=True, slots=True)
class Architecture:
    """A row of the table."""

    assemble: Callable[[Graph, Sizes], Any]  # from the graph in the making to the token vectors
    prefix: str  # what its tensors' names begin with within a larger model
    last: str = "encoder.layer.{}.output.LayerNorm.weight"  # the last layer's norm
    keys: Mapping[str, str] = field(default_factory=dict)  # what the configuration calls the sizes
    first: int | None = 0  # the position of a text's first token; None for the padding's id + 1
    head: tuple[tuple[str, str], ...] = (("classifier.dense", "tanh"), ("classifier.out_proj", "identity"))
    mended: int = 0  # counts up where vectors made before do not compare: a part of the fingerprint


def bert(graph: Graph, sizes: Sizes) -> Any:
    """BERT (Devlin et al. 2019), and so MiniLM, E5, BGE, GTE: layer norm after each block, absolute positions."""
    positions = graph.weight("embeddings.position_embeddings.weight")[sizes.first :]
    types = graph.weight("embeddings.token_type_embeddings.weight")
    if types.ndim != 2 or types.shape[1] != positions.shape[1]:
        raise ValueError(f"token types of shape {types.shape}, positions of shape {positions.shape}")
    several = graph.types is not None and len(types) > 1
    words = graph.look_up(graph.table("embeddings.word_embeddings.weight"), graph.ids)
    places = graph.look_up(positions if several else positions + types[0], graph.positions)
    kinds = (graph.look_up(types, graph.types),) if several else ()
    x = graph.norm(graph.add(words, places, *kinds), "embeddings.LayerNorm")
    mask = graph.mask()
    for layer in range(sizes.layers):
        block = f"encoder.layer.{layer}"
        parts = [f"{block}.attention.{part}" for part in ("self.query", "self.key", "self.value", "output.dense")]
        attended = graph.attention(x, parts, mask)
        x = graph.norm(graph.add(attended, x), f"{block}.attention.output.LayerNorm")
        inner = graph.feed_forward(x, f"{block}.intermediate.dense", f"{block}.output.dense")
        x = graph.norm(graph.add(inner, x), f"{block}.output.LayerNorm")
    return x


def mpnet(graph: Graph, sizes: Sizes) -> Any:
    """MPNet (Song et al. 2020): BERT with a bias for the distance between two tokens, and no token types."""
    words = graph.look_up(graph.table("embeddings.word_embeddings.weight"), graph.ids)
    table = graph.weight("embeddings.position_embeddings.weight")[sizes.first :]
    x = graph.norm(graph.add(words, graph.look_up(table, graph.positions)), "embeddings.LayerNorm")
    buckets = distance_buckets(np.arange(-sizes.max_tokens + 1, sizes.max_tokens))
    bias = graph.weight("encoder.relative_attention_bias.weight")[buckets]
    mask = graph.add(graph.distances(bias), graph.mask())
    for layer in range(sizes.layers):
        block = f"encoder.layer.{layer}"
        parts = [f"{block}.attention.attn.{part}" for part in "qkvo"]
        attended = graph.attention(x, parts, mask)
        x = graph.norm(graph.add(attended, x), f"{block}.attention.LayerNorm")
        inner = graph.feed_forward(x, f"{block}.intermediate.dense", f"{block}.output.dense")
        x = graph.norm(graph.add(inner, x), f"{block}.output.LayerNorm")
    return x


def distilbert(graph: Graph, sizes: Sizes) -> Any:
    """DistilBERT (Sanh et al. 2019): half of BERT, without token types, and with other names."""
    words = graph.look_up(graph.table("embeddings.word_embeddings.weight"), graph.ids)
    places = graph.look_up(graph.weight("embeddings.position_embeddings.weight"), graph.positions)
    x = graph.norm(graph.add(words, places), "embeddings.LayerNorm")
    mask = graph.mask()
    for layer in range(sizes.layers):
        block = f"transformer.layer.{layer}"
        parts = [f"{block}.attention.{part}_lin" for part in ("q", "k", "v", "out")]
        attended = graph.attention(x, parts, mask)
        x = graph.norm(graph.add(attended, x), f"{block}.sa_layer_norm")
        inner = graph.feed_forward(x, f"{block}.ffn.lin1", f"{block}.ffn.lin2")
        x = graph.norm(graph.add(inner, x), f"{block}.output_layer_norm")
    return x


def distance_buckets(distances: NDArray[np.int64]) -> NDArray[np.int64]:
    """The row of MPNet's table for the distance from one token to another: exact when near, then logarithmic.

    There are 16 rows a direction: 8 for distances below 8, 8 up to 128 and beyond (Raffel et al. 2020, T5).

    >>> distance_buckets(np.array([-200, -1, 0, 1, 7, 8, 200])).tolist()
    [15, 1, 0, 17, 23, 24, 31]
    """
    far, exact, most = np.abs(distances), 8, 128
    logarithm = np.log(np.maximum(far, 1).astype(np.float32) / np.float32(exact)) / np.log(most / exact)
    large = np.minimum(exact + (logarithm.astype(np.float32) * np.float32(exact)).astype(np.int64), 15)
    return np.where(distances > 0, 16, 0) + np.where(far < exact, far, large)


_ROBERTA = Architecture(bert, "roberta.", first=None)

ARCHITECTURES: dict[str, Architecture] = {
    "bert": Architecture(bert, "bert.", head=(("bert.pooler.dense", "tanh"), ("classifier", "identity"))),
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "camembert": _ROBERTA,
    "mpnet": Architecture(mpnet, "mpnet.", first=2, mended=1),  # bf16 took distances for their neighbours
    "distilbert": Architecture(
        distilbert,
        "distilbert.",
        last="transformer.layer.{}.output_layer_norm.weight",
        keys={
            "hidden_size": "dim",
            "num_attention_heads": "n_heads",
            "num_hidden_layers": "n_layers",
            "hidden_act": "activation",
            "layer_norm_eps": "",
        },
        head=(("pre_classifier", "relu"), ("classifier", "identity")),
    ),
}
"""By `model_type` of config.json."""

_COUNTS = {
    "hidden": "hidden_size",
    "heads": "num_attention_heads",
    "layers": "num_hidden_layers",
    "positions": "max_position_embeddings",
    "vocabulary": "vocab_size",
}


def sizes_of(config: Mapping[str, Any], where: str) -> Sizes:
    """The sizes of a model (`config.json`) whose architecture is known; messages name the folder `where`."""
    architecture = _architecture_of(config, where)
    keys = architecture.keys
    counts = {ours: _number(config, keys.get(name, name), (int,), where) for ours, name in _COUNTS.items()}
    name = keys.get("layer_norm_eps", "layer_norm_eps")
    epsilon = _number(config, name, (int, float), where) if name else 1e-12
    if counts["hidden"] % counts["heads"]:
        why = "each head gets an equal part of a vector"
        raise damaged(f"{where}/config.json: {counts['heads']} heads do not divide {counts['hidden']}", why)
    first = architecture.first
    if first is None:
        padding = config.get("pad_token_id", 1)
        first = padding + 1 if isinstance(padding, int) and padding >= 0 else 0
    return Sizes(**counts, epsilon=epsilon, activation=_activation(config, architecture, where), first=first)


def check(config: Mapping[str, Any], weights: Weights, vocabulary: int, where: str) -> Sizes:
    """The sizes of a model whose configuration, weights and tokenizer belong together, which is looked at."""
    sizes = sizes_of(config, where)
    words = weights.shape("embeddings.word_embeddings.weight")
    width = config.get("embedding_size", sizes.hidden)
    last = ARCHITECTURES[config["model_type"]].last.format(sizes.layers - 1)
    shapes = {
        "its word embeddings": (words, (sizes.vocabulary, width)),
        "its last layer": (weights.shape(last), (sizes.hidden,)),
        "its positions": (weights.shape("embeddings.position_embeddings.weight"), (sizes.positions, width)),
    }
    for what, (found, expected) in shapes.items():
        if found != expected:
            raise damaged(f"{where}: {what} have the shape {found}", f"config.json promises {expected}")
    if vocabulary > words[0]:
        why = "the two are of different models"
        raise damaged(f"{where}: the tokenizer knows {vocabulary:,} tokens, the weights {words[0]:,}", why)
    return sizes


def identity(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of the configuration decides a vector, as JSON values."""
    architecture = ARCHITECTURES[config["model_type"]]
    names = ["model_type", *_COUNTS.values(), "layer_norm_eps", "hidden_act", "position_embedding_type"]
    if architecture.first is None:
        names.append("pad_token_id")
    found = {name: config.get(architecture.keys.get(name, name)) for name in names}
    return found | ({"mended": architecture.mended} if architecture.mended else {})


def build(config: Mapping[str, Any], weights: Weights, sizes: Sizes, *, pairs: bool = False) -> Model:
    """The graph of a model that passed `check`; where it reads `pairs` of texts, tokens have types."""
    kind = config["model_type"]
    graph = Graph(weights, heads=sizes.heads, epsilon=sizes.epsilon, activation=sizes.activation, typed=pairs)
    try:
        return graph.to_model(ARCHITECTURES[kind].assemble(graph, sizes), kind)
    except (RuntimeError, ValueError, IndexError) as error:
        why = str(error).strip().splitlines()[-1]
        raise damaged("the model's weights do not fit its config.json", why) from None


def _architecture_of(config: Mapping[str, Any], where: str) -> Architecture:
    kind = config.get("model_type", "unknown")
    if not isinstance(kind, str) or kind not in ARCHITECTURES:
        why = f"known are: {', '.join(ARCHITECTURES)}"
        raise not_run_here(f"{where}: the architecture {kind!r} is not known here", why)
    if config.get("position_embedding_type", "absolute") != "absolute":
        raise _variant("position_embedding_type", config["position_embedding_type"], ("absolute",), where)
    if config.get("is_decoder"):
        raise _variant("is_decoder", True, ("False",), where)
    return ARCHITECTURES[kind]


def _activation(config: Mapping[str, Any], architecture: Architecture, where: str) -> str:
    name = architecture.keys.get("hidden_act", "hidden_act")
    found = config.get(name, "gelu")
    if found not in tuple(ACTIVATIONS):
        raise _variant(name, found, tuple(ACTIVATIONS), where)
    return str(found)


def _variant(name: str, found: Any, known: tuple[str, ...], where: str) -> UnsupportedModel:
    return not_run_here(f"{where}: {name}={found!r} is not known here", f"known are: {', '.join(known)}")


def _number(config: Mapping[str, Any], name: str, kinds: Any, where: str) -> Any:
    size: Any = config.get(name)
    if not isinstance(size, kinds) or isinstance(size, bool) or not 0 < size < 2**31:
        raise damaged(f"{where}/config.json: {name}={size!r}", f"{name} has to be a number above 0")
    return size
