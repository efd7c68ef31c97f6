"""Settings: their schema, and loading them from layers with the origin of each value."""
