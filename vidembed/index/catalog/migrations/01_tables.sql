CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);

CREATE TABLE videos (
    video_id TEXT PRIMARY KEY,
    size_bytes INTEGER NOT NULL,
    duration_s REAL NOT NULL,
    width_px INTEGER NOT NULL,
    height_px INTEGER NOT NULL,
    fps TEXT NOT NULL,               -- a fraction, "30000/1001"
    audio_rate_hz INTEGER,
    audio_channels INTEGER,
    codec TEXT NOT NULL,
    reader TEXT NOT NULL,            -- which backend decoded it; "" = nothing was decoded yet
    added_at REAL NOT NULL
);

CREATE TABLE paths (                 -- copies of one video share its id
    path TEXT PRIMARY KEY,           -- absolute, with forward slashes
    video_id TEXT NOT NULL REFERENCES videos ON DELETE CASCADE,
    size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    missing INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX paths_by_video ON paths (video_id);

CREATE TABLE clips (
    clip_id TEXT PRIMARY KEY,
    video_id TEXT NOT NULL REFERENCES videos ON DELETE CASCADE,
    position INTEGER NOT NULL,
    start_s REAL NOT NULL,
    end_s REAL NOT NULL
);
CREATE INDEX clips_by_video ON clips (video_id, position);

CREATE TABLE lanes (                 -- one channel of one video, as one model made it
    video_id TEXT NOT NULL REFERENCES videos ON DELETE CASCADE,
    collection TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('done', 'absent', 'failed')),
    stored INTEGER NOT NULL,         -- clips with a vector
    PRIMARY KEY (video_id, collection)
);
CREATE INDEX lanes_by_collection ON lanes (collection, state);

CREATE TABLE pending (               -- work in hand: what a killed run may have left half done in the store
    video_id TEXT NOT NULL,
    collection TEXT NOT NULL,
    PRIMARY KEY (video_id, collection)
);

CREATE TABLE texts (                 -- speech and on-screen text; body NULL = looked, and there is none
    clip_id TEXT NOT NULL REFERENCES clips ON DELETE CASCADE,
    lane TEXT NOT NULL,
    maker TEXT NOT NULL,
    body TEXT,
    PRIMARY KEY (clip_id, lane)
);

CREATE TABLE captions (
    clip_id TEXT PRIMARY KEY REFERENCES clips ON DELETE CASCADE,
    text TEXT NOT NULL,
    score REAL NOT NULL,
    model TEXT NOT NULL,
    confident INTEGER NOT NULL,
    human INTEGER NOT NULL,
    candidates TEXT NOT NULL
);

CREATE TABLE failures (
    item TEXT NOT NULL,
    stage TEXT NOT NULL,
    kind TEXT NOT NULL,
    message TEXT NOT NULL,
    hint TEXT NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (item, stage)
);

CREATE TABLE runs (
    run_id INTEGER PRIMARY KEY,
    started_at REAL NOT NULL,
    ended_at REAL NOT NULL,
    done INTEGER NOT NULL,
    unchanged INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    clips INTEGER NOT NULL,
    seconds_of_video REAL NOT NULL,
    counts TEXT NOT NULL
);
