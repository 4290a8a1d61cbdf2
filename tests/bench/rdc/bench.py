#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One table of bytes, processor time and memory: ours and the peers on the same pairs.

bench.py COTERIE CORPUS [PAIR ...] [--forward] [--runs N] [--bars-only] [--lower-bounds]

CORPUS is what corpus.py made: CORPUS/PAIR/old and new; each pair is run both ways, from old to new
(>) and from new to old (<). Bytes are both directions of the wire together; the peers' results are
compared with the file wanted. Processor time is user and system of all processes, reading and
writing included, the median of N runs, caches warm. `floor` is what nobody who proves and writes the
file can go below: its SHA-256 once, and a copy of it. Behind each of our lines stands its share of
every bar; a bar that is not met is marked with !. The end counts and repeats them, those of them
apart that lie below the floor.
"""
import argparse
import filecmp
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile

# bytes a pull and a push may need: 1.10 of the model that set the bars, in MB
MODEL = {"samba-minor": (1.48, 0.195), "samba-major": (2.49, 0.561), "sqlite": (3.21, 0.551),
         "sql-dump": (1.08, 0.231), "kernel": (26.0, 20.1), "edits-1g": (0.339, 0.151)}
EDITS_BARS = {"t1": 170e3, "t2": 300e3, "t3": 360e3}
FAST_LINK = ("--rtt", "1", "--rate", "1000")
MEMORY_BASE = 64 << 20
MEMORY_SHARE = 0.011


class Bench:
    def __init__(self, options):
        self.options = options
        self.judged = 0
        self.misses = []
        self.impossible = []
        self.tmp = tempfile.mkdtemp(dir=options.tmp)
        self.shell = f"{self.tmp}/local-shell"
        with open(self.shell, "w", encoding="ascii") as out:
            out.write('#!/bin/sh\nshift\nexec "$@"\n')
        os.chmod(self.shell, stat.S_IRWXU)

    def run(self, command, output=None):
        """Run; returns (stdout, processor seconds, peak bytes of the largest process)."""
        with open(output, "wb") if output else tempfile.TemporaryFile() as out:
            child = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE)
            error = child.stderr.read()
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = status
            if status != 0:
                sys.exit(f"{' '.join(command)}: {error.decode(errors='replace')}")
            text = b""
            if not output:
                out.seek(0)
                text = out.read()
        return text.decode(), usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024

    def median(self, job):
        """The run with the median processor time; of two in the middle the cheaper."""
        results = sorted((job() for _ in range(self.options.runs)), key=lambda result: result["cpu"])
        return results[(len(results) - 1) // 2]

    def floor(self, new):
        _, hashing, _ = self.run(["openssl", "dgst", "-sha256", new])
        _, copying, _ = self.run(["cp", "--reflink=never", "--sparse=never", new,
                                  f"{self.tmp}/target"])
        return {"bytes": 0, "cpu": hashing + copying}

    def rsync(self, old, new, *extra):
        target = f"{self.tmp}/target"
        shutil.copyfile(old, target)
        text, cpu, _ = self.run(["rsync", "-e", self.shell, "--no-whole-file", "-I", "--stats",
                                 *extra, new, f"local:{target}"])
        if not filecmp.cmp(new, target, False):
            sys.exit("rsync made another file")
        totals = [int("".join(filter(str.isdigit, line))) for line in text.splitlines()
                  if line.startswith("Total bytes")]
        return {"bytes": sum(totals), "cpu": cpu}

    def zstd(self, old, new, level):
        patch, target = f"{self.tmp}/patch", f"{self.tmp}/target"
        _, cpu, memory = self.run(["zstd", "-q", "-f", f"-{level}", "--long=31",
                                   f"--patch-from={old}", new, "-o", patch])
        _, more, _ = self.run(["zstd", "-q", "-f", "-d", "--long=31", f"--patch-from={old}", patch,
                               "-o", target])
        return {"bytes": os.path.getsize(patch), "cpu": cpu + more, "memory": memory}

    def xdelta(self, old, new):
        patch = f"{self.tmp}/patch"
        window = str(min(os.path.getsize(old) + 1, 2000 << 20))
        _, cpu, memory = self.run(["xdelta3", "-f", "-e", "-9", "-B", window, "-s", old, new, patch])
        return {"bytes": os.path.getsize(patch), "cpu": cpu, "memory": memory}

    def rdiff(self, old, new):
        signature, delta, packed = (f"{self.tmp}/{name}" for name in ("sig", "delta", "delta.zst"))
        total = self.run(["rdiff", "-f", "signature", old, signature])[1]
        total += self.run(["rdiff", "-f", "delta", signature, new, delta])[1]
        total += self.run(["zstd", "-q", "-f", "-3", delta, "-o", packed])[1]
        total += self.run(["rdiff", "-f", "patch", old, delta, f"{self.tmp}/target"])[1]
        return {"bytes": os.path.getsize(signature) + os.path.getsize(packed), "cpu": total}

    def casync(self, old, new):
        total = 0
        for name, path in (("old", old), ("new", new)):
            shutil.rmtree(f"{self.tmp}/{name}.castr", ignore_errors=True)
            total += self.run(["casync", "make", "--compression=zstd",
                               f"--store={self.tmp}/{name}.castr", f"{self.tmp}/{name}.caibx",
                               path])[1]
        have = {file for _, _, files in os.walk(f"{self.tmp}/old.castr") for file in files}
        size = os.path.getsize(f"{self.tmp}/new.caibx")
        for folder, _, files in os.walk(f"{self.tmp}/new.castr"):
            size += sum(os.path.getsize(f"{folder}/{file}") for file in files if file not in have)
        return {"bytes": size, "cpu": total}

    def zsync(self, old, new):
        """The control file and, as its own client would ask for them, nothing else: a lower bound."""
        control = f"{self.tmp}/control.zsync"
        _, cpu, _ = self.run(["zsyncmake", "-Z", "-u", "x", "-o", control, new])
        return {"bytes": os.path.getsize(control), "cpu": cpu}

    def ours(self, old, new, mode, *extra):
        target = f"{self.tmp}/target"
        text, _, _ = self.run([self.options.coterie, "rdc", "stats", old, new, "--mode", mode,
                               "--json", "--output", target, *extra])
        if not filecmp.cmp(new, target, False):
            sys.exit("coterie made another file")
        result = json.loads(text)
        return {"bytes": result["bytes_total"], "cpu": result["cpu_seconds"],
                "memory": result["peak_memory_bytes"], "rounds": result["rounds"],
                "unpacked": result["unpacked"],
                "detail": "sign %.2f match %.2f pack %.2f build %.2f unpack %.2f" % tuple(
                    result[f"cpu_{step}_seconds"]
                    for step in ("signature", "match", "pack", "build", "unpack"))}

    def judge(self, where, value, bar, what, floor=0):
        """How much of the bar is used; a miss is remembered."""
        if bar is None:
            return ""
        self.judged += 1
        if value <= bar:
            return f" {what} {value / bar:.2f}"
        misses = self.impossible if what == "cpu" and bar < floor else self.misses
        misses.append(f"{where} {what} {value / bar:.2f}")
        return f" !{what} {value / bar:.2f}"

    def line(self, pair, name, result, verdict=""):
        memory = f"{result['memory'] / 1048576:6.0f}" if "memory" in result else "      "
        rounds = f"{result['rounds']:2d}" if "rounds" in result else "  "
        print(f"{pair:15} {name:16} {result['bytes']:12d} {result['cpu']:7.2f} {memory} {rounds}"
              f" {result.get('detail', '')}{verdict}", flush=True)

    def judge_ours(self, pair, mode, warm, result, size, peers):
        plain, tuned, patch, floor = peers
        name, direction = pair.split()
        model = MODEL.get(name, (None, None)) if direction == ">" else (None, None)
        bars = [(result["cpu"], (0.45 if warm else 0.75) * plain["cpu"], "cpu"),
                (result["memory"], MEMORY_BASE + MEMORY_SHARE * size, "memory"),
                (result["rounds"], 5 if mode == "t3" else 1, "rounds")]
        if mode == "t1":
            bars += [(result["bytes"], patch["bytes"], "patch-from")]
            bars += [(result["bytes"], model[1] and model[1] * 1.1e6, "model")]
        if mode == "t3":
            bars += [(result["bytes"], 0.95 * tuned["bytes"], "rsync-B2048"),
                     (result["bytes"], 0.55 * plain["bytes"], "rsync-z"),
                     (result["bytes"], model[0] and model[0] * 1.1e6, "model")]
        if name == "edits-1g":
            bars += [(result["bytes"], EDITS_BARS[mode], "fixed")]
        where = f"{pair} {mode} {'warm' if warm else 'cold'}"
        return "".join(self.judge(where, *bar, floor=floor["cpu"]) for bar in bars)

    def pair(self, pair, old, new):
        old, new = os.path.realpath(old), os.path.realpath(new)
        size = os.path.getsize(new)
        peers = (self.median(lambda: self.rsync(old, new, "-z")),
                 self.median(lambda: self.rsync(old, new, "-z", "-B2048")),
                 self.zstd(old, new, 3), self.median(lambda: self.floor(new)))
        for name, result in zip(("rsync -z", "rsync -z -B2048", "zstd -3 patch", "floor"), peers):
            self.line(pair, name, result)
        if not self.options.bars_only:
            self.line(pair, "rdiff + zstd", self.rdiff(old, new))
            self.line(pair, "casync", self.casync(old, new))
            self.line(pair, "zsync control", self.zsync(old, new))
        if self.options.lower_bounds:
            self.line(pair, "zstd -19 patch", self.zstd(old, new, 19))
            self.line(pair, "xdelta3 -9", self.xdelta(old, new))
        for mode in ("t1", "t2", "t3"):
            for warm in (False, True):
                extra = ("--warm",) if warm else ()
                result = self.median(lambda: self.ours(old, new, mode, *extra))
                name = f"ours {mode} {'warm' if warm else 'cold'}"
                self.line(pair, name, result, self.judge_ours(pair, mode, warm, result, size, peers))
                if result["unpacked"]:
                    result = self.median(lambda: self.ours(old, new, mode, *extra, *FAST_LINK))
                    self.line(pair, "  at 1 Gbit/s", result)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("coterie")
    parser.add_argument("corpus")
    parser.add_argument("pairs", nargs="*")
    parser.add_argument("--forward", action="store_true", help="from old to new only")
    parser.add_argument("--bars-only", action="store_true", help="no peers but those of the bars")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--lower-bounds", action="store_true", help="zstd -19 and xdelta3 -9: slow")
    parser.add_argument("--tmp", help="folder for working files; default as usual")
    options = parser.parse_intermixed_args()
    pairs = options.pairs or sorted(name for name in os.listdir(options.corpus)
                                    if os.path.exists(f"{options.corpus}/{name}/new"))
    bench = Bench(options)
    print(f"{'pair':15} {'tool':16} {'bytes':>12} {'cpu s':>7} {'MiB':>6} rounds")
    try:
        for pair in pairs:
            old, new = f"{options.corpus}/{pair}/old", f"{options.corpus}/{pair}/new"
            bench.pair(f"{pair} >", old, new)
            if not options.forward:
                bench.pair(f"{pair} <", new, old)
    finally:
        shutil.rmtree(bench.tmp)
    print(f"{len(bench.misses) + len(bench.impossible)} of {bench.judged} bars not met",
          *bench.misses, sep="\n  ")
    if bench.impossible:
        print(f"of them below the floor: {len(bench.impossible)}", *bench.impossible, sep="\n  ")


if __name__ == "__main__":
    main()
