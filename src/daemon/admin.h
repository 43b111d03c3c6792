/* daemon/admin.h - the commands that look after a registry: gc, check, import, export,
 * backup, restore, read-only, status, reload.
 *
 * One line asks, lines answer. The command line sends the line to the server that owns the data folder, over
 * DATA/control.sock; when none runs, it opens the folder itself and does the same work.
 *
 *   gc [dry-run]              check [repair] [quick]          import PATH [name=REPOSITORY] [dry-run]
 *   backup PATH [verify]      restore PATH [keep-tags] [dry-run]
 *   export PATH name=REPOSITORY[:TAG|@DIGEST]
 *   read-only on|off          status                          reload
 *
 * Words are separated by single spaces and percent-encoded. */
#ifndef DAEMON_ADMIN_H
#define DAEMON_ADMIN_H

#include "daemon/config.h"

struct instance;

struct admin_out {
    void (*line)(void *arg, const char *text);     /* something to tell: a problem, a tag imported */
    void (*progress)(void *arg, const char *text); /* how far it is; to be overwritten by the next */
    void (*value)(void *arg, const char *key, const char *v); /* of the result */
    void *arg;
    const _Atomic bool *stop; /* ends long work early; may be NULL */
};

void admin_number(const struct admin_out *out, const char *key, uint64_t v); /* a value */

/* Runs @command on an open instance. */
int admin_run(struct instance *in, berth_str command, const struct admin_out *out, berth_error *err);

/* A restore into a data folder that is absent or empty. */
int admin_restore(const struct config *c, berth_str command, const struct admin_out *out, berth_error *err);

/* Runs @command on the server that owns the folder of @c, or on the folder itself when no server runs. */
int admin_command(const struct config *c, berth_str command, const struct admin_out *out, berth_error *err);

#endif
