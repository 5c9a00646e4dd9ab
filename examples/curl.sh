#!/bin/sh
# Orders a job over HTTP, waits for its end and reads its rows: curl is all it takes.
#
#     ./curl.sh ACTOR KEY > rows.jsonl
#
# ACTORLINE_URL: the gateway (default http://127.0.0.1:8470). ACTORLINE_KEY: an API key, where one is needed.
set -eu
url=${ACTORLINE_URL:-http://127.0.0.1:8470}
actor=$1
key=$2

# the API key goes in by standard input: arguments can be seen by everybody on the machine
call() {
    if [ -n "${ACTORLINE_KEY:-}" ]; then printf 'header = "Authorization: Bearer %s"\n' "$ACTORLINE_KEY"; fi |
        curl --config - --silent --show-error --fail-with-body --retry 3 --retry-connrefused "$@"
}

# safe to repeat: the same order under the same key joins the job that exists, and is paid for once
call "$url/v1/jobs" --header "Idempotency-Key: $key" \
    --header "Content-Type: application/json" --data "{\"actor\": \"$actor\"}" >&2

while :; do
    result=$(call "$url/v1/jobs/$key?wait=60") # responds at the job's end, or after a minute
    case $result in
    *'"state":"DELIVERED"'*) break ;;
    *'"state":"PARTIAL"'*) echo "Not all rows: $result" >&2 && break ;;
    *'"state":"FAILED"'* | *'"state":"CANCELLED"'* | *'"state":"EXPIRED"'*) echo "$result" >&2 && exit 1 ;;
    esac
done

# a transfer that breaks off has not brought all: curl says so by its exit code
call "$url/v1/jobs/$key/items"
