/* auth/credentials.h - user names and passwords in Docker's config.json, and in podman's auth.json, which has
 * the same form. Pure: text in, credentials out.
 *
 * Foreign input: fuzzed by tests/fuzz/credentials.c. */
#ifndef AUTH_CREDENTIALS_H
#define AUTH_CREDENTIALS_H

#include "util/arena.h"
#include "util/buf.h"

typedef struct auth_credentials {
    berth_str username, password;
    berth_str identity_token; /* an OAuth2 refresh token; empty: none */
    berth_str registry_token; /* a bearer token to send as it is; empty: none */
} auth_credentials;

/* What "auths" of @config says of @repository at @host ("registry.example:5000"): the entry with the longest
 * path that leads to it counts, else the host's. A scheme and a path of API ("https://host/v1/") in a key are
 * passed over, and the names of Docker Hub are one. BERTH_E_NOT_FOUND: none; BERTH_E_INVALID: not such a
 * file, or its entry for @host can't be read. The message never repeats a secret. */
int auth_credentials_find(berth_str config, berth_str host, berth_str repository, berth_arena *arena,
                          auth_credentials *ret, berth_error *err);

/* "Basic dXNlcjpwYXNz" (RFC 7617). */
void auth_print_basic(berth_buf *out, berth_str username, berth_str password);

#endif
