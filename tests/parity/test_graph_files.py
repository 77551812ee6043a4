"""Finished graphs, ONNX and OpenVINO's, against sentence-transformers on the weights that they were made from."""

from __future__ import annotations

import random
import shutil

import numpy as np
import pytest

import nearsense as ns
from nearsense._openvino import openvino
from nearsense.encoders.places import locate
from nearsense.errors import BrokenModel, UnsupportedModel

hubs = pytest.importorskip("hubs", reason="needs the extra 'test' (with torch)")
onnx = pytest.importorskip("onnx")
from sentence_transformers.sentence_transformer import modules as st  # noqa: E402

import loopback_hub  # noqa: E402

torch = hubs.torch

exported, mean, THREE = hubs.exported, hubs.mean, hubs.THREE
TWO = THREE[:2]
PLACES = ("position_ids", "input_ids", "attention_mask")


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


def assert_same(copy, folder, texts, least=0.99999):
    theirs = hubs.reference(folder, texts, normalize_embeddings=True)
    encoder = ns.load(str(copy), precision="f32")
    ours = encoder.encode(texts, long="head").data
    assert ours.shape == theirs.shape
    assert encoder.dimension == theirs.shape[1]
    assert cosines(ours, theirs).min() >= least
    np.testing.assert_allclose(encoder.encode(texts[0]).data[0], ours[0], atol=1e-5)


def SLOW(*kinds):  # noqa: N802
    """What makes graphs of further architectures: in the long run of the tests."""
    return [pytest.param(kind, marks=pytest.mark.slow) for kind in kinds]


FORMS = pytest.mark.parametrize("form", ["onnx", *SLOW("openvino")])


@FORMS
@pytest.mark.parametrize("kind", ["bert", *SLOW("xlm-roberta", "mpnet", "distilbert", "electra")])
def test_a_graph_gives_the_vectors_of_the_weights_it_was_made_from(tmp_path, texts, form, kind):
    folder = hubs.bi_encoder(tmp_path / "model", kind)
    names = THREE if kind in ("bert", "electra") else TWO
    assert_same(exported(folder, form=form, names=names), folder, texts)


@pytest.mark.parametrize("mode", ["cls", "max", *SLOW("lasttoken", "mean_sqrt_len_tokens", "weightedmean")])
def test_what_fills_rows_is_no_part_of_a_pooling(tmp_path, texts, mode):
    folder = hubs.bi_encoder(tmp_path / "model", "bert", st.Pooling(hubs.HIDDEN, mode))
    assert_same(exported(folder), folder, texts)


@FORMS
def test_poolings_and_modules_follow_a_graph_of_tokens(tmp_path, texts, form):
    chain = [st.Pooling(hubs.HIDDEN, ("cls", "mean")), st.Dense(64, 16), st.LayerNorm(16), st.Normalize()]
    folder = hubs.bi_encoder(tmp_path / "model", "bert", *chain)
    assert_same(exported(folder, form=form), folder, texts)


def test_a_graph_may_do_without_token_types(tmp_path, texts):
    folder = hubs.bi_encoder(tmp_path / "model", "bert")
    assert_same(exported(folder, names=TWO), folder, texts)


@pytest.mark.parametrize("kind", ["roberta", *SLOW("bert")])
def test_a_graph_may_ask_for_positions_in_any_place(tmp_path, texts, kind):
    folder = hubs.bi_encoder(tmp_path / "model", kind)
    assert_same(exported(folder, names=PLACES), folder, texts)


def test_a_graph_may_ask_for_small_integers(tmp_path, texts):
    folder = hubs.bi_encoder(tmp_path / "model", "bert")
    assert_same(exported(folder, kind=torch.int32), folder, texts)


def test_a_graph_may_be_in_half_precision(tmp_path, texts):
    folder = hubs.bi_encoder(tmp_path / "model", "bert")
    assert_same(exported(folder, half=True), folder, texts, least=0.9999)


def test_vectors_of_tokens_go_before_what_a_graph_pools(tmp_path, texts):
    folder = hubs.bi_encoder(tmp_path / "model", "bert", st.Pooling(hubs.HIDDEN, "max"), st.Dense(32, 8))
    copy = exported(
        folder,
        outputs=("sentence_embedding", "token_embeddings"),
        answer=lambda found, inputs: (mean(found, inputs), found.last_hidden_state),
    )
    assert_same(copy, folder, texts)


