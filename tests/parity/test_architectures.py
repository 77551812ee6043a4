"""Every architecture, pooling and chain of modules against sentence-transformers, with random weights."""

from __future__ import annotations

import random

import numpy as np
import pytest

import nearsense as ns
from samples import some_of

hubs = pytest.importorskip("hubs", reason="needs the extra 'test' (with torch)")
from sentence_transformers.sentence_transformer import modules as st  # noqa: E402


@pytest.fixture(scope="module")
def texts():
    """Of all lengths: from nothing to beyond the limit."""
    chance = random.Random(1)
    words = [*hubs.WORDS, "xylophone", "Zürich", "42", "it's", "dog?!", "日本"]
    made = [" ".join(chance.choices(words, k=chance.randrange(1, 30))) for _ in range(60)]
    return ["the dog", "a", "", "rain and wind " * 40, *made]


def cosines(ours, theirs):
    ours, theirs = (each.astype(np.float64) for each in (ours, theirs))
    return (ours * theirs).sum(axis=1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)


def assert_same(folder, texts, *, least=0.99999, engine="Runner", **options):
    theirs = hubs.reference(folder, texts, normalize_embeddings=True, **options)
    encoder = ns.load(str(folder), precision="f32")
    assert encoder._engine.__class__.__name__ == engine
    ours = encoder.encode(texts, long="head", role=options.get("prompt_name"))
    assert ours.data.shape == theirs.shape
    assert encoder.dimension == theirs.shape[1]
    assert cosines(ours.data, theirs).min() >= least


NATIVE = [kind for kind in hubs.ARCHITECTURES if kind != "electra"]


@pytest.mark.parametrize("kind", NATIVE)
def test_an_architecture_gives_the_vectors_of_sentence_transformers(tmp_path, texts, kind):
    assert_same(hubs.bi_encoder(tmp_path / "model", kind), texts)


POOLINGS = ["mean", "cls", "max", "lasttoken", "mean_sqrt_len_tokens", "weightedmean"]


@pytest.mark.parametrize("mode", some_of(POOLINGS, "cls", "max", "lasttoken", "weightedmean"))
@pytest.mark.parametrize("kind", some_of(["bert", "xlm-roberta"], "bert"))
def test_a_pooling_gives_the_vectors_of_sentence_transformers(tmp_path, texts, kind, mode):
    assert_same(hubs.bi_encoder(tmp_path / "model", kind, st.Pooling(hubs.HIDDEN, mode)), texts)


def test_several_poolings_are_put_end_to_end(tmp_path, texts):
    pooling = st.Pooling(hubs.HIDDEN, ("cls", "mean", "max"))
    assert_same(hubs.bi_encoder(tmp_path / "model", "bert", pooling), texts)


def torch_module(name):
    return getattr(hubs.torch.nn, name)()


@pytest.mark.parametrize(
    "chain",
    [
        lambda: [st.Dense(32, 16, activation_function=torch_module("Tanh"))],
        lambda: [st.Dense(32, 48, bias=False, activation_function=torch_module("Identity")), st.Normalize()],
        lambda: [st.Dense(32, 48, activation_function=torch_module("ReLU")), st.Dense(48, 8), st.Normalize()],
        lambda: [st.Dense(32, 20, activation_function=torch_module("GELU")), st.LayerNorm(20)],
        lambda: [st.Normalize(), st.Dense(32, 20, activation_function=torch_module("Sigmoid"))],
        lambda: [st.Dropout(0.1), st.LayerNorm(32), st.Normalize()],
    ],
    ids=["tanh", "identity", "two", "gelu and norm", "normalize first", "dropout"],
)
@pytest.mark.parametrize("kind", ["mpnet", pytest.param("distilbert", marks=pytest.mark.slow)])
def test_a_chain_of_modules_gives_the_vectors_of_sentence_transformers(tmp_path, texts, kind, chain):
    assert_same(hubs.bi_encoder(tmp_path / "model", kind, st.Pooling(hubs.HIDDEN), *chain()), texts)


