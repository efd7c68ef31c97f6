CREATE TABLE tags (                  -- what people noted of a video, and lists of videos with columns brought
    video_id TEXT NOT NULL REFERENCES videos ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (video_id, key)
);
CREATE INDEX tags_by_key ON tags (key, value);
