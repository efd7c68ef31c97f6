CREATE TABLE summaries (             -- a whole video in words, as its captions of that digest gave it
    video_id TEXT PRIMARY KEY REFERENCES videos ON DELETE CASCADE,
    basis TEXT NOT NULL,
    body TEXT NOT NULL
);
