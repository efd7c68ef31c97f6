CREATE TABLE home (                  -- where the folder of the index was when this was written, one row
    folder TEXT NOT NULL
);
