#!/usr/bin/env bash
# Requests per second of the server, beside nginx serving the same bytes as files, as a Markdown table.
#
#   benches/load.sh [--data DIR] [--seconds N]
#
#   --data DIR     a folder that `sagittal import` filled; without it, the synthetic demo
#   --seconds N    how long each row lasts (5)
#
# Needs wrk, curl and nginx (Debian: apt-get install wrk curl nginx-light). Both servers listen on loopback and are stopped at
# the end. Clients and servers share the machine: compare numbers within one run only.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { echo "load.sh: $*" >&2; exit 2; }

data='' seconds=5
while [ $# -gt 0 ]; do
  case $1 in
    --data) data=${2:?--data needs a folder}; shift 2 ;;
    --seconds) seconds=${2:?--seconds needs a number}; shift 2 ;;
    *) fail "unknown argument $1; usage: benches/load.sh [--data DIR] [--seconds N]" ;;
  esac
done
for tool in wrk nginx curl cmp; do
  command -v $tool >/dev/null || fail "$tool is missing; on Debian: apt-get install wrk curl nginx-light diffutils"
done

work=$(mktemp -d)
server='' web=''
stop() { [ -z "$1" ] || { kill "$1" && wait "$1"; } 2>/dev/null || true; }
trap 'stop "$server"; stop "$web"; rm -rf "$work"' EXIT

# --- the server ---------------------------------------------------------------------------------------------------------
cargo build --release --quiet
: >"$work/said"
command=(demo --dir "$work/demo")
[ -z "$data" ] || command=(serve --data "$data")
"${CARGO_TARGET_DIR:-target}/release/sagittal" "${command[@]}" --listen 127.0.0.1:0 --log error >"$work/said" &
server=$!
until grep -q '^listening on' "$work/said"; do
  kill -0 "$server" 2>/dev/null || fail "the server did not start"
  sleep 0.1
done
url=$(sed -n 's/^listening on //p' "$work/said")

# Every scan with its number of slices, as id:slices.
SCANS=$(curl -fsS "$url/v1/scans?limit=1000" | grep -o '"scan_id":"[^"]*"[^[]*"shape":\[[0-9]*' |
  sed 's/"scan_id":"\([^"]*\)".*\[/\1:/' | tr '\n' ' ')
[ -n "$SCANS" ] || fail "there is no scan in $data"
export SCANS
scan=${SCANS%%:*}
image=/v1/scans/$scan/slices/mid/image.png
array="/v1/scans/$scan/slices/mid/image.npy?size=native"
json=/v1/scans/$scan

# --- nginx with the same bytes ------------------------------------------------------------------------------------------
mkdir "$work/files"
curl -fsS "$url$image" -o "$work/files/image.png"
curl -fsS "$url$json" -o "$work/files/scan.json"
curl -fsS "$url$array" -o /dev/null
# When root starts nginx, its workers are somebody else, who must be able to read the files.
chmod 755 "$work" "$work/files"

# nginx cannot take any free port by itself: ports are tried until one is free.
for _ in $(seq 20); do
  port=$((RANDOM % 20000 + 20000))
  cat >"$work/nginx.conf" <<CONF
daemon off; worker_processes auto; pid $work/nginx.pid; error_log $work/error.log;
events { worker_connections 1024; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; open_file_cache max=100;
  types { image/png png; application/json json; }
  client_body_temp_path $work/b; proxy_temp_path $work/p; fastcgi_temp_path $work/f; uwsgi_temp_path $work/u;
  scgi_temp_path $work/s;
  server { listen 127.0.0.1:$port; root $work/files; }
}
CONF
  nginx -e "$work/error.log" -c "$work/nginx.conf" -p "$work" &
  web=$!
  files=http://127.0.0.1:$port
  for _ in $(seq 30); do
    curl -fs "$files/image.png" 2>/dev/null | cmp -s - "$work/files/image.png" && break 2
    kill -0 "$web" 2>/dev/null || break
    sleep 0.1
  done
  stop "$web"
  web=''
done
[ -n "$web" ] || fail "nginx did not start: $(tail -1 "$work/error.log")"

# --- the table ----------------------------------------------------------------------------------------------------------
failed=0
# row TEXT CONNECTIONS URL [SCRIPT]
row() {
  wrk -t1 -c"$2" -d"${seconds}s" ${4:+-s "benches/load/$4"} "$3" >"$work/wrk"
  awk -v text="$1" -v connections="$2" '
    BEGIN { bytes["B"] = 1; bytes["KB"] = 1024; bytes["MB"] = 1024 ^ 2; bytes["GB"] = 1024 ^ 3 }
    /requests in/ { requests = $1; read = $5; unit = read; sub(/[0-9.]+/, "", unit) }
    /Requests\/sec/ { rate = $2 }
    /Non-2xx|Socket errors/ { problem = problem " " $0 }
    END {
      mean = requests ? read * bytes[unit] / requests : 0
      printf "| %s | %d | %.0f | %.0f |%s\n", text, connections, rate, mean, problem
      exit problem != "" || requests == 0
    }' "$work/wrk" || failed=1
}

cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)
echo "$(nproc) cores (${cpu:-unknown processor}), ${seconds} s a row, $([ -z "$data" ] && echo "the demo" || echo "$data"), $scan"
echo
echo "| what | connections | requests/s | mean bytes |"
echo "| --- | ---: | ---: | ---: |"
QUERY=size=512 row "512 × 512, 16 bit, rendered each time" 8 "$url" uncached.lua
QUERY=size=256 row "256 × 256, 16 bit, rendered each time" 8 "$url" uncached.lua
row "about 512 × 512, preset=hf, rendered each time" 8 "$url" uncached_hf.lua
for connections in 1 8 64; do
  row "512 × 512, 16 bit, cached" "$connections" "$url$image"
  row "the same bytes, nginx" "$connections" "$files/image.png"
done
row "npy, native, rendered each time" 8 "$url$array"
row "one scan's JSON" 8 "$url$json"
row "the same bytes, nginx" 8 "$files/scan.json"
echo
echo "Most memory the server took: $(awk '/^VmHWM/ { printf "%.0f", $2 / 1024 }' "/proc/$server/status") MiB, 512 MiB of it for the cache."
[ "$failed" = 0 ] || fail "some requests failed"
