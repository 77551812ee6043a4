"""Everything else, and GPUs, through sentence-transformers and torch: the one file that knows them.

Texts are tokenized, cut and given their prompts as for every engine; only the model runs elsewhere. A model's own
code is never run, and weights are read from safetensors only.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from copy import copy
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._optional import require
from nearsense._paths import is_file
from nearsense.encoders.base import not_run_here
from nearsense.encoders.folder import MODULES, ModelFolder
from nearsense.encoders.hub_files import WEIGHTS
from nearsense.encoders.packing import Engine, Pooling, Request, one_text_a_row
from nearsense.errors import BrokenModel, InputError, UnsupportedModel
from nearsense.records import Precision

if TYPE_CHECKING:
    from numpy.typing import NDArray


def available() -> bool:
    """Whether sentence-transformers is installed; it is not imported."""
    return find_spec("sentence_transformers") is not None


class TorchEngine(Engine):
    """Runs a bi-encoder with all its modules on a device such as "cuda:1"; the precision `auto` is f32."""

    kind = "SentenceTransformer"
    alone = True

    def __init__(self, folder: ModelFolder, *, device: str, precision: Precision) -> None:
        require_harmless(folder)
        library = require("sentence_transformers", extra="torch", purpose=f"running {folder.name}")
        self._torch: Any = require("torch", extra="torch", purpose=f"running {folder.name}")
        self.precision = (Precision.BF16 if precision is Precision.BF16 else Precision.F32).value
        self.scale = 1 if device == "cpu" else 64
        types = {"bf16": self._torch.bfloat16, "f32": self._torch.float32}
        try:
            self._torch.empty(1, device=device)
        except (RuntimeError, AssertionError) as error:
            why = str(error).splitlines()[0][:120]
            fix = "leave --device away, or install a PyTorch that knows it"
            raise InputError(f"there is no device {device!r} here", why=why, fix=fix) from None
        try:
            with _listening() as missing:
                self._model: Any = getattr(library, self.kind)(
                    str(folder.path),
                    device=device,
                    trust_remote_code=False,
                    local_files_only=True,
                    model_kwargs={"use_safetensors": True, "dtype": types[self.precision]},
                )
        except Exception as error:
            said = (str(error).strip() or "it says no more").splitlines()[0]
            raise _cannot_run(folder, f"{type(error).__name__}: {said}") from None
        if missing:
            raise _cannot_run(folder, f"it finds no weights for {missing[0]}, and would invent some")
        self._model.eval()
        self._process = os.getpid()
        self.pooling = _summing(folder)
        self._padding = folder.config.get("pad_token_id") or 0
        self._typed = "token_type_ids" in self._model.tokenizer.model_input_names
        limit = self._model.max_seq_length
        self.limit = int(limit) if limit and limit < 1_000_000 else None

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return int(self._model.get_embedding_dimension())

    def run(self, requests: Iterable[Request]) -> Generator[tuple[Request, NDArray[np.float32]], None, None]:
        """Each request with the vectors of its texts, float32, shape (m, d)."""
        if os.getpid() != self._process:
            why = "its threads do not come along, and it would wait for them"
            fix = 'start children afresh: multiprocessing.get_context("spawn")'
            raise UnsupportedModel("a model that PyTorch runs does not survive a fork", why=why, fix=fix)
        with self._torch.inference_mode():
            for request in requests:
                ids, mask, types = one_text_a_row(request, self._padding)
                arrays = {"input_ids": ids, "attention_mask": mask}
                if self._typed:
                    arrays["token_type_ids"] = types
                features = {
                    name: self._torch.from_numpy(array).to(self._model.device) for name, array in arrays.items()
                }
                yield request, self._result(self._model(features)).float().cpu().numpy()

    def unpooled(self) -> TorchEngine:
        """The same model; a request's answer is the vectors of all its tokens, end to end."""
        other = copy(self)
        other._result = _every_token  # type: ignore[method-assign]
        return other

    def _result(self, features: Any) -> Any:
        return features["sentence_embedding"]


class TorchPairEngine(TorchEngine):
    """Runs a cross-encoder: its numbers, before what makes scores of them."""

    kind = "CrossEncoder"

    @property
    def dimension(self) -> int:
        """How many numbers it gives a pair."""
        return int(self._model.num_labels)

    def _result(self, features: Any) -> Any:
        return features["scores"]


def _cannot_run(folder: ModelFolder, why: str) -> UnsupportedModel:
    fix = "get the model's folder anew, or use another model (nearsense models)"
    return UnsupportedModel(f"sentence-transformers cannot run {folder.path}", why=why, fix=fix)


def _every_token(features: Any) -> Any:
    """The vectors of the tokens of all texts, without padding."""
    if "token_embeddings" not in features:
        why = "its first module makes one vector of a text"
        raise UnsupportedModel("the model gives no vectors of tokens", why=why)
    return features["token_embeddings"][features["attention_mask"].bool()]


def _summing(folder: ModelFolder) -> tuple[Pooling, ...]:
    """How tokens become the vector where nothing but pooling comes after them; nothing where it is not known."""
    try:
        return () if folder.modules()[0] else folder.pooling
    except (UnsupportedModel, BrokenModel):
        return ()


@contextmanager
def _listening() -> Generator[list[str], None, None]:
    """The names of weights that transformers did not find, while it loads a model: it only logs them.

    Heads that no vector comes from are none of them.
    """
    missing: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            report = _COLOURS.sub("", record.getMessage())
            found = (line.split("|")[0].strip() for line in report.splitlines() if "| MISSING" in line)
            missing.extend(name for name in found if not name.startswith(("pooler.", "lm_head.")))

    bars = require("transformers.utils.logging", extra="torch", purpose="loading the model")
    shown, listener = bars.is_progress_bar_enabled(), Listener()
    whole, logger = logging.getLogger("transformers"), logging.getLogger("transformers.modeling_utils")
    loudness, level, propagates = whole.level, logger.level, logger.propagate
    whole.setLevel(logging.ERROR)
    logger.addHandler(listener)
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    bars.disable_progress_bar()
    try:
        yield missing
    finally:
        logger.removeHandler(listener)
        whole.setLevel(loudness)
        logger.setLevel(level)
        logger.propagate = propagates
        if shown:
            bars.enable_progress_bar()


_COLOURS = re.compile("\x1b\\[[0-9;]*m")


def require_harmless(folder: ModelFolder) -> None:
    """Refuse what could run code that is not sentence-transformers' own."""
    if folder.own_code:
        what = f"{folder.path} wants to run code of its own ({folder.own_code})"
        raise not_run_here(what, "what a model brings along could do anything; nearsense runs none of it")
    for step in folder.steps:
        activation = str(step.settings.get("activation_function", "torch.nn."))
        if step.kind == "Dense" and not activation.startswith("torch.nn."):
            what = f"{step.path}: the activation {activation} is not known here"
            raise not_run_here(what, "it is code that the model would bring along; only those of torch.nn are run")
        if step.kind not in MODULES:
            what = f"{folder.path}: the module {step.kind!r} of modules.json is not known here"
            raise not_run_here(what, f"known are {', '.join(MODULES)}")
        pickled = is_file(step.path / "pytorch_model.bin") and not is_file(step.path / WEIGHTS)
        if pickled and step.kind != "Transformer":
            why = "a pickle can run any code when it is loaded; nearsense reads safetensors only"
            fix = "get the model's safetensors files, or convert them where you trust their source"
            raise UnsupportedModel(f"{step.path} has only pickled weights", why=why, fix=fix)
