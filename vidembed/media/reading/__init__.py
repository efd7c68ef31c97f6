"""From files to frames and sound. PyAV and decord are imported inside the modules that need them."""
