"""Nobody is called that was not asked for, and nothing is left behind: every command and the library's main calls.

Each runs as a new user would run it: an empty home, nothing in the environment that makes libraries keep quiet.
"""

from __future__ import annotations

import os
import shlex
import shutil

import click
import numpy as np
import pytest

import nearsense as ns
from loopback_embeddings import EmbeddingsServer
from loopback_hub import LoopbackHub
from nearsense._version import __version__
from nearsense.cli import cli
from nearsense.kinds import Scope
from nearsense.server.keys import add_key
from samples import some_of, tiny_bert
from watched import Home, can_trace

TEXTS = [
    "How do I reset my password?", "I forgot my password.", "Where is my parcel?", "My parcel has not come.",
    "The screen freezes after login.", "The app hangs when I sign in.", "Please refund my invoice.",
    "I want my money back.", "Do you ship to Norway?", "Is delivery to Norway possible?",
    "How can I change my address?", "I moved and need a new address.",
]  # fmt: skip
CLASSES = [(f"w{label} {letter} {other}", letter) for label in range(5) for letter in "abcdef" for other in "xyz"]

COMMANDS = {
    "compare": "compare 'It rains.' 'Rain is falling.'",
    "rank": "rank 'late parcel' texts.csv",
    "matrix": "matrix texts.csv --plot matrix.png",
    "search": "search texts.csv 'late parcel' -k 3",
    "faq": "faq faq.csv 'How do I get my money back?'",
    "rerank": "rerank 'late parcel' texts.csv --cross cross",
    "explain": "explain 'It rains.' 'Rain is falling.'",
    "duplicates": "duplicates texts.csv",
    "dedupe": "dedupe texts.csv -o kept.csv",
    "cluster": "cluster texts.csv -k 3",
    "map": "map texts.csv -k 3 -o map.html --png map.png",
    "index create": "index create new.nearsense texts.csv",
    "index add": "index add kept.nearsense more.csv",
    "index delete": "index delete kept.nearsense 0 1",
    "index search": "index search kept.nearsense 'late parcel' --mode hybrid",
    "index similar": "index similar kept.nearsense 2",
    "index info": "index info kept.nearsense",
    "index verify": "index verify kept.nearsense",
    "index backup": "index backup kept.nearsense backup.nearsense",
    "index compact": "index compact kept.nearsense",
    "index build": "index build kept.nearsense",
    "index sync": "index sync kept.nearsense more.csv",
    "index export": "index export kept.nearsense out.parquet",
    "index copy": "index copy kept.nearsense copied.nearsense",
    "index reembed": "index reembed kept.nearsense --model tiny",
    "bulk encode": "bulk encode texts.csv -o encoded --workers 0",
    "bulk dedupe": "bulk dedupe texts.csv -o once --workers 0",
    "bulk cluster": "bulk cluster texts.csv -k 3 -o grouped --workers 0",
    "encode": "encode texts.csv -o vectors.parquet",
    "evaluate": "evaluate labels.csv -o report.html",
    "calibrate": "calibrate labels.csv -o mine.json",
    "models": "models",
    "models bench": "models bench tiny",
    "models pull": "models pull one/tiny",
    "models card": "models card all-MiniLM-L6-v2",
    "models probe": "models probe all-MiniLM-L6-v2",
    "models merge": "models merge ./mapped -o merged",
    "models path": "models path all-MiniLM-L6-v2",
    "models remove": "models remove one/here --yes",
    "models verify": "models verify",
    "log": "log kept.nearsense --on",
    "mcp": "mcp kept.nearsense --faq faq.csv",
    "drift": "drift texts.csv --against more.csv -o drift.html",
    "train": "train labels.csv --model tiny --steps 1 --dev none --test none -o mine",
    "distill": "distill tiny --texts many.txt -o fast",
    "demo": "demo -o shown",
    "keys add": "keys add kept.keys laptop",
    "keys rotate": "keys rotate kept.keys phone",
    "keys list": "keys list kept.keys",
    "keys remove": "keys remove kept.keys phone",
}
"""Every command with the least that makes it work; `serve`, which does not end, has test_server_no_calls.py."""

ASKS_THE_HUB = {"models pull"}
ALONE = ("compare", "models pull")
"""Commands that are started as programs of their own by default, too; each is in the long run."""
FINDS = {"drift", "duplicates", "faq"}
"""Commands that may say with an exit code of 1 what they found."""

