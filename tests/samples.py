"""Texts and models that tests make for themselves."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest


def some_of(values, *shown):
    """All of them as parameters of a test: those shown are tried by default, the others in the long run."""
    left = {*shown} - {*values}
    assert not left, left
    return [each if each in shown else pytest.param(each, marks=pytest.mark.slow) for each in values]


def awkward_texts(n: int) -> list[str]:
    """Texts of 1 to 600 tokens in many scripts, with emoji, control characters and hardly anything."""
    chance = random.Random(7)
    scripts = [
        (0x0020, 0x007E), (0x00C0, 0x024F), (0x0370, 0x03FF), (0x0400, 0x04FF), (0x0590, 0x05FF), (0x0600, 0x06FF),
        (0x0900, 0x097F), (0x0E00, 0x0E7F), (0x1F300, 0x1F64F), (0x3040, 0x30FF), (0x4E00, 0x9FFF),
    ]  # fmt: skip
    words = [
        "the",
        "a",
        "bank",
        "river",
        "loan",
        "time",
        "thread",
        "file",
        "open",
        "close",
        "money",
        "dog",
        "42",
        "3.14",
    ]
    odd = [
        "",
        " ",
        "\t\n",
        ".",
        "\u200b",
        "a",
        "\x01",
        "\x7f",
        "\ufeff",
        "!?!",
        "é",
        "e\u0301",
        "🙂",
        "👩‍👩‍👧",
        "[MASK]",
        "[SEP] x",
    ]
    texts = list(odd)
    while len(texts) < n:
        length = int(np.exp(chance.uniform(0, np.log(600))))
        kind = chance.random()
        if kind < 0.5:
            text = " ".join(chance.choice(words) for _ in range(length))
        elif kind < 0.8:
            low, high = chance.choice(scripts)
            text = "".join(chr(chance.randint(low, high)) + " " * (chance.random() < 0.2) for _ in range(length))
        else:
            text = " ".join(
                chr(chance.randint(*chance.choice(scripts))) + chr(chance.randint(1, 31)) for _ in range(length)
            )
        texts.append(text)
    return texts[:n]


def tiny_bert(folder: Path, *, seed: int = 0, **changes) -> Path:
    """A whole model folder with random weights: 2 layers, 32 dimensions, some 100 tokens."""
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    folder.mkdir(parents=True, exist_ok=True)
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *(f"w{i}" for i in range(60)),
        *"abcdefghijklmnopqrstuvwxyz",
    ]
    words += [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "model_type": "bert", "architectures": ["BertModel"], "hidden_size": 32, "num_attention_heads": 4,
        "num_hidden_layers": 2, "intermediate_size": 64, "max_position_embeddings": 64, "vocab_size": len(words),
        "layer_norm_eps": 1e-12, "hidden_act": "gelu", "type_vocab_size": 2,
    } | changes  # fmt: skip
    random_ = np.random.default_rng(seed)

    def tensor(*shape):
        return random_.normal(0, 0.1, shape).astype(np.float32)

    hidden, inner = config["hidden_size"], config["intermediate_size"]
    weights = {
        "embeddings.word_embeddings.weight": tensor(config["vocab_size"], hidden),
        "embeddings.position_embeddings.weight": tensor(config["max_position_embeddings"], hidden),
        "embeddings.token_type_embeddings.weight": tensor(2, hidden),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(config["num_hidden_layers"]):
        block = f"encoder.layer.{layer}"
        shapes = {
            "attention.self.query": (hidden, hidden), "attention.self.key": (hidden, hidden),
            "attention.self.value": (hidden, hidden), "attention.output.dense": (hidden, hidden),
            "intermediate.dense": (inner, hidden), "output.dense": (hidden, inner),
        }  # fmt: skip
        for name, shape in shapes.items():
            weights[f"{block}.{name}.weight"], weights[f"{block}.{name}.bias"] = tensor(*shape), tensor(shape[0])
        norms += [f"{block}.attention.output.LayerNorm", f"{block}.output.LayerNorm"]
    for name in norms:
        weights[f"{name}.weight"], weights[f"{name}.bias"] = 1 + tensor(hidden), tensor(hidden)
    save_file(weights, folder / "model.safetensors")
    files = {
        "config.json": config,
        "sentence_bert_config.json": {"max_seq_length": 48, "do_lower_case": False},
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
        ],
        "1_Pooling/config.json": {"word_embedding_dimension": hidden, "pooling_mode_mean_tokens": True},
    }
    (folder / "1_Pooling").mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    return folder


def cached_bert(cache: Path, name: str, *, commit: str = "abc123", ref: str | None = "main") -> Path:
    """The same as a snapshot in a cache of the hub, where no branch and no tag leads to it without `ref`."""
    root = cache / f"models--{name.replace('/', '--')}"
    folder = tiny_bert(root / "snapshots" / commit)
    if ref:
        (root / "refs" / ref).parent.mkdir(parents=True, exist_ok=True)
        (root / "refs" / ref).write_text(commit)
    return folder
