"""The catalog: what is indexed, by what, and what failed. One SQLite file; the store can be rebuilt from it."""
