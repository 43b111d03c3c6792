/* content/unpack_stage.h - the hidden folder that an archive is unpacked into. What is in it moves to its
 * names when it is whole, so that a folder is there or is not, whatever ends the process.
 *
 * Who makes one holds a lock on it: what a process left that was killed is known by that, and removed by the
 * next one that comes there. */
#ifndef CONTENT_UNPACK_STAGE_H
#define CONTENT_UNPACK_STAGE_H

#include "util/base.h"

#define UNPACK_STAGE_PREFIX ".berth-unpack-" /* 32 hex digits follow */

struct unpack_stage {
    int fd, parent_fd;
    char name[64];
};
#define UNPACK_STAGE_INIT                                                                                    \
    {                                                                                                        \
        .fd = -1, .parent_fd = -1                                                                            \
    }

/* As near to where @below will be, within @dir_fd, as there are folders; NULL: in @dir_fd itself. */
int unpack_stage_open(int dir_fd, const char *below, struct unpack_stage *ret, berth_error *err);
/* Gives all of it its names within @dir_fd. Folders that are there are filled up. BERTH_E_EXISTS: something
 * else has a name, unless @overwrite; BERTH_E_INVALID: a link or a file stands where a folder shall. Neither
 * changes anything, if nobody else does so meanwhile. */
int unpack_stage_keep(const struct unpack_stage *s, int dir_fd, bool overwrite, berth_error *err);
void unpack_stage_done(struct unpack_stage *s); /* removes what is left of it */

#endif
