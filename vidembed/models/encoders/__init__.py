"""What turns items into vectors. One file per family; heavy packages are imported inside functions."""
