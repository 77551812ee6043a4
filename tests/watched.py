"""Run a program in a home of its own; tell whom it called and what it wrote, by its account and the kernel's.

Two layers. Python tells of every call that goes through it (`sys.addaudithook`): always there, but blind to what
libraries in C do. `strace` tells of every call of every thread and child; it is used where it is and may trace.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

HOOK = """
import json, os, sys
_log = os.open(os.environ["WATCHED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
_open = os.O_WRONLY | os.O_RDWR | os.O_CREAT
def _told(event, told):
    if event.startswith(("socket.connect", "socket.send", "socket.get")) and event != "socket.gethostname":
        os.write(_log, (json.dumps([event, [str(each) for each in told if type(each) in (str, bytes, tuple)]]) + "\\n").encode())
    elif event == "open" and isinstance(told[0], str | bytes) and isinstance(told[2], int) and told[2] & _open:
        os.write(_log, (json.dumps(["open", [os.path.abspath(os.fsdecode(told[0]))]]) + "\\n").encode())
sys.addaudithook(_told)
"""  # noqa: E501

FORGOTTEN = ("NEARSENSE_", "HF_", "TRANSFORMERS_", "XDG_", "MPL", "PYTEST", "COV_", "OMP_", "PYTHON")
"""What begins so is not handed on: a user has none of it."""

SILENCERS = ("CI", "TF_BUILD", "JENKINS_URL", "DO_NOT_TRACK", "DISABLE_TELEMETRY", "GITHUB_ACTIONS", "LS_COLORS")
"""What makes libraries keep quiet that would otherwise talk."""

CALLS = "network,?open,openat,?creat,?mkdir,mkdirat,?rename,?renameat,renameat2,?link,linkat,?symlink,symlinkat"
NEUTRAL = ("/dev/", "/proc/self/", "/proc/thread-self/")
LOOPBACK = re.compile(r'AF_UNIX|AF_NETLINK|AF_UNSPEC|inet_addr\("127\.|"::1"|"::ffff:127\.')
RESOLVERS = ("/etc/resolv.conf", "/run/nscd/socket", "io.systemd.Resolve")
"""Who looks a name up reads or asks one of them."""


@dataclass
class Watched:
    """What was seen of one run.

    Args:
        done: Its exit code and what it printed.
        called: Whom it called or looked up, but for this machine itself.
        loopback: How often it called this machine.
        astray: What it wrote outside of the places that are its own.
        left: What lies in the home afterwards, but for the cache; in the folder for temporary files, anything.
    """

    done: subprocess.CompletedProcess[str]
    called: list[str] = field(default_factory=list)
    loopback: int = 0
    astray: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


class Home:
    """A new user of this machine: an empty home, the cache in it, a folder for temporary files, one to work in."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.home, self.work, self.tmp = base / "home", base / "work", base / "tmp"
        self.cache = self.home / ".cache"
        for folder in (self.home, self.work, self.tmp, base / "hook"):
            folder.mkdir(parents=True)
        (base / "hook" / "sitecustomize.py").write_text(HOOK)

    def run(self, *words: str, **more: str) -> Watched:
        """Run a program; `more` are variables of its environment."""
        told, traced = self.base / "told.log", self.base / "traced.log"
        told.unlink(missing_ok=True)
        traced.unlink(missing_ok=True)
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(FORGOTTEN) and name not in SILENCERS and not name.lower().endswith("_proxy")
        }
        environment |= {
            "HOME": str(self.home), "XDG_CACHE_HOME": str(self.cache), "TMPDIR": str(self.tmp),
            "WATCHED": str(told), "PYTHONPATH": str(self.base / "hook"), "PYTHONDONTWRITEBYTECODE": "1", **more,
        }  # fmt: skip
        tracer = [
            "strace",
            "-f",
            "--seccomp-bpf",
            "-qq",
            "-y",
            "-s",
            "4096",
            "-e",
            f"trace={CALLS}",
            "-o",
            str(traced),
        ]
        done = subprocess.run(
            [*(tracer if can_trace() else ()), *words], cwd=self.work, env=environment, capture_output=True,
            text=True, timeout=180, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        seen = Watched(done)
        assert told.exists(), f"nothing was watched: {done.stderr}"
        self._read_told(told.read_text(), seen)
        if can_trace():
            self._read_traced(traced.read_text(errors="replace"), seen)
        left = [each for each in self.home.iterdir() if each != self.cache] + [*self.tmp.iterdir()]
        seen.left = [str(each) for place in left for each in (place, *place.rglob("*"))]
        for each in left:  # the next run begins as clean
            shutil.rmtree(each) if each.is_dir() else each.unlink()
        return seen

    def command(self, *words: str, **more: str) -> Watched:
        """Run `nearsense` with these words."""
        return self.run(sys.executable, "-m", "nearsense", *words, **more)

    def python(self, code: str, **more: str) -> Watched:
        """Run a program in Python."""
        return self.run(sys.executable, "-c", code, **more)

    def _own(self, path: str) -> bool:
        places = (self.cache, self.work, self.tmp, self.base / "told.log")
        return path.startswith(NEUTRAL) or any(f"{path}/".startswith(f"{place}/") for place in places)

    def _read_told(self, log: str, seen: Watched) -> None:
        for line in log.splitlines():
            event, words = json.loads(line)
            if event == "open":
                seen.astray += [f"open {word}" for word in words if not self._own(word)]
            elif any("127.0.0.1" in word or word.startswith("/") or "'::1'" in word for word in words):
                seen.loopback += 1
            else:
                seen.called.append(f"{event} {' '.join(words)}")

    def _read_traced(self, log: str, seen: Watched) -> None:
        for line in log.splitlines():
            call = line.partition(" ")[2].strip()
            name = call.partition("(")[0]
            if any(each in call for each in RESOLVERS):
                seen.called.append(call)
            elif name in ("connect", "sendto", "sendmsg", "sendmmsg") and "sa_family" in call:
                if LOOPBACK.search(call):
                    seen.loopback += "AF_INET" in call
                else:
                    seen.called.append(call)
            elif name in ("open", "openat", "creat"):
                if re.search(r"O_WRONLY|O_RDWR|O_CREAT|^creat", call) and " = -1 " not in call:
                    opened = re.search(r"= \d+<(.*?)>$", call)
                    seen.astray += [call] if opened and not self._own(opened[1].removesuffix(" (deleted)")) else []
            elif name and " = 0" in call and re.match(r"mkdir|rename|link|symlink", name):
                seen.astray += [] if self._own(self._last(call)) else [call]

    def _last(self, call: str) -> str:
        """The path that a call makes: its last one, from the folder that stands before it."""
        folder, path = re.findall(r'(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"((?:[^"\\]|\\.)*)"', call)[-1]
        return os.path.normpath(os.path.join(folder or self.work, path))  # noqa: PTH118


@cache
def can_trace() -> bool:
    """Whether strace is here and may trace."""
    if not shutil.which("strace"):
        return False
    return (
        subprocess.run(
            ["strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=network", "true"], capture_output=True
        ).returncode
        == 0
    )