@FORMS
def test_a_graph_may_pool_by_itself(tmp_path, texts, form):
    folder = hubs.bi_encoder(tmp_path / "model", "bert", st.Pooling(hubs.HIDDEN), st.Normalize())
    assert_same(exported(folder, form=form, outputs=("sentence_embedding",), answer=mean), folder, texts)


def test_modules_that_a_graph_holds_are_not_run_again(tmp_path, texts):
    folder = hubs.bi_encoder(tmp_path / "model", "bert", st.Pooling(hubs.HIDDEN), st.Dense(32, 32))
    layer = hubs.sentence_transformers.SentenceTransformer(str(folder), device="cpu")[2].linear
    weight, bias = layer.weight.detach().T, layer.bias.detach()
    copy = exported(
        folder,
        outputs=("sentence_embedding",),
        answer=lambda found, inputs: torch.tanh(mean(found, inputs) @ weight + bias),
    )
    assert_same(copy, folder, texts)


def test_modules_that_a_pooled_vector_does_not_fit_the_end_of_are_run(tmp_path, texts):
    folder = hubs.bi_encoder(tmp_path / "model", "bert", st.Pooling(hubs.HIDDEN), st.Dense(32, 8))
    assert_same(exported(folder, outputs=("sentence_embedding",), answer=mean), folder, texts)


@FORMS
@pytest.mark.parametrize("typed", [True, *SLOW(False)], ids=["typed", "untyped"])
@pytest.mark.parametrize("kind", ["bert", *SLOW("xlm-roberta", "electra")])
def test_a_cross_encoder_gives_its_numbers(tmp_path, texts, form, kind, typed):
    folder = hubs.transformer(tmp_path / "model", kind, head=True)
    inputs = ["input_ids", "attention_mask", *(["token_type_ids"] if typed else [])]
    hubs.changed(folder / "tokenizer_config.json", model_input_names=inputs)
    copy = exported(
        folder,
        form=form,
        names=TWO if kind == "xlm-roberta" else THREE,
        outputs=("logits",),
        answer=lambda found, _: found.logits,
        head=True,
    )
    pairs = list(zip(texts, reversed(texts), strict=True))
    with hubs.quiet():
        model = hubs.sentence_transformers.CrossEncoder(str(folder), device="cpu", max_length=hubs.POSITIONS - 4)
        theirs = model.predict(pairs, activation_fn=torch.nn.Identity())
    ours = ns.load_cross(str(copy), precision="f32").score(pairs, long="head", logits=True)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize("name", ["model.onnx_data", *SLOW("model.onnx.data", "weights.bin")])
def test_weights_may_lie_in_a_file_beside_the_graph(tmp_path, texts, name):
    folder = hubs.bi_encoder(tmp_path / "model", "bert")
    copy = exported(folder)
    apart(copy / "onnx" / "model.onnx", name)
    assert_same(copy, folder, texts)
    other = tmp_path / "other"
    shutil.copytree(copy, other)
    content = bytearray((other / "onnx" / name).read_bytes())
    content[5] ^= 1
    (other / "onnx" / name).write_bytes(content)
    assert ns.load(str(other)).fingerprint != ns.load(str(copy)).fingerprint


def apart(file, name):
    """Move the weights of an ONNX file into another."""
    model = onnx.load(str(file))
    onnx.save_model(model, str(file), save_as_external_data=True, location=name, size_threshold=0)


@pytest.mark.slow
def test_what_the_newer_exporter_of_torch_makes_is_read(tmp_path, texts):
    pytest.importorskip("onnxscript")
    folder = hubs.bi_encoder(tmp_path / "model", "bert")
    copy = exported(folder)
    (copy / "onnx" / "model.onnx").unlink()
    sizes = {0: torch.export.Dim("texts"), 1: torch.export.Dim("tokens")}
    with hubs.quiet():
        model = hubs.transformers.AutoModel.from_pretrained(folder, attn_implementation="eager")
        torch.onnx.export(
            hubs.Named(model, THREE, hubs.token_vectors).eval(),
            tuple(torch.ones(2, 7, dtype=torch.int64) for _ in THREE),
            str(copy / "onnx" / "model.onnx"),
            input_names=list(THREE),
            output_names=["last_hidden_state"],
            dynamic_shapes=(tuple(sizes for _ in THREE),),
            external_data=True,
            verbose=False,
        )
    assert (copy / "onnx" / "model.onnx.data").is_file()
    assert_same(copy, folder, texts)


