#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Check what is either right or wrong in the source tree.

usage: tidy.py [--build DIR] [--root DIR] [RULE…]

Prints each finding as path:line: what, then one line per rule; exit 1 when there is any finding.
--build names a built tree, for the generated headers. Sizes are a place to look, never a failure.
"""

import argparse
import os
import re
import sys

import rules
from tree import Tree, code_only

FILE_LINES_TO_LOOK_AT = 600
FUNCTION_LINES_TO_LOOK_AT = 70


def functions(text):
    """Yield (name, first line, line count) of the functions in kernel-style C."""
    name, start = None, 0
    for number, line in enumerate(code_only(text).split("\n"), 1):
        if match := re.match(r"[A-Za-z_].*?\b(\w+)\(", line):
            name = match.group(1)
        elif line == "{":
            start = number
        elif line == "}" and start:
            yield name, start, number - start
            start = 0


def print_sizes(tree):
    for name in tree.code() + tree.scripts():
        count = tree.text(name).count("\n")
        if count > FILE_LINES_TO_LOOK_AT:
            print(f"look: {name} has {count} lines")
    for name in tree.having(".c"):
        for function, line, count in functions(tree.text(name)):
            if count > FUNCTION_LINES_TO_LOOK_AT:
                print(f"look: {name}:{line} {function} has {count} lines")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--build")
    parser.add_argument("--root", default=os.path.join(os.path.dirname(__file__), "../.."))
    parser.add_argument("rule", nargs="*")
    options = parser.parse_args()
    tree = Tree(options.root, options.build)
    chosen = [r for r in rules.ALL if not options.rule or r.__name__ in options.rule]
    failed = 0
    for rule in chosen:
        findings = sorted(set(rule(tree)))
        for finding in findings:
            print(finding)
        failed += bool(findings)
        print(f"{'FAILED' if findings else 'ok'} - {rule.__name__}"
              + (f": {len(findings)} findings" if findings else ""))
    print_sizes(tree)
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
