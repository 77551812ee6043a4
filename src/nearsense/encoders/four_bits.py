"""A model of 4 bits a weight, in one file of the form E5S1, as the files of an ordinary model's folder.

The form, little-endian: the sizes of a BERT, a vocabulary of sentencepiece with its scores, a table of
normalisation (not used: NFKC and white space stand for it), and tensors by name. A tensor is float32, or blocks of
32 weights of a row: a float16 scale, then 16 bytes, of which byte j holds the weights j (low half) and j + 16
(high half), each plus 8. Weights of 4 bits become float16, which holds such a product to 11 bits; the rest stays.
The same file always becomes the same bytes, so that vectors of two machines compare.
"""

from __future__ import annotations

import json
import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAGIC = b"E5S1"
BLOCK = 32  # weights that share a scale
ROWS = 8192  # rows of a tensor that are unpacked at a time

BLOCKS = np.dtype([("scale", "<f2"), ("codes", "u1", BLOCK // 2)])

LAYER = (
    ("q", "attention.self.query", "hidden", "hidden"),
    ("k", "attention.self.key", "hidden", "hidden"),
    ("v", "attention.self.value", "hidden", "hidden"),
    ("ao", "attention.output.dense", "hidden", "hidden"),
    ("fi", "intermediate.dense", "inner", "hidden"),
    ("fo", "output.dense", "hidden", "inner"),
)
"""The matrices of a layer: their names in the file and in a folder, and the sizes of their rows and columns."""

NORMS = (("aln", "attention.output.LayerNorm"), ("oln", "output.LayerNorm"))

LIMIT = 512  # the most tokens of a text, special ones included


class _Sizes(NamedTuple):
    hidden: int
    layers: int
    heads: int
    inner: int
    words: int
    positions: int
    types: int


class _Tensor(NamedTuple):
    """A tensor that is to be written: where it lies in the data, its shape, and whether it is of 4 bits."""

    name: str
    at: int
    shape: tuple[int, ...]
    packed: bool


class _Cursor:
    """Numbers read one after the other."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data, self.at = data, 0

    def numbers(self, form: str) -> tuple[Any, ...]:
        found = struct.unpack_from(f"<{form}", self.data, self.at)
        self.at += struct.calcsize(f"<{form}")
        return found

    def number(self, form: str) -> int:
        return int(self.numbers(form)[0])

    def array(self, kind: str, count: int) -> NDArray[Any]:
        found = np.frombuffer(self.data, kind, count, self.at).copy()
        self.at += found.nbytes
        return found

    def text(self, length: int) -> bytes:
        self.at += length
        return self.data[self.at - length : self.at]


def write_folder(data: Path, folder: Path) -> None:
    """Write the files of a model's folder from one of the form E5S1; another form is a ValueError."""
    with data.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        cursor = _Cursor(mapped)
        if cursor.text(4) != MAGIC:
            raise ValueError(f"it does not begin with {MAGIC.decode()}")
        cursor.number("I")  # its version
        sizes = _Sizes(*cursor.numbers("7i"))
        epsilon, _ = cursor.numbers("fi")
        tokenizer, padding = _tokenizer(cursor)
        places = {}
        for _ in range(cursor.number("i")):
            name = cursor.text(cursor.number("H")).decode()
            _kind, _count, places[name], _bytes = cursor.numbers("BIQQ")
        _write_weights(folder / "model.safetensors", mapped, list(_tensors(sizes, places)), sizes)
    for name, content in _descriptions(sizes, epsilon, padding).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8", newline="\n")
    text = json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))
    (folder / "tokenizer.json").write_text(text, encoding="utf-8", newline="\n")


def _tensors(sizes: _Sizes, places: dict[str, int]) -> Iterator[_Tensor]:
    """All tensors by the names that BERT gives them."""
    hidden = sizes.hidden
    yield _Tensor("embeddings.position_embeddings.weight", places["emb.pos"], (sizes.positions, hidden), False)
    yield _Tensor("embeddings.token_type_embeddings.weight", places["emb.type"], (1, hidden), False)
    yield _Tensor("embeddings.word_embeddings.weight", places["emb.word"], (sizes.words, hidden), True)
    norms = [("emb.ln", "embeddings.LayerNorm")]
    for layer in range(sizes.layers):
        to = f"encoder.layer.{layer}"
        for short, long, rows, columns in LAYER:
            shape = getattr(sizes, rows), getattr(sizes, columns)
            yield _Tensor(f"{to}.{long}.weight", places[f"l{layer}.{short}.w"], shape, True)
            yield _Tensor(f"{to}.{long}.bias", places[f"l{layer}.{short}.b"], shape[:1], False)
        norms += [(f"l{layer}.{short}", f"{to}.{long}") for short, long in NORMS]
    for short, long in norms:
        yield _Tensor(f"{long}.weight", places[f"{short}.w"], (hidden,), False)
        yield _Tensor(f"{long}.bias", places[f"{short}.b"], (hidden,), False)


def _write_weights(target: Path, data: mmap.mmap, tensors: list[_Tensor], sizes: _Sizes) -> None:
    """The safetensors file, written here because its bytes must not change with the version of a library."""
    tensors = sorted(
        tensors, key=lambda each: (each.packed, each.name)
    )  # four bytes a number first: all is aligned
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for each in tensors:
        shape = (sizes.types, *each.shape[1:]) if "token_type" in each.name else each.shape
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
                file.write(values.tobytes() * (sizes.types if "token_type" in each.name else 1))
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


def _tokenizer(cursor: _Cursor) -> tuple[dict[str, Any], int]:
    """The tokenizer's file, as the tokenizers library reads it, and the id of the padding."""
    count = cursor.number("i")
    begin, end, padding, unknown = cursor.numbers("4i")
    length = cursor.number("Q")
    offsets = cursor.array("<u4", count + 1).tolist()
    scores = cursor.array("<f4", count).tolist()
    blob = cursor.text(length)
    _entries, skipped = cursor.numbers("iI")
    cursor.at += skipped
    pieces = [
        [blob[first:last].decode("utf-8", "replace"), score]
        for first, last, score in zip(offsets[:-1], offsets[1:], scores, strict=True)
    ]
    specials = {begin: "<s>", padding: "<pad>", end: "</s>", unknown: "<unk>"}
    for id_, name in specials.items():
        pieces[id_][0] = name
    first, last, text, second = (
        {"SpecialToken": {"id": "<s>", "type_id": 0}},
        {"SpecialToken": {"id": "</s>", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
        {"Sequence": {"id": "B", "type_id": 0}},
    )
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": id_, "content": name, **flags} for id_, name in sorted(specials.items())],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "Nmt"},
                {"type": "NFKC"},
                {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
            ],
        },
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [first, text, last],
            "pair": [first, text, last, last, second, last],
            "special_tokens": {
                name: {"id": name, "ids": [id_], "tokens": [name]} for name, id_ in (("<s>", begin), ("</s>", end))
            },
        },
        "decoder": None,
        "model": {"type": "Unigram", "unk_id": unknown, "vocab": pieces, "byte_fallback": False},
    }, padding


