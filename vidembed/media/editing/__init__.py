"""Cut clips and highlight reels, made by the ffmpeg program."""
