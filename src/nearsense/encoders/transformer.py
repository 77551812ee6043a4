"""The graphs of transformer encoders in OpenVINO's operations, from weights. Not how they are compiled or run.

A graph takes packed rows (see packing.py): ids, positions and segments, int32, shape (r, w). It returns token
vectors, float32, shape (r, w, h). To add an architecture, write one function and one row of `ARCHITECTURES`.

In bf16 OpenVINO keeps in f32 the sums and norms that reach an output without a matrix product between: here, the
whole residual stream, since pooling comes after the graph. A pooling product inside would be 15 % faster, but
lower the least cosine to f32 from 0.99992 to 0.99987.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.errors import BrokenModel, UnsupportedModel

if TYPE_CHECKING:
    import openvino
    from numpy.typing import NDArray

__all__ = ["ARCHITECTURES", "GRAPH_VERSION", "build", "check", "identity"]

GRAPH_VERSION = 2
"""Counts up with every change that alters a compiled graph: caches of older ones are not used."""

MASKED = np.float32(-1e4)
"""What is added to a score that must not count: exp(-10000) is zero in every precision."""

ACTIVATIONS = {"gelu": "erf", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh"}

VARIANTS = {"hidden_act": tuple(ACTIVATIONS), "position_embedding_type": ("absolute",)}
"""What the graphs can vary in; the first is what a configuration means that says nothing."""

SIZES: dict[str, Any] = {
    "hidden_size": int,
    "num_attention_heads": int,
    "num_hidden_layers": int,
    "max_position_embeddings": int,
    "vocab_size": int,
    "layer_norm_eps": (int, float),
}


def check(
    config: Mapping[str, Any], weights: Mapping[str, NDArray[np.float32]], vocabulary: int, where: str
) -> int:
    """Look whether configuration, weights and tokenizer belong together, before anything is compiled.

    Args:
        config: The model's `config.json`.
        weights: Its tensors by name.
        vocabulary: How many tokens its tokenizer knows.
        where: The folder, for messages.

    Returns:
        The length of a vector.

    Raises:
        UnsupportedModel: The architecture, or a variant of it, is not known here.
        BrokenModel: They contradict each other.
    """
    kind = str(config.get("model_type", "unknown"))
    if kind not in ARCHITECTURES:
        raise UnsupportedModel(
            f"{where}: the architecture {kind!r} is not known here",
            why=f"known are: {', '.join(ARCHITECTURES)}",
            fix="use another model (nearsense models)",
        )
    for name, known in VARIANTS.items():
        if config.get(name, known[0]) not in known:
            raise UnsupportedModel(
                f"{where}: {name}={config[name]!r} is not known here",
                why=f"known are: {', '.join(known)}",
                fix="use another model (nearsense models)",
            )
    for name, kind_ in SIZES.items():
        size = config.get(name)
        if not isinstance(size, kind_) or isinstance(size, bool) or not 0 < size < 2**31:
            raise BrokenModel(
                f"{where}/config.json: {name}={size!r}",
                why=f"{name} has to be a number above 0",
                fix="get the model's folder anew",
            )
    if config["hidden_size"] % config["num_attention_heads"]:
        raise BrokenModel(
            f"{where}/config.json: {config['num_attention_heads']} heads do not divide {config['hidden_size']}",
            why="each head gets an equal part of a vector",
            fix="get the model's folder anew",
        )
    words = weights["embeddings.word_embeddings.weight"].shape
    promised = (int(config["vocab_size"]), int(config["hidden_size"]))
    last = f"encoder.layer.{int(config['num_hidden_layers']) - 1}.output.LayerNorm.weight"
    shapes = {
        "its word embeddings": (words, promised),
        "its last layer": (weights[last].shape, promised[1:]),
        "its token types": (weights["embeddings.token_type_embeddings.weight"][:1].shape, (1, promised[1])),
        "its positions": (
            weights["embeddings.position_embeddings.weight"].shape,
            (int(config["max_position_embeddings"]), promised[1]),
        ),
    }
    for what, (found, expected) in shapes.items():
        if found != expected:
            raise BrokenModel(
                f"{where}: {what} have the shape {found}",
                why=f"config.json promises {expected}",
                fix="get the model's folder anew",
            )
    if vocabulary > words[0]:
        raise BrokenModel(
            f"{where}: the tokenizer knows {vocabulary:,} tokens, the weights {words[0]:,}",
            why="the two are of different models",
            fix="get the model's folder anew",
        )
    return promised[1]


def identity(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of the configuration decides a vector, as JSON values."""
    return {name: config.get(name) for name in ("model_type", *SIZES, *VARIANTS)}


