-- Version 4. Edges name a manifest by its id, which grows, instead of by its digest: what is written together lies
-- together (docs/adr/0039).
CREATE TABLE manifests_4(
  id            INTEGER NOT NULL PRIMARY KEY,
  repo_id       BIGINT NOT NULL REFERENCES repositories(id) ON DELETE RESTRICT,
  digest        TEXT NOT NULL,
  media_type    TEXT NOT NULL,
  artifact_type TEXT NOT NULL DEFAULT '',
  subject       TEXT,
  size          BIGINT NOT NULL,
  created_at    BIGINT NOT NULL,
  lease_until   BIGINT NOT NULL,
  review_at     BIGINT,
  annotations   TEXT,
  body          BLOB NOT NULL,
  UNIQUE(repo_id, digest));
INSERT INTO manifests_4 SELECT rowid, repo_id, digest, media_type, artifact_type, subject, size, created_at, lease_until,
  review_at, annotations, body FROM manifests;

CREATE TABLE manifest_blobs_4(
  manifest_id BIGINT NOT NULL REFERENCES manifests(id) ON DELETE CASCADE,
  repo_id     BIGINT NOT NULL,
  digest      TEXT NOT NULL,
  PRIMARY KEY(manifest_id, repo_id, digest),
  FOREIGN KEY(repo_id, digest) REFERENCES repo_blobs(repo_id, digest) ON DELETE RESTRICT) WITHOUT ROWID;
INSERT INTO manifest_blobs_4 SELECT m.id, e.repo_id, e.digest FROM manifest_blobs e
  JOIN manifests_4 m ON m.repo_id=e.repo_id AND m.digest=e.manifest;

CREATE TABLE manifest_children_4(
  manifest_id BIGINT NOT NULL REFERENCES manifests(id) ON DELETE CASCADE,
  repo_id     BIGINT NOT NULL,
  child       TEXT NOT NULL,
  PRIMARY KEY(manifest_id, repo_id, child),
  FOREIGN KEY(repo_id, child) REFERENCES manifests(repo_id, digest) ON DELETE RESTRICT) WITHOUT ROWID;
INSERT INTO manifest_children_4 SELECT m.id, e.repo_id, e.child FROM manifest_children e
  JOIN manifests_4 m ON m.repo_id=e.repo_id AND m.digest=e.manifest;

CREATE TABLE manifest_missing_4(
  manifest_id BIGINT NOT NULL REFERENCES manifests(id) ON DELETE CASCADE,
  repo_id     BIGINT NOT NULL,
  kind        SMALLINT NOT NULL,
  digest      TEXT NOT NULL,
  PRIMARY KEY(manifest_id, repo_id, kind, digest)) WITHOUT ROWID;
INSERT INTO manifest_missing_4 SELECT m.id, e.repo_id, e.kind, e.digest FROM manifest_missing e
  JOIN manifests_4 m ON m.repo_id=e.repo_id AND m.digest=e.manifest;

DROP TABLE manifest_blobs;
DROP TABLE manifest_children;
DROP TABLE manifest_missing;
DROP TABLE manifests;
ALTER TABLE manifests_4 RENAME TO manifests;
ALTER TABLE manifest_blobs_4 RENAME TO manifest_blobs;
ALTER TABLE manifest_children_4 RENAME TO manifest_children;
ALTER TABLE manifest_missing_4 RENAME TO manifest_missing;
CREATE INDEX manifests_referrers ON manifests(repo_id, subject, artifact_type, digest, media_type, size, annotations)
  WHERE subject IS NOT NULL;
CREATE INDEX manifests_review ON manifests(review_at) WHERE review_at IS NOT NULL;
CREATE INDEX manifest_blobs_rev ON manifest_blobs(repo_id, digest);
CREATE INDEX manifest_children_rev ON manifest_children(repo_id, child);
CREATE INDEX manifest_missing_target ON manifest_missing(repo_id, digest);
