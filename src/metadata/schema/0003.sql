-- Version 3. Most blobs are small and have no object: a unique column kept an entry for each of them, in a page of its
-- own for every push (11 of the 137 pages that a commit of 14 operations wrote).
CREATE TABLE blobs_3(
  digest     TEXT NOT NULL PRIMARY KEY,
  size       BIGINT NOT NULL,
  object_key TEXT,
  created_at BIGINT NOT NULL,
  review_at  BIGINT) WITHOUT ROWID;
INSERT INTO blobs_3 SELECT digest, size, object_key, created_at, review_at FROM blobs;
DROP TABLE blobs;
ALTER TABLE blobs_3 RENAME TO blobs;
CREATE UNIQUE INDEX blobs_object ON blobs(object_key) WHERE object_key IS NOT NULL;
CREATE INDEX blobs_review ON blobs(review_at) WHERE review_at IS NOT NULL;