def build(config: Mapping[str, Any], weights: Mapping[str, NDArray[np.float32]]) -> openvino.Model:
    """The graph of a model that passed `check`.

    Args:
        config: The model's `config.json`.
        weights: Its tensors by name.

    Raises:
        BrokenModel: A tensor does not have the shape that the configuration promises.
    """
    try:
        return ARCHITECTURES[config["model_type"]](config, weights)
    except RuntimeError as error:
        raise BrokenModel(
            "the model's weights do not fit its config.json",
            why=str(error).strip().splitlines()[-1],
            fix="get the model's folder anew",
        ) from None


def bert(config: Mapping[str, Any], weights: Mapping[str, NDArray[np.float32]]) -> openvino.Model:
    """BERT (Devlin et al. 2019), and so MiniLM: layer norm after each block, absolute positions."""
    import openvino as ov
    from openvino import opset13 as op

    hidden, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
    epsilon = float(config["layer_norm_eps"])
    activation = ACTIVATIONS[config.get("hidden_act", "gelu")]

    def constant(values: NDArray[Any] | np.float32) -> Any:
        return op.constant(np.asarray(values), shared_memory=True)

    def integers(*values: int) -> Any:
        return op.constant(np.array(values, np.int64))

    def linear(x: Any, name: str) -> Any:
        product = op.matmul(x, constant(weights[f"{name}.weight"]), False, True)
        return op.add(product, constant(weights[f"{name}.bias"]))

    def norm(x: Any, name: str) -> Any:
        standard = op.mvn(x, integers(-1), True, epsilon, "INSIDE_SQRT")
        return op.add(
            op.multiply(standard, constant(weights[f"{name}.weight"])), constant(weights[f"{name}.bias"])
        )

    def look_up(table: NDArray[np.float32], rows: Any) -> Any:
        return op.gather(constant(table), rows, integers(0))

    ids, positions, segments = (op.parameter([-1, -1], np.int32, n) for n in ("ids", "positions", "segments"))

    one_type = (
        weights["embeddings.position_embeddings.weight"] + weights["embeddings.token_type_embeddings.weight"][0]
    )
    words = look_up(weights["embeddings.word_embeddings.weight"], ids)
    x = norm(op.add(words, look_up(one_type, positions)), "embeddings.LayerNorm")

    same = op.equal(op.unsqueeze(segments, integers(1)), op.unsqueeze(segments, integers(2)))
    mask = op.unsqueeze(op.select(same, constant(np.float32(0)), constant(MASKED)), integers(1))
    scale = constant(np.float32((hidden // heads) ** -0.5))
    per_head, heads_first, joined = (
        integers(0, 0, heads, hidden // heads),
        integers(0, 2, 1, 3),
        integers(0, 0, hidden),
    )
    for layer in range(int(config["num_hidden_layers"])):
        block = f"encoder.layer.{layer}"
        query, key, value = (
            op.transpose(op.reshape(linear(x, f"{block}.attention.self.{part}"), per_head, True), heads_first)
            for part in ("query", "key", "value")
        )
        attended = op.scaled_dot_product_attention(query, key, value, mask, scale, causal=False)
        attended = op.transpose(attended, heads_first)
        attended = linear(op.reshape(attended, joined, True), f"{block}.attention.output.dense")
        x = norm(op.add(attended, x), f"{block}.attention.output.LayerNorm")
        inner = op.gelu(linear(x, f"{block}.intermediate.dense"), activation)
        x = norm(op.add(linear(inner, f"{block}.output.dense"), x), f"{block}.output.LayerNorm")
    return ov.Model([op.result(x)], [ids, positions, segments], "bert")


ARCHITECTURES: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Any]] = {"bert": bert}
