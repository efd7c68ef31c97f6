DROP TABLE runs;                     -- written, never read
DROP TABLE meta;                     -- never written
