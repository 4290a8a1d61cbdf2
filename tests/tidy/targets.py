# SPDX-License-Identifier: Apache-2.0
"""The CMake targets of the tree: which sources each builds, which targets it may use.

Reads the CMakeLists.txt files themselves, in the few forms that the tree uses: coterie_library,
coterie_program, coterie_test and their like (NAME … SOURCES … DEPS …), plain set() and foreach().
"""

import os
import re

_CALL = re.compile(r"([A-Za-z_]\w*)\s*\(", re.S)
_WORD = re.compile(r'"(?:\\.|[^"\\])*"|[^\s()"]+')
_KEYWORDS = {"SOURCES", "DEPS", "LABEL", "TIMEOUT", "ARGS", "SCRIPT", "CORPUS"}


class Target:
    def __init__(self, name, folder, sources, deps):
        self.name = name
        self.folder = folder
        self.sources = [os.path.normpath(os.path.join(folder, s)) for s in sources]
        self.deps = deps


def _calls(text):
    """Yield (command, words) for each call, comments left out."""
    text = re.sub(r"#[^\n]*", "", text)
    at = 0
    while match := _CALL.search(text, at):
        depth, end = 1, match.end()
        while depth and end < len(text):
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        words = [w.strip('"') for w in _WORD.findall(text[match.end():end - 1])]
        yield match.group(1).lower(), words
        at = end


def _expand(words, variables):
    out = []
    for word in words:
        whole = re.fullmatch(r"\$\{(\w+)\}", word)
        if whole and whole.group(1) in variables:
            out += variables[whole.group(1)]
        else:
            out.append(re.sub(r"\$\{(\w+)\}",
                              lambda m: " ".join(variables.get(m.group(1), [m.group(0)])), word))
    return out


def _sections(words):
    """NAME KEYWORD value… KEYWORD value… as a name and a dict of lists."""
    name, found, keyword = words[0], {}, None
    for word in words[1:]:
        if word in _KEYWORDS:
            keyword = word
        else:
            found.setdefault(keyword, []).append(word)
    return name, found


def _run(calls, variables, folder, targets):
    at = 0
    while at < len(calls):
        command, words = calls[at]
        if command == "function":
            while calls[at][0] != "endfunction":
                at += 1
        elif command == "set" and words:
            variables[words[0]] = _expand(words[1:], variables)
        elif command == "foreach":
            end = at + 1
            while calls[end][0] != "endforeach":
                end += 1
            items = words[1:]
            if items[:2] == ["IN", "LISTS"]:
                items = [f"${{{name}}}" for name in items[2:]]
            elif items[:2] == ["IN", "ITEMS"]:
                items = items[2:]
            for item in _expand(items, variables):
                _run(calls[at + 1:end], {**variables, words[0]: [item]}, folder, targets)
            at = end
        elif command.startswith("coterie_") and words and "SOURCES" in words:
            name, found = _sections(_expand(words, variables))
            targets[name] = Target(name, folder, found.get("SOURCES", []), found.get("DEPS", []))
        at += 1


class Targets:
    def __init__(self, tree):
        self.by_name = {}
        for name in tree.files:
            if os.path.basename(name) == "CMakeLists.txt":
                folder = os.path.dirname(name)
                _run(list(_calls(tree.text(name))), {}, folder, self.by_name)
        self._closures = {}

    def closure(self, name):
        """Names of all targets that NAME may include from: itself and its DEPS, transitively."""
        if name not in self._closures:
            seen, todo = set(), [name]
            while todo:
                at = todo.pop()
                if at not in seen:
                    seen.add(at)
                    if at in self.by_name:
                        todo += self.by_name[at].deps
            self._closures[name] = seen
        return self._closures[name]

    def building(self, source):
        return [t.name for t in self.by_name.values() if source in t.sources]

    def owners(self, header):
        """Targets that a header belongs to: those of its .c, else all of its folder."""
        if header.startswith("proto/") and header.endswith(".pb-c.h"):
            return ["proto"]
        of_source = self.building(re.sub(r"\.h$", ".c", header))
        folder = os.path.dirname(header)
        return of_source or [t.name for t in self.by_name.values() if t.folder == folder]
