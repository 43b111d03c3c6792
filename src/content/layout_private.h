/* content/layout_private.h - what the files of an image layout share; see berth/layout.h. */
#ifndef CONTENT_LAYOUT_PRIVATE_H
#define CONTENT_LAYOUT_PRIVATE_H

#include <berth/layout.h>

#include "content/layout_files.h"
#include "oci/manifest.h"

#define LAYOUT_PIECE (256 * KIB) /* read at once */

struct berth_layout {
    char *path; /* for messages */
    int dir_fd;
};

static inline int no_memory(berth_error *err)
{
    return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
}

/* A file below the layout. BERTH_E_NOT_FOUND, also for what is no regular file. */
int layout_open_file(const berth_layout *l, const char *path, int *ret_fd, uint64_t *ret_size,
                     berth_error *err);

/* A manifest by its digest; @media_type is what it was announced as, or NULL. */
int layout_read_manifest(const berth_layout *l, const berth_digest *d, const char *media_type,
                         berth_manifest **ret, berth_error *err);

#endif
