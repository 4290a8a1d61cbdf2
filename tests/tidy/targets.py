# SPDX-License-Identifier: Apache-2.0
"""The CMake targets of the tree: which sources each builds, which targets it may use.

Reads the CMakeLists.txt files themselves, in the few forms that the tree uses: coterie_library,
coterie_program, coterie_test and their like (NAME … SOURCES … DEPS …), CMake's own add_… and
target_link_libraries, set, list(APPEND), foreach, and functions of the same file.
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


def _sections(words, keywords=_KEYWORDS):
    """KEYWORD value… KEYWORD value… as a dict of lists; what comes first is under None."""
    found, keyword = {}, None
    for word in words:
        if word in keywords:
            keyword = word
        else:
            found.setdefault(keyword, []).append(word)
    return found


def _end_of_block(calls, at):
    """Where the block that begins at this call ends; blocks of a kind may be nested."""
    command = calls[at][0]
    depth = 0
    for end in range(at, len(calls)):
        depth += (calls[end][0] == command) - (calls[end][0] == "end" + command)
        if depth == 0:
            return end
    raise ValueError(f"{command} without end{command}")


class _Reader:
    """Runs the calls of one CMakeLists.txt; a condition's branches all count."""

    def __init__(self, folder, targets):
        self.folder = folder
        self.targets = targets
        self.functions = {}

    def run(self, calls, variables):
        at = 0
        while at < len(calls):
            command, words = calls[at]
            if command in ("function", "foreach"):
                end = _end_of_block(calls, at)
                if command == "function":
                    self.functions[words[0].lower()] = (words[1:], calls[at + 1:end])
                else:
                    for item in _expand(_items(words), variables):
                        self.run(calls[at + 1:end], {**variables, words[0]: [item]})
                at = end
            else:
                self._call(command, _expand(words, variables), variables)
            at += 1

    def _call(self, command, words, variables):
        if command == "set" and words:
            variables[words[0]] = words[1:]
        elif command == "list" and words[:1] == ["APPEND"]:
            variables[words[1]] = variables.get(words[1], []) + words[2:]
        elif command in ("add_library", "add_executable"):
            kinds = ("STATIC", "INTERFACE", "OBJECT")
            self._add(words[0], [w for w in words[1:] if w not in kinds], [])
        elif command == "target_link_libraries" and words[0] in self.targets:
            self.targets[words[0]].deps += [w for w in words[1:] if w not in ("PRIVATE", "PUBLIC")]
        elif command in self.functions:
            self._call_function(words, *self.functions[command])
        elif command.startswith("coterie_") and "SOURCES" in words:
            found = _sections(words[1:])
            self._add(words[0], found.get("SOURCES", []), found.get("DEPS", []))

    def _call_function(self, words, parameters, body):
        keywords = set()
        for command, parsed in body:
            if command == "cmake_parse_arguments":
                keywords = set(";".join(parsed[1:4]).split(";"))
        given = _sections(words[len(parameters):], keywords)
        variables = {f"ARG_{keyword}": given.get(keyword, []) for keyword in keywords}
        variables.update({name: [word] for name, word in zip(parameters, words)})
        self.run(body, variables)

    def _add(self, name, sources, deps):
        self.targets[name] = Target(name, self.folder, sources, deps)


def _items(words):
    """What a foreach goes through."""
    if words[1:3] == ["IN", "LISTS"]:
        return [f"${{{name}}}" for name in words[3:]]
    return words[3:] if words[1:3] == ["IN", "ITEMS"] else words[1:]


class Targets:
    def __init__(self, tree):
        self.by_name = {}
        for name in tree.files:
            if os.path.basename(name) == "CMakeLists.txt":
                folder = os.path.dirname(name)
                _Reader(folder, self.by_name).run(list(_calls(tree.text(name))), {})
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