LIBRARY = {
    "the first comparison": "ns.compare('It rains.', 'Rain is falling.')",
    "a model of the hub's cache": "ns.load('one/here').encode(['w1 w2'])",
    "a model in f32, from two threads": """
from concurrent.futures import ThreadPoolExecutor
encoder = ns.load(precision='f32')
with ThreadPoolExecutor(2) as pool: list(pool.map(encoder.encode, [TEXTS, TEXTS]))""",
    "the first product in bf16": """
from nearsense.vectors import gemm
import numpy as np
x = np.eye(300, 64, dtype=np.float32)
gemm.decide_block(x, x, ns.types.Precision.BF16, np.count_nonzero)""",
    "a graph of a file": "ns.load('graph').encode(['w1 w2'])",
    "a child of a fork": """
import os
if (child := os.fork()) == 0:
    ns.compare('a', 'b'); os._exit(0)
assert os.waitpid(child, 0)[1] == 0""",
    "every verb": """
import warnings; warnings.simplefilter('ignore')
ns.search('late parcel', TEXTS); ns.rank('late parcel', TEXTS); ns.matrix(TEXTS); ns.explain(TEXTS[0], TEXTS[1])
ns.duplicates(TEXTS); ns.cluster(TEXTS, 3)
ns.FAQ([{'question': t, 'answer': 'An answer.'} for t in TEXTS]).answer('money')
ns.map(TEXTS).save('map.html'); ns.background([f'{t} {i}' for t in TEXTS for i in range(5)])""",
    "a collection": """
with ns.open('mine.nearsense', log=True) as mine:
    mine.add(TEXTS); mine.search('parcel', mode='hybrid'); mine.verify(); mine.compact()""",
    "scikit-learn": """
from nearsense.integrations.sklearn import TextEncoder
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
make_pipeline(TextEncoder(), LogisticRegression()).fit(TEXTS, [0, 1] * 6).predict(TEXTS)""",
    "pandas": "ns.search('late parcel', TEXTS).to_pandas()",
    "faiss": """
import numpy as np
from nearsense.index.faiss import FaissIndex
import faiss""",
    "after openvino was imported by the program itself": """
import sys
assert 'openvino_telemetry' not in sys.modules
ns.compare('a', 'b')
import openvino, openvino.tools.ovc
openvino.tools.ovc.telemetry.send_event('a', 'b', 'c')""",
}
"""What a program calls first decides what is imported how, so each is a program of its own."""


def commands(group: click.Group = cli, before: tuple[str, ...] = ()) -> list[str]:
    """Every command that can be typed, those within a family too."""
    found = []
    for name, command in group.commands.items():
        words = (*before, name)
        if not isinstance(command, click.Group) or command.invoke_without_command:
            found.append(" ".join(words))
        if isinstance(command, click.Group):
            found += commands(command, words)
    return found


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A hub on this machine that has one model."""
    served = LoopbackHub({"one/tiny": tiny_bert(tmp_path_factory.mktemp("hub") / "tiny")})
    yield served
    served.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """One user for all, so that graphs are compiled once; everybody gets the same files to work with."""
    return Home(tmp_path_factory.mktemp("user"))


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The files that the commands work with."""
    shop = tmp_path_factory.mktemp("shop")
    rows = [f'{i},"{text}"\n' for i, text in enumerate(TEXTS)]
    (shop / "texts.csv").write_text("id,text\n" + "".join(rows))
    (shop / "more.csv").write_text("id,text\n50,Where is your shop?\n51,Do you sell shoes?\n")
    (shop / "many.txt").write_text("".join(f"w{i % 90} w{i} {text}\n" for i in range(20) for text in TEXTS))
    (shop / "faq.csv").write_text(
        "question,answer\n" + "".join(f'"{text}",Answer {i}.\n' for i, text in enumerate(TEXTS))
    )
    pairs = [(i, j, int(i // 2 == j // 2)) for i in range(12) for j in range(i)]
    lines = [f'"{TEXTS[i]}","{TEXTS[j]}",{same}\n' for i, j, same in pairs]
    (shop / "labels.csv").write_text("text1,text2,label\n" + "".join(lines))
    with ns.open(shop / "kept.nearsense") as collection:
        collection.add([ns.Document(id=str(i), text=text) for i, text in enumerate(TEXTS)])
    tiny_bert(shop / "tiny")
    ns.train_adapter(CLASSES, encoder=str(shop / "tiny"), kind="classes", output=shop / "mapped")
    graph_model(shop / "graph")
    add_key(shop / "kept.keys", "phone", Scope.READ)
    return shop


@pytest.fixture
def there(home, shop):
    """The user with the files laid out anew."""
    shutil.rmtree(home.work)
    shutil.copytree(shop, home.work)
    put_into_the_hubs_cache(home.cache, shop / "tiny")
    return home


def graph_model(folder):
    """A model as a graph in a file: a table of vectors, one a token."""
    onnx = pytest.importorskip("onnx", reason="needs the extra 'test' (with onnx)")
    from onnx import TensorProto, helper, numpy_helper

    tiny_bert(folder)
    (folder / "model.safetensors").unlink()
    table = np.random.default_rng(0).normal(size=(91, 32)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["vectors"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["column"]),
        helper.make_node("Mul", ["vectors", "column"], ["last_hidden_state"]),
    ]
    ids = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["b", "s"])
        for name in ("input_ids", "attention_mask")
    ]
    out = [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["b", "s", 32])]
    weights = [numpy_helper.from_array(table, "table"), numpy_helper.from_array(np.array([-1]), "last")]
    (folder / "onnx").mkdir()
    graph = helper.make_graph(nodes, "table", ids, out, weights)
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8),
        folder / "onnx/model.onnx",
    )


