"""The drop-in beside sentence-transformers itself: what its documentation shows, with only the import changed."""

from __future__ import annotations

import contextlib
import inspect
import io
import re

import numpy as np
import pytest

from nearsense.encoders.folder import find
from nearsense.errors import InputError, UnsupportedModel
from turns import in_turn

theirs = pytest.importorskip("sentence_transformers", reason="needs the extra 'test' (with torch)")
torch = pytest.importorskip("torch")

from nearsense.integrations import sentence_transformers as ours  # noqa: E402

FOLDER = str(find("all-MiniLM-L6-v2").path)
HEAD = "from sentence_transformers import SentenceTransformer, SimilarityFunction, LoggingHandler, util\n"
LOAD = 'model = SentenceTransformer("all-MiniLM-L6-v2")\n'

SENTENCES = """
sentences = [
    "My parcel is late",
    "How do I change my password?",
    "The soup was cold",
    "Your app is wonderful",
    "The delivery has not come yet",
    "A train to Oslo leaves at noon",
    "I love this app",
    "Where can I reset my password?",
]
"""
CORPUS = """
corpus = [
    "The cook is making soup.",
    "The cook is making a large pot of soup.",
    "A cook prepares a meal.",
    "A child is painting a house.",
    "A house is painted by a child.",
    "The farmer drives a tractor.",
    "The farmer drives a red tractor across a field.",
    "An otter is cracking a shell.",
    "An animal opens a shell with a stone.",
    "A falcon dives at a pigeon.",
    "A falcon is hunting a pigeon above the roofs.",
]
"""
EXAMPLES = {
    "usage": LOAD
    + """
vectors = model.encode(["It rains all day.", "The weather is wet!", "She sold her car."])
print(vectors.shape, type(vectors).__name__)
print(model.similarity(vectors, vectors))
""",
    "encode": LOAD
    + SENTENCES
    + """
import logging
logging.basicConfig(level=logging.INFO, handlers=[LoggingHandler()])
for vector in model.encode(sentences):
    print(vector[:5])
print(model.encode("one sentence").shape, model.encode(["one"]).shape, model.encode([]).shape)
""",
    "options of encode": LOAD
    + SENTENCES
    + """
for how in (
    {"convert_to_tensor": True}, {"convert_to_numpy": False}, {"normalize_embeddings": True}, {"truncate_dim": 32},
    {"batch_size": 2, "show_progress_bar": False}, {"prompt": "query: "}, {"precision": "binary"},
    {"precision": "ubinary"}, {"convert_to_tensor": True, "truncate_dim": 16},
    {"output_value": "token_embeddings"},
):
    for given in (sentences, sentences[0], tuple(sentences[:2])):
        made = model.encode(given, **how)
        print(type(made).__name__, len(made), type(made[0]).__name__, getattr(made, "shape", ""), made[0])
print(model.max_seq_length, model.get_embedding_dimension(), model.similarity_fn_name)
with model.truncate_embeddings(8):
    print(model.encode(sentences[0]))
""",
    "prompts": """
model = SentenceTransformer("all-MiniLM-L6-v2", prompts={"topic": "What is this about: ", "query": "query: "})
print(model.encode("A cake with plums", prompt_name="topic"))
print(model.encode_query("A cake with plums"), model.encode_document(["A cake with plums"]))
model.default_prompt_name = "topic"
print(model.encode("A cake with plums"))
""",
    "similarity": LOAD
    + SENTENCES
    + """
one, other = model.encode(sentences[:3]), model.encode(sentences[3:6])
scores = model.similarity(one, other)
for row in range(3):
    print([f"{scores[row][column]:.4f}" for column in range(3)])
for name in (SimilarityFunction.MANHATTAN, SimilarityFunction.DOT_PRODUCT, "euclidean"):
    model.similarity_fn_name = name
    print(model.similarity_fn_name, model.similarity(one, other), model.similarity_pairwise(one, other))
print(util.cos_sim(one[0], other), util.pairwise_cos_sim(one, other))
print(util.dot_score(one.tolist(), torch.tensor(other)))
""",
    "search by torch": LOAD
    + CORPUS
    + """
known = model.encode_document(corpus, convert_to_tensor=True)
for query in ("Somebody cooks.", "A tool for opening mussels", "birds of prey"):
    asked = model.encode_query(query, convert_to_tensor=True)
    scores, rows = torch.topk(model.similarity(asked, known)[0], k=min(5, len(corpus)))
    for score, row in zip(scores, rows):
        print(f"{score:.4f}", corpus[row])
""",
    "semantic_search": LOAD
    + CORPUS
    + """
known = model.encode(corpus, convert_to_tensor=True)
for query in ("A tool for opening mussels", "birds of prey"):
    for hit in util.semantic_search(model.encode(query, convert_to_tensor=True), known, top_k=5)[0]:
        print(corpus[hit["corpus_id"]], "{:.4f}".format(hit["score"]))
unit = util.normalize_embeddings(known)
print(util.semantic_search(unit[:2], unit, score_function=util.dot_score, top_k=3))
print([len(each) for each in util.semantic_search(unit[:2], unit, top_k=99)])
""",
    "paraphrase_mining": LOAD
    + SENTENCES
    + """
from sentence_transformers.util import paraphrase_mining
pairs = paraphrase_mining(model, sentences)
for score, i, j in pairs[:10]:
    print(f"{sentences[i]} | {sentences[j]} | {score:.4f}")
print(len(pairs), len(util.paraphrase_mining(model, sentences, max_pairs=4, top_k=2)))
""",
    "community_detection": LOAD
    + CORPUS
    + """
known = model.encode(corpus, batch_size=64, show_progress_bar=False, convert_to_tensor=True)
for group in util.community_detection(known, min_community_size=2, threshold=0.5):
    print(len(group), [corpus[row] for row in group])
""",
    "k-means": LOAD
    + CORPUS
    + """
from sklearn.cluster import KMeans
print(KMeans(n_clusters=5, random_state=0).fit(model.encode(corpus)).labels_)
""",
}