def _descriptions(sizes: _Sizes, epsilon: float, padding: int) -> dict[str, Any]:
    """The json files of the folder, by their names."""
    kinds = ("Transformer", "Pooling", "Normalize")
    return {
        "config.json": {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "hidden_size": sizes.hidden,
            "num_hidden_layers": sizes.layers,
            "num_attention_heads": sizes.heads,
            "intermediate_size": sizes.inner,
            "vocab_size": sizes.words,
            "max_position_embeddings": sizes.positions,
            "type_vocab_size": sizes.types,
            "layer_norm_eps": epsilon,
            "hidden_act": "gelu",
            "pad_token_id": padding,
            "position_embedding_type": "absolute",
            "tokenizer_class": "XLMRobertaTokenizer",
        },
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": "<s>",
            "eos_token": "</s>",
            "pad_token": "<pad>",
            "unk_token": "<unk>",
            "cls_token": "<s>",
            "sep_token": "</s>",
            "model_max_length": min(LIMIT, sizes.positions),
            "model_input_names": ["input_ids", "attention_mask"],
        },
        "modules.json": [
            {
                "idx": place,
                "name": str(place),
                "path": f"{place}_{kind}" if place else "",
                "type": f"sentence_transformers.models.{kind}",
            }
            for place, kind in enumerate(kinds)
        ],
        "1_Pooling/config.json": {"word_embedding_dimension": sizes.hidden, "pooling_mode_mean_tokens": True},
        "sentence_bert_config.json": {"max_seq_length": min(LIMIT, sizes.positions), "do_lower_case": False},
        "config_sentence_transformers.json": {"prompts": {"query": "query: ", "passage": "passage: "}},
    }
