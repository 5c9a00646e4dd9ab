#!/bin/sh
# Makes what `docker compose up` needs into ./secrets: `APIFY_TOKEN=apify_api_... ./secrets.sh`. What is there already stays.
set -eu
folder=${ACTORLINE_SECRETS:-secrets}
umask 077
mkdir -p "$folder"
chmod 700 "$folder" # this keeps other users out: the files themselves are read by a container's user, whom the host doesn't know

keep() { # NAME: standard input, unless there is such a file
    if [ -s "$folder/$1" ]; then cat >/dev/null; else cat >"$folder/$1"; fi
    chmod 644 "$folder/$1"
}
random() { od -An -N 24 -t x1 /dev/urandom | tr -d ' \n'; }

if [ ! -s "$folder/apify_token" ] && [ -z "${APIFY_TOKEN:-}" ]; then
    echo 'Give your token (Apify Console, Settings, API & Integrations): APIFY_TOKEN=apify_api_... ./secrets.sh' >&2
    exit 2
fi
printf '%s' "${APIFY_TOKEN:-}" | keep apify_token
random | keep redis_password
random | keep gateway_key
printf 'admin:%s' "$(random)" | keep flower_login
random | keep grafana_password
{
    echo '# ACTORLINE_NAME=value, for all services: docs/settings.md. No secrets: docker inspect shows it.'
    echo 'ACTORLINE_FLOWER_URL=http://127.0.0.1:5555' # for links from the jobs page
    echo 'ACTORLINE_GATEWAY_URL=http://127.0.0.1:8470' # for links from Flower
} | keep settings.env
echo '# Settings that only workers may know, such as [accounts] and [secrets.NAME]: docs/settings.md.' | keep workers.toml
echo "Settings go into $folder/settings.env and $folder/workers.toml."
echo "Secrets are in $folder: apify_token, redis_password, gateway_key (the HTTP gateway), flower_login (Flower)," \
    "grafana_password."
