-- Version 4, as a new database has it; the files beside this one bring older ones forward. Times are ms since the epoch;
-- ids are made by the application: 63 bits, ordered by time. Why it is safe: docs/internals/collector.md. An edge, a link
-- and a blob are held by foreign keys that refuse at once; nothing here may ever be deferred. Columns that change little
-- stand before long ones.

CREATE TABLE schema_version(
  version    INTEGER NOT NULL PRIMARY KEY,
  applied_at BIGINT NOT NULL);

-- state 0: alive; 1: deleted, its rows being removed, under a name that nobody can ask for.
CREATE TABLE repositories(
  id         BIGINT NOT NULL PRIMARY KEY,
  name       TEXT NOT NULL UNIQUE,
  owner_id   BIGINT,
  visibility SMALLINT NOT NULL DEFAULT 0,
  state      SMALLINT NOT NULL DEFAULT 0,
  created_at BIGINT NOT NULL,
  listed     SMALLINT NOT NULL DEFAULT 0, -- 1: it holds a manifest
  review_at  BIGINT);
CREATE INDEX repositories_listed ON repositories(name) WHERE listed=1;
CREATE INDEX repositories_review ON repositories(review_at) WHERE review_at IS NOT NULL;

-- object_key NULL: the bytes are in blob_bodies.
CREATE TABLE blobs(
  digest     TEXT NOT NULL PRIMARY KEY,
  size       BIGINT NOT NULL,
  object_key TEXT,
  created_at BIGINT NOT NULL,
  review_at  BIGINT) WITHOUT ROWID;
CREATE UNIQUE INDEX blobs_object ON blobs(object_key) WHERE object_key IS NOT NULL;
CREATE INDEX blobs_review ON blobs(review_at) WHERE review_at IS NOT NULL;

CREATE TABLE blob_bodies(
  digest TEXT NOT NULL PRIMARY KEY REFERENCES blobs(digest) ON DELETE CASCADE,
  body   BLOB NOT NULL);

-- A link: the repository through which a blob can be seen.
CREATE TABLE repo_blobs(
  repo_id     BIGINT NOT NULL REFERENCES repositories(id) ON DELETE RESTRICT,
  digest      TEXT NOT NULL REFERENCES blobs(digest) ON DELETE RESTRICT,
  lease_until BIGINT NOT NULL,
  review_at   BIGINT,
  PRIMARY KEY(repo_id, digest)) WITHOUT ROWID;
CREATE INDEX repo_blobs_digest ON repo_blobs(digest);
CREATE INDEX repo_blobs_review ON repo_blobs(review_at) WHERE review_at IS NOT NULL;

