"""docs/server.md: what is typed there is answered as it says."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

from asked import FAQ
from served import served

PAGE = (Path(__file__).parents[2] / "docs" / "server.md").read_text("utf-8")
TICKETS = "id,text,status\n1,The dashboard freezes after login,open\n2,Please refund my invoice,solved\n"


def holds(found, shown):
    """Whether an answer has what the page shows of it: names and texts; digits are another processor's."""
    if isinstance(shown, dict):
        return all(name in found and holds(found[name], each) for name, each in shown.items())
    if isinstance(shown, list):
        return len(found) >= len(shown) and all(map(holds, found, shown))
    return type(found) is type(shown) and (isinstance(shown, float) or found == shown)


def test_what_the_page_types_is_answered_as_it_says(tmp_path, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tickets.csv").write_text(TICKETS)
    (tmp_path / "faq.csv").write_text(FAQ)
    [made] = re.findall(r"^\$ (nearsense index create .*)$", PAGE, re.M)
    [typed] = re.findall(r"^nearsense serve (.*)$", PAGE, re.M)
    assert run(*shlex.split(made)[1:]).code == 0
    blocks = re.findall(r"```sh\n(curl .*?)```(?:\s*```json\n(.*?)```)?", PAGE, re.S)
    assert len(blocks) >= 3
    with served(tmp_path, *shlex.split(typed)) as address:
        for lines, shown in blocks:
            line = lines.replace("http://127.0.0.1:8765", address)
            told = subprocess.run(
                ["bash", "-c", line], capture_output=True, text=True, check=True, timeout=60
            ).stdout
            answers = [json.JSONDecoder().raw_decode(each)[0] for each in re.split(r"(?<=\})(?=\{)", told)]
            assert len(answers) == lines.count("curl ")
            if shown:
                assert holds(answers[0], json.loads(shown)), answers[0]
            else:
                assert all("error" not in each for each in answers), answers
