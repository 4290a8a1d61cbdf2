#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the update pairs of the RDC bench: corpus.py FOLDER [--samba GIT_DIR] [PAIR ...]

Each pair is FOLDER/PAIR/old and FOLDER/PAIR/new; one that is there is kept. About 5 GB. Real
content comes from the distribution's packages (apt-get download) and, with --samba, from the git
archives of three releases; the rest from fixed seeds.
"""
import argparse
import os
import random
import shutil
import sqlite3
import subprocess
import tempfile

KERNELS = ("linux-image-6.1.0-55-amd64", "linux-image-6.1.0-56-amd64")
SAMBA = {"samba-minor": ("4.21.0", "4.21.1"), "samba-major": ("4.20.0", "4.21.0")}
MIB = 1 << 20


def noise(path, size, seed):
    source = random.Random(seed)
    with open(path, "wb") as out:
        for _ in range(size // MIB):
            out.write(source.randbytes(MIB))


def make_samba(old, new, name, git):
    for path, release in zip((old, new), SAMBA[name]):
        with open(path, "wb") as out:
            subprocess.run(["git", "-C", git, "archive", "--format=tar", f"samba-{release}"],
                           stdout=out, check=False)


def make_kernel(old, new):
    for path, package in zip((old, new), KERNELS):
        with tempfile.TemporaryDirectory(dir=os.path.dirname(path)) as tmp:
            subprocess.run(["apt-get", "download", package], cwd=tmp, check=True,
                           stdout=subprocess.DEVNULL)
            deb = next(f for f in os.listdir(tmp) if f.endswith(".deb"))
            subprocess.run(["dpkg-deb", "-x", f"{tmp}/{deb}", f"{tmp}/tree"], check=True)
            version = package.split("image-")[1]
            subprocess.run(["tar", "--sort=name", "--mtime=2024-01-01", "--owner=0", "--group=0",
                            "--transform", f"s/{version}/6.1.0-XX-amd64/", "-cf", path, "-C",
                            f"{tmp}/tree", "."], check=True)


def make_edited(old, new):
    """1 GiB of noise with 100 insertions, deletions and replacements of at most 4000 bytes."""
    noise(old, 1024 * MIB, 7)
    source = random.Random(8)
    places = sorted(source.sample(range(MIB, 1023 * MIB), 100))
    with open(old, "rb") as have, open(new, "wb") as out:
        for kind, place in enumerate(places):
            while have.tell() < place:
                out.write(have.read(min(place - have.tell(), 4 * MIB)))
            size = source.randint(1, 4000)
            if kind % 3 != 0:
                have.read(size)
            if kind % 3 != 1:
                out.write(source.randbytes(size))
        shutil.copyfileobj(have, out, 4 * MIB)


def database_rows(source, words, numbers):
    for number in numbers:
        text = [source.choice(words) for _ in range(30)]
        yield (number, " ".join(text[:3]), f"{text[3]}@{text[4]}.com",
               " ".join(text) * 3 + str(source.random()), source.randint(0, 1 << 31))


def make_database(old, new):
    source = random.Random(7)
    words = [f"w{i}" for i in range(50000)]
    base = sqlite3.connect(old)
    base.execute("create table t(id integer primary key, name text, email text, body blob, ts integer)")
    base.executemany("insert into t values(?,?,?,?,?)", database_rows(source, words, range(330000)))
    base.execute("create index ix on t(email)")
    base.commit()
    base.close()
    shutil.copyfile(old, new)
    base = sqlite3.connect(new)
    for row in database_rows(source, words, source.sample(range(330000), 1650)):
        base.execute("update t set name=?, ts=? where id=?", (row[1], row[4], row[0]))
    base.executemany("insert into t values(?,?,?,?,?)",
                     database_rows(source, words, range(330000, 331000)))
    base.commit()
    base.close()


def make_dump(old, new, folder):
    make_pair("sqlite", folder, None)
    for path, name in ((old, "old"), (new, "new")):
        base = sqlite3.connect(f"{folder}/sqlite/{name}")
        with open(path, "w", encoding="utf-8") as out:
            for row in base.execute("select * from t order by id"):
                out.write("INSERT INTO t VALUES(%d,%r,%r,%r,%d);\n" % row)


def make_front(old, new):
    noise(old, 256 * MIB, 21)
    with open(old, "rb") as have, open(new, "wb") as out:
        out.write(random.Random(3).randbytes(137))
        shutil.copyfileobj(have, out)


def make_rearranged(old, new):
    noise(old, 256 * MIB, 22)
    source = random.Random(4)
    with open(old, "rb") as have:
        data = have.read()
    ends = sorted(source.sample(range(1, len(data)), 1023)) + [len(data)]
    pieces = [data[a:b] for a, b in zip([0] + ends, ends)]
    source.shuffle(pieces)
    with open(new, "wb") as out:
        out.writelines(pieces)


def log_lines(source, start, size):
    lines = []
    while size > 0:
        start += source.random() * 2
        line = (f"10.{source.randrange(256)}.{source.randrange(256)}.{source.randrange(256)} - - "
                f"[{start:.3f}] \"GET /w{source.randrange(40000)}/{source.randrange(99999)} HTTP/1.1\" "
                f"{source.choice((200, 200, 304, 404))} {source.randrange(90000)}\n")
        lines.append(line)
        size -= len(line)
    return "".join(lines)


def make_log(old, new):
    source = random.Random(31)
    with open(old, "w", encoding="ascii") as out:
        out.write(log_lines(source, 1700000000, 256 * MIB))
    shutil.copyfile(old, new)
    with open(new, "a", encoding="ascii") as out:
        out.write(log_lines(source, 1800000000, MIB))


def make_image(old, new, folder):
    """An ext4 image with programs, a database and a log; then rows changed, log grown, files added."""
    make_pair("sqlite", folder, None)
    with tempfile.TemporaryDirectory(dir=folder) as tree:
        for name in ("bin", "sbin"):
            shutil.copytree(f"/usr/{name}", f"{tree}/{name}", symlinks=True)
        log = log_lines(random.Random(1), 1700000000, 32 * MIB)
        for path, version in ((old, "old"), (new, "new")):
            shutil.copyfile(f"{folder}/sqlite/{version}", f"{tree}/app.db")
            with open(f"{tree}/syslog", "w", encoding="ascii") as out:
                out.write(log)
            subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-U",
                            "00000000-0000-4000-8000-000000000002", "-E",
                            "root_owner=0:0,hash_seed=00000000-0000-4000-8000-000000000001", "-d",
                            tree, path, "1536M"], check=True)
            log += log_lines(random.Random(2), 1700500000, 2 * MIB)
            shutil.copytree("/usr/share/doc", f"{tree}/doc", symlinks=True, dirs_exist_ok=True)


MAKERS = {"kernel": make_kernel, "edits-1g": make_edited, "sqlite": make_database,
          "sql-dump": make_dump, "insert-front": make_front, "rearranged": make_rearranged,
          "log-append": make_log, "vm-image": make_image}
NEED_FOLDER = ("sql-dump", "vm-image")


def make_pair(name, folder, git):
    target = f"{folder}/{name}"
    if os.path.exists(f"{target}/new"):
        return
    os.makedirs(target, exist_ok=True)
    old, part = f"{target}/old", f"{target}/new.part"
    if name in SAMBA:
        make_samba(old, part, name, git)
    elif name in NEED_FOLDER:
        MAKERS[name](old, part, folder)
    else:
        MAKERS[name](old, part)
    os.rename(part, f"{target}/new")
    print(name, os.path.getsize(old), os.path.getsize(f"{target}/new"), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--samba", help="a git repository with the tags samba-4.20.0 to 4.21.1")
    parser.add_argument("pairs", nargs="*")
    options = parser.parse_args()
    os.makedirs(options.folder, exist_ok=True)
    known = list(MAKERS) + (list(SAMBA) if options.samba else [])
    for name in options.pairs or known:
        make_pair(name, options.folder, options.samba)


if __name__ == "__main__":
    main()
