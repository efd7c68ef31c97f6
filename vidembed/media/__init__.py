"""Files to frames, sound and clips. Imports of PyAV, decord and Pillow stay inside the modules that need them."""
