#!/usr/bin/env bash
# ruptures 1.1.10 looks for changes at every fifth sample only, unless told jump=1: of a signal of three levels that change at 12
# and at 33 Pelt and Binseg report four changes (10, 15, 30, 35), none of them right, since the samples between
# two fives that do not fit either side become a level of their own. KernelCPD, which takes jump, too, and ignores it, says 12 and 33.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q ruptures==1.1.10
venv/bin/python - <<'PY'
from importlib.metadata import version

import numpy as np
import ruptures

print("ruptures", version("ruptures"))
signal = np.repeat([0.0, 5.0, 0.0], [12, 21, 14])
found = {}
for name in ("Pelt", "Binseg"):
    method = getattr(ruptures, name)
    found[name] = [int(one) for one in method("l2").fit(signal).predict(pen=3)]
    found[f"{name}, jump=1"] = [int(one) for one in method("l2", jump=1).fit(signal).predict(pen=3)]
found["KernelCPD, jump=5"] = [int(one) for one in ruptures.KernelCPD("linear", jump=5).fit(signal).predict(pen=3)]
for name, ends in found.items():
    print(f"{name:20} {ends}")
right = [12, 33, 47]
assert [found[name] for name in ("Pelt", "Binseg")] == [[10, 15, 30, 35, 47]] * 2
assert all(ends == right for name, ends in found.items() if "jump" in name)
PY