def test_a_graph_runs_for_many_texts_side_by_side(tmp_path):
    folder = hubs.bi_encoder(tmp_path / "model", "bert")
    chance = random.Random(2)
    texts = [" ".join(chance.choices(hubs.WORDS, k=chance.randrange(1, 50))) for _ in range(200)]
    copy = exported(folder)
    theirs = hubs.reference(folder, texts, normalize_embeddings=True)
    ours = ns.load(str(copy), precision="f32").encode(texts, batch_tokens=512).data
    assert cosines(ours, theirs).min() >= 0.99999


@pytest.mark.slow
def test_one_compiled_graph_is_not_taken_for_another_with_the_same_steps(tmp_path, texts):
    """The `.xml` of two models may be the same to the byte; only the weights differ."""
    for seed in (1, 2):
        folder = hubs.bi_encoder(tmp_path / f"model{seed}", "bert", seed=seed)
        assert_same(exported(folder, form="openvino"), folder, texts)


@pytest.mark.parametrize("moving", [(0,), (1,), ()], ids=["length", "count", "both"])
def test_a_graph_of_fixed_size_is_refused(tmp_path, moving):
    folder = hubs.bi_encoder(tmp_path / "model", "bert")
    with pytest.raises(UnsupportedModel, match=r"onnx/model\.onnx takes input_ids of shape .* only"):
        ns.load(str(exported(folder, moving=moving)))


# what a stranger might put into a folder


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The same model as an ONNX file and as OpenVINO's two, to be copied."""
    folder = hubs.bi_encoder(tmp_path_factory.mktemp("graphs") / "model", "bert")
    return {form: exported(folder, form=form) for form in ("onnx", "openvino")}


@pytest.fixture
def model(tmp_path, both):
    """A folder with an ONNX file, and `secret` beside the folder: as many bytes as its weights need."""
    folder = shutil.copytree(both["onnx"], tmp_path / "model")
    (tmp_path / "secret").write_bytes(bytes(10**6))
    return folder


def tiny(file, *, inputs=("input_ids", "attention_mask"), location=None, operator="Cast", domain=""):
    """A graph of one step: it looks up tokens in weights that lie in another file, or gives them back."""
    make = onnx.helper
    table = onnx.TensorProto(name="table", data_type=onnx.TensorProto.FLOAT, dims=[100, 4])
    if location is not None:
        table.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", "0"), ("length", "1600")):
            entry = table.external_data.add()
            entry.key, entry.value = key, value
    step = (
        make.make_node("Gather", ["table", "input_ids"], ["last_hidden_state"])
        if location is not None
        else make.make_node(operator, ["input_ids"], ["last_hidden_state"], domain=domain, to=1)
    )
    whole = make.make_graph(
        [step],
        "graph",
        [make.make_tensor_value_info(name, onnx.TensorProto.INT64, ["n", "l"]) for name in inputs],
        [make.make_tensor_value_info("last_hidden_state", onnx.TensorProto.FLOAT, ["n", "l", 4])],
        [table] if location is not None else [],
    )
    opsets = [make.make_opsetid("", 17), *([make.make_opsetid(domain, 1)] if domain else [])]
    content = make.make_model(whole, opset_imports=opsets, ir_version=8).SerializeToString()
    file.write_bytes(content)


def test_weights_in_a_file_of_the_folder_are_read(model):
    tiny(model / "onnx" / "model.onnx", location="weights")
    np.save(model / "onnx" / "weights", np.ones(400, np.float32))
    (model / "onnx" / "weights.npy").rename(model / "onnx" / "weights")
    assert ns.load(str(model)).encode("dog").data.shape == (1, 4)


@pytest.mark.parametrize("location", ["../../secret", "{secret}", "link", "deep/../../../secret", "..", "\0", ""])
def test_weights_outside_of_the_folder_are_refused_before_anything_reads_them(model, location):
    secret = model.parent / "secret"
    (model / "onnx" / "link").symlink_to(secret)
    tiny(model / "onnx" / "model.onnx", location=location.format(secret=secret))
    with pytest.raises(BrokenModel) as refusal:
        ns.load(str(model))
    assert "onnx" in str(refusal.value)


def test_weights_that_are_missing_or_too_short_are_named(model):
    file = model / "onnx" / "model.onnx"
    tiny(file, location="weights")
    with pytest.raises(BrokenModel, match=r"model\.onnx keeps weights in weights, which is missing"):
        ns.load(str(model))
    (model / "onnx" / "weights").write_bytes(bytes(1599))
    with pytest.raises(BrokenModel, match=r"model\.onnx cannot be read"):
        ns.load(str(model))


