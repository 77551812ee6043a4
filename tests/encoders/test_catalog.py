"""The catalogue: every row is in order, and what can be checked here is true."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest

from nearsense.encoders.catalog import CATALOG, LANGUAGES, MEASURES, Kind, Task, card_of
from nearsense.encoders.packing import Pooling
from nearsense.encoders.recommend import figure_for, known_languages, recommend
from nearsense.errors import InputError
from nearsense.records import Metric
from turns import in_turn

STS, RETRIEVAL = (MEASURES[name]["measure"] for name in ("mteb-sts", "mteb-retrieval"))
DOCS = Path(__file__).parents[2] / "docs" / "models.md"

CODES = (
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz "
    "ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik "
    "io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml "
    "mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd "
    "se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi "
    "vo wa wo xh yi yo za zh zu"
)
ISO_639_1 = set(CODES.split())

every = in_turn("card", CATALOG)


def test_the_default_model_is_the_first_row():
    assert CATALOG[0].name == "all-MiniLM-L6-v2"


def test_no_two_models_have_a_name_in_common():
    names = [card.name.lower() for card in CATALOG]
    assert len(names) == len(set(names))
    owners: dict[str, str] = {}
    for card in CATALOG:
        for name in card.names - {card.hub.lower()}:
            assert owners.setdefault(name, card.name) == card.name


def test_only_the_baseline_s_two_readings_share_a_repository():
    hubs = [card.hub for card in CATALOG if card.hub]
    assert {hub for hub in hubs if hubs.count(hub) > 1} == {"google-bert/bert-base-uncased"}


@every
def test_a_row_is_found_by_each_of_its_names_in_any_case(card):
    for name in (card.name, card.name.upper(), *card.aliases):
        assert card_of(name) is card
    if card.hub:
        assert card_of(card.hub.upper()).hub == card.hub


def test_former_names_are_found_with_and_without_the_organisation():
    for name in ("ms-marco-MiniLM-L-12-v2", "cross-encoder/ms-marco-MiniLM-L-12-v2"):
        assert card_of(name).name == "ms-marco-MiniLM-L12-v2"


@in_turn("name", ["", "nobody", "somebody/all-MiniLM-L6-v2", "sentence-transformers/"])
def test_what_is_not_known_has_no_row(name):
    assert card_of(name) is None


@every
def test_languages_are_iso_codes_in_order(card):
    assert card.languages, "no language is known"
    assert set(card.languages) <= ISO_639_1
    assert len(set(card.languages)) == len(card.languages)


@in_turn("name", LANGUAGES)
def test_lists_of_languages_are_sorted_and_know_norwegian_by_both_names(name):
    codes = LANGUAGES[name]
    assert list(codes) == sorted(set(codes))
    assert "en" in codes
    assert "nb" not in codes or "no" in codes


@every
def test_a_row_is_in_order(card):
    assert set(card.prompts) <= {"query", "passage"}
    assert all(card.prompts.values())
    assert not card.needs_role or card.prompts
    assert list(card.dimensions) == sorted(set(card.dimensions))
    assert not card.dimensions or card.dimensions[-1] == card.dimension
    assert set(card.quantization) <= {"int8", "binary"}
    assert card.licence in {"Apache-2.0", "MIT", "proprietary", ""}
    assert card.max_tokens >= 0
    assert card.parameters >= 0
    assert isinstance(card.similarity, Metric)
    assert all(isinstance(task, Task) for task in card.tasks)


@every
def test_a_row_says_what_its_kind_needs(card):
    assert (card.dimension == 0) == (card.kind is Kind.CROSS)
    assert (card.pooling is None) == (card.kind in (Kind.CROSS, Kind.REMOTE))
    assert (card.repository == "") == (card.kind is Kind.REMOTE) == (card.price is not None)
    assert card.hub or card.packed or card.kind is Kind.REMOTE
    assert (card.licence == "proprietary") == (card.kind is Kind.REMOTE)
    assert (card.max_tokens == 0) == (card.kind is Kind.STATIC)
    assert not (card.normalized and card.similarity is Metric.DOT)
    assert card.kind is not Kind.STATIC or (card.pooling is Pooling.MEAN and not card.torch)
    assert card.kind is not Kind.CROSS or len(card.tasks) == 1
    assert card.tasks or card.name.startswith("bert-base-uncased")


@every
def test_a_figure_says_what_was_measured_and_where_it_was_found(card):
    for figure in filter(None, (card.sts, card.retrieval)):
        assert 0 < figure.value < 100
        assert figure.measure
        assert figure.source.startswith("https://")


def test_benchmarks_of_one_name_have_one_source():
    figures = [figure for card in CATALOG for figure in (card.sts, card.retrieval) if figure]
    for measure in (STS, RETRIEVAL):
        assert len({figure.source for figure in figures if figure.measure == measure}) == 1


@every
def test_how_to_get_a_model_is_said(card):
    if card.hub and not card.package:
        assert card.install == f"nearsense models pull {card.name}"
    assert card.install
    assert replace(card, sha256={}).install == card.install


# What the files here say


@pytest.fixture(scope="module")
def folder():
    package = find_spec(CATALOG[0].package)
    return Path(next(iter(package.submodule_search_locations))) / "model"


def read(file):
    return json.loads(file.read_text())


def test_the_default_model_s_row_is_what_its_own_files_say(folder):
    card, pooling = CATALOG[0], read(folder / "1_Pooling" / "config.json")
    modules = [module["type"].rpartition(".")[2] for module in read(folder / "modules.json")]
    assert card.dimension == read(folder / "config.json")["hidden_size"] == pooling["word_embedding_dimension"]
    assert card.max_tokens == read(folder / "sentence_bert_config.json")["max_seq_length"]
    assert pooling["pooling_mode_mean_tokens"] is (card.pooling is Pooling.MEAN)
    assert card.normalized is (modules[-1] == "Normalize")


def test_the_default_model_s_parameters_are_those_of_its_weights(folder):
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", framework="numpy") as weights:
        shapes = {name: weights.get_slice(name).get_shape() for name in weights.keys()}  # noqa: SIM118
    total = 0
    for name, shape in shapes.items():
        size = 1
        for length in shape:
            size *= length
        total += 0 if name.endswith("position_ids") else size
    assert CATALOG[0].parameters == round(total / 1e6)


def test_the_default_model_s_files_have_the_published_hashes(folder):
    for name, published in CATALOG[0].sha256.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == published


SMALL = {"hidden_size": 384, "num_attention_heads": 12, "intermediate_size": 1536}
LARGE = {"hidden_size": 1024, "num_attention_heads": 16, "intermediate_size": 4096, "num_hidden_layers": 24}
MANY = {"vocab_size": 250002, "max_position_embeddings": 514, "type_vocab_size": 1}

BUILT_AS = [
    (
        "all-MiniLM-L6-v2 multi-qa-MiniLM-L6-cos-v1 msmarco-MiniLM-L6-cos-v5 paraphrase-MiniLM-L6-v2 "
        "snowflake-arctic-embed-xs ms-marco-MiniLM-L6-v2",
        "Bert",
        SMALL | {"num_hidden_layers": 6},
    ),
    (
        "all-MiniLM-L12-v2 msmarco-MiniLM-L12-cos-v5 e5-small-v2 bge-small-en-v1.5 gte-small "
        "snowflake-arctic-embed-s ms-marco-MiniLM-L12-v2",
        "Bert",
        SMALL | {"num_hidden_layers": 12},
    ),
    ("ms-marco-MiniLM-L2-v2", "Bert", SMALL | {"num_hidden_layers": 2}),
    ("ms-marco-MiniLM-L4-v2", "Bert", SMALL | {"num_hidden_layers": 4}),
    (
        "ms-marco-TinyBERT-L2-v2",
        "Bert",
        {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 512},
    ),
    (
        "bert-base-uncased bert-base-uncased-cls e5-base-v2 bge-base-en-v1.5 gte-base snowflake-arctic-embed-m "
        "snowflake-arctic-embed-m-v1.5",
        "Bert",
        {},
    ),
    ("e5-large-v2 bge-large-en-v1.5 gte-large snowflake-arctic-embed-l mxbai-embed-large-v1", "Bert", LARGE),
    ("LaBSE", "Bert", {"vocab_size": 501153}),
    ("multilingual-e5-small paraphrase-multilingual-MiniLM-L12-v2", "Bert", SMALL | {"vocab_size": 250037}),
    ("mmarco-mMiniLMv2-L12-H384-v1", "XLMRoberta", SMALL | MANY),
    ("multilingual-e5-base paraphrase-multilingual-mpnet-base-v2 bge-reranker-base", "XLMRoberta", MANY),
    ("multilingual-e5-large bge-reranker-large", "XLMRoberta", MANY | LARGE),
    (
        "bge-m3 bge-reranker-v2-m3 snowflake-arctic-embed-l-v2.0",
        "XLMRoberta",
        MANY | LARGE | {"max_position_embeddings": 8194},
    ),
    (
        "all-mpnet-base-v2 multi-qa-mpnet-base-dot-v1",
        "MPNet",
        {"vocab_size": 30527, "max_position_embeddings": 514},
    ),
    (
        "msmarco-distilbert-base-v4 msmarco-distilbert-base-tas-b msmarco-distilbert-dot-v5 "
        "msmarco-distilbert-cos-v5",
        "DistilBert",
        {},
    ),
    ("stsb-roberta-base quora-roberta-base", "Roberta", MANY | {"vocab_size": 50265}),
    ("stsb-roberta-large quora-roberta-large", "Roberta", MANY | LARGE | {"vocab_size": 50265}),
]


@in_turn(("names", "kind", "sizes"), BUILT_AS)
def test_parameters_are_those_of_the_architecture_as_transformers_builds_it(names, kind, sizes):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    with torch.device("meta"):
        model = getattr(transformers, f"{kind}Model")(getattr(transformers, f"{kind}Config")(**sizes))
    millions = sum(weight.numel() for weight in model.parameters()) / 1e6
    for name in names.split():
        assert card_of(name).parameters == pytest.approx(millions, abs=0.7), name


def test_what_transformers_builds_has_the_dimension_of_the_row():
    for names, _, sizes in BUILT_AS:
        for card in map(card_of, names.split()):
            assert card.dimension in (0, sizes.get("hidden_size", 768)), card.name


# recommend


@in_turn("task", list(Task))
@in_turn("languages", [["en"], ["de", "en"], ["no"]])
@in_turn("prefer", ["speed", "quality"])
def test_recommended_models_fit_and_none_that_fits_is_missing(task, languages, prefer):
    found = recommend(task, languages, prefer)
    fitting = {card.name for card in CATALOG if task in card.tasks and set(languages) <= set(card.languages)}
    assert [card.name for card in found] == list(dict.fromkeys(card.name for card in found))
    assert {card.name for card in found} == fitting


@in_turn("task", list(Task))
def test_quality_is_the_published_figure_among_comparable_ones(task):
    figures = [figure_for(task, card) for card in recommend(task) if card.kind is not Kind.REMOTE]
    measures = [figure.measure if figure else None for figure in figures]
    runs = [measure for place, measure in enumerate(measures) if place == 0 or measures[place - 1] != measure]
    assert len(runs) == len(set(runs)), "the figures of one measure stand together"
    assert None not in runs[:-1], "models without a figure come last"
    for first, second in pairwise(figures):
        if first and second and first.measure == second.measure:
            assert first.value >= second.value


def test_the_best_known_figure_wins():
    best = recommend("search")[0]
    assert best.retrieval.value == max(
        card.retrieval.value
        for card in CATALOG
        if card.retrieval and card.retrieval.measure == RETRIEVAL and Task.SEARCH in card.tasks
    )


def test_speed_puts_static_models_first_and_torch_behind():
    found = [card for card in recommend("search", prefer="speed") if card.kind is not Kind.REMOTE]
    static = [card.kind is Kind.STATIC for card in found]
    assert static == sorted(static, reverse=True)
    encoders = [card for card in found if card.kind is Kind.ENCODER]
    assert [(card.torch, card.parameters) for card in encoders] == sorted(
        (card.torch, card.parameters) for card in encoders
    )


@pytest.mark.parametrize("prefer", ["speed", "quality"])
def test_models_that_texts_would_leave_the_machine_for_come_last(prefer):
    remote = [card.kind is Kind.REMOTE for card in recommend("search", prefer=prefer)]
    assert any(remote)
    assert remote == sorted(remote)


def test_recommended_here_are_models_that_are_here():
    assert "all-MiniLM-L6-v2" in [card.name for card in recommend("similarity", here=True)]
    assert len(recommend("similarity", here=True)) < len(recommend("similarity"))


def test_one_language_may_be_given_as_a_word_in_any_case():
    assert recommend("search", "DE") == recommend("search", ["de"])


def test_an_unknown_task_is_refused_with_those_that_are_known():
    with pytest.raises(InputError, match="similarity, search, rerank, duplicates"):
        recommend("poetry")


def test_an_unknown_preference_is_refused_with_those_that_are_known():
    with pytest.raises(InputError, match="speed, quality"):
        recommend("search", prefer="price")


@pytest.mark.parametrize("code", ["xx", "english", ""])
def test_an_unknown_language_is_refused_with_those_that_are_known(code):
    with pytest.raises(InputError, match=r"known are af, .*, zu"):
        recommend("search", ["en", code])


def test_known_languages_are_in_order():
    assert known_languages() == sorted(set(known_languages()))


# The table of docs/models.md


def table() -> list[str]:
    """The lines of the table in docs/models.md, as the catalogue has them: paste them there."""
    head = [
        "model",
        "kind",
        "dimensions",
        "tokens",
        "parameters, M",
        "languages",
        "licence",
        "made for",
        "STS",
        "retrieval",
    ]
    rules = ["---", "---", "--:", "--:", "--:", "--:", "---", "---", "--:", "--:"]
    return [_line(head), _line(rules), *(_line(_row(card)) for card in CATALOG)]


def _line(cells: list[str]) -> str:
    return re.sub(" +", " ", f"| {' | '.join(cells)} |")


def _row(card) -> list[str]:
    languages = ", ".join(card.languages) if len(card.languages) <= 3 else str(len(card.languages))
    return [
        card.name,
        card.kind.value,
        str(card.dimension or ""),
        str(card.max_tokens or ""),
        str(card.parameters or ""),
        languages,
        card.licence,
        ", ".join(task.value for task in card.tasks),
        _figure(card.sts, STS),
        _figure(card.retrieval, RETRIEVAL),
    ]


def _figure(figure, usual: str) -> str:
    if figure is None:
        return ""
    return f"{figure.value:.1f}" if figure.measure == usual else f"({figure.value:.1f})"


def test_the_table_in_the_docs_is_the_catalogue():
    shown = [line for line in DOCS.read_text().splitlines() if line.startswith("|")]
    begin = shown.index(table()[0])
    assert shown[begin : begin + len(table())] == table(), "\n".join(table())
    assert shown[begin + len(table()) :] == [] or not shown[begin + len(table())].startswith("| all-")


def test_every_measure_of_the_catalogue_is_explained_in_the_docs():
    text = " ".join(DOCS.read_text().split())
    for card in CATALOG:
        for figure in filter(None, (card.sts, card.retrieval)):
            assert figure.measure in text, figure.measure
