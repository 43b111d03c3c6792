/* content/unpack_private.h - what the files of unpacking share; see unpack.h. */
#ifndef CONTENT_UNPACK_PRIVATE_H
#define CONTENT_UNPACK_PRIVATE_H

#include "content/unpack.h"

#define UNPACK_SHOWN_MAX 120 /* bytes of a stranger's path that an error repeats */

static inline int no_memory(berth_error *err)
{
    return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
}

/* A path for a message: what could act on a terminal is replaced. */
struct unpack_shown {
    char text[UNPACK_SHOWN_MAX + 1];
};
struct unpack_shown unpack_show(const char *path);

int unpack_os_error(berth_error *err, const char *what, const char *path); /* of errno */

/* The next name of @rest; empty: there is none. "." and doubled slashes are passed over. */
berth_str unpack_next_name(berth_str *rest);

/* Opens the folder that the last name of @path, checked already, is in; makes what is missing. @ret_name is
 * the caller's. */
int unpack_open_parent(int dir_fd, const char *path, int *ret_fd, char **ret_name, berth_error *err);

/* What is there may be what @fd is: another process, or an earlier try, was faster. */
int unpack_file_same(int fd, int parent_fd, const char *name, bool *ret, berth_error *err);

#endif
