/* content/unpack.h - files and archives of a stranger's, written below a folder and nowhere else.
 *
 * A path is taken name by name: none is absolute, "..", or a link that is there already. A link in an archive
 * is made only if it stays below the folder wherever it is followed from; devices and pipes are refused. What
 * exists is not overwritten unless told. */
#ifndef CONTENT_UNPACK_H
#define CONTENT_UNPACK_H

#include "oci/digest.h"

/* BERTH_E_INVALID where @path may lead out of the folder that it is relative to. */
int unpack_check_path(const char *path, berth_error *err);

/* A file on its way to its name, in the folder where it will be. It has no name at all until then, so that
 * nothing stays when the process is killed; or, where the file system has no such files, that of a part. */
struct unpack_file {
    int fd, parent_fd;
    bool nameless;
    bool stays;               /* a part, for the next process to go on with */
    char *path, *name, *part; /* the two names are within @parent_fd */
};
#define UNPACK_FILE_INIT                                                                                     \
    {                                                                                                        \
        .fd = -1, .parent_fd = -1                                                                            \
    }

/* Makes the folders that lead to @path. BERTH_E_INVALID, BERTH_E_DENIED, BERTH_E_IO, BERTH_E_NO_SPACE. */
int unpack_file_open(int dir_fd, const char *path, struct unpack_file *ret, berth_error *err);
/* The same for a file that takes long to come: until then it is <path>.<12 digits of the digest>.part, as
 * with berth_blob_get_file(), and holds what was left there. BERTH_E_BUSY: another process is writing it. */
int unpack_file_go_on(int dir_fd, const char *path, const berth_digest *digest, struct unpack_file *ret,
                      berth_error *err);
/* Gives it its name. BERTH_E_EXISTS: something else than these bytes has it; unless @overwrite. */
int unpack_file_keep(struct unpack_file *f, bool overwrite, berth_error *err);
void unpack_file_done(struct unpack_file *f); /* what was not kept is removed, but for a part that stays */

/* What has the name @path: a file of these bytes, which are all read if they are as many, or something else.
 */
enum unpack_found { UNPACK_NOTHING, UNPACK_SAME, UNPACK_OTHER };
int unpack_file_look(int dir_fd, const char *path, const berth_digest *digest, uint64_t size,
                     enum unpack_found *ret, berth_error *err);

struct unpack_options {
    bool overwrite;
    uint64_t max_bytes;    /* of all files together; more are BERTH_E_TOO_BIG: a bomb */
    const char *below;     /* every entry is this path or below it, and there is one; NULL: any */
    bool (*stopped)(void); /* asked again and again; true: BERTH_E_CANCELLED. May be NULL */
};

/* The archive in @fd from its beginning on, packed with gzip, zstd or not at all. Nothing of it has a name
 * before all of it is there. BERTH_E_CORRUPT. */
int unpack_archive(int fd, int dir_fd, const struct unpack_options *o, berth_error *err);

#endif
