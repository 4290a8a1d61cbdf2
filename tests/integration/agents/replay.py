#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Users for replay.sh, and the judge of what became of their work.

  replay.py users LEDGER ROOT...    reads "MEMBER WORD ARGUMENT..." lines (tests/sim/script.h), does
                                    each, answers "done", or "missed" when there was nothing to do it to
  replay.py judge LEDGER ROOT...    nothing written is lost; no file is torn

Real agents are not in step with the simulation: what a line names may not stand there yet, or no
more. Such a line is missed, as it would be by a user who comes too late.
"""

import os
import sys

import storm

LARGE = 70_000      # never inside an update


def content(number):
    return storm.content(f"c{number}", LARGE if int(number) % 8 == 7 else int(number) % 3 * 40)


class Users:
    def __init__(self, ledger, roots):
        self.ledger = ledger
        self.roots = roots
        self.graveyard = os.path.join(ledger, "graveyard")
        self.aside = os.path.join(ledger, "aside")
        self.count = 0
        os.makedirs(self.graveyard, exist_ok=True)
        self.written = open(os.path.join(ledger, "written-all"), "a", buffering=1, encoding="ascii")

    def grave(self):
        self.count += 1
        return os.path.join(self.graveyard, str(self.count))

    def place(self, path, number):
        """What was made aside takes its name in one step, or there is nothing new at all."""
        try:
            storm.rename(self.aside, path, storm.NOREPLACE)
        except OSError:
            os.remove(self.aside)
            raise
        print(f"c{number}", file=self.written)

    def do_create(self, root, path, number):
        with open(self.aside, "wb") as file:
            file.write(content(number))
        self.place(os.path.join(root, path), number)

    def do_symlink(self, root, path, number):
        os.symlink(f"c{number}", self.aside)
        self.place(os.path.join(root, path), number)

    def do_mkdir(self, root, path):
        os.mkdir(os.path.join(root, path))

    def do_write(self, root, path, number):
        with open(os.open(os.path.join(root, path), os.O_RDWR | os.O_NOFOLLOW), "r+b") as file:
            with open(self.grave(), "wb") as grave:
                grave.write(file.read())
            file.seek(0)
            file.truncate()
            file.write(content(number))
        print(f"c{number}", file=self.written)

    def do_chmod(self, root, path, number):
        path = os.path.join(root, path)
        if os.path.islink(path):
            raise OSError(path)
        os.chmod(path, 0o700 | int(number) % 0o100)

    def do_move(self, root, old, new):
        old, new = os.path.join(root, old), os.path.join(root, new)
        if os.path.isdir(old) or os.path.isdir(new) or not os.path.lexists(new):
            storm.rename(old, new, storm.NOREPLACE)
            return
        storm.rename(old, new, storm.EXCHANGE)
        os.rename(old, self.grave())

    def do_swap(self, root, a, b):
        storm.rename(os.path.join(root, a), os.path.join(root, b), storm.EXCHANGE)

    def do_delete(self, root, path):
        os.rename(os.path.join(root, path), self.grave())

    def do(self, member, word, *arguments):
        try:
            getattr(self, "do_" + word)(self.roots[int(member) - 1], *arguments)
            return "done"
        except OSError:
            return "missed"


def targets(top):
    found = set()
    for folder, dirs, names in os.walk(top):
        if folder == top and storm.PRIVATE in dirs:
            dirs.remove(storm.PRIVATE)
        for path in (os.path.join(folder, name) for name in dirs + names):
            if os.path.islink(path):
                found.add(os.readlink(path))
    return found


def judge(ledger, roots):
    torn = []
    kept = set()
    for root in roots:
        preserve = os.path.join(root, storm.PRIVATE, "preserve")
        kept |= storm.tokens(root, torn) | targets(root) | storm.tokens(preserve) | targets(preserve)
    graveyard = os.path.join(ledger, "graveyard")
    given_up = storm.tokens(graveyard) | targets(graveyard)
    with open(os.path.join(ledger, "written-all"), encoding="ascii") as file:
        written = set(file.read().split())
    return storm.verdict(written, given_up, kept, torn)


def main(verb, ledger, *roots):
    if verb == "judge":
        return judge(ledger, roots)
    users = Users(ledger, roots)
    for line in sys.stdin:
        print(users.do(*line.split()), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
