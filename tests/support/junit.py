#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Print the tests of a ctest JUnit file, one a line: ok|FAILED|skipped, name, note; by tabs.

usage: junit.py FILE [--failures]    --failures prints the end of what each failed test said instead
"""

import sys
import xml.etree.ElementTree as ElementTree

OUTPUT_LINES = 60


def result_of(case):
    skip = case.find("skipped")
    if skip is not None:
        # a program that is missing is "not run" as well, and a failure
        return "skipped" if skip.get("message", "").startswith("SKIP_") else "FAILED"
    return "ok" if case.get("status") == "run" else "FAILED"


def note_of(case, result):
    lines = [line.strip() for line in (case.findtext("system-out") or "").splitlines()
             if line.strip()]
    if result == "ok":
        return f"{float(case.get('time', 0)):.1f} s"
    return lines[-1][:120] if lines else ""


def main():
    failures = "--failures" in sys.argv[2:]
    for case in ElementTree.parse(sys.argv[1]).getroot().iter("testcase"):
        result = result_of(case)
        if not failures:
            print(result, case.get("name"), note_of(case, result), sep="\t")
        elif result == "FAILED":
            lines = (case.findtext("system-out") or "").rstrip().splitlines()
            print(f"--- {case.get('name')}", *lines[-OUTPUT_LINES:], sep="\n")


if __name__ == "__main__":
    main()
