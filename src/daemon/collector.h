/* daemon/collector.h - the thread that runs the collector on its schedule, inside the server. */
#ifndef DAEMON_COLLECTOR_H
#define DAEMON_COLLECTOR_H

#include "daemon/config.h"
#include "metadata/meta.h"
#include "repo/repo.h"

typedef struct collector collector;

/* Schedule and window from @c, which is copied; an interval of 0 waits for requests alone. */
int collector_start(repo *r, meta *m, const struct config *c, collector **ret_c, berth_error *err);
void collector_reconfigure(collector *c, const struct config *config);
void collector_stop(collector *c); /* NULL is fine */

#endif