def test_lengths_of_vectors_are_kept_where_unit_length_is_not_asked_for(tmp_path, texts):
    folder = hubs.bi_encoder(tmp_path / "model", "mpnet", st.Pooling(hubs.HIDDEN), st.Dense(32, 16))
    ours = ns.load(str(folder), precision="f32").encode(texts, long="head", normalize=False).data
    np.testing.assert_allclose(ours, hubs.reference(folder, texts), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("role", ["query", "passage"])
def test_prompts_are_those_of_the_folder(tmp_path, texts, role):
    prompts = {"query": "the king: ", "passage": "a stone: "}
    assert_same(hubs.bi_encoder(tmp_path / "model", "bert", prompts=prompts), texts, prompt_name=role)


def test_a_default_prompt_is_used_where_no_role_is_given(tmp_path, texts):
    folder = hubs.bi_encoder(tmp_path / "model", "bert", prompts={"query": "the king: "})
    hubs.changed(folder / "config_sentence_transformers.json", default_prompt_name="query")
    assert_same(folder, texts)


def test_small_letters_are_made_where_the_folder_says_so(tmp_path):
    folder = hubs.bi_encoder(tmp_path / "model", "roberta")
    hubs.changed(folder / "sentence_bert_config.json", do_lower_case=True)
    assert_same(folder, ["The DOG", "ÄPFEL", "milk"])


@pytest.mark.parametrize("kind", ["roberta", "mpnet"])
def test_a_limit_beyond_the_positions_is_lowered_to_them(tmp_path, kind):
    folder = hubs.bi_encoder(tmp_path / "model", kind)
    hubs.changed(folder / "tokenizer_config.json", model_max_length=int(1e30))
    encoder = ns.load(str(folder), precision="f32")
    assert encoder.max_tokens == hubs.POSITIONS - 2
    assert encoder.encode("dog " * 100, long="head").truncated.all()


def test_a_folder_without_modules_is_pooled_by_the_mean(tmp_path, texts):
    assert_same(hubs.transformer(tmp_path / "model", "bert"), texts)


def test_names_of_the_first_checkpoints_are_known(tmp_path, texts):
    from safetensors.numpy import load_file, save_file

    folder = hubs.transformer(tmp_path / "model", "bert")
    theirs = hubs.reference(folder, texts, normalize_embeddings=True)
    weights = folder / "model.safetensors"
    old = {".LayerNorm.weight": ".LayerNorm.gamma", ".LayerNorm.bias": ".LayerNorm.beta"}

    def renamed(name):
        return "bert." + next(
            (name.removesuffix(new) + was for new, was in old.items() if name.endswith(new)), name
        )

    save_file({renamed(name): tensor for name, tensor in load_file(weights).items()}, weights)
    ours = ns.load(str(folder), precision="f32").encode(texts, long="head").data
    assert cosines(ours, theirs).min() >= 0.99999


@pytest.mark.parametrize("kind", some_of(["float16", "bfloat16"], "bfloat16"))
def test_weights_in_half_precision_are_read(tmp_path, texts, kind):
    folder = hubs.transformer(tmp_path / "model", "bert")
    with hubs.quiet():
        model = hubs.transformers.AutoModel.from_pretrained(folder, dtype=getattr(hubs.torch, kind))
        model.save_pretrained(folder)
        whole = hubs.sentence_transformers.SentenceTransformer(
            str(folder), device="cpu", model_kwargs={"dtype": hubs.torch.float32}
        )
    theirs = whole.encode(texts, normalize_embeddings=True)
    ours = ns.load(str(folder), precision="f32").encode(texts, long="head").data
    assert cosines(ours, theirs).min() >= 0.99999


def test_weights_in_several_files_are_read(tmp_path, texts):
    folder = hubs.transformer(tmp_path / "model", "bert")
    theirs = hubs.reference(folder, texts, normalize_embeddings=True)
    with hubs.quiet():
        model = hubs.transformers.AutoModel.from_pretrained(folder)
        (folder / "model.safetensors").unlink()
        model.save_pretrained(folder, max_shard_size="20KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    ours = ns.load(str(folder), precision="f32").encode(texts, long="head").data
    assert cosines(ours, theirs).min() >= 0.99999


def test_static_embeddings_are_the_mean_of_a_table(tmp_path):
    texts = ["the dog and the cat", "rain", "xyz 42", "the king " * 700]
    assert_same(hubs.static(tmp_path / "model"), texts, engine="StaticEngine")


def test_static_embeddings_may_have_a_row_for_several_tokens_and_weights(tmp_path):
    from safetensors.numpy import save_file

    folder = tmp_path / "model"
    folder.mkdir()
    tokenizer, chance = hubs.wordpiece(), np.random.default_rng(0)
    size = tokenizer.get_vocab_size()
    tokenizer.save(str(folder / "tokenizer.json"))
    table = chance.normal(size=(20, 8)).astype(np.float16)
    mapping, weights = chance.integers(0, 20, size), chance.random(size)
    save_file({"embeddings": table, "mapping": mapping, "weights": weights}, folder / "model.safetensors")
    (folder / "config.json").write_text('{"model_type": "model2vec", "normalize": true}')
    texts = ["the dog", "rain and 日本 wind"]
    unknown = tokenizer.token_to_id("[UNK]")
    expected = []
    for text in texts:  # the definition of model2vec: unknown tokens are left out, the rest is weighted
        ids = [id_ for id_ in tokenizer.encode(text, add_special_tokens=False).ids if id_ != unknown]
        mean = (table[mapping[ids]].astype(np.float64) * weights[ids, None]).mean(axis=0)
        expected.append(mean / np.linalg.norm(mean))
    ours = ns.load(str(folder)).encode(texts).data
    np.testing.assert_allclose(ours, expected, atol=1e-6)


def test_what_has_no_graph_here_runs_through_sentence_transformers(tmp_path, texts):
    folder = hubs.bi_encoder(tmp_path / "model", "electra", st.Pooling(hubs.HIDDEN), st.Dense(32, 16))
    with hubs.quiet():
        assert_same(folder, texts, engine="TorchEngine")


@pytest.mark.parametrize("chain", [[], [st.Dense(32, 16)]], ids=["plain", "dense"])
def test_a_model_has_one_fingerprint_whichever_engine_runs_it(tmp_path, texts, chain):
    folder = hubs.bi_encoder(tmp_path / "model", "bert", st.Pooling(hubs.HIDDEN, "cls"), *chain)
    ours = ns.load(str(folder), precision="f32")
    with hubs.quiet():
        theirs = ns.load(str(folder), device="cpu:0")  # another name of the processor: only torch knows it
    assert theirs._engine.__class__.__name__ == "TorchEngine"
    assert theirs.fingerprint == ours.fingerprint
    both = [each.encode(texts, long="head").data for each in (ours, theirs)]
    assert cosines(*both).min() >= 0.99999


def test_what_only_torch_runs_is_told_apart_by_everything_that_decides_its_vectors(tmp_path):
    folders = [
        hubs.bi_encoder(
            tmp_path / f"model{seed}{act}",
            "electra",
            st.Pooling(hubs.HIDDEN),
            st.Dense(32, 16, activation_function=torch_module(act)),
        )
        for seed, act in [(0, "Tanh"), (0, "ReLU")]
    ]
    with hubs.quiet():
        prints = [ns.load(str(folder)).fingerprint for folder in folders]
    assert len({*prints}) == 2


def test_the_distances_of_mpnet_are_those_of_transformers():
    from transformers.models.mpnet.modeling_mpnet import MPNetEncoder

    from nearsense.encoders.transformer import distance_buckets

    distances = np.arange(-600, 601)
    theirs = MPNetEncoder.relative_position_bucket(hubs.torch.from_numpy(distances)).numpy()
    assert (distance_buckets(distances) == theirs).all()
