# SPDX-License-Identifier: Apache-2.0
"""The rules: each is a function from a Tree to its findings, named by what holds."""

import concurrent.futures
import glob
import os
import re
import shutil
import subprocess

from targets import Targets
from tree import Finding, code_only, comments_only

# A library's headers stay where its types are turned into ours.
HEADER_HOMES = {
    r"(krb5|gssapi|profile)(/.*)?(\.h)?": ["common/auth"],
    r"grpc/.*": ["common/rpc"],
    r"(ldap|lber|sasl/.*)(\.h)?": ["common/ad"],
    r"uv\.h": ["common/os"],
    r"sqlite3\.h": ["agent/db"],
    r"microhttpd\.h": ["controller/status"],
    r"curl/.*": ["cli"],
    r"zstd.*": ["common/rdc", "agent/transfer"],
    r"sys/(fanotify|inotify)\.h": ["agent/watch"],
}

BANNED_CALLS = {
    r"strcpy|strcat|sprintf|vsprintf|gets|stpcpy": "has no bound: use common/base/buf.h or snprintf",
    r"strtok|asctime|ctime|gmtime|localtime": "keeps hidden state: use the _r form",
    r"atoi|atol|atoll|atof": "cannot report an error: use strtol and check",
    r"alloca": "takes unbounded stack",
    r"tmpnam|tempnam|mktemp": "races: use mkstemp or O_TMPFILE",
}
SHELLS = r"system|popen"  # a test may drive the shell scripts that are its material
NO_SLEEP_BENEATH = ("tests/unit/", "tests/property/", "tests/sim/", "agent/version/",
                    "agent/replica/", "agent/session/", "controller/plan/", "common/rdc/")
SLEEPS = r"sleep|usleep|nanosleep|clock_nanosleep"

# Functions over values: no clock, disk, socket or thread reaches them, so that a seed is a run.
PURE_FOLDERS = ("agent/version/", "agent/replica/", "agent/session/", "controller/plan/")
PURE_HEADERS = r"(assert|ctype|errno|inttypes|limits|stdarg|stdbool|stddef|stdint|stdio|stdlib|string|strings)\.h"
PURE_TARGETS = {"base", "model", "version", "replica", "session", "topology", "plan", "proto",
                "ad_values", "PkgConfig::CRYPTO", "PkgConfig::PROTOBUFC"}  # values and codecs

AMERICAN = re.compile(
    r"\b(behavior|color|favor|honor|neighbor|canceled|canceling|center|analyze|initializ|serializ|"
    r"synchroniz|recogniz|organiz|normaliz|optimiz|minimiz|maximiz|summariz)\w*", re.I)

MARKERS = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b|^\s*#\s*if\s+0\b")


def include_edges_follow_deps(tree):
    """A file includes only from its own target and what that target's DEPS reach."""
    targets = Targets(tree)
    for name in tree.code():
        folder = os.path.dirname(name)
        users = targets.building(name) if name.endswith(".c") else targets.owners(name)
        for line, text in tree.lines(name):
            match = re.match(r'\s*#\s*include\s+"([^"]+)"', text)
            if not match:
                continue
            header = match.group(1)
            if "/" not in header:
                yield Finding(name, line, f'"{header}" is not written from the root')
                continue
            if not header.startswith("proto/") and not tree.exists(header):
                yield Finding(name, line, f'"{header}" does not exist')
                continue
            owners = targets.owners(header)
            if os.path.dirname(header) == folder and (not owners or name.endswith(".h")):
                continue
            for user in users:
                if not set(owners) & targets.closure(user):
                    yield Finding(name, line, f'target {user} includes "{header}" of target '
                                  f'{" or ".join(owners) or "(none)"}, which is not in its DEPS')


def sources_are_built(tree):
    """Every .c belongs to a target."""
    targets = Targets(tree)
    for name in tree.having(".c"):
        if not targets.building(name):
            yield Finding(name, 1, "no target builds it: list it in the folder's CMakeLists.txt")


def library_headers_stay_home(tree):
    """A third-party header is included only in its one folder and that folder's tests."""
    for name in tree.code():
        if name.startswith("tests/"):
            continue
        for line, text in tree.lines(name):
            match = re.match(r"\s*#\s*include\s+<([^>]+)>", text)
            if not match:
                continue
            for pattern, homes in HEADER_HOMES.items():
                if re.fullmatch(pattern, match.group(1)) and \
                        not any(name.startswith(home + "/") for home in homes):
                    yield Finding(name, line,
                                  f"<{match.group(1)}> belongs to {' and '.join(homes)} only")


