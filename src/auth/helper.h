/* auth/helper.h - what is said to and by a credential helper (github.com/docker/docker-credential-helpers):
 * "docker-credential-<name> get|store|erase", which reads standard input and answers on standard output.
 * Pure.
 *
 * Foreign input: fuzzed by tests/fuzz/helper.c. */
#ifndef AUTH_HELPER_H
#define AUTH_HELPER_H

#include "auth/credentials.h"

/* Letters, digits, '.', '_', '+' and '-': part of a program's name, and never a path. */
bool auth_helper_name_valid(berth_str name);

/* The answer to "get". The user name "<token>" says that the secret is an identity token. BERTH_E_NOT_FOUND:
 * the helper has none; BERTH_E_INVALID: no such answer. The message never repeats the answer. */
int auth_helper_read(berth_str answer, berth_arena *arena, auth_credentials *ret, berth_error *err);

/* What is said when a helper fails: does it mean that there are no credentials? */
bool auth_helper_has_none(berth_str answer);

/* The standard input of "store". */
int auth_helper_print(berth_str server, const auth_credentials *c, berth_buf *out, berth_error *err);

#endif
