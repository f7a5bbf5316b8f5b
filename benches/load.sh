#!/usr/bin/env bash
# Requests per second of a running server, beside nginx serving the same bytes as files, as a Markdown table.
#
#   benches/load.sh DATA [SECONDS]      DATA: a folder that `sagittal import` filled
#
# Needs wrk and nginx (Debian: apt-get install wrk nginx-light). Client and servers share the machine: compare within one run.
set -euo pipefail
cd "$(dirname "$0")/.."
data=${1:?usage: benches/load.sh DATA [SECONDS]}
seconds=${2:-5}
work=$(mktemp -d)
cargo build --release --quiet

stop() { [ -n "${1:-}" ] && kill "$1" 2>/dev/null && wait "$1" 2>/dev/null || true; }
trap 'stop "${server:-}"; stop "${web:-}"; rm -rf "$work"' EXIT

target/release/sagittal serve --data "$data" --listen 127.0.0.1:0 --log error >"$work/said" &
server=$!
for _ in $(seq 50); do grep -q listening "$work/said" && break; sleep 0.1; done
url=$(sed -n 's/^listening on //p' "$work/said")

SCANS=$(curl -s "$url/v1/scans?limit=1000" | grep -o '"scan_id":"[^"]*"' | cut -d'"' -f4 | tr '\n' ' ')
export SCANS
scan=${SCANS%% *}
image=/v1/scans/$scan/slices/mid/image.png
array="/v1/scans/$scan/slices/mid/image.npy?size=native"
json=/v1/scans/$scan

mkdir "$work/files"
curl -s "$url$image" -o "$work/files/image.png"
curl -s "$url$json" -o "$work/files/scan.json"
cat >"$work/nginx.conf" <<CONF
daemon off; master_process on; worker_processes 2; pid $work/nginx.pid; error_log $work/error.log;
events { worker_connections 1024; }
http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 10000000; client_body_temp_path $work/b; proxy_temp_path $work/p;
  fastcgi_temp_path $work/f; uwsgi_temp_path $work/u; scgi_temp_path $work/s; open_file_cache max=100;
  server { listen 127.0.0.1:18099; root $work/files; } }
CONF
# The worker processes must be allowed to read what root has made.
chmod 755 "$work" "$work/files"
nginx -c "$work/nginx.conf" -p "$work" 2>/dev/null &
web=$!
sleep 1

# row TEXT CONNECTIONS URL [SCRIPT]
row() {
  local text=$1 connections=$2 address=$3 script=${4:+-s benches/load/$4}
  # shellcheck disable=SC2086
  wrk -t1 -c"$connections" -d"${seconds}s" $script "$address" >"$work/wrk"
  awk -v text="$text" -v c="$connections" '
    /requests in/ { requests = $1; read = $5 }
    /Requests\/sec/ { rate = $2 }
    /Non-2xx/ { failed = $NF }
    END { unit = read; sub(/[0-9.]+/, "", unit); factor = unit == "GB" ? 1073741824 : unit == "MB" ? 1048576 : 1024
      printf "| %s | %d | %d | %d |%s\n", text, c, rate, read * factor / requests, failed ? " " failed " FAILED |" : "" }' "$work/wrk"
}

echo "| what | connections | requests/s | mean bytes |"
echo "| --- | ---: | ---: | ---: |"
QUERY=size=512 row "512 × 512, 16 bit, drawn each time" 8 "$url" uncached.lua
QUERY=size=256 row "256 × 256, 16 bit, drawn each time" 8 "$url" uncached.lua
row "about 512 × 512, preset=hf, drawn each time" 8 "$url" uncached_hf.lua
for connections in 1 8 64; do
  row "PNG, cached" "$connections" "$url$image"
  row "the same bytes, nginx" "$connections" http://127.0.0.1:18099/image.png
done
row "npy, native, cached" 8 "$url$array"
row "one scan's JSON" 8 "$url$json"
row "the same bytes, nginx" 8 http://127.0.0.1:18099/scan.json
echo
echo "Memory of the server at its highest: $(awk '/VmHWM/ { printf "%d MB", $2 / 1024 }' "/proc/$server/status"), with 512 MB of it for the cache."
