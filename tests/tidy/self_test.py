#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Each tidy rule must be able to fail: plant one fault per rule in a small clean tree."""

import os
import sys
import tempfile

import rules
from tree import Tree

LICENCE = "/* SPDX-License-Identifier: Apache-2.0 */\n"

CLEAN = {
    "cmake/Dependencies.cmake": "# none\n",
    "common/base/CMakeLists.txt": "coterie_library(base\n  SOURCES a.c\n  DEPS)\n",
    "common/base/a.h": LICENCE + "#pragma once\nint a(void);\n",
    "common/base/a.c": LICENCE + '#include "common/base/a.h"\nint a(void)\n{\n    return 1;\n}\n',
    "common/os/CMakeLists.txt": "foreach(n os)\ncoterie_library(${n} SOURCES ${n}.c DEPS base)\n"
                                "endforeach()\n",
    "common/os/os.c": LICENCE + '#include "common/base/a.h"\n#include <uv.h>\n',
    "common/os/os.h": LICENCE + "#pragma once\n",
    "agent/CMakeLists.txt": "set(S b.c)\nif(X86)\nlist(APPEND S fast.c)\nendif()\n"
                            "coterie_program(agent SOURCES ${S} DEPS os)\n",
    "agent/fast.c": LICENCE + 'struct option o = {"config", required_argument, NULL, 0};\n',
    "deploy/man/agent.8.scd": "*--config* _FILE_\n",
    "agent/replica/CMakeLists.txt": "coterie_library(replica SOURCES r.c DEPS base)\n",
    "agent/replica/r.c": LICENCE + "#include <stdlib.h>\n",
    # an edge that only the closure of DEPS allows, and words that only look like faults
    "agent/b.c": LICENCE + '#include "common/base/a.h"\n/* strcpy( in a comment */\n'
                           'const char *b = "system(x) mkdtemp.XXXXXX";\n',
    "proto/x.proto": "// SPDX-License-Identifier: Apache-2.0\nmessage M {\n  uint64 size = 1; // s\n}\n",
    "proto/PROTOCOL.md": "`M` has `size`.\n",
    "docs/NOTES.md": "See `common/base/a.h`, common/{base,os} and [os](../common/os/os.h).\n",
    "tests/unit/t.c": LICENCE,
    "tests/unit/CMakeLists.txt": "coterie_test(t LABEL unit SOURCES t.c DEPS base)\n"
                                 "add_library(scene STATIC scene.c)\n"
                                 "target_link_libraries(scene PRIVATE flags PUBLIC base)\n",
    "tests/unit/scene.c": LICENCE + '#include "common/base/a.h"\n',
    "tests/integration/CMakeLists.txt":
        "function(own_test name)\ncmake_parse_arguments(ARG \"\" \"TIMEOUT\" \"SOURCES\" ${ARGN})\n"
        "add_executable(${name} ${ARG_SOURCES} world.c)\n"
        "target_link_libraries(${name} PRIVATE os)\nendfunction()\n"
        "own_test(link SOURCES link.c TIMEOUT 3)\n",
    "tests/integration/link.c": LICENCE + '#include "common/base/a.h"\n',
    "tests/integration/world.c": LICENCE,
    "deploy/run": "#!/bin/bash\n# SPDX-License-Identifier: Apache-2.0\necho \"$1\"\n",
}

# (rule, file, the fault appended or, for None, what happens to the file)
PLANTS = [
    ("include_edges_follow_deps", "common/base/a.c", '#include "common/os/os.h"\n'),
    ("include_edges_follow_deps", "common/base/a.h", '#include "common/os/os.h"\n'),
    ("include_edges_follow_deps", "agent/b.c", '#include "b.h"\n'),
    ("include_edges_follow_deps", "agent/b.c", '#include "common/base/gone.h"\n'),
    ("include_edges_follow_deps", "tests/unit/scene.c", '#include "common/os/os.h"\n'),
    ("include_edges_follow_deps", "tests/integration/link.c", '#include "proto/x.pb-c.h"\n'),
    ("include_edges_follow_deps", "tests/unit/t.c", '#include "proto/x.pb-c.h"\n'),
    ("sources_are_built", "common/base/forgotten.c", LICENCE),
    ("library_headers_stay_home", "common/base/a.c", "#include <sqlite3.h>\n"),
    ("library_headers_stay_home", "agent/b.c", "#include <gssapi/gssapi.h>\n"),
    ("core_is_pure", "agent/replica/r.c", "#include <time.h>\n"),
    ("core_is_pure", "agent/replica/CMakeLists.txt", "coterie_library(more SOURCES r.c DEPS os)\n"),
    ("banned_calls_are_absent", "agent/b.c", "void f(char *s) { strcpy(s, b); }\n"),
    ("banned_calls_are_absent", "tests/unit/t.c", "void f(void) { sleep(1); }\n"),
    ("no_marker_is_left", "agent/b.c", "/* TO" "DO: later */\n"),
    ("no_marker_is_left", "deploy/run", "# FIX" "ME\n"),
    ("no_marker_is_left", "common/base/a.c", "#if" " 0\n#endif\n"),
    ("licence_line_comes_first", "tests/unit/u.h", "int u;\n"),
    ("licence_line_comes_first", "deploy/other", "#!/bin/bash\necho\n"),
    ("headers_compile_alone", "common/os/os.h", "size_t before_stddef(void);\n"),
    ("protocol_names_every_field", "proto/x.proto", "message N {\n  bytes unknown = 2;\n}\n"),
    ("protocol_names_every_field", "proto/PROTOCOL.md", None),
    ("manuals_name_every_option", "agent/b.c", '{"check", no_argument, NULL, 1},\n'),
    ("documents_name_existing_files", "docs/NOTES.md", "And `common/base/gone.h`.\n"),
    ("documents_name_existing_files", "docs/NOTES.md", "[gone](gone.md)\n"),
    ("no_path_of_one_machine", "deploy/run", "ls /home/" "somebody/coterie\n"),
    ("spelling_is_british", "common/base/a.h", "/* its behavi" "or */\n"),
    ("spelling_is_british", "docs/NOTES.md", "It is initiali" "zed.\n"),
    ("shell_is_clean", "deploy/run", "export now=$(date)\n"),
]


def write(root, files):
    for name, text in files.items():
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def failing(root):
    tree = Tree(root)
    return {rule.__name__: found for rule in rules.ALL if (found := list(rule(tree)))}


def main():
    passed, problems = 0, []

    def expect(what, files, rule, fault_in):
        nonlocal passed
        with tempfile.TemporaryDirectory(prefix="coterie-tidy-") as root:
            write(root, files)
            found = failing(root)
        if set(found) == ({rule} if rule else set()) and \
                (not rule or any(f.path == fault_in for f in found[rule])):
            passed += 1
        else:
            reported = "; ".join(f"{n}: {f[0]}" for n, f in found.items()) or "nothing"
            problems.append(f"{what}: reported {reported}")

    expect("a clean tree", CLEAN, None, None)
    for rule, name, fault in PLANTS:
        files = dict(CLEAN)
        if fault is None:
            del files[name]
        else:
            files[name] = files.get(name, "") + fault
        expect(f"{rule} with a fault in {name}", files, rule, name)
    for rule in {r.__name__ for r in rules.ALL} - {rule for rule, _, _ in PLANTS}:
        problems.append(f"{rule}: no planted fault shows that it can fail")

    for problem in problems:
        print(f"FAILED - {problem}")
    print(f"{passed} passed, {len(problems)} failed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
