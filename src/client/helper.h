/* client/helper.h - credential helpers as processes: run to their end, or in the background for many calls at
 * once. */
#ifndef CLIENT_HELPER_H
#define CLIENT_HELPER_H

#include "auth/helper.h"
#include "client/child.h"

/* Starts "docker-credential-<name> <verb>". child_done() in any case. */
int helper_start(struct child *c, berth_str name, const char *verb, berth_str input, uint32_t timeout_ms,
                 berth_error *err);

/* What one that has ended means: BERTH_OK; BERTH_E_NOT_FOUND, it has no such credentials; BERTH_E_CANCELLED,
 * too slow; BERTH_E_IO, it failed. Its words are in the message where they can hold no secret. */
int helper_judge(const struct child *c, berth_str name, berth_error *err);

/* Both, blocking. */
int helper_run(berth_str name, const char *verb, berth_str input, uint32_t timeout_ms, berth_error *err);

#endif
