"""Small models with random weights, saved as real hub folders by the libraries that people save them with."""

from __future__ import annotations

import atexit
import json
import logging
import shutil
import tempfile
import warnings
from functools import cache, wraps
from hashlib import sha256
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'test' (with torch)")
transformers = pytest.importorskip("transformers")
sentence_transformers = pytest.importorskip("sentence_transformers")

from sentence_transformers.base.modules import Transformer  # noqa: E402
from sentence_transformers.sentence_transformer import modules as st  # noqa: E402
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors  # noqa: E402

WORDS = ["the", "a", "an", "of", "to", "in", "and", "dog", "cat", "house", "tree", "water", "rain", "king", "wind"]
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,?!'"

HIDDEN, LAYERS, HEADS, POSITIONS = 32, 3, 4, 64
SIZES = {
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "intermediate_size": 64,
    "max_position_embeddings": POSITIONS,
    "num_labels": 1,
}


REAL = {"hidden_size": 128, "num_attention_heads": 2, "num_hidden_layers": 4, "max_position_embeddings": 514}
"""Heads, positions and depth as real models have them: what is rounded, or counts wrongly, shows."""


def wordpiece(specials: tuple[str, ...] = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")) -> Tokenizer:
    """As BERT and DistilBERT have it."""
    pieces = [*specials, *WORDS, *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    vocabulary = {piece: place for place, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    return tokenizer


def mpnet_wordpiece() -> Tokenizer:
    """As MPNet has it: its padding is 1, which the model counts on."""
    return wordpiece(("[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"))


def unigram() -> Tokenizer:
    """As XLM-R has it: sentencepiece, `<s> a </s></s> b </s>`."""
    pieces = ["<s>", "<pad>", "</s>", "<unk>", *(f"▁{word}" for word in WORDS), "▁", *LETTERS]
    scores = [(piece, 0.0 if place < 4 else -float(place)) for place, piece in enumerate(pieces)]
    tokenizer = Tokenizer(models.Unigram(scores, unk_id=3, byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


def byte_level() -> Tokenizer:
    """As RoBERTa has it: bytes, no unknown token in practice."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {
        piece: place for place, piece in enumerate(["<s>", "<pad>", "</s>", "<unk>", *alphabet, "<mask>"])
    }
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return tokenizer


SPECIALS = {
    "[": {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"},
    "<": {"unk_token": "<unk>", "pad_token": "<pad>", "cls_token": "<s>", "sep_token": "</s>"},
}

ARCHITECTURES = {
    "bert": (transformers.BertConfig, wordpiece, 0),
    "roberta": (transformers.RobertaConfig, byte_level, 1),
    "xlm-roberta": (transformers.XLMRobertaConfig, unigram, 1),
    "camembert": (transformers.CamembertConfig, unigram, 1),
    "mpnet": (transformers.MPNetConfig, mpnet_wordpiece, 1),
    "distilbert": (transformers.DistilBertConfig, wordpiece, 0),
    "electra": (transformers.ElectraConfig, wordpiece, 0),
}
"""Configuration, tokenizer and the id of the padding; electra is none of those that run without torch."""


@cache
def workshop() -> Path:
    """Where what was made once is kept while the tests run."""
    place = tempfile.mkdtemp(prefix="hubs-")
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return Path(place)


def made_once(make):
    """A folder that is made a second time is a copy of the first; what holds weights of chance is made anew."""
    known: dict[str, Path] = {}

    @wraps(make)
    def copied(folder: Path, kind: str, *modules: object, **options: object) -> Path:
        if not all(isinstance(each, st.Pooling | st.Normalize) for each in modules):
            return make(folder, kind, *modules, **options)
        form = [(type(each).__name__, each.get_config_dict()) for each in modules]
        key = repr((make.__name__, kind, form, sorted(options.items())))
        if key not in known:
            known[key] = make(workshop() / f"{make.__name__}-{len(known)}" / "model", kind, *modules, **options)
        return shutil.copytree(known[key], folder)

    return copied


@made_once
def transformer(
    folder: Path,
    kind: str,
    *,
    head: bool = False,
    seed: int = 0,
    typed: bool | None = None,
    words: int = 0,
    **sizes: object,
) -> Path:
    """A transformer with random weights: weights, configuration, tokenizer. With `head`, a cross-encoder.

    The vocabulary is a small one, and `words` more: word0, word1, ...
    """
    config_of, tokenizer_of, padding = ARCHITECTURES[kind]
    typed = kind in ("bert", "electra") if typed is None else typed
    tokenizer = tokenizer_of()
    tokenizer.add_tokens([f"word{place}" for place in range(words)])
    sizes = {**SIZES, **sizes}
    positions = sizes["max_position_embeddings"]
    if kind == "distilbert":
        names = {"hidden_size": "dim", "num_hidden_layers": "n_layers", "num_attention_heads": "n_heads"}
        sizes = {names.get(name, name): size for name, size in sizes.items()} | {"hidden_dim": 64}
        sizes.pop("intermediate_size")
    config = config_of(vocab_size=tokenizer.get_vocab_size(), pad_token_id=padding, **sizes)
    torch.manual_seed(seed)
    auto = transformers.AutoModelForSequenceClassification if head else transformers.AutoModel
    model = auto.from_config(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():  # larger than they begin: every part has to count
            large = 2 if "relative_attention_bias" in name else 0.2  # as in the published weights of MPNet
            parameter.add_(torch.randn_like(parameter) * large)
    with quiet():
        model.save_pretrained(folder)
        fast = transformers.PreTrainedTokenizerFast(
            tokenizer_object=tokenizer,
            model_max_length=positions - 4,
            model_input_names=["input_ids", *(["token_type_ids"] if typed else []), "attention_mask"],
            **SPECIALS[tokenizer.id_to_token(padding)[0]],
        )
        fast.save_pretrained(folder)
    (folder / "tokenizer.json").write_text(tokenizer.to_str())
    return folder


@made_once
def bi_encoder(
    folder: Path, kind: str, *modules: object, prompts: dict[str, str] | None = None, **options
) -> Path:
    """A whole sentence-transformers folder: transformer, then the modules (mean pooling without any)."""
    base = transformer(folder.with_name(f"{folder.name}-base"), kind, **options)
    with quiet():
        first = Transformer(str(base))
        chain = modules or (st.Pooling(options.get("hidden_size", HIDDEN)),)
        model = sentence_transformers.SentenceTransformer(
            modules=[first, *chain], device="cpu", prompts=prompts or {}
        )
        model.save_pretrained(str(folder))
    return folder


THREE = ("input_ids", "attention_mask", "token_type_ids")
"""What exporters ask for."""


class Named(torch.nn.Module):
    """A model whose inputs have an order, and whose answer is one tensor or several."""

    def __init__(self, model, names, answer):
        super().__init__()
        self.model, self.names, self.answer = model, names, answer

    def forward(self, *inputs):
        named = dict(zip(self.names, inputs, strict=True))
        return self.answer(self.model(**named), named)


def token_vectors(found, _inputs):
    return found.last_hidden_state


def mean(found, inputs):
    mask = inputs["attention_mask"].unsqueeze(-1).float()
    return (found.last_hidden_state * mask).sum(1) / mask.sum(1)


def exported(
    folder,
    *,
    form="onnx",
    names=THREE,
    outputs=("last_hidden_state",),
    answer=token_vectors,
    head=False,
    kind=torch.int64,
    moving=(0, 1),
    half=False,
):
    """A copy of a model's folder that has a graph instead of weights."""
    copy = folder.with_name(f"{folder.name}-{form}")
    shutil.copytree(folder, copy)
    (copy / "model.safetensors").unlink()
    named = {token_vectors: "tokens", mean: "mean"}.get(answer, len([*workshop().iterdir()]))
    known = workshop() / f"{form}-{digest((contents(folder), names, outputs, named, head, kind, moving, half))}"
    if not known.is_dir():
        graph(known, folder, form, names, outputs, answer, head, kind, moving, half)
    return shutil.copytree(known, copy, dirs_exist_ok=True)


def contents(folder: Path) -> list[tuple[str, str]]:
    """What decides what is made of a folder."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return [(str(file.relative_to(folder)), sha256(file.read_bytes()).hexdigest()) for file in files]


def digest(told: object) -> str:
    return sha256(repr(told).encode()).hexdigest()[:16]


def graph(place, folder, form, names, outputs, answer, head, kind, moving, half):
    """The files of a graph, in a folder as exporters name it."""
    auto = transformers.AutoModelForSequenceClassification if head else transformers.AutoModel
    file = place / "onnx" / "model.onnx"
    file.parent.mkdir(parents=True)
    axes = {axis: f"axis{axis}" for axis in moving}
    with quiet():
        model = Named(auto.from_pretrained(folder, attn_implementation="eager"), names, answer).eval()
        torch.onnx.export(
            model.half() if half else model,
            tuple(torch.ones(1 if 0 not in moving else 2, 7, dtype=kind) for _ in names),
            str(file),
            input_names=list(names),
            output_names=list(outputs),
            dynamic_axes=dict.fromkeys(names, axes) | {name: {0: "axis0"} for name in outputs if 0 in moving},
            dynamo=False,
        )
    if form == "openvino":
        from nearsense._openvino import openvino

        openvino().save_model(
            openvino().convert_model(file), place / "openvino" / "openvino_model.xml", compress_to_fp16=False
        )
        shutil.rmtree(file.parent)


def static(folder: Path, *, width: int = 24) -> Path:
    """A table of one vector a token, as sentence-transformers saves it."""
    with quiet():
        table = torch.randn(wordpiece().get_vocab_size(), width, generator=torch.Generator().manual_seed(0))
        model = sentence_transformers.SentenceTransformer(
            modules=[st.StaticEmbedding(wordpiece(), embedding_weights=table)], device="cpu"
        )
        model.save_pretrained(str(folder))
    return folder


SAID: dict[str, object] = {}


def reference(folder: Path, texts: list[str], **options: object):
    """What sentence-transformers makes of them; asked once for the same folder and texts."""
    key = digest((contents(folder), texts, sorted(options.items())))
    if key not in SAID:
        with quiet():
            model = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
            SAID[key] = model.encode(texts, **options)
    return SAID[key].copy()


class quiet(warnings.catch_warnings):  # noqa: N801
    """The libraries warn and log of their own affairs; that is not what is tested."""

    def __enter__(self):
        super().__enter__()
        warnings.simplefilter("ignore")
        transformers.utils.logging.disable_progress_bar()
        logging.disable(logging.WARNING)

    def __exit__(self, *exception):
        logging.disable(logging.NOTSET)
        super().__exit__(*exception)


def changed(file: Path, **changes: object) -> None:
    """Change a JSON file; None takes a name away."""
    content = json.loads(file.read_text()) | changes
    file.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))
