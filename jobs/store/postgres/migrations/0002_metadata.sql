-- What a submitter notes for people and filters. NULL takes no room.
ALTER TABLE windlass.jobs ADD COLUMN metadata jsonb;
