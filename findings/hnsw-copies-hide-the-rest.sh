#!/usr/bin/env bash
# Many copies of one vector, as thousands of black or still clips are, ruin an HNSW graph for everything else: copies have
# no nearer neighbours than each other, fill each other's links and form an island. 5000 vectors are found without fail;
# beside 5000 copies added first, voyager finds none of what it should, faiss misses three of ten and usearch one of ten;
# added last, each misses up to a tenth. Drop copies before indexing, or search exactly.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q voyager==2.2.3 faiss-cpu==1.15.1 usearch==2.26.6 numpy==2.4.6
venv/bin/python - <<'PY'
from importlib.metadata import version

import faiss
import numpy as np
import usearch.index
import voyager

print(*(f"{name} {version(name)}" for name in ("voyager", "faiss-cpu", "usearch")))
faiss.omp_set_num_threads(1)
random = np.random.default_rng(1)


def unit(rows):
    rows = random.standard_normal((rows, 32)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def by_voyager(vectors):
    index = voyager.Index(voyager.Space.Cosine, 32, M=16, ef_construction=200)
    index.add_items(vectors, num_threads=1)
    return index.query(queries, 10, query_ef=200)[0]


def by_faiss(vectors):
    index = faiss.IndexHNSWFlat(32, 16, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = index.hnsw.efSearch = 200
    index.add(vectors)
    return index.search(queries, 10)[1]


def by_usearch(vectors):
    index = usearch.index.Index(ndim=32, metric="cos", dtype="f32", expansion_add=200, expansion_search=200)
    index.add(np.arange(len(vectors)), vectors, threads=1)
    return index.search(queries, 10, threads=1).keys


others, queries, one = unit(5000), unit(200), unit(1)
copies = np.repeat(one, 5000, axis=0)
sets = {"no copies": others, "copies first": np.vstack([copies, others]), "copies last": np.vstack([others, copies])}
recall = {}
for name, vectors in sets.items():
    tenth = np.sort(queries @ vectors.T, axis=1)[:, -10]
    for search in (by_voyager, by_faiss, by_usearch):
        scores = np.einsum("qd,qkd->qk", queries, vectors[search(vectors).astype(int)])
        recall[name, search.__name__] = found = float(np.mean(scores >= tenth[:, None] - 1e-4))
        print(f"{name:12} {search.__name__:10} recall at 10: {found:.3f}")
assert all(recall["no copies", s] > 0.99 for s in ("by_voyager", "by_faiss", "by_usearch"))
assert recall["copies first", "by_voyager"] < 0.1
assert recall["copies first", "by_usearch"] < 0.95 and recall["copies last", "by_faiss"] < 0.95
PY
