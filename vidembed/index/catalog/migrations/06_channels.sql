ALTER TABLE lanes RENAME TO channel_states;
DROP INDEX lanes_by_collection;
CREATE INDEX channel_states_by_collection ON channel_states (collection, state);
ALTER TABLE texts RENAME COLUMN lane TO kind;
ALTER TABLE texts RENAME COLUMN maker TO producer;
