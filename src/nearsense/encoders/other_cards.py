"""Static models, cross-encoders and remote ones: one row a model. Not the transformers that make vectors."""

from __future__ import annotations

from functools import partial

from nearsense.encoders.cards import Figure, Kind, ModelCard, Task
from nearsense.encoders.encoder_cards import ALL, PAIRS, SEARCH, beir, mteb_retrieval, mteb_sts
from nearsense.encoders.language_sets import ENGLISH, MMARCO, POTION, RERANKED
from nearsense.encoders.language_sets import STATIC as STATIC_LANGUAGES
from nearsense.encoders.pooling import Pooling

__all__ = ["CROSS_ENCODERS", "REMOTE", "STATIC"]

_static = partial(ModelCard, kind=Kind.STATIC, max_tokens=0, pooling=Pooling.MEAN, languages=ENGLISH)

STATIC: tuple[ModelCard, ...] = (
    *(
        _static(
            name=name,
            hub=f"minishlab/{name}",
            dimension=dimension,
            parameters=parameters,
            languages=languages,
            licence="MIT",
            normalized=True,
            tasks=tasks,
            sts=mteb_sts(sts),
            retrieval=mteb_retrieval(retrieval),
        )
        for name, dimension, parameters, languages, tasks, sts, retrieval in (
            ("potion-base-2M", 64, 2, ENGLISH, ALL, 69.8, 23.0),
            ("potion-base-4M", 128, 4, ENGLISH, ALL, 71.9, 28.4),
            ("potion-base-8M", 256, 8, ENGLISH, ALL, 72.9, 31.1),
            ("potion-base-32M", 512, 32, ENGLISH, ALL, 73.9, 32.7),
            ("potion-retrieval-32M", 512, 32, ENGLISH, SEARCH, 73.3, 35.1),
            ("potion-multilingual-128M", 256, 128, POTION, ALL, 70.4, 24.1),
        )
    ),
    _static(
        name="static-retrieval-mrl-en-v1",
        hub="sentence-transformers/static-retrieval-mrl-en-v1",
        dimension=1024,
        parameters=31,
        licence="Apache-2.0",
        tasks=SEARCH,
        dimensions=(32, 64, 128, 256, 512, 1024),
        sts=mteb_sts(72.1),
        retrieval=mteb_retrieval(35.0),
    ),
    _static(
        name="static-similarity-mrl-multilingual-v1",
        hub="sentence-transformers/static-similarity-mrl-multilingual-v1",
        dimension=1024,
        parameters=108,
        languages=STATIC_LANGUAGES,
        licence="Apache-2.0",
        tasks=PAIRS,
        dimensions=(32, 64, 128, 256, 512, 1024),
        sts=mteb_sts(74.5),
        retrieval=mteb_retrieval(28.8),
    ),
)

SBERT = "https://www.sbert.net/docs/cross_encoder/pretrained_models.html"

reranking = partial(Figure, measure="TREC DL 2019, reranked: nDCG@10 x 100", source=SBERT)
stsb = partial(Figure, measure="STSb test, correlation x 100", source=SBERT)
quora = partial(Figure, measure="Quora duplicate questions dev, average precision x 100", source=SBERT)

_cross = partial(ModelCard, kind=Kind.CROSS, dimension=0, max_tokens=512, languages=ENGLISH)
_rerank = partial(_cross, tasks=(Task.RERANK,))

CROSS_ENCODERS: tuple[ModelCard, ...] = (
    *(
        _rerank(
            name=name,
            hub=f"cross-encoder/{name}",
            aliases=(f"cross-encoder/{former}",),
            parameters=parameters,
            licence=licence,
            retrieval=reranking(trec),
        )
        for name, former, parameters, licence, trec in (
            ("ms-marco-TinyBERT-L2-v2", "ms-marco-TinyBERT-L-2-v2", 4, "", 69.84),
            ("ms-marco-MiniLM-L2-v2", "ms-marco-MiniLM-L-2-v2", 16, "Apache-2.0", 71.01),
            ("ms-marco-MiniLM-L4-v2", "ms-marco-MiniLM-L-4-v2", 19, "", 73.04),
            ("ms-marco-MiniLM-L6-v2", "ms-marco-MiniLM-L-6-v2", 23, "Apache-2.0", 74.30),
            ("ms-marco-MiniLM-L12-v2", "ms-marco-MiniLM-L-12-v2", 33, "Apache-2.0", 74.31),
        )
    ),
    _rerank(
        name="mmarco-mMiniLMv2-L12-H384-v1",
        hub="cross-encoder/mmarco-mMiniLMv2-L12-H384-v1",
        parameters=118,
        languages=MMARCO,
        licence="Apache-2.0",
    ),
    _rerank(
        name="bge-reranker-base",
        hub="BAAI/bge-reranker-base",
        parameters=278,
        languages=("en", "zh"),
        licence="MIT",
    ),
    _rerank(
        name="bge-reranker-large",
        hub="BAAI/bge-reranker-large",
        parameters=560,
        languages=("en", "zh"),
        licence="MIT",
    ),
    _rerank(
        name="bge-reranker-v2-m3",
        hub="BAAI/bge-reranker-v2-m3",
        max_tokens=8192,
        parameters=568,
        languages=RERANKED,
        licence="Apache-2.0",
    ),
    _rerank(
        name="mxbai-rerank-xsmall-v1",
        hub="mixedbread-ai/mxbai-rerank-xsmall-v1",
        parameters=71,
        licence="Apache-2.0",
        torch=True,
        retrieval=Figure(
            43.9,
            "BEIR, 11 sets, reranked: nDCG@10 x 100",
            "https://www.mixedbread.com/docs/reranking/models/mxbai-rerank-xsmall-v1",
        ),
    ),
    *(
        _cross(
            name=name,
            hub=f"cross-encoder/{name}",
            parameters=parameters,
            licence="",
            tasks=(task,),
            sts=figure,
        )
        for name, parameters, task, figure in (
            ("stsb-roberta-base", 125, Task.SIMILARITY, stsb(90.17)),
            ("stsb-roberta-large", 355, Task.SIMILARITY, stsb(91.47)),
            ("quora-roberta-base", 125, Task.DUPLICATES, quora(87.80)),
            ("quora-roberta-large", 355, Task.DUPLICATES, quora(87.91)),
        )
    ),
)

_openai = partial(
    ModelCard,
    kind=Kind.REMOTE,
    hub="",
    max_tokens=8191,
    languages=ENGLISH,  # others too, says its maker, but not which
    licence="proprietary",
    normalized=True,
    tasks=ALL,
    install="set OPENAI_API_KEY",
)

REMOTE: tuple[ModelCard, ...] = (
    _openai(
        name="openai:text-embedding-3-small",
        aliases=("openai/text-embedding-3-small",),
        dimension=1536,
        dimensions=(512, 1536),
        price=0.02,
        retrieval=beir(51.08),
    ),
    _openai(
        name="openai:text-embedding-3-large",
        aliases=("openai/text-embedding-3-large",),
        dimension=3072,
        dimensions=(256, 1024, 3072),
        price=0.13,
        retrieval=beir(55.44),
    ),
)
