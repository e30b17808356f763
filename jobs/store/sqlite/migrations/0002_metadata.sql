-- What a submitter notes for people and filters: JSON, or NULL.
ALTER TABLE jobs ADD COLUMN metadata TEXT;
