CREATE TABLE places (                -- what people said of places on disk, indexed or not
    kind TEXT NOT NULL CHECK (kind IN ('given', 'ignored')),
    path TEXT NOT NULL,              -- absolute, with forward slashes; a file, folder, glob or list
    PRIMARY KEY (kind, path)
);
