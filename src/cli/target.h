/* cli/target.h - where a command writes what it fetched: a file, which has its name only when it is whole, or
 * standard output. Whatever ends the program, Ctrl-C too, nothing half-written stays. */
#ifndef CLI_TARGET_H
#define CLI_TARGET_H

#include "util/base.h"

struct target {
    int fd;           /* -1: not open */
    const char *file; /* lent; NULL: standard output */
    char *unfinished; /* the file's name until then; NULL: standard output */
    berth_error err;  /* why target_sink() failed */
};
#define TARGET_INIT                                                                                          \
    {                                                                                                        \
        .fd = -1                                                                                             \
    }

/* @file NULL or "-": standard output. BERTH_E_NOT_FOUND: the folder is not there; BERTH_E_INVALID: standard
 * output is a terminal, and @binary content would act on it. */
int target_open(struct target *t, const char *file, bool binary, berth_error *err);
int target_write(struct target *t, const void *p, size_t n, berth_error *err);
/* The same as a sink of the library's (berth_sink_fn), whose own error hides why: target_error() has it. */
int target_sink(void *target, const void *p, size_t n);
const berth_error *target_error(const struct target *t, const berth_error *err);
int target_finish(struct target *t, berth_error *err); /* gives the file its name */
void target_done(struct target *t);                    /* removes what was not finished */

/* Ctrl-C, SIGTERM and SIGHUP remove unfinished files, end the line that stands on the terminal, and then do
 * what they always do: exit code 130 for a shell. target_open() calls it, and so does progress. */
void target_catch_signals(void);
/* Between these two they wait, if what is under way is quick to undo; the second lets them through. */
void target_signals_hold(void);
bool target_signal_waits(void);
void target_signals_release(void);
/* In the handler, before that: true when the signal will come again after something else. */
void target_signal_first(bool (*fn)(int sig));

#endif
