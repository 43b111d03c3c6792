/* daemon/backup.h - `berth backup DIR` and `berth restore DIR`: the folder of a backup, and the order in
 * which it is written and read.
 *
 * A backup has the shape of a data folder, and a marker:
 *
 *   DIR/backup     "berth backup 1", when it was made, by which version, the digests of its database
 *   DIR/format     as in a data folder
 *   DIR/berth.db   the metadata as they were at one moment
 *   DIR/objects/   every object that they name
 *   DIR/writing    there while a backup is written; left behind by one that was interrupted
 *
 * docs/adr/0029 has the reasons, docs/operations.md the use. */
#ifndef DAEMON_BACKUP_H
#define DAEMON_BACKUP_H

#include "daemon/admin.h"
#include "daemon/wiring.h"

/* Brings the backup in the folder @path up to date. @verify: what it has already is read, too. */
int backup_write(struct instance *in, const char *path, bool verify, const struct admin_out *out,
                 berth_error *err);

struct restore_options {
    bool keep_tags; /* leave alone tags that exist */
    bool dry_run;   /* only say what would be brought */
};
/* Brings back into an open registry what the backup at @path holds and it doesn't. */
int restore_merge(struct instance *in, const char *path, const struct restore_options *o,
                  const struct admin_out *out, berth_error *err);

/* Whether the data folder is absent, empty, or left by a restore that was interrupted. */
int restore_makes_folder(const char *data, bool *ret, berth_error *err);
/* A folder with content must be a data folder: else nothing is written to it. */
int restore_may_merge(const char *data, berth_error *err);
/* Makes the data folder of @c from the backup at @path. */
int restore_fresh(const struct config *c, const char *path, const struct restore_options *o,
                  const struct admin_out *out, berth_error *err);

/* --- backup_folder.c: for backup.c and restore.c --- */

struct backup_marker {
    bool complete; /* else none was ever finished in this folder */
    char made[25]; /* "2026-11-21T08:38:09.123Z" */
    char program[32];
    uint64_t tags, blobs, bytes;
    /* berth.db is either: the second until it has been replaced. "" where there is none */
    char database[DIGEST_TEXT_MAX], previous[DIGEST_TEXT_MAX];
};

struct backup_folder {
    int fd;
    char *path;
    bool interrupted; /* the last writer did not finish */
    struct backup_marker marker;
};
void backup_folder_done(struct backup_folder *f); /* NULL fields are fine */
/* For writing: made if absent; refuses any folder that has content and is no backup, and any place inside the
 * data folder. One writer, or readers. */
int backup_folder_create(const char *path, const struct instance *in, struct backup_folder *ret,
                         berth_error *err);
/* For reading: a complete backup that this program understands. */
int backup_folder_open(const char *path, struct backup_folder *ret, berth_error *err);
/* Refuses the data folder and whatever is in it, by whichever path: @what belongs elsewhere. */
int backup_must_be_outside(const char *what, const char *path, int data_fd, berth_error *err);
int backup_marker_write(const struct backup_folder *f, const struct backup_marker *m, berth_error *err);

/* A new small file in the folder, durable, in place of an old one. */
int backup_put_file(int dir_fd, const char *name, const char *text, berth_error *err);
/* Removes @name and what SQLite may have put beside it. */
void backup_remove_database(int dir_fd, const char *name);
/* The digest of a whole file; with @to_fd >= 0 it is copied there. */
int backup_copy_file(int fd, int to_fd, const _Atomic bool *stop, berth_digest *ret, berth_error *err);
/* The folder holds nothing, not counting what @but names and what file systems put there themselves. */
int backup_is_empty(int dir_fd, const char *const *but, bool *ret, berth_error *err);
/* Opens the backup's database for reading as the new file @name in @dir_fd (its folder is @dir), checked. */
int backup_take_database(const struct backup_folder *f, int dir_fd, const char *name,
                         const _Atomic bool *stop, berth_error *err);

/* Options that hand problems and progress on to @out, which must live as long. */
struct repo_backup_options backup_options(struct admin_out *out, bool verify);

#endif
