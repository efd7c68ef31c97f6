#!/usr/bin/env bash
# Polars orders NaN above every number: sorted downwards, in top_k and for "> 0.9" a NaN score comes first. max() and arg_max() leave it
# out: the best score by max is 0.9 and by top_k(1) NaN, and the best clip by top_k is another than by arg_max. In pandas all
# four leave it out or put it last. Use drop_nans() first.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q polars==2.1.0 pandas==3.1.1
venv/bin/python - <<'PY'
import pandas
import polars

print("polars", polars.__version__, "pandas", pandas.__version__)
clips, scores = ["black", "best", "other"], [float("nan"), 0.95, 0.5]
table = polars.DataFrame({"clip": clips, "score": scores})
frame = pandas.DataFrame({"clip": clips, "score": scores})
seen = {
    "max": (table["score"].max(), frame["score"].max()),
    "clip at arg_max": (table["clip"][table["score"].arg_max()], frame["clip"][frame["score"].idxmax()]),
    "first sorted downwards": (
        table.sort("score", descending=True)["clip"][0],
        frame.sort_values("score", ascending=False)["clip"].iloc[0],
    ),
    "top 1": (table.top_k(1, by="score")["clip"][0], frame.nlargest(1, "score")["clip"].iloc[0]),
    "above 0.9": (
        table.filter(polars.col("score") > 0.9)["clip"].to_list(),
        frame[frame["score"] > 0.9]["clip"].tolist(),
    ),
}
for name, (of_polars, of_pandas) in seen.items():
    print(f"{name:23} polars: {of_polars!s:18} pandas: {of_pandas}")
assert [found[0] for found in seen.values()] == [0.95, "best", "black", "black", ["black", "best"]]
assert [found[1] for found in seen.values()] == [0.95, "best", "best", "best", ["best"]]
PY
