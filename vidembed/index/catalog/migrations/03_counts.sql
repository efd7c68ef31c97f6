-- what the reader met in the file: frames decoded, skipped, corrupt, missing, packets of sound that are corrupt
ALTER TABLE videos ADD COLUMN counts TEXT NOT NULL DEFAULT '{}';
