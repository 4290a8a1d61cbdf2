#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The first figures beside rsync and Syncthing, in one run of the bench harness:
#
#   first-table.sh HARNESS [REPETITIONS]    HARNESS: the folder that holds tree.py and delta.py
#
# Latency of a small edit, a burst of 10,000 files, the initial sync of 100,000 files, and a large
# file with a change inside. Rows are appended to $BENCH_OUT, medians are printed as Markdown.
# The harness makes its corpora the first time, which takes minutes. Needs root and a release build.
set -euo pipefail

[ $# -ge 1 ] || { sed -n '5p' "$0" >&2; exit 2; }
harness=$(readlink -f "$1")
repetitions=${2:-1}
here=$(readlink -f "$(dirname "$0")")
source_dir=$(readlink -f "$here/../..")
export BENCH_WORK=${BENCH_WORK:-/tmp/lab-bench}
export BENCH_OUT=${BENCH_OUT:-$source_dir/build/bench}
export COTERIE_BUILD=${COTERIE_BUILD:-$source_dir/build/release}

for program in tree.py delta.py report.py corpora; do
    [ -e "$harness/$program" ] || { echo "first-table.sh: $harness has no $program" >&2; exit 2; }
done
[ -x "$COTERIE_BUILD/agent/coterie-agent" ] ||
    { echo "first-table.sh: build first: cmake --workflow --preset release" >&2; exit 1; }
"$source_dir/deploy/install-packages" lab bench
# only what these rows need; the harness keeps what it has made
mkdir -p "$BENCH_WORK"
/usr/bin/python3 "$harness/corpora/tree.py"
/usr/bin/python3 "$harness/corpora/delta.py" insert-front linux-clean

ours=$here/adapter
"$harness/tree.py" latency -n 50 "$ours" syncthing@delay=1
"$harness/tree.py" burst -r "$repetitions" "$ours" rsync syncthing@delay=1
"$harness/tree.py" initial -r "$repetitions" "$ours" rsync syncthing
"$harness/delta.py" run -r "$repetitions" -p insert-front,linux-clean "$ours" rsync@-z,--zc=zstd syncthing
"$harness/report.py" "$BENCH_OUT"