def core_is_pure(tree):
    """The deciding folders reach no operating system, neither by a header nor by a target."""
    for name in tree.code():
        if name.startswith(PURE_FOLDERS):
            for line, text in tree.lines(name):
                match = re.match(r"\s*#\s*include\s+<([^>]+)>", text)
                if match and not re.fullmatch(PURE_HEADERS, match.group(1)):
                    yield Finding(name, line, f"<{match.group(1)}> in a folder that only decides")
    targets = Targets(tree)
    for target in targets.by_name.values():
        if (target.folder + "/").startswith(PURE_FOLDERS):
            for shell in sorted(targets.closure(target.name) - PURE_TARGETS):
                yield Finding(target.folder + "/CMakeLists.txt", 1,
                              f"target {target.name} decides, and depends on {shell}")


def banned_calls_are_absent(tree):
    """No call without a bound, and no sleep where time is an input."""
    for name in tree.code():
        rules = dict(BANNED_CALLS)
        if not name.startswith("tests/"):
            rules[SHELLS] = "runs a shell: use fork and exec with an argument list"
        if name.startswith(NO_SLEEP_BENEATH):
            rules[SLEEPS] = "waits on the wall clock: time arrives as an event here"
        for line, text in enumerate(code_only(tree.text(name)).split("\n"), 1):
            for calls, why in rules.items():
                for match in re.finditer(rf"(?<![\w.>])({calls})\s*\(", text):
                    yield Finding(name, line, f"{match.group(1)}() {why}")


def no_marker_is_left(tree):
    """No note to oneself stays in a source."""
    for name in tree.files:
        if name.endswith(".md") or not (name.endswith((".c", ".h", ".proto", ".cmake", ".txt"))
                                        or name in tree.scripts()):
            continue
        for line, text in tree.lines(name):
            if match := MARKERS.search(text):
                yield Finding(name, line, f"leftover marker: {match.group(0).strip()}")


def licence_line_comes_first(tree):
    """Every source begins with its SPDX line, a script's after its interpreter."""
    for name in tree.code() + tree.having(".proto") + tree.scripts():
        lines = tree.text(name).split("\n")
        first = lines[1] if lines[0].startswith("#!") and len(lines) > 1 else lines[0]
        if "SPDX-License-Identifier: Apache-2.0" not in first:
            yield Finding(name, 1, "the SPDX line is not first")


def _compile_flags(tree):
    modules = []
    for name in tree.having(".cmake"):
        modules += re.findall(r"^\s*pkg_check_modules\(\w+ REQUIRED IMPORTED_TARGET ([\w.+-]+)\)",
                              tree.text(name), re.M)
    flags = ["-std=c17", "-D_GNU_SOURCE", "-fsyntax-only", "-Wall", "-Werror", "-I", tree.root]
    if tree.build:
        flags += ["-isystem", os.path.join(tree.build, "generated")]
    if modules:
        found = subprocess.run(["pkg-config", "--cflags", *modules], capture_output=True, text=True)
        flags += found.stdout.split()
    return flags


def headers_compile_alone(tree):
    """A header needs nothing before it, and may be included twice."""
    flags = _compile_flags(tree)

    def compile_one(name):
        unit = f'#include "{name}"\n#include "{name}"\nextern int not_empty;\n'
        ran = subprocess.run(["cc", *flags, "-x", "c", "-"], input=unit, capture_output=True,
                             text=True)
        if ran.returncode:
            errors = [e for e in ran.stderr.split("\n") if "error:" in e] or ["does not compile"]
            return Finding(name, 1, f"alone: {errors[0].strip()}")
        return None

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for finding in pool.map(compile_one, tree.having(".h")):
            if finding:
                yield finding


def protocol_names_every_field(tree):
    """proto/PROTOCOL.md speaks of each message and each field of each .proto."""
    document = "proto/PROTOCOL.md"
    protos = tree.having(".proto")
    if protos and not tree.exists(document):
        yield Finding(document, 1, f"is missing: {len(protos)} .proto files stand undocumented")
        return
    for name in protos:
        words = set(re.findall(r"\w+", tree.text(document)))
        for line, text in tree.lines(name):
            text = text.split("//")[0]
            match = re.match(r"\s*(?:message|service|enum|rpc)\s+(\w+)", text) or \
                re.match(r"\s*(?:repeated |optional )?[\w.<>, ]+\s(\w+)\s*=\s*\d+\s*[;\[]", text)
            # the zero of an enum stands for nothing and is never sent
            if match and match.group(1) not in words and not match.group(1).endswith("_UNSPECIFIED"):
                yield Finding(name, line, f"{match.group(1)} is not in {document}")


