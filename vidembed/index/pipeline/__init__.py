"""From files to vectors: plan what is missing, decode ahead, encode here, and write crash-safe."""
