"""Encoders in BERTopic, KeyBERT and SetFit themselves, where they are installed (make test-kits)."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from nearsense.errors import MissingExtra
from nearsense.integrations.sentence_transformers import SentenceTransformer
from nearsense.integrations.topics import as_bertopic, as_keybert

SPORT = ["The team won the match.", "A late goal decided the game.", "The striker scored twice in the final."]
MONEY = ["The bank raised interest rates.", "Inflation makes loans dearer.", "The central bank cut rates."]
TEXTS = [f"{text} It was on day {day}." for day in range(4) for text in SPORT + MONEY]

pytestmark = pytest.mark.filterwarnings("ignore")  # what these libraries warn of is theirs


@pytest.mark.parametrize(("library", "backend"), [("bertopic", as_bertopic), ("keybert", as_keybert)])
def test_a_library_that_is_missing_is_named(library, backend):
    if importlib.util.find_spec(library):
        pytest.skip("it is here")
    with pytest.raises(MissingExtra) as caught:
        backend()
    assert caught.value.fix == f"pip install {library}"


def test_keybert_finds_the_keywords_nearest_to_the_text(encoder):
    keybert = pytest.importorskip("keybert")
    model = keybert.KeyBERT(as_keybert(encoder))
    found = dict(model.extract_keywords("The central bank raised interest rates again on Monday.", top_n=3))
    text = encoder.encode("The central bank raised interest rates again on Monday.").data[0]
    words = encoder.encode([*found]).data
    assert np.allclose([*found.values()], words @ text, atol=2e-3)
    assert {"rates", "bank", "interest"} & {*found}
    assert model.model.embed(["é", "ü"]).shape == (2, encoder.dimension)


def test_bertopic_tells_topics_apart(encoder):
    bertopic = pytest.importorskip("bertopic")
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA

    model = bertopic.BERTopic(
        embedding_model=as_bertopic(encoder),
        umap_model=PCA(2, random_state=0),
        hdbscan_model=KMeans(2, random_state=0, n_init=5),
    )
    topics, _ = model.fit_transform(TEXTS)
    sport = {topic for topic, text in zip(topics, TEXTS, strict=True) if any(text.startswith(s) for s in SPORT)}
    assert len(sport) == 1
    assert len({*topics}) == 2
    found, _ = model.transform(["The goalkeeper saved the match."])
    assert {*found} == sport
    assert model.find_topics("football", top_n=1)[0] == [*sport]


def test_setfit_learns_a_head_over_the_drop_in():
    setfit = pytest.importorskip("setfit", exc_type=ImportError)
    from sklearn.linear_model import LogisticRegression

    model = setfit.SetFitModel(model_body=SentenceTransformer("all-MiniLM-L6-v2"), model_head=LogisticRegression())
    model.fit(SPORT + MONEY, ["sport"] * 3 + ["money"] * 3, num_epochs=1)
    assert model.predict(["The striker missed a goal.", "A loan from the bank."]).tolist() == ["sport", "money"]
