/* client/child.h - a program that is given some input, says something, and ends; nothing here waits.
 *
 * One descriptor becomes readable whenever child_step() has something to do, so that a child fits into any
 * loop. Its standard error is ours, its environment too, and it is found as execvp(3) finds it. */
#ifndef CLIENT_CHILD_H
#define CLIENT_CHILD_H

#include <sys/types.h>

#include "util/buf.h"

struct child {
    int epoll, out, process, timer; /* -1: not there */
    pid_t pid;                      /* 0: it has ended, or never started */
    berth_buf said;                 /* standard output */
    int status;                     /* exit code; -1: it ended otherwise */
    int code;                       /* BERTH_E_CANCELLED: too slow; BERTH_E_TOO_BIG: said too much */
};

#define CHILD_INIT                                                                                           \
    {                                                                                                        \
        .epoll = -1, .out = -1, .process = -1, .timer = -1                                                   \
    }

/* Starts argv[0] with @input. It is ended after @timeout_ms (0: never), with what it has started.
 * BERTH_E_NOT_FOUND: no such program.
 */
int child_start(struct child *c, const char *const *argv, berth_str input, uint32_t timeout_ms,
                berth_error *err);
int child_fd(const struct child *c);
bool child_step(struct child *c); /* true: it has ended, and said, status and code are what came of it */
void child_wait(struct child *c); /* blocks until then */
void child_done(struct child *c); /* ends it when it runs, and forgets what it said */

#endif
