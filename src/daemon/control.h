/* daemon/control.h - DATA/control.sock: the running server's side and the asking side.
 *
 * The asker sends one command line (admin.h). The server answers with lines: "L text", "P progress", "V key
 * value" and last "OK" or "ERR <code> message". Folder and socket are the owner's alone (0700, 0600). */
#ifndef DAEMON_CONTROL_H
#define DAEMON_CONTROL_H

#include "daemon/admin.h"

typedef struct control control;

/* Serves commands until control_stop(); @run is called on a thread per command, several at once. */
int control_start(const char *data,
                  int (*run)(void *arg, berth_str command, const struct admin_out *out, berth_error *err),
                  void *arg, control **ret_c, berth_error *err);
void control_stop(control *c); /* ends commands that run; NULL is fine */

/* *@ret_served: a server took the command, and the answer, whatever its code, is its own. */
int control_ask(const char *data, berth_str command, const struct admin_out *out, bool *ret_served,
                berth_error *err);

#endif
