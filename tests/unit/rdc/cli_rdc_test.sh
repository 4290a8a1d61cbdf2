#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# coterie rdc: every verb does what its help says, and bad input ends in its exit code and a reason.
set -u
coterie=$COTERIE_BUILD/cli/coterie
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
failures=0

fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

# expect CODE TEXT COMMAND...: the exit code, and TEXT somewhere in what it says
expect() {
    local code=$1 text=$2 output status
    shift 2
    output=$("$@" 2>&1)
    status=$?
    [ $status -eq "$code" ] || fail "$* gave $status instead of $code: $output"
    case $output in
    *"$text"*) ;;
    *) fail "$* said '$output', not '$text'" ;;
    esac
}

seq 1 60000 > old
{ head -c 100000 old; echo "something new"; tail -c +100050 old; seq 1 30; } > new
: > empty

echo "# a delta from the old file builds the new one"
expect 0 "" "$coterie" rdc delta old new --output delta
expect 0 "" "$coterie" rdc patch old delta --output out
cmp -s new out || fail "patch made another file"
[ "$(stat -c %s delta)" -lt 440 ] || fail "the delta is $(stat -c %s delta) bytes"

echo "# so does a delta from the old file's signature alone"
expect 0 "chunks" "$coterie" rdc signature old --output sig
expect 0 "" "$coterie" rdc delta --signature sig new --output delta2
expect 0 "" "$coterie" rdc patch old delta2 --output out2
cmp -s new out2 || fail "patch made another file from a signature's delta"

echo "# what an archive holds is compared, not how it is packed"
seq 1 3 900000 | gzip -9n > old.gz
seq 1 3 900000 | sed 's/^300001$/& and more/' | gzip -9n > new.gz
expect 0 "" "$coterie" rdc delta old.gz new.gz --output delta.gz
expect 0 "" "$coterie" rdc patch old.gz delta.gz --output out.gz
cmp -s new.gz out.gz || fail "patch made another archive"
[ "$(stat -c %s delta.gz)" -lt 2000 ] || fail "the archive's delta is $(stat -c %s delta.gz) bytes"
expect 0 '"unpacked":true' "$coterie" rdc stats old.gz new.gz --mode t3 --json
expect 0 '"unpacked":false' "$coterie" rdc stats old.gz new.gz --mode t3 --json --rtt 1 --rate 1000
expect 6 "not the file that the delta was made from" "$coterie" rdc patch new.gz delta.gz --output no
gzip -9n < old > other.gz
expect 6 "not the file that the delta was made from" "$coterie" rdc patch other.gz delta.gz --output no

echo "# empty files are files"
expect 0 "" "$coterie" rdc delta old empty --output delta3
expect 0 "" "$coterie" rdc patch old delta3 --output out3
cmp -s empty out3 || fail "patch did not make an empty file"
expect 0 "" "$coterie" rdc delta empty new --output delta4
expect 0 "" "$coterie" rdc patch empty delta4 --output out4
cmp -s new out4 || fail "patch did not build from an empty file"

echo "# a delta on the wrong file is refused and leaves nothing behind"
sed s/5/6/ old > wrong
expect 6 "not the file that the delta was made from" "$coterie" rdc patch wrong delta --output no
if [ -e no ] || [ -e no.part ]; then
    fail "a refused patch left a file"
fi

echo "# damaged and foreign input is told apart"
head -c 100 delta > short
expect 1 "ends in the middle" "$coterie" rdc patch old short --output no
expect 1 "is not a delta" "$coterie" rdc patch old new --output no
expect 1 "is not a signature" "$coterie" rdc delta --signature new new --output no
expect 6 "another group key" "$coterie" rdc patch old delta --output no --key ab12
expect 5 "cannot open" "$coterie" rdc patch missing delta --output no
expect 2 "not a regular file" "$coterie" rdc signature .
expect 2 "usage" "$coterie" rdc stats old
expect 2 "no verb" "$coterie" rdc fold
expect 2 "no noun" "$coterie" crumple
expect 2 "no value for --mode" "$coterie" rdc stats old new --mode t9

echo "# every way is played and verified"
for mode in t1 t2 t3 t4; do
    expect 0 '"verified":true' "$coterie" rdc stats old new --mode $mode --json --output played
    cmp -s new played || fail "stats --mode $mode made another file"
done
expect 0 '"way":"pull"' "$coterie" rdc stats old new --mode t3 --json
expect 0 '"rounds":1' "$coterie" rdc stats old new --mode t1 --warm --json
expect 0 '"way":"whole"' "$coterie" rdc stats old new --mode t4 --json --rtt 50 --rate 100

echo "# a Microsoft signature has its header"
expect 0 "chunks" "$coterie" rdc signature old --ms --output ms
[ "$(head -c 8 ms | od -An -tx1 | tr -d ' \n')" = 1800000001000100 ] || fail "not a Microsoft signature"

echo "# the file that resembles comes first"
expect 0 "a seed  old" "$coterie" rdc similar new old empty
case $("$coterie" rdc similar new empty old --json | head -1) in
*'"path":"old"'*) ;;
*) fail "the best candidate is not first" ;;
esac

echo "$failures failures"
[ $failures -eq 0 ]