-- The edges below name a manifest by its id: ids grow, so that new edges lie side by side, where digests lay each in a page
-- of its own (docs/adr/0039).
CREATE TABLE manifests(
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
CREATE INDEX manifests_referrers ON manifests(repo_id, subject, artifact_type, digest, media_type, size, annotations)
  WHERE subject IS NOT NULL;
CREATE INDEX manifests_review ON manifests(review_at) WHERE review_at IS NOT NULL;

CREATE TABLE manifest_blobs(
  manifest_id BIGINT NOT NULL REFERENCES manifests(id) ON DELETE CASCADE,
  repo_id     BIGINT NOT NULL,
  digest      TEXT NOT NULL,
  PRIMARY KEY(manifest_id, repo_id, digest),
  FOREIGN KEY(repo_id, digest) REFERENCES repo_blobs(repo_id, digest) ON DELETE RESTRICT) WITHOUT ROWID;
CREATE INDEX manifest_blobs_rev ON manifest_blobs(repo_id, digest);

CREATE TABLE manifest_children(
  manifest_id BIGINT NOT NULL REFERENCES manifests(id) ON DELETE CASCADE,
  repo_id     BIGINT NOT NULL,
  child       TEXT NOT NULL,
  PRIMARY KEY(manifest_id, repo_id, child),
  FOREIGN KEY(repo_id, child) REFERENCES manifests(repo_id, digest) ON DELETE RESTRICT) WITHOUT ROWID;
CREATE INDEX manifest_children_rev ON manifest_children(repo_id, child);

-- Edges whose target is absent; kind is enum meta_missing_kind. The transaction that brings the target makes them real.
CREATE TABLE manifest_missing(
  manifest_id BIGINT NOT NULL REFERENCES manifests(id) ON DELETE CASCADE,
  repo_id     BIGINT NOT NULL,
  kind        SMALLINT NOT NULL,
  digest      TEXT NOT NULL,
  PRIMARY KEY(manifest_id, repo_id, kind, digest)) WITHOUT ROWID;
CREATE INDEX manifest_missing_target ON manifest_missing(repo_id, digest);

-- Deleted subjects with more referrers than one transaction should touch: the collector goes on after this one.
CREATE TABLE lost_subjects(
  repo_id      BIGINT NOT NULL,
  digest       TEXT NOT NULL,
  after_type   TEXT NOT NULL,
  after_digest TEXT NOT NULL,
  PRIMARY KEY(repo_id, digest)) WITHOUT ROWID;

CREATE TABLE tags(
  repo_id    BIGINT NOT NULL,
  name       TEXT NOT NULL,
  manifest   TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  immutable  SMALLINT NOT NULL DEFAULT 0,
  PRIMARY KEY(repo_id, name),
  FOREIGN KEY(repo_id, manifest) REFERENCES manifests(repo_id, digest) ON DELETE RESTRICT) WITHOUT ROWID;
CREATE INDEX tags_manifest ON tags(repo_id, manifest);

-- manifest NULL: the tag was deleted.
CREATE TABLE tag_history(
  repo_id  BIGINT NOT NULL,
  name     TEXT NOT NULL,
  id       BIGINT NOT NULL,
  manifest TEXT,
  actor    BIGINT,
  at       BIGINT NOT NULL,
  PRIMARY KEY(repo_id, name, id)) WITHOUT ROWID;

CREATE TABLE uploads(
  id           TEXT NOT NULL PRIMARY KEY,
  repo_id      BIGINT NOT NULL REFERENCES repositories(id) ON DELETE RESTRICT,
  object_key   TEXT NOT NULL UNIQUE,
  backend_id   TEXT,
  stored       SMALLINT NOT NULL DEFAULT 0,
  epoch        BIGINT NOT NULL DEFAULT 0,
  busy_until   BIGINT NOT NULL DEFAULT 0,
  size         BIGINT NOT NULL DEFAULT 0,
  algorithm    TEXT NOT NULL,
  hash_version SMALLINT NOT NULL DEFAULT 0,
  hash_state   BLOB,
  tail_key     TEXT,
  tail_len     BIGINT NOT NULL DEFAULT 0,
  next_part    INTEGER NOT NULL DEFAULT 1,
  expires_at   BIGINT NOT NULL);
CREATE INDEX uploads_expiry ON uploads(expires_at);
CREATE INDEX uploads_repo ON uploads(repo_id);

CREATE TABLE upload_parts(
  upload_id TEXT NOT NULL REFERENCES uploads(id) ON DELETE CASCADE,
  part_no   INTEGER NOT NULL,
  etag      TEXT NOT NULL,
  size      BIGINT NOT NULL,
  PRIMARY KEY(upload_id, part_no)) WITHOUT ROWID;

-- How finished sessions ended, for a client that repeats its closing PUT. repo_id 0: cancelled; their name alone would
-- still be good.
CREATE TABLE upload_results(
  id         TEXT NOT NULL PRIMARY KEY,
  repo_id    BIGINT NOT NULL,
  digest     TEXT NOT NULL,
  expires_at BIGINT NOT NULL) WITHOUT ROWID;
CREATE INDEX upload_results_expiry ON upload_results(expires_at);

-- Objects that nothing names any more.
CREATE TABLE gc_objects(
  object_key   TEXT NOT NULL PRIMARY KEY,
  backend_id   TEXT,
  size         BIGINT NOT NULL DEFAULT 0,
  delete_after BIGINT NOT NULL,
  attempts     INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE INDEX gc_objects_due ON gc_objects(delete_after);

CREATE TABLE users(
  id            BIGINT NOT NULL PRIMARY KEY,
  name          TEXT NOT NULL UNIQUE,
  password_hash TEXT,
  is_admin      SMALLINT NOT NULL DEFAULT 0,
  created_at    BIGINT NOT NULL,
  disabled_at   BIGINT);

CREATE TABLE tokens(
  id           BIGINT NOT NULL PRIMARY KEY,
  user_id      BIGINT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  secret_hash  BLOB NOT NULL UNIQUE,
  scope        TEXT,
  expires_at   BIGINT,
  last_used_at BIGINT);
CREATE INDEX tokens_user ON tokens(user_id);

CREATE TABLE permissions(
  subject_kind SMALLINT NOT NULL,
  subject_id   BIGINT NOT NULL,
  pattern      TEXT NOT NULL,
  actions      INTEGER NOT NULL,
  PRIMARY KEY(subject_kind, subject_id, pattern)) WITHOUT ROWID;

-- Random bytes that this registry signs with.
CREATE TABLE secrets(
  name  TEXT NOT NULL PRIMARY KEY,
  value BLOB NOT NULL);
INSERT INTO secrets(name, value) VALUES('sessions', randomblob(32));

CREATE TABLE leases(
  name   TEXT NOT NULL PRIMARY KEY,
  holder TEXT NOT NULL,
  epoch  BIGINT NOT NULL,
  until  BIGINT NOT NULL);
