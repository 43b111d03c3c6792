/* repo/import.h - what the files of the import share. For the files of this room alone.
 *
 * A tree of another registry is read by import_distribution.c or import_layout.c, repository by repository;
 * what they find goes to import_manifest(), which brings whatever a manifest refers to before the manifest,
 * and that before its tag. What is damaged or missing is told and counted, and the import goes on; only what
 * stops berth itself (a full disk, a database that fails) ends it.
 *
 * The tree is foreign: every path below its root is opened name by name, and symbolic links are never
 * followed. */
#ifndef REPO_IMPORT_H
#define REPO_IMPORT_H

#include <dirent.h>

#include "repo/repo_private.h"

/* Digests met already, so that nothing is told or counted twice. It may forget: only the figures depend on
 * it. */
struct import_set {
    uint64_t (*slots)[2]; /* the first 128 bits */
    size_t n, cap;
};
bool import_set_has(const struct import_set *s, const berth_digest *d);
void import_set_add(struct import_set *s, const berth_digest *d);
void import_set_done(struct import_set *s);

struct import {
    repo *r;
    const struct repo_import_options *o;
    struct repo_import_result *res;
    int root_fd;             /* the folder at options.path */
    char *piece;             /* blobs are read through it */
    struct import_set blobs; /* dry run: those whose bytes are counted, whatever the repository */
};

#define IMPORT_PIECE        (256 * KIB)
#define IMPORT_MANIFEST_MAX (32 * MIB)
#define IMPORT_DEPTH_MAX    64 /* of folders */
#define IMPORT_SIZE_UNKNOWN UINT64_MAX

struct import_source;
struct import_repo {
    struct import *im;
    const char *name;
    /* Opens the file that holds @d, of @size bytes if that is known. BERTH_E_NOT_FOUND. */
    int (*open_blob)(struct import_repo *ir, const berth_digest *d, uint64_t size, int *ret_fd,
                     uint64_t *ret_size, berth_error *err);
    /* The type that a manifest was pushed with, where the tree knows it: else NULL, and what refers to it
     * tells. */
    int (*type_of)(struct import_repo *ir, const berth_digest *d, berth_arena *a, berth_str *ret,
                   berth_error *err);
    int dir_fd;                         /* where it looks; lent */
    const struct import_source *source; /* or there: import_backup.c's own */
    struct import_set done;             /* manifests and blobs looked at */
    struct import_set failed;           /* of those, the ones that could not be had */
    struct import_set unread;           /* and of these, those that are there, or may be, and can't be read */
    struct import_set refused;          /* the ones that are not wanted here */
    bool any;                           /* a manifest of it is in the registry now */
};

/* --- import.c --- */

/* BERTH_E_CANCELLED when the import shall stop. */
int import_go_on(const struct import *im, berth_error *err);
/* Tells one line about the repository @name. */
void import_say(const struct import *im, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A part of the tree that can't be read, @rc and @why: it is counted and told, and the import goes on with
 * BERTH_OK. What ends the import is passed on. */
int import_pass_over(const struct import *im, const char *name, int rc, const berth_error *why,
                     berth_error *err);
/* The folder @name (empty: the tree itself) has been listed, or could not be, @rc and @why. */
int import_listed(const struct import *im, berth_buf *name, int rc, const berth_error *why, berth_error *err);

/* Opens @path below @dir_fd; with O_DIRECTORY a folder, else a regular file. BERTH_E_NOT_FOUND, also for a
 * link. */
int import_open(int dir_fd, const char *path, int flags, int *ret_fd, berth_error *err);
/* The same for a file and its size. */
int import_open_file(int dir_fd, const char *path, int *ret_fd, uint64_t *ret_size, berth_error *err);
/* Whether it is there. What can't be looked at is not absent: then they fail as import_open() does. */
int import_is_folder(int dir_fd, const char *path, bool *ret, berth_error *err);
int import_is_file(int dir_fd, const char *path, bool *ret, berth_error *err);
/* All of a file of at most @max bytes, appended to @buf. */
int import_read(int fd, uint64_t size, size_t max, berth_buf *buf, berth_error *err);
/* For import_next(); closed by import_closedirp(). */
int import_opendir(int dir_fd, const char *path, DIR **ret_dir, berth_error *err);
void import_closedirp(DIR **dir);
/* The next name that is not hidden. NULL: the end. BERTH_E_CORRUPT: the rest of the folder can't be read. */
int import_entry(DIR *dir, const char **ret, berth_error *err);
/* The same without those that begin with '_', which are a registry's own, and without lost+found. */
int import_next(DIR *dir, const char **ret, berth_error *err);

/* Whether repository @name may be imported; if not, that was told. */
int import_repo_may(struct import *im, const char *name, bool *ret_may, berth_error *err);
void import_repo_end(struct import_repo *ir); /* counts it */

/* --- import_manifest.c --- */

/* Brings the manifest @d, and gives it @tag unless that is empty. @media_type and @size are what is known of
 * it: empty, IMPORT_SIZE_UNKNOWN. Fails only with what ends the import. */
int import_manifest(struct import_repo *ir, const berth_digest *d, berth_str media_type, uint64_t size,
                    berth_str tag, berth_error *err);

/* Brings a blob that no manifest refers to. The same. */
int import_lone_blob(struct import_repo *ir, const berth_digest *d, uint64_t size, berth_error *err);
/* Whether the registry has @tag, whatever it points at. */
int import_has_tag(struct import_repo *ir, berth_str tag, bool *ret, berth_error *err);

/* --- the trees --- */

/* @fd: the folder that holds `repositories` and `blobs`. */
int import_distribution(struct import *im, int fd, berth_error *err);
/* The one layout at the root. */
int import_layout(struct import *im, const char *name, berth_error *err);
/* Every layout below the root, named by its path. BERTH_E_NOT_FOUND: there is none. */
int import_layouts(struct import *im, berth_error *err);

#endif
