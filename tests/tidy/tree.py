# SPDX-License-Identifier: Apache-2.0
"""The source tree as the tidy rules see it: tracked and new files, never what is ignored."""

import os
import re
import subprocess
from functools import cached_property
from typing import NamedTuple

CODE_ENDS = (".c", ".h")
SCRIPT_ENDS = (".sh", ".py")
SCRIPT_INTERPRETERS = ("bash", "sh", "python3")


class Finding(NamedTuple):
    path: str
    line: int
    text: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.text}"


class Tree:
    def __init__(self, root, build=None):
        self.root = os.path.realpath(root)
        self.build = build
        self._texts = {}

    @cached_property
    def files(self):
        listed = subprocess.run(
            ["git", "-C", self.root, "ls-files", "-co", "--exclude-standard", "-z"],
            capture_output=True)
        if listed.returncode == 0 and listed.stdout:
            names = [os.fsdecode(name) for name in listed.stdout.split(b"\0") if name]
        else:
            # an unpacked archive: everything but what a build leaves
            names = []
            for folder, below, found in os.walk(self.root):
                below[:] = [d for d in below if d not in (".git", "build", ".demo", "__pycache__")]
                names += [os.path.relpath(os.path.join(folder, f), self.root) for f in found]
        return sorted(n for n in names if os.path.isfile(os.path.join(self.root, n)))

    def having(self, *ends):
        return [name for name in self.files if name.endswith(ends)]

    def code(self):
        return self.having(*CODE_ENDS)

    def scripts(self):
        """Files for an interpreter, known by their ending or their first line."""
        found = []
        for name in self.files:
            if name.endswith(SCRIPT_ENDS) or self._interpreter(name):
                found.append(name)
        return found

    def shell_scripts(self):
        return [n for n in self.scripts()
                if n.endswith(".sh") or self._interpreter(n) in ("bash", "sh")]

    def _interpreter(self, name):
        if "." in os.path.basename(name)[1:]:
            return None
        first = self.text(name).split("\n", 1)[0]
        if not first.startswith("#!"):
            return None
        word = os.path.basename(first.split()[-1])
        return word if word in SCRIPT_INTERPRETERS else None

    def text(self, name):
        if name not in self._texts:
            with open(os.path.join(self.root, name), "rb") as file:
                self._texts[name] = file.read().decode("utf-8", "replace")
        return self._texts[name]

    def lines(self, name):
        return enumerate(self.text(name).split("\n"), 1)

    def exists(self, path):
        return os.path.lexists(os.path.join(self.root, path))


_C_PARTS = re.compile(
    r'(?P<comment>/\*.*?\*/|//[^\n]*)|(?P<string>"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\')', re.S)


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


def code_only(text):
    """C text with comments and literals blanked; line numbers stay."""
    return _C_PARTS.sub(lambda m: _blank(m.group(0)), text)


def comments_only(text):
    """C text with everything but comments blanked; line numbers stay."""
    kept, end = [], 0
    for match in _C_PARTS.finditer(text):
        kept.append(_blank(text[end:match.start()]))
        kept.append(match.group(0) if match.group("comment") else _blank(match.group(0)))
        end = match.end()
    kept.append(_blank(text[end:]))
    return "".join(kept)
