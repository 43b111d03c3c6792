-- Of a database of today one as the first version of the schema had it: what later versions changed, changed back.
CREATE TABLE manifests_1(repo_id BIGINT NOT NULL REFERENCES repositories(id) ON DELETE RESTRICT,
  digest TEXT NOT NULL, media_type TEXT NOT NULL, artifact_type TEXT NOT NULL DEFAULT '', subject TEXT,
  size BIGINT NOT NULL, created_at BIGINT NOT NULL, lease_until BIGINT NOT NULL, review_at BIGINT,
  annotations TEXT, body BLOB NOT NULL, PRIMARY KEY(repo_id, digest));
INSERT INTO manifests_1 SELECT repo_id, digest, media_type, artifact_type, subject, size, created_at,
  lease_until, review_at, annotations, body FROM manifests ORDER BY id;
CREATE TABLE manifest_blobs_1(repo_id BIGINT NOT NULL, manifest TEXT NOT NULL, digest TEXT NOT NULL,
  PRIMARY KEY(repo_id, manifest, digest),
  FOREIGN KEY(repo_id, manifest) REFERENCES manifests(repo_id, digest) ON DELETE CASCADE,
  FOREIGN KEY(repo_id, digest) REFERENCES repo_blobs(repo_id, digest) ON DELETE RESTRICT) WITHOUT ROWID;
INSERT INTO manifest_blobs_1 SELECT e.repo_id, m.digest, e.digest FROM manifest_blobs e
  JOIN manifests m ON m.id=e.manifest_id;
CREATE TABLE manifest_children_1(repo_id BIGINT NOT NULL, manifest TEXT NOT NULL, child TEXT NOT NULL,
  PRIMARY KEY(repo_id, manifest, child),
  FOREIGN KEY(repo_id, manifest) REFERENCES manifests(repo_id, digest) ON DELETE CASCADE,
  FOREIGN KEY(repo_id, child) REFERENCES manifests(repo_id, digest) ON DELETE RESTRICT) WITHOUT ROWID;
INSERT INTO manifest_children_1 SELECT e.repo_id, m.digest, e.child FROM manifest_children e
  JOIN manifests m ON m.id=e.manifest_id;
CREATE TABLE manifest_missing_1(repo_id BIGINT NOT NULL, manifest TEXT NOT NULL, kind SMALLINT NOT NULL,
  digest TEXT NOT NULL, PRIMARY KEY(repo_id, manifest, kind, digest),
  FOREIGN KEY(repo_id, manifest) REFERENCES manifests(repo_id, digest) ON DELETE CASCADE) WITHOUT ROWID;
INSERT INTO manifest_missing_1 SELECT e.repo_id, m.digest, e.kind, e.digest FROM manifest_missing e
  JOIN manifests m ON m.id=e.manifest_id;
DROP TABLE manifest_blobs;
DROP TABLE manifest_children;
DROP TABLE manifest_missing;
DROP TABLE manifests;
ALTER TABLE manifests_1 RENAME TO manifests;
ALTER TABLE manifest_blobs_1 RENAME TO manifest_blobs;
ALTER TABLE manifest_children_1 RENAME TO manifest_children;
ALTER TABLE manifest_missing_1 RENAME TO manifest_missing;
CREATE INDEX manifests_review ON manifests(review_at) WHERE review_at IS NOT NULL;
CREATE INDEX manifest_blobs_rev ON manifest_blobs(repo_id, digest);
CREATE INDEX manifest_children_rev ON manifest_children(repo_id, child);
CREATE INDEX manifest_missing_target ON manifest_missing(repo_id, digest);
CREATE INDEX manifests_referrers ON manifests(repo_id, subject, artifact_type, digest)
  WHERE subject IS NOT NULL;
CREATE TABLE blobs_1(digest TEXT NOT NULL PRIMARY KEY, size BIGINT NOT NULL, object_key TEXT UNIQUE,
  created_at BIGINT NOT NULL, review_at BIGINT) WITHOUT ROWID;
INSERT INTO blobs_1 SELECT digest, size, object_key, created_at, review_at FROM blobs;
DROP TABLE blobs;
ALTER TABLE blobs_1 RENAME TO blobs;
CREATE INDEX blobs_review ON blobs(review_at) WHERE review_at IS NOT NULL;
DELETE FROM schema_version;
INSERT INTO schema_version(version, applied_at) VALUES(1, 0);
PRAGMA wal_checkpoint(TRUNCATE);
