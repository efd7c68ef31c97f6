#!/usr/bin/env bash
# filelock's FileLock is local to a thread unless told otherwise: a lock that one thread took is not released by another.
# release() there does nothing and says nothing, is_locked is False, and the file stays locked until the process ends (or
# the taking thread is collected). So what is opened in a worker thread and closed in the main one is never free again;
# "thread_local=False" mends it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q filelock==4.3.1
venv/bin/python - <<'PY'
import threading
from importlib.metadata import version

from filelock import FileLock, Timeout

print("filelock", version("filelock"))


def free(path):
    other = FileLock(path, timeout=0)
    try:
        other.acquire()
    except Timeout:
        return False
    other.release()
    return True


told = {}
for local in (None, True, False):
    path = f"{local}.lock"
    lock = FileLock(path, timeout=0) if local is None else FileLock(path, timeout=0, thread_local=local)
    taken, done = threading.Event(), threading.Event()

    def hold():
        lock.acquire()
        taken.set()
        done.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait(10)
    lock.release(force=True)  # by the main thread, without a word
    told[local] = free(path)
    print(f"thread_local={'default' if local is None else local}: released by another thread, free afterwards:", told[local])
    done.set()
    thread.join()
assert told == {None: False, True: False, False: True}
PY
