"""Query -> hits per channel -> fused clips -> moments. Pure functions and `Searcher`, which works on protocols."""
