#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every check of the project, cheap ones first.
#
#   tests/run.sh            all of it: gcc (debug, release) and clang builds, the tests, the sanitizers, the
#                           demonstration
#   tests/run.sh --quick    gcc build; unit, property, fuzz replay and structure checks
#
# Needs root for the integration tests and the demonstration; what cannot run is named, not hidden.
# Ends with one line, "N passed, N failed", over everything; logs stay under build/logs.
set -euo pipefail

root=$(readlink -f "$(dirname "$0")/..")
cd "$root"
logs=build/logs
mkdir -p "$logs"
passed=0 failed=0
skipped=()

case ${1:-} in
    --quick) quick=1 ;;
    "") quick=0 ;;
    *) echo "usage: tests/run.sh [--quick]" >&2; exit 2 ;;
esac

report() { # result, name, note
    echo "$1 - $2${3:+ ($3)}"
    if [ "$1" = ok ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

# step NAME COMMAND...: one check that passes when the command does
step() {
    local name=$1 log
    log=$logs/${name//[ \/]/-}.log
    shift
    local start=$SECONDS
    if "$@" > "$log" 2>&1; then
        report ok "$name" "$((SECONDS - start)) s"
    else
        tail -n 40 "$log"
        report FAILED "$name" "the whole log is $log"
        return 1
    fi
}

build() { # PRESET
    step "build $1" bash -c "cmake --preset $1 && cmake --build --preset $1 -- -j$(nproc)"
}

# tests NAME BUILD CTEST_OPTION...: each test of the build counts for itself
tests() {
    local name=$1 build=$2 result
    local log=$logs/tests-$1.log
    local junit=$root/$logs/tests-$1.xml
    shift 2
    rm -f "$junit"
    ctest --test-dir "build/$build" -j "$(nproc)" --output-on-failure --output-junit "$junit" "$@" \
        > "$log" 2>&1 || true
    if [ ! -s "$junit" ]; then
        tail -n 20 "$log"
        report FAILED "tests $name" "no test ran; see $log"
        return
    fi
    while IFS=$'\t' read -r result test note; do
        case $result in
            skipped) echo "skipped - $name: $test${note:+ ($note)}"; skipped+=("$name: $test") ;;
            *) report "$result" "$name: $test" "$note" ;;
        esac
    done < <(/usr/bin/python3 tests/support/junit.py "$junit")
    /usr/bin/python3 tests/support/junit.py "$junit" --failures
}

demonstration() {
    local log=$logs/demo.log closing
    if [ "$(id -u)" != 0 ]; then
        skipped+=("deploy/demo.sh check: needs root")
        return
    fi
    deploy/demo.sh check 2>&1 | tee "$log" || true
    closing=$(tail -n 1 "$log")
    if [[ $closing =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        passed=$((passed + BASH_REMATCH[1]))
        failed=$((failed + BASH_REMATCH[2]))
    else
        report FAILED "demo check" "it did not reach its closing line; see $log"
    fi
}

closing() {
    local name
    for name in "${skipped[@]}"; do
        echo "not run: $name"
    done
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
}

run_quick() {
    step "packages" deploy/install-packages build test || return
    build dev || return
    tests dev dev -L 'unit|property|fuzz|tidy'
    skipped+=("sim, integration, clang, asan, demonstration: left out by --quick")
}

run_all() {
    step "packages" deploy/install-packages build lab test || return
    build dev || return
    tests dev dev -LE slow
    build release || true
    build clang || true
    if build asan; then
        tests asan asan -L 'unit|property|fuzz'
    fi
    demonstration
}

if [ $quick = 1 ]; then run_quick || true; else run_all || true; fi
closing
