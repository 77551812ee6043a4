"""What tokenizers of every kind leave of the words of a text."""

from __future__ import annotations

import pytest

from nearsense.encoders.tokenizer import Tokenizer
from nearsense.encoders.words import essence
from turns import in_turn


def made(tmp_path, model, before, normalizer=None, **options):
    from tokenizers import Tokenizer as Engine

    engine = Engine(model)
    engine.pre_tokenizer = before
    if normalizer is not None:
        engine.normalizer = normalizer
    engine.save(str(tmp_path / "tokenizer.json"))
    return Tokenizer(tmp_path / "tokenizer.json", **options)


def words(tmp_path, **options):
    from tokenizers import models, normalizers, pre_tokenizers

    known = {"[UNK]": 0, "a": 1, "cat": 2, "sat": 3, "cafe": 4}
    model = models.WordLevel(known, unk_token="[UNK]")
    return made(tmp_path, model, pre_tokenizers.Whitespace(), normalizers.BertNormalizer(), **options)


@pytest.mark.parametrize("skip", [False, True])
def test_words_without_a_token_are_unknown_even_where_the_model_wants_none_of_them(tmp_path, skip):
    (found,) = words(tmp_path, skip_unknown=skip).sees(["a cat 😀 sat \U000f0000 café"], None)
    assert found.words == ("a", "cat", "😀", "sat", "\U000f0000", "café")
    assert found.known == (True, True, False, True, False, True)
    assert found.tokens[-1] == (4,)
    assert not found.cut


def test_what_is_read_is_the_beginning_or_of_some_tokenizers_the_end(tmp_path):
    for left, span in ((False, (0, 2)), (True, (1, 3))):
        (found,) = words(tmp_path, left=left).sees(["a cat sat"], 2)
        assert ((found.begin, found.end), found.cut) == (span, True)


def test_tokenizers_of_bytes_know_everything(tmp_path):
    from tokenizers import models, pre_tokenizers

    letters = pre_tokenizers.ByteLevel.alphabet()
    model = models.BPE({letter: place for place, letter in enumerate(letters)}, [])
    tokenizer = made(tmp_path, model, pre_tokenizers.ByteLevel(add_prefix_space=False))
    assert tokenizer.knows_ascii
    assert all(tokenizer.sees(["a 😀 café"], None)[0].known)


def test_a_vocabulary_without_all_letters_is_asked_for_every_text(tmp_path):
    from tokenizers import models, pre_tokenizers

    model = models.Unigram([("<unk>", 0.0), ("▁", -1.0), ("a", -1.0), ("cat", -2.0)], unk_id=0)
    tokenizer = made(tmp_path, model, pre_tokenizers.Metaspace())
    assert not tokenizer.knows_ascii
    assert tokenizer.sees(["a cat sat"], None)[0].known == (True, True, False)


@in_turn(
    ("a", "b", "same"),
    [
        ("Straße", "STRASSE", True),
        ("ﬁne", "fine", True),
        ("❤\ufe0f", "❤", True),
        ("…", "", True),
        ("zahlen", "zählen", False),
        ("x²", "x2", False),
        ("🇩🇪", "🇫🇷", False),
        ("\ue000", "\ue001", False),
        ("C++", "C", False),
    ],
)
def test_the_essence_of_a_word_is_what_changes_its_sense(a, b, same):
    assert (essence(a) == essence(b)) is same
