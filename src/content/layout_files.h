/* content/layout_files.h - the files of an OCI image layout (image-spec, image-layout.md), written so that
 * each has its name only when it is whole. Who exports a repository and who is a client write them alike. */
#ifndef CONTENT_LAYOUT_FILES_H
#define CONTENT_LAYOUT_FILES_H

#include "oci/digest.h"

#define LAYOUT_PATH_MAX (DIGEST_TEXT_MAX + 64)

/* "blobs/sha256/<hex>", below the layout. */
void layout_blob_path(const berth_digest *d, char out[LAYOUT_PATH_MAX]);

/* Makes `oci-layout` and the folders for blobs where they are not. BERTH_E_NO_SPACE, BERTH_E_DENIED,
 * BERTH_E_IO here and below. */
int layout_prepare(int dir_fd, berth_error *err);

/* Makes the names of blobs durable: to be done before an index names them. Folders for blobs that are not
 * there are left out. */
int layout_sync(int dir_fd, berth_error *err);

/* The whole file @path, in place of what was there, durable. */
int layout_write(int dir_fd, const char *path, const void *p, size_t n, berth_error *err);

/* A blob on its way to its name. */
struct layout_part {
    int dir_fd, fd;
    char path[LAYOUT_PATH_MAX], part[LAYOUT_PATH_MAX];
};

/* Makes the folder of its algorithm where it isn't. @suffix tells writers of the same blob apart: ".part". @d
 * NULL: what it is called is found on the way, and stands in @path before it is kept. */
int layout_part_open(int dir_fd, const berth_digest *d, const char *suffix, struct layout_part *ret,
                     berth_error *err);
/* Syncs it and gives it its name. */
int layout_part_keep(struct layout_part *p, berth_error *err);
/* Closes it; what was not kept is removed. */
void layout_part_done(struct layout_part *p);

#endif
