#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Users for storm.sh, and the judge of what became of their work.

  storm.py load ROOT MEMBER SEED SECONDS LEDGER   random changes; each content is unique
  storm.py summary LEDGER                         what the users did
  storm.py check LEDGER ROOT...                   nothing written is lost; no file is torn

A content is its token, one a line, repeated; or an archive of its token and of a text that all
archives share, so that one that takes another's place travels unpacked. What a user replaces or removes is moved into the
graveyard beside the ledger first, so that it is known which contents users themselves gave up, even
when something else stood there than they thought. Every other token must stand in the trees or in a
preserve area.
"""

import collections
import ctypes
import gzip
import json
import os
import random
import sys
import time
import zlib

PRIVATE = ".coterie"
NAMES = ["a", "b", "c", "d", "e", "f", "g", "h"]
DEPTH_MAX = 4
SIZES = [0, 0, 0, 1, 10, 100, 1000, 10_000, 100_000] * 15 + [1_000_000, 10_000_000]
ARCHIVE_SHARE = 0.1
ARCHIVE_MAGIC = b"\x1f\x8b"
ARCHIVE_TEXT = " ".join("%x" % n for n in random.Random(1).choices(range(9000), k=70_000)).encode()
NOREPLACE, EXCHANGE = 1, 2
libc = ctypes.CDLL(None, use_errno=True)


def rename(old, new, flags):
    if libc.renameat2(-100, os.fsencode(old), -100, os.fsencode(new), flags):
        raise OSError(ctypes.get_errno(), "renameat2", old)


def content(token, size):
    line = (token + "\n").encode()
    return line * (1 + size // len(line))


def archive(token, level):
    return gzip.compress(token.encode() + b"\n" + ARCHIVE_TEXT, level)


class User:
    def __init__(self, root, member, seed, ledger):
        self.root = root
        self.member = member
        self.random = random.Random(f"{seed}-{member}")
        self.prefix = f"{seed}-{member}-{os.getpid()}"
        self.count = 0
        self.graves = 0
        self.graveyard = os.path.join(ledger, "graveyard")
        self.outside = os.path.join(ledger, f"outside-{member}")
        os.makedirs(self.graveyard, exist_ok=True)
        os.makedirs(self.outside, exist_ok=True)
        self.bytes = 0
        self.done = collections.Counter()
        self.failed = 0
        self.written = open(os.path.join(ledger, f"written-{member}"), "a", buffering=1)

    def fresh(self):
        self.count += 1
        token = f"{self.prefix}-{self.count}"
        if self.random.random() < ARCHIVE_SHARE:
            data = archive(token, self.random.choice([6, 6, 9, 1]))
        else:
            data = content(token, self.random.choice(SIZES))
        self.bytes += len(data)
        return token, data

    def grave(self):
        self.graves += 1
        return os.path.join(self.graveyard, f"{self.prefix}-{self.graves}")

    def directory(self):
        path = self.root
        for _ in range(self.random.randrange(DEPTH_MAX)):
            try:
                inside = [e.path for e in os.scandir(path)
                          if e.is_dir(follow_symlinks=False) and e.name != PRIVATE]
            except OSError:
                break
            if not inside:
                break
            path = self.random.choice(sorted(inside))
        return path

    def place(self):
        return os.path.join(self.directory(), self.random.choice(NAMES))

    def existing(self):
        for _ in range(5):
            try:
                entries = sorted(e.path for e in os.scandir(self.directory()) if e.name != PRIVATE)
            except OSError:
                continue
            if entries:
                return self.random.choice(entries)
        return self.place()

    def write_aside(self):
        token, data = self.fresh()
        path = os.path.join(self.outside, token)
        with open(path, "wb") as file:
            file.write(data)
        return token, path

    def create(self):
        token, aside = self.write_aside()
        rename(aside, self.place(), NOREPLACE)
        print(token, file=self.written)

    def write_in_place(self):
        path = self.existing()
        if os.path.islink(path) or not os.path.isfile(path):
            return
        token, data = self.fresh()
        with open(path, "r+b") as file:
            old = file.read()
            with open(self.grave(), "wb") as grave:
                grave.write(old)
            file.seek(0)
            file.truncate()
            file.write(data)
        print(token, file=self.written)

    def save(self):
        token, aside = self.write_aside()
        rename(aside, self.existing(), EXCHANGE)
        print(token, file=self.written)
        os.rename(aside, self.grave())

    def make_tree(self):
        aside = os.path.join(self.outside, f"tree-{self.count}")
        os.makedirs(aside)
        tokens = []
        for name in self.random.sample(NAMES, 3):
            sub = os.path.join(aside, name)
            os.mkdir(sub)
            token, data = self.fresh()
            with open(os.path.join(sub, self.random.choice(NAMES)), "wb") as file:
                file.write(data)
            tokens.append(token)
        try:
            rename(aside, self.place(), NOREPLACE)
        except OSError:
            os.rename(aside, self.grave())
            return
        for token in tokens:
            print(token, file=self.written)

    def make_dir(self):
        os.mkdir(self.place())

    def move(self):
        rename(self.existing(), self.place(), NOREPLACE)

    def swap(self):
        rename(self.existing(), self.existing(), EXCHANGE)

    def cross(self):
        """One directory of the root into another: with the same done elsewhere, a cycle."""
        inside = [e.path for e in os.scandir(self.root)
                  if e.is_dir(follow_symlinks=False) and e.name != PRIVATE]
        if len(inside) > 1:
            a, b = self.random.sample(sorted(inside), 2)
            rename(a, os.path.join(b, os.path.basename(a)), NOREPLACE)

    def extend(self):
        """The same bytes and one more line: most of a large file travels as what it was."""
        path = self.existing()
        if os.path.islink(path) or not os.path.isfile(path):
            return
        with open(path, "r+b") as file:
            line = file.readline()
            if line.endswith(b"\n") and not line.startswith(ARCHIVE_MAGIC):
                file.seek(0, os.SEEK_END)
                file.write(line)
                self.bytes += len(line)

    def remove(self):
        path = self.existing()
        if not os.path.isdir(path) or self.random.random() < 0.2:
            os.rename(path, self.grave())

    def remove_one_by_one(self):
        if self.random.random() < 0.5:
            return
        for folder, dirs, files in os.walk(self.existing(), topdown=False):
            for name in files:
                os.rename(os.path.join(folder, name), self.grave())
            for name in dirs:
                os.rmdir(os.path.join(folder, name))
            os.rmdir(folder)

    def link(self):
        os.symlink(f"to-{self.random.randrange(100)}", self.place())

    def attributes(self):
        path = self.existing()
        if not os.path.islink(path):
            os.chmod(path, self.random.choice([0o755, 0o700, 0o750]))

    def step(self):
        what = self.random.choices(
            [self.create, self.write_in_place, self.save, self.make_tree, self.make_dir, self.move,
             self.swap, self.remove, self.remove_one_by_one, self.link, self.attributes, self.cross,
             self.extend],
            [6, 4, 4, 1, 3, 5, 2, 2, 1, 1, 2, 1, 2])[0]
        try:
            what()
            self.done[what.__name__] += 1
        except OSError:
            self.failed += 1    # what was there has gone: others work here too

    def tell(self, ledger):
        with open(os.path.join(ledger, f"done-{self.prefix}"), "w", encoding="ascii") as file:
            json.dump({**self.done, "in vain": self.failed, "bytes": self.bytes}, file)


def load(root, member, seed, seconds, ledger):
    user = User(root, member, seed, ledger)
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        for _ in range(user.random.randrange(1, 12)):
            user.step()
        time.sleep(user.random.random() * 0.2)
    user.tell(ledger)


def summary(ledger):
    done = collections.Counter()
    for name in os.listdir(ledger):
        if name.startswith("done-"):
            with open(os.path.join(ledger, name), encoding="ascii") as file:
                done.update(json.load(file))
    print("operations:", " ".join(f"{what.replace(' ', '_')}={n}" for what, n in sorted(done.items())))


def files(top):
    for folder, dirs, names in os.walk(top):
        if folder == top and PRIVATE in dirs:
            dirs.remove(PRIVATE)
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                yield path


def unpacked(data):
    """The token of an archive, and whether the archive is as one was written."""
    try:
        token, text = gzip.decompress(data).split(b"\n", 1)
    except (OSError, EOFError, ValueError, zlib.error):
        return "", False
    return token.decode(errors="replace"), text == ARCHIVE_TEXT


def tokens(top, torn=None):
    found = set()
    for path in files(top):
        with open(path, "rb") as file:
            data = file.read()
        if data.startswith(ARCHIVE_MAGIC):
            token, whole = unpacked(data)
            found.add(token)
            if torn is not None and not whole:
                torn.append(path)
            continue
        lines = data.split(b"\n")
        if torn is not None and (lines[-1] or len(set(lines[:-1])) != 1):
            torn.append(path)
        found.update(line.decode(errors="replace") for line in set(lines) if line)
    return found


def verdict(written, given_up, kept, torn):
    """Tell what became of all that was written; 1 when something is lost or torn."""
    lost = sorted(written - given_up - kept)
    print(f"written {len(written)}, given up by users {len(written & given_up)}, "
          f"kept {len(written & kept)}, lost {len(lost)}, torn {len(torn)}")
    for what in lost[:10]:
        print("lost:", what)
    for what in torn[:10]:
        print("torn:", what)
    return 1 if lost or torn else 0


def check(ledger, *roots):
    torn = []
    kept = set()
    for root in roots:
        kept |= tokens(root, torn)
        kept |= tokens(os.path.join(root, PRIVATE, "preserve"))
    given_up = tokens(os.path.join(ledger, "graveyard"))
    written = set()
    for name in os.listdir(ledger):
        if name.startswith("written-"):
            with open(os.path.join(ledger, name), encoding="ascii") as file:
                written |= set(file.read().split())
    return verdict(written, given_up, kept, torn)


if __name__ == "__main__":
    if sys.argv[1] == "load":
        sys.exit(load(*sys.argv[2:]))
    if sys.argv[1] == "summary":
        sys.exit(summary(*sys.argv[2:]))
    sys.exit(check(*sys.argv[2:]))
