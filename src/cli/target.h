/* cli/target.h - where a command writes bytes: standard output, or a file that has its name only when all
 * went well. */
#ifndef CLI_TARGET_H
#define CLI_TARGET_H

#include "cli/command.h"

struct target {
    int fd;
    const char *file;
    char *unfinished; /* the file's name until then; NULL: standard output */
    berth_error err;  /* of writing */
};
#define TARGET_INIT                                                                                          \
    {                                                                                                        \
        .fd = STDOUT_FILENO                                                                                  \
    }

/* @file NULL or "-": standard output. What stands there is replaced by target_finish(). */
int target_open(const char *file, struct target *t, berth_error *err);
int target_finish(struct target *t, berth_error *err);
void target_done(struct target *t);

int target_write(void *t, const void *p, size_t n); /* a berth_sink_fn */

/* Standard output is the content's: -1, or the exit code after saying why that can't be. */
int target_check(const struct cli_command *c, const struct cli_base *b, const char *file);

#endif