@pytest.mark.parametrize("where", ["subgraph", "function", "sparse", "attribute"])
def test_weights_outside_are_found_wherever_a_graph_can_hold_tensors(model, where):
    file = model / "onnx" / "model.onnx"
    tiny(file, location="../../secret")
    whole = onnx.load(str(file), load_external_data=False)
    tensor = whole.graph.initializer.pop()
    step = onnx.NodeProto(op_type="Constant")
    if where == "subgraph":
        step.attribute.add(name="body").g.initializer.append(tensor)
    elif where == "sparse":
        whole.graph.sparse_initializer.add().values.CopyFrom(tensor)
    else:
        step.attribute.add(name="value").t.CopyFrom(tensor)
    (whole.functions.add().node if where == "function" else whole.graph.node).append(step)
    file.write_bytes(whole.SerializeToString())
    with pytest.raises(BrokenModel, match="secret' is refused"):
        ns.load(str(model))


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, 0.999, -1])
def test_an_onnx_file_that_is_cut_off_is_refused(model, kept):
    file = model / "onnx" / "model.onnx"
    content = file.read_bytes()
    file.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    with pytest.raises((BrokenModel, UnsupportedModel), match=r"model\.onnx"):
        ns.load(str(model))


@pytest.mark.parametrize("content", [b"hello there\n" * 20, b"{}", b"<xml/>", b"\xff" * 100, b"\x80" * 100])
def test_what_is_no_onnx_file_is_refused(model, content):
    (model / "onnx" / "model.onnx").write_bytes(content)
    with pytest.raises((BrokenModel, UnsupportedModel), match=r"model\.onnx"):
        ns.load(str(model))


def test_a_graph_that_asks_for_something_unknown_is_refused(model):
    tiny(model / "onnx" / "model.onnx", inputs=("input_ids", "attention_mask", "past_key_values.0.key"))
    with pytest.raises(UnsupportedModel, match=r"model\.onnx asks for 'past_key_values"):
        ns.load(str(model))


def test_a_graph_without_a_mask_is_refused(model):
    tiny(model / "onnx" / "model.onnx", inputs=("input_ids",))
    with pytest.raises(UnsupportedModel, match=r"model\.onnx does not ask for attention_mask"):
        ns.load(str(model))


def test_a_graph_that_gives_nothing_known_is_refused(tmp_path):
    folder = hubs.bi_encoder(tmp_path / "model", "bert")
    with pytest.raises(UnsupportedModel, match=r"model\.onnx gives logits.*\n.*last_hidden_state"):
        ns.load(str(exported(folder, outputs=("logits",))))


def test_a_step_of_a_stranger_is_refused(model):
    tiny(model / "onnx" / "model.onnx", operator="Evil", domain="com.evil")
    with pytest.raises(UnsupportedModel, match=r"model\.onnx has a step .*\n.*com\.evil"):
        ns.load(str(model))


@pytest.fixture
def ir(tmp_path, both):
    """A folder with OpenVINO's two files."""
    return shutil.copytree(both["openvino"], tmp_path / "model")


def test_openvinos_files_need_their_weights(ir):
    (ir / "openvino" / "openvino_model.bin").unlink()
    with pytest.raises(BrokenModel, match=r"openvino_model\.xml keeps its weights in openvino_model\.bin"):
        ns.load(str(ir))


def test_openvinos_weights_may_not_be_a_link_that_leads_out(ir, tmp_path):
    weights = ir / "openvino" / "openvino_model.bin"
    weights.rename(tmp_path / "secret")
    weights.symlink_to(tmp_path / "secret")
    with pytest.raises(BrokenModel, match=r"'openvino_model\.bin' is refused"):
        ns.load(str(ir))


@pytest.mark.parametrize("kept", [0, 1, 1000, -1])
def test_openvinos_weights_that_are_cut_off_are_refused(ir, kept):
    weights = ir / "openvino" / "openvino_model.bin"
    weights.write_bytes(weights.read_bytes()[:kept])
    with pytest.raises(BrokenModel, match=r"openvino_model\.xml"):
        ns.load(str(ir))


@pytest.mark.parametrize(
    ("old", "new"),
    [('offset="', 'offset="9'), ('size="', 'size="-'), ('version="opset1"', 'version="evil"'), ("</net>", "")],
)
def test_openvinos_files_that_are_damaged_are_refused(ir, old, new):
    file = ir / "openvino" / "openvino_model.xml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises((BrokenModel, UnsupportedModel), match=r"openvino_model\.xml"):
        ns.load(str(ir))


