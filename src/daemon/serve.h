/* daemon/serve.h - `berth serve`: runs a registry until SIGTERM or SIGINT; SIGHUP reloads. */
#ifndef DAEMON_SERVE_H
#define DAEMON_SERVE_H

#include "daemon/config.h"

/* Takes over @c. @path and @flags are what it was loaded from, for reloading. Prints a line "listening on
 * <url>" for each listener to standard output. Returns BERTH_OK after an orderly stop. */
int daemon_serve(struct config *c, const char *path, const char *const *flags, size_t n_flags,
                 berth_error *err);

#endif
