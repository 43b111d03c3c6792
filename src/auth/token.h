/* auth/token.h - the answer of a token endpoint (distribution's "Token Authentication", OAuth2). Pure.
 *
 * Foreign input: fuzzed by tests/fuzz/token.c. */
#ifndef AUTH_TOKEN_H
#define AUTH_TOKEN_H

#include "util/arena.h"

typedef struct auth_token {
    berth_str token;
    berth_str refresh_token; /* empty: none */
    int64_t lifetime_ms;     /* from the moment of the answer */
} auth_token;

/* Reads @body, whatever its Content-Type said: JSON with "token" or "access_token". @now_ms is the wall
 * clock's; an age told by "issued_at" is subtracted if the clocks agree well enough for it to make sense.
 * Without "expires_in" a JWT's own end counts, and any other token lives 60 seconds. Fails with
 * BERTH_E_INVALID: no such JSON, no token, or one that can't stand in a header. The message never repeats the
 * body. */
int auth_token_parse(berth_str body, int64_t now_ms, berth_arena *arena, auth_token *ret, berth_error *err);

/* Why there is no token, in the endpoint's words: "details" as Docker Hub has it, "error_description" or
 * "error" of OAuth2 (RFC 6749 section 5.2), "message". Copied, unprintable bytes replaced; empty: it says
 * nothing. */
berth_str auth_token_refusal(berth_str body, berth_arena *arena);

#endif
