#!/usr/bin/env bash
# An MPEG-TS recording whose picture begins 8 s after its sound, as when a recorder waits for a camera: PyAV opens it and
# lists a video stream of 0 x 0 pixels, since only the first 5 s are looked at; "-analyzeduration" finds it. Who checks the
# size to tell videos from sound files takes it for sound. The same streams in MP4 or Matroska have their size at once.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q imageio-ffmpeg==0.8.1 av==18.1.0
venv/bin/python - <<'PY'
import subprocess
import av
import imageio_ffmpeg

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
QUIET = [FFMPEG, "-y", "-v", "error"]
print(subprocess.run([FFMPEG, "-version"], capture_output=True, text=True).stdout.splitlines()[0], "| PyAV", av.__version__)
sound = ["-f", "lavfi", "-i", "sine=440:d=20"]
picture = ["-itsoffset", "8", "-f", "lavfi", "-i", "color=red:s=160x120:r=25:d=12"]
coding = ["-map", "0", "-map", "1", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", "-fps_mode", "passthrough"]
sizes = {}
for name, options in (("a.ts", {}), ("a.ts", {"analyzeduration": "30000000"}), ("a.mkv", {}), ("a.mp4", {})):
    subprocess.run([*QUIET, *sound, *picture, *coding, name], check=True)
    with av.open(name, options=options) as container:
        context = container.streams.video[0].codec_context
        sizes[name, bool(options)] = context.width, context.height
        print(name, options or "", "video stream of", context.width, "x", context.height)
assert sizes == {
    ("a.ts", False): (0, 0), ("a.ts", True): (160, 120), ("a.mkv", False): (160, 120), ("a.mp4", False): (160, 120)
}
PY
