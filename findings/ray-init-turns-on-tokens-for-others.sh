#!/usr/bin/env bash
# A ray.init() without an address, once, in any notebook, leaves ~/.ray/auth_token; from then on every `ray start` of that
# user asks for this token, where the same command asked for none before, and nodes and drivers of other machines, which
# do not have the file, are refused. Without the file `ray start --head` lets in whoever reaches it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q ray==2.60.0
export HOME="$work" RAY_USAGE_STATS_ENABLED=0
unset RAY_AUTH_MODE RAY_AUTH_TOKEN RAY_AUTH_TOKEN_PATH RAY_ADDRESS || true
head_says() {  # starts a head, and ends it with all it started
  setsid venv/bin/ray start --head --block --port=0 --num-cpus=0 --include-dashboard=false --temp-dir="$work/$1" > "$1.log" 2>&1 &
  local node=$!
  for _ in $(seq 600); do grep -q "Ray runtime started" "$1.log" && break; sleep 0.2; done
  kill -9 -- "-$node" 2>/dev/null || true
  grep -o "Token authentication is [a-z]*" "$1.log"
}
before=$(head_says before)
venv/bin/python -c 'import ray; ray.init(num_cpus=1, include_dashboard=False, logging_level="error"); ray.shutdown()' 2> init.log
after=$(head_says after)
echo "ray $(venv/bin/python -c 'import ray; print(ray.__version__)')"
echo "ray start before ray.init(): $before; after it: $after; left in the home folder: $(ls .ray)"
[ "$before" = "Token authentication is disabled" ] && [ "$after" = "Token authentication is enabled" ] && [ -s .ray/auth_token ]
