"""What goes wrong is one clear line with what to type, and what was learnt before is kept."""

from __future__ import annotations

import numpy as np
import pytest

import nearsense as ns
from nearsense.errors import FileError, InputError, UnsupportedModel
from nearsense.training import trainer
from nearsense.training.examples import Examples, Kind
from training import made


def rows(*texts):
    return [{"text": text, "label": label} for text, label in texts]


SAME = Examples(kind=Kind.POSITIVES, texts=(["alike"] * 30, ["alike"] * 30))


@pytest.mark.parametrize(
    ("examples", "options", "what"),
    [
        ([("a", "b", 1.0), ("c", "d", 0.0), ("e", "f", 0.5)], {}, "3 examples"),
        ([(f"text {at}", "one") for at in range(30)], {"kind": "classes"}, "one class only"),
        ([(f"text {at}", f"other {at}", True) for at in range(30)], {}, "of one class"),
        (Examples(kind=Kind.LABELLED, texts=(["a"] * 20, ["b"] * 20), truth=[True] * 20), {}, "one class only"),
        ([(f"text {at}", f"of {at}") for at in range(30)], {"kind": "classes"}, "no class has two texts"),
        (SAME, {}, "all texts are equal, 'alike'"),
        (made.graded(30), {"loss": "triplet"}, "learns nothing from examples that are graded"),
        (made.graded(30), {"loss": "magic"}, "loss='magic' is not known"),
        (made.graded(30), {"cross": True, "loss": "cosine"}, "is not for a cross-encoder"),
        (made.graded(30), {"dev": 0.6, "test": 0.6}, "leave nothing to learn from"),
        (made.graded(30), {"test": made.classes(20)}, "holds classes"),
        (made.graded(30), {"steps": 0.5}, "steps=0.5"),
        (made.graded(30), {"precision": "int8"}, "precision='int8' is not known"),
    ],
)  # fmt: skip
def test_what_nothing_can_be_learnt_from_is_refused_in_one_line(tmp_path, parent, examples, options, what):
    with pytest.raises(InputError) as caught:
        ns.train(examples, encoder=parent, output=tmp_path / "new", **options)
    assert what in caught.value.what
    assert "\n" not in caught.value.what
    assert list(tmp_path.iterdir()) == [], "nothing is left"


def test_columns_that_teach_nothing_are_named(tmp_path, parent):
    file = tmp_path / "wrong.csv"
    file.write_text("name,price\n" + "".join(f"thing {at},{at}\n" for at in range(20)))
    with pytest.raises(FileError) as caught:
        ns.train(file, encoder=parent, output=tmp_path / "new")
    assert "name, price" in str(caught.value)
    assert "--columns" in caught.value.fix


def test_a_model_without_weights_here_is_not_trained(tmp_path):
    class Own(ns.Encoder):
        name, dimension, max_tokens, fingerprint = "own", 2, 9, "0" * 64

        def encode(self, texts, **_):
            return ns.Vectors(
                np.ones((len(texts), 2), np.float32), self.fingerprint, np.zeros(len(texts), bool), "own"
            )

    with pytest.raises(UnsupportedModel, match="own cannot be trained"):
        ns.train(made.graded(30), encoder=Own(), output=tmp_path / "new")


def test_nothing_is_written_over_and_no_unfinished_run_is_lost(tmp_path, parent):
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match="there is there already"):
        ns.train(made.graded(30), encoder=parent, output=tmp_path / "there")
    with pytest.raises(FileError, match="there is no folder"):
        ns.train(made.graded(30), encoder=parent, output=tmp_path / "no" / "new")
    with pytest.raises(InputError, match="there is no unfinished run"):
        ns.train(made.graded(30), encoder=parent, output=tmp_path / "new", resume=True)
    (tmp_path / "new.training").mkdir()
    (tmp_path / "new.training" / "run.json").write_text('{"parent": "another"}')
    with pytest.raises(InputError, match="holds an unfinished run"):
        ns.train(made.graded(30), encoder=parent, output=tmp_path / "new")
    with pytest.raises(InputError, match="of another kind"):
        ns.train(made.graded(30), encoder=parent, output=tmp_path / "new", resume=True)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["new.training", "there"]


@pytest.fixture
def kept_always(monkeypatch):
    """A checkpoint after each step, not only after half a minute."""
    monkeypatch.setattr(trainer, "KEPT_EVERY", 0.0)


def stopped(step, error):
    def progress(done, total):
        if done == step:
            raise error

    return progress


def test_after_ctrl_c_the_run_goes_on_and_ends_as_if_nothing_had_been(tmp_path, parent, kept_always):
    examples, options = made.graded(60), {"test": False, "lr": 1e-3, "epochs": 4, "precision": "f32"}
    whole = ns.train(examples, encoder=parent, output=tmp_path / "whole", **options)
    with pytest.raises(KeyboardInterrupt) as caught:
        ns.train(
            examples, encoder=parent, output=tmp_path / "new", progress=stopped(6, KeyboardInterrupt()), **options
        )
    what, _, fix = caught.value.args
    assert what == f"step 5 of 8 is kept in {tmp_path / 'new.training'}"
    assert "resume=True" in fix
    with pytest.raises(InputError, match="differs in: lr"):
        ns.train(examples, encoder=parent, output=tmp_path / "new", resume=True, **options | {"lr": 2e-3})
    seen = []
    again = ns.train(
        examples, encoder=parent, output=tmp_path / "new", resume=True,
        progress=lambda done, total: seen.append((done, total)), **options,
    )  # fmt: skip
    assert [pair for pair in seen if pair[1] == 8][:2] == [(5, 8), (6, 8)], "nothing is learnt twice"
    assert again.curve == whole.curve
    texts = ["w1 w2", "w9 w50"]
    one, other = (ns.load(str(tmp_path / name)).encode(texts).data for name in ("whole", "new"))
    np.testing.assert_array_equal(one, other)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["new", "whole"]


def test_a_loss_that_is_no_number_ends_the_run_and_the_last_good_model_is_kept(tmp_path, parent, monkeypatch):
    from sentence_transformers.sentence_transformer.losses import CosineSimilarityLoss

    forward, calls = CosineSimilarityLoss.forward, []

    def spoilt(self, *given):
        calls.append(self.model.training)
        return forward(self, *given) * (float("nan") if sum(calls) == 4 else 1.0)

    monkeypatch.setattr(CosineSimilarityLoss, "forward", spoilt)
    held = made.graded(32, seed=7)
    with pytest.raises(InputError) as caught:
        ns.train(made.graded(60), encoder=parent, output=tmp_path / "new", dev=held, test=False, epochs=4)
    assert caught.value.what == "the loss is no number any more, in step 4 of 8"
    assert "--lr 2e-06" in caught.value.fix
    kept = tmp_path / "new.training" / "best"
    assert str(kept) in caught.value.fix
    assert ns.load(str(kept)).encode(["w1 w2"]).data.shape == (1, 32)
    assert not (tmp_path / "new").exists()


def test_a_rate_that_is_far_too_high_is_said_to_be(tmp_path, parent):
    with pytest.raises(InputError, match="no number any more") as caught:
        ns.train(made.graded(60), encoder=parent, output=tmp_path / "new", test=False, epochs=8, lr=1e30)
    assert "the learning rate, 1e+30" in caught.value.why