def printed(example: str, package: str, name: str) -> str:
    """What an example prints with the one library or the other, the model being the same folder for both."""
    code = (HEAD + example).replace("sentence_transformers", package).replace("all-MiniLM-L6-v2", name)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, package, "exec"), {"torch": torch})
    return out.getvalue()


NUMBER = re.compile(r"-?\d+\.\d*(?:e[-+]?\d+)?")


@in_turn("example", EXAMPLES.values())
@pytest.mark.filterwarnings("ignore")
def test_documented_examples_print_the_same_with_only_the_import_changed(example):
    here = printed(example, "nearsense.integrations.sentence_transformers", "all-MiniLM-L6-v2")
    there = printed(example, "sentence_transformers", FOLDER)
    words = [
        " ".join(NUMBER.sub("#", each).replace("[ ", "[").replace(" ]", "]").split()) for each in (here, there)
    ]
    assert words[0] == words[1]
    assert len(here) > 20
    numbers = [np.array([float(each) for each in NUMBER.findall(text)]) for text in (here, there)]
    np.testing.assert_allclose(*numbers, atol=2e-4)


@pytest.fixture(scope="module")
def models():
    return ours.SentenceTransformer(), theirs.SentenceTransformer(FOLDER, device="cpu")


def many(seed=0, rows=300, size=24):
    """Vectors in loose groups, so that pairs and communities are to be found."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((20, size))
    made = centres[random.integers(20, size=rows)] + 0.7 * random.standard_normal((rows, size))
    return made.astype(np.float32)


@in_turn("how", [{}, {"top_k": 3}, {"max_pairs": 50}, {"top_k": 1000}])
def test_mined_pairs_are_those_of_the_library(how):
    data = many()
    mine = ours.paraphrase_mining_embeddings(data, **how)
    known = theirs.util.paraphrase_mining_embeddings(torch.tensor(data), **how)
    np.testing.assert_allclose([pair[0] for pair in mine], [pair[0] for pair in known], atol=1e-5)
    assert {(i, j) for _, i, j in mine} == {(i, j) for _, i, j in known}
    dot = [
        lib.util.paraphrase_mining_embeddings(torch.tensor(data), top_k=5, score_function=lib.util.dot_score)
        for lib in (ours, theirs)
    ]
    assert {(i, j) for _, i, j in dot[0]} == {(i, j) for _, i, j in dot[1]}


@in_turn("score", ["cos_sim", "dot_score", "euclidean_sim", "manhattan_sim"])
def test_hits_are_those_of_the_library(score):
    queries, corpus = many(1, 40), many(2, 500)
    found = [
        lib.util.semantic_search(
            torch.tensor(queries), torch.tensor(corpus), score_function=getattr(lib.util, score)
        )
        for lib in (ours, theirs)
    ]
    assert [[hit["corpus_id"] for hit in hits] for hits in found[0]] == [
        [hit["corpus_id"] for hit in hits] for hits in found[1]
    ]
    scores = [[hit["score"] for hits in each for hit in hits] for each in found]
    np.testing.assert_allclose(*scores, rtol=1e-4, atol=1e-4)


def test_a_score_of_ones_own_is_used_as_it_is():
    queries, corpus = many(1, 7), many(2, 50)

    def score(a, b):
        return -(a[:, None] - b[None]).abs().max(dim=2).values

    found = [
        lib.util.semantic_search(
            torch.tensor(queries), torch.tensor(corpus), top_k=4, score_function=score, query_chunk_size=3
        )
        for lib in (ours, theirs)
    ]
    assert [[hit["corpus_id"] for hit in hits] for hits in found[0]] == [
        [hit["corpus_id"] for hit in hits] for hits in found[1]
    ]


@in_turn("threshold", [0.5, 0.75, 0.9])
@in_turn("least", [2, 5, 10])
def test_communities_are_those_of_the_library(threshold, least):
    data = many(3, 400)
    how = {"threshold": threshold, "min_community_size": least}
    mine, known = ours.community_detection(data, **how), theirs.util.community_detection(torch.tensor(data), **how)
    assert [set(each) for each in mine] == [set(each) for each in known]
    assert [each[0] for each in mine] == [each[0] for each in known]


def test_bytes_are_those_of_the_library(models):
    texts = [f"The {colour} car number {n}." for n in range(10) for colour in ("red", "blue")]
    for precision in ("int8", "uint8", "binary", "ubinary"):
        mine, known = (each.encode(texts, precision=precision) for each in models)
        assert mine.dtype == known.dtype
        assert mine.shape == known.shape
        differ = np.abs(mine.astype(int) - known.astype(int)) > ("int" in precision)
        assert differ.mean() < 0.001


def test_a_shorter_limit_cuts_as_in_the_library(models):
    text = "The late parcel of the customer is at the door of the wrong house again. " * 8
    mine, known = models
    before = known.max_seq_length
    try:
        mine.max_seq_length = known.max_seq_length = 12
        with pytest.warns(UserWarning, match="12"):
            made = mine.encode(text)
        np.testing.assert_allclose(made, known.encode(text), atol=1e-5)
    finally:
        mine._encoder, known.max_seq_length = ours.SentenceTransformer()._encoder, before
    with pytest.raises(InputError, match="limit of 600"):
        mine.max_seq_length = 600


def test_what_is_not_understood_is_said():
    with pytest.raises(UnsupportedModel, match="trust_remote_code"):
        ours.SentenceTransformer("all-MiniLM-L6-v2", trust_remote_code=True)
    model = ours.SentenceTransformer("sentence-transformers/all-MiniLM-L6-v2")
    for how in (
        {"precision": "int4"},
        {"output_value": None},
        {"prompt_name": "passages"},
        {"colour": 1},
        {"batch_size": 0},
    ):
        with pytest.raises(ValueError, match=r"\w"):
            model.encode("a", **how)
    with pytest.raises(InputError, match="similarity_fn_name"):
        model.similarity_fn_name = "maxsim"


def test_without_torch_arrays_come_back(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    model = ours.SentenceTransformer()
    made = model.encode(["a cat", "a kitten"])
    assert isinstance(model.similarity(made, made), np.ndarray)
    assert ours.semantic_search(made[0], made)[0][0]["corpus_id"] == 0
    with pytest.raises(ImportError, match="torch"):
        model.encode("a cat", convert_to_tensor=True)


def test_every_option_of_the_library_is_taken_and_no_other():
    known = inspect.signature(theirs.SentenceTransformer).parameters.keys() - {"model_name_or_path", "modules"}
    assert ours.SentenceTransformer(FOLDER, **dict.fromkeys(known - {"trust_remote_code"}))
    with pytest.raises(InputError, match=r"truncate_dims=\.\.\. is not known"):
        ours.SentenceTransformer(FOLDER, truncate_dims=128)
