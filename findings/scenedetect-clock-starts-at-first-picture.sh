#!/usr/bin/env bash
# In a file whose picture begins 2 s after its sound, the cut that players and ffmpeg show at 4 s is at 2 s for
# PySceneDetect, with both backends: its clock begins at the first picture. Cutting the scenes with ffmpeg -ss, or laying
# them over subtitles and transcripts, is then 2 s off.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q imageio-ffmpeg==0.8.1 av==18.1.0 scenedetect==0.7.2 opencv-python==5.0.0.93 numpy==2.4.6
venv/bin/python - <<'PY'
import subprocess
import av
import imageio_ffmpeg
import scenedetect

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
QUIET = [FFMPEG, "-y", "-v", "error"]
colours = ["-f", "lavfi", "-i", "color=red:s=160x120:r=25:d=2", "-f", "lavfi", "-i", "color=white:s=160x120:r=25:d=2"]
subprocess.run([*QUIET, *colours, "-filter_complex", "[0][1]concat=n=2", "-c:v", "libx264", "-pix_fmt", "yuv420p", "v.mp4"], check=True)
sound = ["-f", "lavfi", "-i", "sine=d=6"]
subprocess.run([*QUIET, "-itsoffset", "2", "-i", "v.mp4", *sound, "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac", "a.mp4"], check=True)
with av.open("a.mp4") as container:
    by_pyav = next(frame.time for frame in container.decode(video=0) if frame.to_ndarray(format="gray").mean() > 200)
found = {}
for backend in ("opencv", "pyav"):
    video = scenedetect.open_video("a.mp4", backend=backend)
    manager = scenedetect.SceneManager()
    manager.add_detector(scenedetect.AdaptiveDetector())
    manager.detect_scenes(video)
    found[backend] = [start.seconds for start, _ in manager.get_scene_list()]
print("PySceneDetect", scenedetect.__version__, "scenes begin at", found, "| PyAV shows white from", by_pyav)
assert by_pyav == 4.0
assert found == {"opencv": [0.0, 2.0], "pyav": [0.0, 2.0]}
PY
