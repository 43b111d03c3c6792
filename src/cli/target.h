/* cli/target.h - where a command writes content: standard output, or a file that has its name only when the
 * content was whole and right. */
#ifndef CLI_TARGET_H
#define CLI_TARGET_H

#include "util/base.h"

struct target {
    int fd;
    char *unfinished; /* the file's name until then; NULL: standard output */
    berth_error err;  /* what went wrong while writing */
};
#define TARGET_INIT                                                                                          \
    {                                                                                                        \
        .fd = STDOUT_FILENO                                                                                  \
    }

/* @file NULL: standard output. BERTH_E_NOT_FOUND: its folder isn't there. */
int target_open(struct target *t, const char *file, berth_error *err);
int target_write(void *target, const void *p, size_t n); /* a berth_sink_fn */
int target_finish(struct target *t, const char *file, berth_error *err);
void target_done(struct target *t); /* removes what is unfinished */

#endif