def put_into_the_hubs_cache(cache, model):
    """As `models pull one/here` would, into an empty one."""
    shutil.rmtree(cache / "huggingface", ignore_errors=True)
    commit = "a" * 40
    root = cache / "huggingface" / "hub" / "models--one--here"
    shutil.copytree(model, root / "snapshots" / commit)
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text(commit)


def assert_alone(seen, codes=(0,), loopback=False):
    assert seen.done.returncode in codes, seen.done.stderr
    assert not seen.called, seen.called
    assert not seen.astray, seen.astray
    assert not seen.left, seen.left
    if not loopback:
        assert not seen.loopback


def test_every_command_is_watched():
    assert sorted([*COMMANDS, "serve"]) == sorted(commands()), "give each command the least that makes it work"


def test_the_commands_one_after_another_call_nobody_and_leave_nothing(there, hub, cross):
    hub.forget()
    lines = {name: shlex.split(line) for name, line in COMMANDS.items() if name != "demo"}
    code = f"""
import sys
from nearsense.cli import main
from nearsense.cli.models import bench
bench.SECONDS = 0.02
for name, words in {lines}.items():
    sys.argv = ["nearsense", *words]
    try:
        main()
    except SystemExit as stop:
        assert (stop.code or 0) in ((0, 1) if name in {FINDS} else (0,)), name"""
    assert_alone(there.python(code, HF_ENDPOINT=hub.url), loopback=True)
    assert hub.requests
    assert all("one/tiny" in request.path for request in hub.requests)


@pytest.mark.parametrize("command", some_of(COMMANDS, *ALONE))
def test_a_command_calls_nobody_and_leaves_nothing(command, there, hub, request):
    if command == "rerank":
        request.getfixturevalue("cross")
    asks = command in ASKS_THE_HUB
    seen = there.command(*shlex.split(COMMANDS[command]), **({"HF_ENDPOINT": hub.url} if asks else {}))
    assert_alone(seen, (0, 1) if command in FINDS else (0,), loopback=asks)


@pytest.fixture
def cross(there, tmp_path_factory):
    hubs = pytest.importorskip("hubs", reason="needs the extra 'test' (with torch)")
    folder = hubs.transformer(tmp_path_factory.mktemp("cross") / "cross", "bert", head=True)
    shutil.copytree(folder, there.work / "cross")


@pytest.mark.parametrize(
    "call",
    some_of(
        LIBRARY,
        "a child of a fork",
        "scikit-learn",
        "after openvino was imported by the program itself",
    ),
)
def test_a_program_that_uses_the_library_calls_nobody(call, there):
    assert_alone(there.python(f"import nearsense as ns\nTEXTS = {TEXTS}\n{LIBRARY[call]}"))


OFFLINE = {
    "the option behind": ("models pull one/tiny --offline", {}),
    "the option before": ("--offline models pull one/tiny", {}),
    "the option with another command": ("search texts.csv parcel --model one/tiny --offline", {}),
    "the setting": ("models pull one/tiny", {"NEARSENSE_OFFLINE": "1"}),
    "the hub's own setting": ("evaluate labels.csv --model one/tiny", {"HF_HUB_OFFLINE": "1"}),
}


@pytest.mark.parametrize("way", some_of(OFFLINE, "the option with another command", "the setting"))
def test_offline_asks_nobody_for_a_model_that_is_not_here(way, there, hub):
    hub.forget()
    words, settings = OFFLINE[way]
    assert_alone(there.command(*shlex.split(words), HF_ENDPOINT=hub.url, **settings), codes=(2,))
    assert not hub.requests


def test_a_program_that_is_offline_asks_nobody(there, hub):
    hub.forget()
    code = """
import nearsense as ns
try: ns.load('one/tiny', offline=True)
except ns.errors.ModelNotFound: print('not here')"""
    seen = there.python(code, HF_ENDPOINT=hub.url)
    assert_alone(seen)
    assert seen.done.stdout == "not here\n"
    assert not hub.requests


