-- Version 2. The list of referrers is read from its index alone: a page of 1,000 was 1,000 look-ups in the table, each in
-- a page of its own.
DROP INDEX manifests_referrers;
CREATE INDEX manifests_referrers ON manifests(repo_id, subject, artifact_type, digest, media_type, size, annotations)
  WHERE subject IS NOT NULL;
