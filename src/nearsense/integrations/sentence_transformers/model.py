"""`SentenceTransformer` by its own names, run by nearsense's encoders. Nothing is trained here."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._optional import require
from nearsense._paths import is_file
from nearsense.checks import positive_int
from nearsense.encoders import Encoder, load
from nearsense.errors import InputError, NearsenseError, UnsupportedModel
from nearsense.integrations.sentence_transformers.util import SCORES, SimilarityFunction
from nearsense.records import Long, Metric
from nearsense.vectors.rows import ZeroRow, normalize

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

SENTENCES = "sentence_embedding"
TOKENS = "token_embeddings"
CONFIG = "config_sentence_transformers.json"
PACKED = ("int8", "uint8", "binary", "ubinary")
UNDERSTOOD = {
    "backend", "config_kwargs", "model_card_data", "modules", "processor_kwargs", "token", "tokenizer_kwargs",
    "trust_remote_code", "use_auth_token",
}  # fmt: skip
"""Options of the library that are taken, and change nothing."""
HALF = ("bfloat16", "torch.bfloat16", "bf16")


class LoggingHandler(logging.StreamHandler[Any]):
    """What examples hand to `logging.basicConfig`; lines go to stderr."""


class SentenceTransformer:
    """A model as sentence-transformers has it: texts in, arrays out.

    Vectors equal the library's to about 1e-6: the arithmetic is float32 unless `model_kwargs` ask for bfloat16,
    which is faster where the processor has it. A text that is cut at the model's limit is warned of.

    Args:
        model_name_or_path: A model's name or folder; also "sentence-transformers/all-MiniLM-L6-v2". None for the
            default model.
        device: "cpu", or None; another needs PyTorch.
        prompts: What is put before a text, by name; the model's own without it.
        default_prompt_name: The prompt that is put where a call names none.
        similarity_fn_name: "cosine", "dot", "euclidean" or "manhattan"; the model's own without it.
        cache_folder: Understood; models lie where `nearsense models` says.
        revision: The commit or branch on the hub.
        local_files_only: Ask no network.
        truncate_dim: Keep the first so many numbers of a vector.
        model_kwargs: `{"dtype": "bfloat16"}` or `{"torch_dtype": ...}` for bfloat16; all else is ignored.
        more: What else the library takes, which changes nothing here: `backend`, `token`, ...

    Raises:
        InputError: An option is not the library's.
        UnsupportedModel: `modules` are given, or `trust_remote_code=True`: nothing of a model's is run here.
        ModelNotFound: The model is neither here nor to be had.

    Example:
        >>> model = SentenceTransformer("all-MiniLM-L6-v2")
        >>> model.encode(["The weather is lovely today.", "It's so sunny outside!"]).shape
        (2, 384)
        >>> model.encode("one text").shape
        (384,)
    """

    def __init__(
        self,
        model_name_or_path: str | os.PathLike[str] | None = None,
        *,
        device: str | None = None,
        prompts: Mapping[str, str] | None = None,
        default_prompt_name: str | None = None,
        similarity_fn_name: str | None = None,
        cache_folder: str | None = None,
        revision: str | None = None,
        local_files_only: bool = False,
        truncate_dim: int | None = None,
        model_kwargs: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> None:
        if more.get("modules") is not None or more.get("trust_remote_code"):
            given = "modules" if more.get("modules") is not None else "trust_remote_code=True"
            why, fix = "no Python of a model's is run here", "use sentence-transformers itself for this model"
            raise UnsupportedModel(f"{given} is not understood here", why=why, fix=fix)
        if unknown := sorted(set(more) - UNDERSTOOD):
            raise InputError(f"{unknown[0]}=... is not known to SentenceTransformer", fix="leave it out")
        name = None if model_name_or_path is None else os.fspath(model_name_or_path)
        if name is not None and revision is not None:
            name = f"{name}@{revision}"
        wanted = str((model_kwargs or {}).get("dtype", (model_kwargs or {}).get("torch_dtype", "")))
        encoder = load(
            name,
            precision="bf16" if wanted in HALF else "f32",
            device=None if device in (None, "cpu") else str(device),
            offline=True if local_files_only else None,
        )
        described = _described(encoder)
        self._encoder: Any = encoder.without_prompts() if hasattr(encoder, "without_prompts") else encoder
        self._unit: bool = described["unit"]
        own = described["prompts"]
        self.prompts: dict[str, str] = {"query": "", "document": ""} | dict(own if prompts is None else prompts)
        chosen = described["default_prompt_name"] if default_prompt_name is None else default_prompt_name
        self.default_prompt_name: str | None = chosen
        self.truncate_dim = truncate_dim
        self.similarity_fn_name = (
            similarity_fn_name or described["similarity_fn_name"] or SimilarityFunction.COSINE
        )
        if chosen is not None and chosen not in self.prompts:
            self._prompt(None, chosen)

    def __repr__(self) -> str:
        return f"SentenceTransformer({self._encoder!r})"

    def encode(
        self,
        inputs: str | Sequence[str] | None = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        output_value: str | None = SENTENCES,
        precision: str = "float32",
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        device: Any = None,
        normalize_embeddings: bool = False,
        truncate_dim: int | None = None,
        pool: Any = None,
        chunk_size: int | None = None,
        *,
        sentences: str | Sequence[str] | None = None,
        **more: Any,
    ) -> Any:
        """Texts as vectors.

        Args:
            inputs: A text, or many: a list, an array, a Series, a column of a Dataset.
            prompt_name: Which of `prompts` is put before each text.
            prompt: What is put before each text instead.
            batch_size: Understood; how many texts are read at once is decided here.
            show_progress_bar: Whether to show how far it is, on stderr.
            output_value: "sentence_embedding", or "token_embeddings" for a list of tensors, one a text.
            precision: "float32", "int8", "uint8", "binary" or "ubinary".
            convert_to_numpy: An array, unless False: then a list of tensors.
            convert_to_tensor: One tensor.
            device: Understood; all cores are used.
            normalize_embeddings: Give length one to each vector. Vectors of many models have it anyway.
            truncate_dim: Keep the first so many numbers.
            pool: Understood; there is no need for other processes.
            chunk_size: Understood.
            sentences: `inputs` as it was called before.
            more: `task` and `processing_kwargs`, which change nothing here.

        Returns:
            float32 of shape (n, d); of one text (d,).

        Raises:
            InputError: An option is not known here, or an item is no text.
            MissingExtra: Tensors are asked for, and PyTorch is not installed.
        """
        inputs = sentences if inputs is None else inputs
        if inputs is None:
            raise InputError("there is nothing to encode", fix="model.encode([text, ...])")
        if unknown := set(more) - {"task", "processing_kwargs"}:
            raise InputError(f"{sorted(unknown)[0]}=... is not known to encode", fix="leave it out")
        positive_int(batch_size, "batch_size")
        if precision not in ("float32", *PACKED):
            raise InputError(f"precision={precision!r} is not known", fix=f"use float32, {', '.join(PACKED)}")
        if output_value not in (SENTENCES, TOKENS):
            raise InputError(
                f"output_value={output_value!r} is not given here", fix=f"use {SENTENCES!r} or {TOKENS!r}"
            )
        before, alone = self._prompt(prompt, prompt_name), isinstance(inputs, str)
        given = [inputs] if isinstance(inputs, str) else inputs
        texts = [before + text if isinstance(text, str) else text for text in given] if before else given
        if output_value == TOKENS:
            tokens = [_tensor(each.vectors) for each in self._encoder.tokens(texts, long=Long.HEAD)]
            return tokens[0] if alone else tokens
        made = self._encoder.encode(texts, normalize=self._unit, progress=bool(show_progress_bar))
        size = self.truncate_dim if truncate_dim is None else truncate_dim
        found: NDArray[Any] = made.data[:, : None if size is None else positive_int(size, "truncate_dim")]
        if normalize_embeddings:
            found = normalize(found, zero=ZeroRow.KEEP)
        found = _packed(found, precision)
        if not len(found):
            found = np.array([], np.float32)
        if convert_to_tensor:
            return _tensor(found[0] if alone else found)
        if convert_to_numpy:
            return found[0] if alone else found
        rows = [_tensor(row) for row in found]
        return rows[0] if alone else rows

    def encode_query(self, inputs: Any = None, prompt_name: str | None = None, **options: Any) -> Any:
        """As `encode`, with the prompt "query" where none is named.

        Args:
            inputs: As for `encode`.
            prompt_name: As for `encode`.
            options: As for `encode`.
        """
        return self.encode(inputs, self._named(("query",), prompt_name, options), **options)

    def encode_document(self, inputs: Any = None, prompt_name: str | None = None, **options: Any) -> Any:
        """As `encode`, with the first of the prompts "document", "passage", "corpus" where none is named.

        Args:
            inputs: As for `encode`.
            prompt_name: As for `encode`.
            options: As for `encode`.
        """
        return self.encode(inputs, self._named(("document", "passage", "corpus"), prompt_name, options), **options)

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Every vector of one side with every one of the other, by `similarity_fn_name`: (n, d), (m, d) to (n, m).

        Args:
            embeddings1: n vectors: an array, a tensor, a list of these.
            embeddings2: m vectors.

        Returns:
            A tensor where PyTorch is installed, else an array.
        """
        return SCORES[self.similarity_fn_name][0](embeddings1, embeddings2)

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Each vector of one side with that in its row of the other: (n, d) twice to (n,).

        Args:
            embeddings1: n vectors.
            embeddings2: n vectors.
        """
        return SCORES[self.similarity_fn_name][1](embeddings1, embeddings2)

    @property
    def similarity_fn_name(self) -> str:
        """How `similarity` compares: "cosine", "dot", "euclidean" or "manhattan"; may be set."""
        return self._similarity

    @similarity_fn_name.setter
    def similarity_fn_name(self, name: Any) -> None:
        known = str(getattr(name, "value", name) or SimilarityFunction.COSINE.value)
        if known not in SCORES:
            raise InputError(f"similarity_fn_name={name!r} is not known", fix=f"use one of: {', '.join(SCORES)}")
        self._similarity = known

    @property
    def max_seq_length(self) -> int:
        """The most tokens that are read of a text; may be set to fewer."""
        return int(self._encoder.max_tokens)

    @max_seq_length.setter
    def max_seq_length(self, tokens: int) -> None:
        if not hasattr(self._encoder, "with_limit"):
            raise UnsupportedModel(f"the limit of {self._encoder.name} cannot be changed", fix="leave it")
        self._encoder = self._encoder.with_limit(tokens)

    @property
    def device(self) -> str:
        """Where it runs."""
        return "cpu"

    def get_max_seq_length(self) -> int:
        """The most tokens that are read of a text."""
        return self.max_seq_length

    def get_embedding_dimension(self) -> int:
        """How many numbers a vector has."""
        return min(int(self._encoder.dimension), self.truncate_dim or int(self._encoder.dimension))

    get_sentence_embedding_dimension = get_embedding_dimension

    @contextmanager
    def truncate_embeddings(self, truncate_dim: int | None) -> Iterator[None]:
        """Within this, vectors have so many numbers.

        Args:
            truncate_dim: How many; None for all.
        """
        before, self.truncate_dim = self.truncate_dim, truncate_dim
        try:
            yield
        finally:
            self.truncate_dim = before

    truncate_sentence_embeddings = truncate_embeddings

    def start_multi_process_pool(self, target_devices: Sequence[str] | None = None) -> dict[str, Any]:
        """What `encode` takes as `pool`; nothing is started, since all cores are used anyway.

        Args:
            target_devices: Understood.
        """
        return {"input": None, "output": None, "processes": []}

    @staticmethod
    def stop_multi_process_pool(pool: Mapping[str, Any]) -> None:
        """Nothing is to be stopped.

        Args:
            pool: What `start_multi_process_pool` gave.
        """

    def eval(self) -> SentenceTransformer:
        """Itself: it is not trained."""
        return self

    def to(self, *where: Any, **how: Any) -> SentenceTransformer:
        """Itself: it stays on the processor.

        Args:
            where: Understood.
            how: Understood.
        """
        return self

    def _prompt(self, prompt: str | None, name: str | None) -> str:
        """What is put before each text."""
        if prompt is not None:
            return prompt
        name = self.default_prompt_name if name is None else name
        if name is not None and name not in self.prompts:
            known = ", ".join(self.prompts)
            raise InputError(
                f"there is no prompt {name!r}", why=f"the prompts are: {known}", fix="give prompt=..."
            )
        return "" if name is None else self.prompts[name]

    def _named(self, names: Sequence[str], given: str | None, options: Mapping[str, Any]) -> str | None:
        """The prompt of a role, unless a call names another."""
        if given is not None or options.get("prompt") is not None:
            return given
        return next((name for name in names if name in self.prompts), None)


def _described(encoder: Encoder) -> dict[str, Any]:
    """What the files of a model say: prompts, how it compares, whether its vectors have length one."""
    from nearsense.encoders.folder import find

    dot = encoder.similarity is Metric.DOT
    found: dict[str, Any] = {
        "prompts": {},
        "default_prompt_name": None,
        "similarity_fn_name": None,
        "unit": not dot,
    }
    folder: Path | None = None
    with suppress(NearsenseError, OSError):
        described = find(encoder.source, offline=True)
        folder, found["unit"] = described.path, described.steps[-1].kind == "Normalize"
    if folder is not None and is_file(folder / CONFIG):
        with suppress(OSError, ValueError):
            told = json.loads((folder / CONFIG).read_text("utf-8"))
            found |= {name: told[name] for name in found if told.get(name) is not None}
    return found


def _packed(vectors: Floats, precision: str) -> NDArray[Any]:
    """Vectors in fewer bytes, as the library packs them; 8 bits cover the range of these very vectors."""
    if precision == "float32" or not len(vectors):
        return vectors
    if "binary" in precision:
        bits = np.packbits(vectors > 0, axis=-1)
        return bits if precision == "ubinary" else (bits.astype(np.int16) - 128).astype(np.int8)
    least = vectors.min(axis=0)
    steps = (vectors.max(axis=0) - least) / np.float32(255)
    steps[steps == 0] = 1
    levels: NDArray[Any] = np.clip(np.floor((vectors - least) / steps), 0, 255)
    return levels.astype(np.uint8) if precision == "uint8" else (levels - 128).astype(np.int8)


def _tensor(values: NDArray[Any]) -> Any:
    torch = require("torch", extra="torch", purpose="a tensor")
    return torch.from_numpy(np.ascontiguousarray(values))