def test_a_file_of_another_kind_is_not_read_under_the_name_of_a_graph(ir):
    """OpenVINO itself looks into a file and picks one of its many readers."""
    shutil.copytree(ir / "openvino", ir / "onnx")
    (ir / "onnx" / "openvino_model.xml").rename(ir / "onnx" / "model.onnx")
    shutil.rmtree(ir / "openvino")
    with pytest.raises(BrokenModel, match=r"model\.onnx cannot be read"):
        ns.load(str(ir))


# which files of a repository are fetched

OWN = {"AutoConfig": "configuration_new.NewConfig", "AutoModel": "modeling_new.NewModel"}


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A folder with safetensors and both kinds of graphs, one of them with its weights beside it; and a cache."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    folder = hubs.bi_encoder(tmp_path / "model", "electra")
    copy = exported(folder)
    shutil.copy(folder / "model.safetensors", copy)
    (copy / "modeling_new.py").write_text("raise SystemExit")
    return copy


def named(repository):
    """A name a test: what was loaded under a name is remembered."""
    return f"some/{repository.parent.name}"


def fetched(repository):
    """What is in the cache after the model was pulled, but for descriptions."""
    name = named(repository)
    with loopback_hub.serving({name: repository}) as hub:
        folder = locate(name).path
        assert not hub.asked_for("modeling_new.py")
        assert len(hub.asked_for("config.json")) <= 2  # the model's, and that of its pooling
        hub.forget()
        assert locate(name).path == folder
        assert not hub.requests
    names = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    return {name for name in names if name.endswith((".safetensors", ".xml", ".bin")) or "onnx" in name}


def test_the_graph_of_a_model_with_code_of_its_own_is_fetched_and_run(tmp_path, repository, texts):
    hubs.changed(repository / "config.json", auto_map=OWN)
    apart(repository / "onnx" / "model.onnx", "model.onnx_data")
    assert fetched(repository) == {"onnx/model.onnx", "onnx/model.onnx_data"}
    theirs = hubs.reference(tmp_path / "model", texts, normalize_embeddings=True)
    ours = ns.load(named(repository), precision="f32").encode(texts, long="head").data
    assert cosines(ours, theirs).min() >= 0.99999


@pytest.mark.slow
def test_openvinos_files_of_a_model_with_code_of_its_own_are_fetched_and_run(tmp_path, repository, texts):
    hubs.changed(repository / "config.json", auto_map=OWN)
    openvino().save_model(
        openvino().convert_model(repository / "onnx" / "model.onnx"),
        repository / "openvino" / "openvino_model.xml",
        compress_to_fp16=False,
    )
    assert fetched(repository) == {"openvino/openvino_model.xml", "openvino/openvino_model.bin"}
    theirs = hubs.reference(tmp_path / "model", texts, normalize_embeddings=True)
    ours = ns.load(named(repository), precision="f32").encode(texts, long="head").data
    assert cosines(ours, theirs).min() >= 0.99999


def test_the_graph_of_an_unknown_architecture_is_fetched_where_torch_is_missing(repository, monkeypatch):
    monkeypatch.setattr("nearsense.encoders.hub_files.find_spec", lambda name: None)
    assert fetched(repository) == {"onnx/model.onnx"}
    assert ns.load(named(repository)).encode("dog").data.shape == (1, hubs.HIDDEN)


@pytest.mark.parametrize("changes", [{}, {"model_type": "bert"}, {"model_type": "model2vec"}, {"auto_map": {}}])
def test_safetensors_are_fetched_where_they_can_be_run(repository, changes):
    hubs.changed(repository / "config.json", **changes)
    assert fetched(repository) == {"model.safetensors"}


@pytest.mark.parametrize("content", ["[]", "no json", "[" * 100_000])
def test_a_strange_configuration_is_no_reason_to_fetch_a_graph(repository, content):
    (repository / "config.json").write_text(content)
    assert fetched(repository) == {"model.safetensors"}


def test_a_model_with_code_of_its_own_and_no_graph_is_refused(repository):
    hubs.changed(repository / "config.json", auto_map=OWN)
    shutil.rmtree(repository / "onnx")
    assert fetched(repository) == {"model.safetensors"}
    with pytest.raises(UnsupportedModel, match=r"code of its own \(modeling_new\.NewModel\)"):
        ns.load(named(repository))
