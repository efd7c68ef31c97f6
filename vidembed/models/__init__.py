"""Models: the registry of records, where weights are, encoders and captioners."""
