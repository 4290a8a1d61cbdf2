#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The delta engine's figures in one go: what it needs is installed, built and made, the peers run in
# the same call.
#
#   run.sh [--samba GIT_DIR] [--runs N] [--quick] [--forward] FOLDER [PAIR…]
#
# FOLDER takes the corpora, about 10 GB, and keeps them. --samba: a git repository with the releases
# of the samba pairs, left out otherwise. --quick: no peers but those of the bars, no lower bounds.
# The machine should have nothing else to do.
set -euo pipefail

root=$(readlink -f "$(dirname "$0")/../../..")
samba=()
bounds=(--lower-bounds)
options=()

usage() {
    sed -n '3,9s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

while [[ ${1:-} == --* ]]; do
    case $1 in
    --samba) samba=(--samba "${2:?}"); shift ;;
    --runs) options+=(--runs "${2:?}"); shift ;;
    --quick) bounds=(--bars-only) ;;
    --forward) options+=(--forward) ;;
    *) usage ;;
    esac
    shift
done
folder=${1:-}
[ -n "$folder" ] || usage
shift

"$root/deploy/install-packages" build test bench
(cd "$root" && cmake --preset release && cmake --build --preset release -- -j"$(nproc)") >/dev/null
build=$root/build/release/tests/bench/rdc
python3 "$root/tests/bench/rdc/corpus.py" "${samba[@]}" "$folder" "$@"

echo "machine: $(nproc) x $(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -n 1)," \
    "$(free -g | awk '/^Mem/ { print $2 }') GiB, Linux $(uname -r)," \
    "load $(cut -d ' ' -f 1-3 /proc/loadavg)"
python3 "$root/tests/bench/rdc/bench.py" "${bounds[@]}" "${options[@]}" --tmp "$folder" \
    "$root/build/release/cli/coterie" "$folder" "$@"
sample=$(find "$folder" -name new -size +64M -print -quit)
if [ -n "$sample" ]; then
    "$build/bench_rdc_kernels" "$sample"
fi
for pair in samba-minor samba-major sqlite sql-dump kernel; do
    [ -f "$folder/$pair/new" ] || continue
    [ $# -eq 0 ] || [[ " $* " == *" $pair "* ]] || continue
    echo "cut quality, $pair:"
    "$build/bench_rdc_quality" "$folder/$pair/old" "$folder/$pair/new"
done
