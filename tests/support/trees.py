#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Judge replicated trees without the product's help.

  trees.py list ROOT                 every object, one a line: type, mode, owner, times, content hash …
  trees.py equal ROOT ROOT...        exit 0 when all hold the same; prints the first differences
  trees.py same-names ROOT ROOT...   the same by names, types and sizes only: quick, to wait with
  trees.py edits COUNT SECONDS WRITER ROOT READER ROOT...
                                     write files beneath WRITER's root, measure when each reader has
                                     them; prints: milliseconds at p50, milliseconds at most
  trees.py make-files ROOT COUNT SIZE
  trees.py insert FILE OFFSET BYTES  put random bytes into a file by rewriting it under a new name
  trees.py occurrences FILE CAPTURE  how many pieces of FILE a capture shows in the clear

What the product keeps to itself (.coterie in a root) is left out; so are the times of directories,
which change with every entry and are not replicated.
"""

import hashlib
import mmap
import os
import random
import stat
import sys
import time

PRIVATE = ".coterie"
PIECE = 32              # bytes that must agree for "this is in the clear"
PIECE_EVERY = 256


def objects(root):
    """Yield (path below root, lstat) in an order that depends on names only."""
    root = os.fsencode(root)
    todo = [b""]
    while todo:
        folder = todo.pop()
        for entry in sorted(os.scandir(os.path.join(root, folder)), key=lambda e: e.name):
            path = os.path.join(folder, entry.name)
            if path == os.fsencode(PRIVATE):
                continue
            info = entry.stat(follow_symlinks=False)
            yield path, info
            if stat.S_ISDIR(info.st_mode):
                todo.append(path)


def content(path, info):
    if stat.S_ISLNK(info.st_mode):
        return "-> " + repr(os.readlink(path))
    if not stat.S_ISREG(info.st_mode):
        return ""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def attributes(path):
    """Extended attributes that replicate; POSIX ACLs are among them."""
    kept = []
    for name in sorted(os.listxattr(path, follow_symlinks=False)):
        if name.startswith("user.") or name in ("security.capability", "security.NTACL") \
                or name.startswith("system.posix_acl"):
            kept.append(f"{name}={os.getxattr(path, name, follow_symlinks=False).hex()}")
    return " ".join(kept)


def line_of(root, path, info, quick):
    full = os.path.join(os.fsencode(root), path)
    kind = stat.S_IFMT(info.st_mode)
    size = 0 if stat.S_ISDIR(info.st_mode) else info.st_size
    words = [repr(path)[2:-1], f"{kind:o}", str(size)]
    if not quick:
        time_ns = 0 if stat.S_ISDIR(info.st_mode) else info.st_mtime_ns
        words += [f"{info.st_mode & 0o7777:o}", f"{info.st_uid}:{info.st_gid}", str(time_ns),
                  content(full, info), attributes(full)]
    return "\t".join(words)


def lines(root, quick=False):
    return {line_of(root, path, info, quick) for path, info in objects(root)}


def equal(roots, quick=False, shown=5):
    try:
        first = lines(roots[0], quick)
        same = True
        for root in roots[1:]:
            other = lines(root, quick)
            for what, extra in (("only in " + roots[0], first - other),
                                ("only in " + root, other - first)):
                for line in sorted(extra)[:shown]:
                    print(f"{what}: {line}")
                same = same and not extra
        return same
    except FileNotFoundError as error:      # a tree that moves is not equal yet
        print(error)
        return False


def wait_for(path, body, deadline):
    while time.monotonic() < deadline:
        try:
            with open(path, "rb") as file:
                if file.read() == body:
                    return time.monotonic()
        except OSError:
            pass
        time.sleep(0.002)
    raise SystemExit(f"{path} did not arrive in time")


def edits(count, seconds, writer, readers):
    """Half are new files, half overwrite the one before."""
    taken = []
    folder = f"edits-{os.path.basename(os.path.dirname(writer)) or 'x'}-{random.randrange(1 << 32):x}"
    os.mkdir(os.path.join(writer, folder))
    for number in range(count):
        name = os.path.join(folder, f"file-{number - number % 2}")
        body = random.randbytes(4096)
        start = time.monotonic()
        with open(os.path.join(writer, name), "wb") as file:
            file.write(body)
        arrivals = [wait_for(os.path.join(reader, name), body, start + seconds)
                    for reader in readers]
        taken.append(max(arrivals) - start)
        time.sleep(random.uniform(0.05, 0.2))
    taken.sort()
    print(round(taken[len(taken) // 2] * 1000), round(taken[-1] * 1000))


def make_files(root, count, size):
    os.makedirs(root)
    for number in range(count):
        with open(os.path.join(root, f"file-{number:05d}"), "wb") as file:
            file.write(random.randbytes(size))


def insert(path, offset, size):
    with open(path, "rb") as file:
        body = file.read()
    with open(path + ".new", "wb") as file:
        file.write(body[:offset] + random.randbytes(size) + body[offset:])
    os.rename(path + ".new", path)


def occurrences(path, capture):
    with open(path, "rb") as file:
        body = file.read()
    with open(capture, "rb") as file:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as seen:
            return sum(seen.find(body[at:at + PIECE]) >= 0
                       for at in range(0, len(body) - PIECE, PIECE_EVERY))


def main(verb, *words):
    if verb == "list":
        print("\n".join(sorted(lines(words[0]))))
    elif verb in ("equal", "same-names"):
        return 0 if equal(words, quick=verb == "same-names") else 1
    elif verb == "edits":
        edits(int(words[0]), float(words[1]), words[2], words[3:])
    elif verb == "make-files":
        make_files(words[0], int(words[1]), int(words[2]))
    elif verb == "insert":
        insert(words[0], int(words[1]), int(words[2]))
    elif verb == "occurrences":
        print(occurrences(*words))
    else:
        raise SystemExit(__doc__)
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    sys.exit(main(*sys.argv[1:]))
