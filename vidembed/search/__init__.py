"""From a query to moments: rank clips in each channel, fuse, find spans. `Searcher` works on protocols."""