def test_of_the_hub_nothing_is_asked_but_the_model_and_it_learns_no_more_than_the_name(there, hub):
    hub.forget()
    seen = there.command("models", "pull", "one/tiny", HF_ENDPOINT=hub.url, CODEX_SANDBOX="1", AI_AGENT="x")
    assert_alone(seen, loopback=True)
    assert hub.requests
    commit = hub.commit("one/tiny")
    files = {f"/one/tiny/resolve/{commit}/{name}" for name in hub.promises("one/tiny")}
    for request in hub.requests:
        assert request.method == "GET"
        assert request.path in {*files, "/api/models/one/tiny/revision/main"}, request.path
        assert request.headers["user-agent"] == f"nearsense/{__version__}"
        assert not request.authorised
        own = {"host", "accept", "accept-encoding", "connection", "user-agent", "x-amzn-trace-id"}
        assert set(request.headers) <= own, request.headers
    traces = [request.headers.get("x-amzn-trace-id", "") for request in hub.requests]
    assert len(set(traces)) in (1, len(traces))  # a number of the request, not of who asks


def test_a_server_of_vectors_is_asked_and_nobody_else(there):
    with EmbeddingsServer() as server:
        code = "import nearsense as ns; ns.load('openai:some').encode(['a', 'b'])"
        assert_alone(there.python(code, OPENAI_API_KEY="none", OPENAI_BASE_URL=server.url), loopback=True)


@pytest.mark.slow
def test_a_model_that_sentence_transformers_runs_calls_nobody(there, tmp_path):
    hubs = pytest.importorskip("hubs", reason="needs the extra 'test' (with torch)")
    hubs.bi_encoder(there.work / "electra", "electra")
    assert_alone(there.python("import nearsense as ns; ns.load('electra').encode(['the dog'])"))


def test_who_wants_openvinos_reporter_has_it_as_before(there):
    code = """
import sys, types
mine = sys.modules['openvino_telemetry'] = types.ModuleType('openvino_telemetry')
import nearsense as ns
ns.compare('a', 'b')
assert sys.modules['openvino_telemetry'] is mine
del sys.modules['openvino_telemetry']
from importlib.util import find_spec
import openvino_telemetry
assert openvino_telemetry is not mine and openvino_telemetry.Telemetry"""
    pytest.importorskip("openvino_telemetry", reason="OpenVINO's reporter is not installed, which is as well")
    assert_alone(there.python(code))


def test_without_openvinos_reporter_installed_all_is_the_same(there):
    code = """
import sys; sys.modules['openvino_telemetry'] = None
import nearsense as ns; print(ns.compare('a', 'a').score)
assert sys.modules['openvino_telemetry'] is None"""
    seen = there.python(code)
    assert_alone(seen)
    assert float(seen.done.stdout) == pytest.approx(1, abs=1e-3)


CALLS_OUT = {
    "through Python": "import socket; socket.socket(type=socket.SOCK_DGRAM).connect(('192.0.2.1', 9))",
    "through C": """
import ctypes, socket
s = socket.socket(type=socket.SOCK_DGRAM)
where = b'\\x02\\0\\0\\x09' + socket.inet_aton('192.0.2.1') + bytes(8)
assert ctypes.CDLL(None).connect(s.fileno(), where, 16) == 0""",
    "in a child": """
import subprocess, sys
subprocess.run([sys.executable, '-c', "import socket; socket.socket(type=2).connect(('192.0.2.1', 9))"])""",
}


@pytest.mark.parametrize("way", CALLS_OUT)
def test_the_watch_sees_who_calls(way, there):
    if way == "through C" and not can_trace():
        pytest.skip("strace is not here, or may not trace: what libraries in C do is not watched")
    seen = there.python(CALLS_OUT[way])
    assert any("192.0.2.1" in each for each in seen.called), seen.done.stderr


@pytest.mark.parametrize(
    "code",
    [
        "open(os.path.expanduser('~/id'), 'w')",
        "os.makedirs(os.path.expanduser('~/intel'))",
        "tempfile.mkdtemp()",
        "open(os.path.expanduser('~/../out'), 'w')",
        "os.chdir('..'); open('out', 'w')",
    ],
)
def test_the_watch_sees_who_writes(code, there):
    seen = there.python(f"import os, tempfile\n{code}")
    assert seen.left or seen.astray


def test_the_kernels_own_account_is_read():
    if not can_trace():
        if os.environ.get("CI") == "true" and not shutil.which("strace"):
            pytest.fail("strace is not here: apt-get install strace")
        pytest.skip("strace is not here, or may not trace; Python's account is read alone: apt-get install strace")