def manuals_name_every_option(tree):
    """Each long option that a program reads stands in a manual page."""
    manuals = "".join(tree.text(name) for name in tree.having(".scd"))
    for name in tree.having(".c"):
        for line, text in tree.lines(name):
            for option in re.findall(r'\{"([a-z-]+)",\s*(?:no|required|optional)_argument', text):
                if not re.search(rf"--{option}(?![\w-])", manuals.replace("\\", "")):
                    yield Finding(name, line, f"--{option} is in no manual page (deploy/man)")


TOP_FOLDERS = "agent|common|controller|cli|proto|ldap-schema|tests|deploy|docs|cmake|\\.ci"


def documents_name_existing_files(tree):
    """A path of the tree that Markdown names is there."""
    pattern = re.compile(rf"(?<![\w/.-])((?:\./)?(?:{TOP_FOLDERS})/[\w./*{{}},-]*[\w*}}])")
    for name in tree.having(".md"):
        for line, text in tree.lines(name):
            for path in pattern.findall(text):
                if not _matches(tree, path.removeprefix("./")):
                    yield Finding(name, line, f"names {path}, which does not exist")
            for path in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text):
                full = os.path.normpath(os.path.join(os.path.dirname(name), path))
                if not tree.exists(full):
                    yield Finding(name, line, f"links to {path}, which does not exist")


def _matches(tree, path):
    """PATH exists, after {a,b} and * are expanded; a bare stem may stand for its .c and .h."""
    if brace := re.search(r"\{([^{}]*)\}", path):
        return all(_matches(tree, path[:brace.start()] + part + path[brace.end():])
                   for part in brace.group(1).split(","))
    full = os.path.join(tree.root, path)
    return bool(glob.glob(full) or glob.glob(full + ".h"))


def no_path_of_one_machine(tree):
    """Nothing in the tree depends on where somebody keeps it."""
    patterns = [r"/home/\w+/", r"/root/"]
    first = tree.root.split("/")[1]
    if first not in ("bin", "boot", "dev", "etc", "home", "lib", "media", "mnt", "opt", "proc",
                     "root", "run", "sbin", "srv", "sys", "tmp", "usr", "var", ""):
        patterns.append(rf"/{re.escape(first)}/")
    pattern = re.compile(r"(?<![\w.$}/*-])(?:" + "|".join(patterns) + ")")
    for name in tree.files:
        if name.startswith("tests/tidy/"):
            continue
        for line, text in tree.lines(name):
            if match := pattern.search(text):
                yield Finding(name, line, f"a path of one machine: {match.group(0)}")


def spelling_is_british(tree):
    """Comments and documents keep one spelling."""
    texts = [(n, comments_only(tree.text(n))) for n in tree.code()]
    texts += [(n, re.sub(r"`[^`\n]*`", lambda m: " " * len(m.group(0)), tree.text(n)))
              for n in tree.having(".md", ".scd")]
    for name, text in texts:
        for line, content in enumerate(text.split("\n"), 1):
            for match in AMERICAN.finditer(content):
                if "_" not in match.group(0):
                    yield Finding(name, line, f"American spelling: {match.group(0)}")


def shell_is_clean(tree):
    """shellcheck has no error and no warning; .shellcheckrc says what does not count, and why."""
    scripts = tree.shell_scripts()
    if not scripts:
        return
    if not shutil.which("shellcheck"):
        yield Finding("tests/tidy", 1, "shellcheck is missing: apt-get install shellcheck")
        return
    ran = subprocess.run(["shellcheck", "-x", "-S", "warning", "-f", "gcc", *scripts], cwd=tree.root,
                         capture_output=True, text=True)
    for message in ran.stdout.splitlines():
        name, line, _, text = message.split(":", 3)
        yield Finding(name, int(line), text.strip())


ALL = [include_edges_follow_deps, sources_are_built, library_headers_stay_home,
       core_is_pure, banned_calls_are_absent, no_marker_is_left, licence_line_comes_first,
       headers_compile_alone, protocol_names_every_field,
       manuals_name_every_option, documents_name_existing_files,
       no_path_of_one_machine, spelling_is_british, shell_is_clean]
