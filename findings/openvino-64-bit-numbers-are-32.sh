#!/usr/bin/env bash
# OpenVINO 2026.4.1 on the CPU computes with 32 bits what a model declares as 64, and says nothing: of int64 inputs and outputs the lower half is
# taken, so 2**40 + 1 is 2, and 2**31 + 5 plus 1 is negative; of float64 the seconds of today lose up to a minute, and 1e300 becomes 3.4e38.
# The model's own output type still says i64 and f64. Ids from hashes, and times in nanoseconds or since 1970, do not survive a model.
# vidembed hands it token numbers, pictures and sound, and keeps ids and times to itself.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q openvino==2026.4.1 numpy==2.4.6
venv/bin/python - <<'PY'
import numpy as np
import openvino
import openvino.opset13 as ops

print("openvino", openvino.__version__)


def plus(given, one):
    """given + one through a model of that type, on the CPU."""
    taken = ops.parameter([-1], given.dtype)
    model = openvino.Model([ops.result(ops.add(taken, ops.constant(given.dtype.type(one))))], [taken], "plus")
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    out = compiled(given)[0]
    print(f"{compiled.output(0).element_type}: {given.tolist()} + {one} = {out.tolist()}")
    assert out.dtype == given.dtype
    return out.tolist()


assert plus(np.array([7, 2**31 + 5, 2**40 + 1]), 1) == [8, -(2**31) + 6, 2]
found = plus(np.array([7.0, 1_764_300_001.0, 1e300]), 0)
assert found[0] == 7 and found[1] != 1_764_300_001 and abs(found[1] - 1_764_300_001) < 100
assert 3.4e38 < found[2] < 3.5e38
PY
