#!/usr/bin/env bash
# ray.init(log_to_driver=False) does not keep Ray quiet: when a worker process dies, "(raylet) A worker died ... Task ...
# failed" is printed on the driver's STANDARD OUTPUT, in colour, between whatever the program prints there. A program that
# prints JSON prints broken JSON, only on the day a worker dies.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q ray==2.60.0
export HOME="$work" RAY_USAGE_STATS_ENABLED=0
cat > driver.py <<'PY'
import json
import os
import time

import ray

ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="error")


@ray.remote(max_retries=1)
def dies_once(flag):
    if not os.path.exists(flag):
        open(flag, "w").close()
        os._exit(7)
    return 42


answer = ray.get(dies_once.remote(os.path.abspath("flag")))
time.sleep(3)
print(json.dumps({"answer": answer}))
PY
venv/bin/python driver.py > out 2> err
venv/bin/python - <<'PY'
from importlib.metadata import version

lines = open("out").read().splitlines()
print("ray", version("ray"), "standard output with log_to_driver=False:")
for line in lines:
    print("   ", line[:160])
assert lines[-1] == '{"answer": 42}' and len(lines) > 1 and any("raylet" in line for line in lines[:-1])
PY
