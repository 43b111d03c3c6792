/* auth/credentials.h - user names and passwords in Docker's config.json, and in podman's auth.json, which has
 * the same form. Pure: text in, credentials out.
 *
 * Foreign input: fuzzed by tests/fuzz/credentials.c. */
#ifndef AUTH_CREDENTIALS_H
#define AUTH_CREDENTIALS_H

#include "auth/place.h"
#include "util/arena.h"
#include "util/buf.h"

typedef struct auth_credentials {
    berth_str username, password;
    berth_str identity_token; /* an OAuth2 refresh token; empty: none */
    berth_str registry_token; /* a bearer token to send as it is; empty: none */
} auth_credentials;

bool auth_credentials_empty(const auth_credentials *c);

/* What "auths" of @config has for @target: the entry that fits best by auth_place_rank(). One with a member
 * "privilege" ("read", "write" or "all"; ours) counts for no more than that. BERTH_E_NOT_FOUND: none;
 * BERTH_E_INVALID: not such a file, or its entry can't be read. The message never repeats a secret. */
int auth_credentials_find(berth_str config, const auth_target *target, berth_arena *arena,
                          auth_credentials *ret, berth_error *err);

/* Which helper keeps the credentials of @host instead ("credHelpers", then "credsStore"), and how it calls
 * that host. Both empty: none. BERTH_E_INVALID: not such a file, or no name of a program. */
int auth_credentials_helper(berth_str config, berth_str host, berth_arena *arena, berth_str *ret_name,
                            berth_str *ret_server, berth_error *err);

/* @config with an entry for @place, in the place of those for the same; everything else stays as it is. An
 * empty @config is an empty file. Without credentials the entry is empty: a helper has them. @out: text with
 * secrets in it. */
int auth_credentials_put(berth_str config, berth_str place, const auth_credentials *c, berth_buf *out,
                         berth_error *err);

/* @config without entries for @place. *@ret_found: there were some; without, @out is untouched. */
int auth_credentials_drop(berth_str config, berth_str place, berth_buf *out, bool *ret_found,
                          berth_error *err);

/* "Basic dXNlcjpwYXNz" (RFC 7617). */
void auth_print_basic(berth_buf *out, berth_str username, berth_str password);

#endif
