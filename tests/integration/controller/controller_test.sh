#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The controller as a program, against a real directory and KDC, with real agents.
# grep -q never stands behind a pipe: it ends early, and pipefail makes that a failure.
set -euo pipefail
build=${COTERIE_BUILD:?} source=${COTERIE_SOURCE:?}
support=$source/tests/support/directory.sh
controller=$build/controller/coterie-controller
agent=$build/agent/coterie-agent
coterie=$build/cli/coterie
for program in jq curl python3; do
    command -v "$program" > /dev/null || { echo "$program is missing"; exit 77; }
done
work=$(mktemp -d)
pids=()

finish() {
    for pid in "${pids[@]}"; do kill -KILL "$pid" 2> /dev/null || true; done
    bash "$support" stop "$work/d" > /dev/null 2>&1 || true
    rm -rf "$work"
}
trap finish EXIT

fail() {
    echo "FAILED: $*"
    for log in "$work"/*.log; do echo "--- $log"; tail -n 20 "$log"; done
    exit 1
}
ok() { echo "ok - $*"; }

eventually() { # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@" > "$work/last" 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.2
    done
}

get() { curl -sS --max-time 5 "http://$COTERIE_ADDRESS:7720$1"; }
is() { [ "$(get /v1/status | jq -r "$1")" = "$2" ]; } # FILTER VALUE
answers() { [ "$(curl -s -o /dev/null -w '%{http_code}' "http://$COTERIE_ADDRESS:7720/healthz")" = "$1" ]; }
finding() { get /v1/status | jq -e --arg code "$1" --arg words "$2" \
    '.findings[] | select(.code == $code and (.object + .cause | contains($words)) and .remedy != "")'; }
no_finding() { ! finding "$@" > /dev/null; }

start_agent() { # NAME PORT
    mkdir -p "$work/tree/$1" "$work/state/$1"
    cat > "$work/$1.conf" << END
[agent]
controller = $COTERIE_ADDRESS:7721
keytab = $(bash "$support" add-principal "$work/d" "host/$1.corp.example")
host_name = $1.corp.example
listen = $COTERIE_ADDRESS
port = $2
state_dir = $work/state/$1
socket = $work/$1.socket
END
    "$agent" --config "$work/$1.conf" > "$work/$1.log" 2>&1 &
    pids+=($!)
    last_pid=$!
}

if ! bash "$support" start "$work/d" > "$work/directory.log" 2>&1; then
    code=$?
    cat "$work/directory.log"
    exit "$code"
fi
# shellcheck source=/dev/null
. "$work/d/env"
keytab=$(bash "$support" add-principal "$work/d" "host/$COTERIE_ADDRESS")
bash "$support" stop "$work/d" > /dev/null

# --- what cannot be right ends at once, in one line ---
echo "[controller]" > "$work/bad.conf"
[ "$("$controller" --config "$work/bad.conf" 2> "$work/err"; echo $?)" = 2 ] || fail "bad configuration: exit"
[ "$(wc -l < "$work/err")" = 1 ] || fail "bad configuration: more than a line"
grep -q '"directory" is missing' "$work/err" || fail "bad configuration: words"
ok "a bad configuration ends in one line and exit 2"

cat > "$work/controller.conf" << END
[controller]
directory = $COTERIE_LDAP_URI
keytab = $keytab
listen = $COTERIE_ADDRESS
http_listen = $COTERIE_ADDRESS
poll_interval = 5
END
sed "s|^keytab.*|keytab = $work/none.keytab|" "$work/controller.conf" > "$work/bad.conf"
! "$controller" --config "$work/bad.conf" 2> "$work/err" || fail "a missing keytab is accepted"
[ "$(grep -c '<3>' "$work/err")" = 1 ] || fail "missing keytab: not one error"
grep -q "$work/none.keytab" "$work/err" || fail "missing keytab: words"
ok "a missing keytab is one error that names it"
"$controller" --config "$work/controller.conf" --check | grep "is good" > /dev/null || fail "--check"

# --- the directory is down at the start ---
python3 - "$work/notify" > "$work/ready.log" << 'END' &
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
while True:
    word = s.recv(4096).decode()
    print(word, flush=True)
    if "STOPPING" in word:
        break
END
pids+=($!)
eventually 5 test -S "$work/notify" || fail "no notification socket"
NOTIFY_SOCKET=$work/notify "$controller" --config "$work/controller.conf" > "$work/controller.log" 2>&1 &
controller_pid=$!
pids+=("$controller_pid")
eventually 10 answers 503 || fail "/healthz is not 503 before the first reading"
eventually 5 grep -q READY=1 "$work/ready.log" || fail "readiness waits for the directory"
eventually 10 finding directory-unreachable "" || fail "the status does not name the directory"
is .directory.state never-read || fail "state of the directory"
ok "without a directory it is ready, says 503, and names what is wrong"

bash "$support" start "$work/d" > /dev/null
eventually 60 answers 200 || fail "it does not find the directory by itself"
is .directory.state current || fail "the directory is read, but not current"
is '.groups | length' 0 || fail "groups in an empty directory"
ok "it finds the directory by itself"

# --- a group appears, agents attach ---
start_agent fs1 7731
start_agent laptop 7733
"$source/ldap-schema/make-group" --base "$COTERIE_BASE_DN" --group Projects \
    --folder "docs=$work/tree/{member}" --member FS1=fs1.corp.example \
    --member FS2=fs2.corp.example --settings --write-computers --write-guids > "$work/group.ldif"
bash "$support" add "$work/d" "$work/group.ldif" > /dev/null
eventually 10 is '.groups[0].folders[0].members | length' 2 || fail "the new group is not noticed"
eventually 20 is '.agents[] | select(.computer == "fs1.corp.example") | .assignment' applied ||
    fail "the member's agent has no assignment"
ok "a group is noticed while running, and its member gets its assignment"
eventually 10 finding agent-without-member "host/laptop.corp.example@$COTERIE_REALM" ||
    fail "the stranger is not named"
grep -q "laptop.corp.example.*gets no assignment" "$work/controller.log" || fail "the log does not name the stranger"
ok "an agent without a member is refused by name in status and log"
eventually 10 is '.groups[0].folders[0].connections[0].state' unknown || fail "one end alone is called more than unknown"
ok "a connection with one silent end is unknown"

start_agent fs2 7732
second_pid=$last_pid
eventually 10 is .counts.agents_attached 2 || fail "the second agent does not attach"
kill -KILL "$second_pid"
eventually 30 finding agent-detached fs2.corp.example || fail "an agent that died is not named"
ok "an agent that dies is named"

# --- a broken object ---
connection=$(bash "$support" search "$work/d" -LLL -o ldif-wrap=no '(objectClass=msDFSR-Connection)' dn |
    sed -n 's/^dn: //p' | head -n 1)
printf 'dn: %s\nchangetype: modify\nreplace: msDFSR-Schedule\nmsDFSR-Schedule:: AAEC\n' "$connection" |
    bash "$support" modify "$work/d" > /dev/null
eventually 10 finding directory-object Schedule || fail "a malformed schedule is not named"
is '.groups[0].folders[0].members | length' 2 || fail "a malformed schedule takes members with it"
printf 'dn: %s\nchangetype: modify\ndelete: msDFSR-Schedule\n' "$connection" |
    bash "$support" modify "$work/d" > /dev/null
eventually 10 no_finding directory-object Schedule || fail "a corrected schedule is still named"
ok "a malformed schedule is named, harms nothing else, and is forgotten when corrected"

# --- the directory goes and comes ---
bash "$support" stop "$work/d" > /dev/null
eventually 30 is .directory.state failing || fail "a lost directory is not noticed"
is '.groups[0].folders[0].members | length' 2 || fail "the plan goes with the directory"
answers 200 || fail "healthz without the directory after a reading"
bash "$support" start "$work/d" > /dev/null
eventually 60 is .directory.state current || fail "the directory is not found again"
ok "a directory that goes leaves the plan in force, and is found again"

# --- HTTP ---
[ "$(curl -s -o /dev/null -w '%{http_code}' -X POST "http://$COTERIE_ADDRESS:7720/")" = 405 ] || fail "POST"
[ "$(curl -s -o /dev/null -w '%{http_code}' "http://$COTERIE_ADDRESS:7720/../etc/passwd" --path-as-is)" = 404 ] || fail "404"
curl -sI "http://$COTERIE_ADDRESS:7720/" | grep -i "content-security-policy: default-src 'none'" > /dev/null || fail "no policy"
get / | grep "</html>" > /dev/null || fail "the page"
get /metrics | grep '^coterie_up 1' > /dev/null || fail "the metrics"
for _ in 1 2 3 4 5 6 7 8; do
    exec {fd}<> "/dev/tcp/$COTERIE_ADDRESS/7720"
    printf 'GET / HTTP/1.1\r\n' >&"$fd" # and never the rest
done
get /v1/status > /dev/null || fail "slow clients keep others out"
ok "HTTP is read-only and not held up by slow clients"
"$coterie" status --controller "http://$COTERIE_ADDRESS:7720" > "$work/shown.log" && fail "coterie status: exit 0 beside errors"
grep -q "fs2.corp.example: is not attached" "$work/shown.log" || fail "coterie status: words"
ok "coterie status says what is wrong and exits 1"

# --- the end ---
kill -HUP "$controller_pid"
eventually 5 grep -q SIGHUP "$work/controller.log" || fail "SIGHUP"
kill -TERM "$controller_pid"
wait "$controller_pid" || fail "exit status after SIGTERM: $?"
eventually 5 grep -q STOPPING=1 "$work/ready.log" || fail "STOPPING is not told"
ok "SIGTERM ends it in order"
