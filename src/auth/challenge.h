/* auth/challenge.h - WWW-Authenticate (RFC 9110 section 11.6.1): what a registry asks for. Pure.
 *
 * Registries write it in odd shapes: without a scheme word, without quotes, several in one field. What can be
 * read is read; foreign input, fuzzed by tests/fuzz/challenge.c. */
#ifndef AUTH_CHALLENGE_H
#define AUTH_CHALLENGE_H

#include "util/arena.h"

enum auth_scheme { AUTH_OTHER, AUTH_BASIC, AUTH_BEARER };

typedef struct auth_challenge {
    enum auth_scheme scheme;
    berth_str realm, service, scope, error; /* unescaped; .p NULL: absent */
} auth_challenge;

#define AUTH_CHALLENGES_MAX 8 /* of one answer; more are passed over */

typedef struct auth_challenges {
    size_t n;
    auth_challenge list[AUTH_CHALLENGES_MAX];
} auth_challenges;

/* Adds those of one field's value to @all. Without a scheme word, parameters are a Bearer challenge if their
 * realm is a URL, else Basic. False: no memory. */
bool auth_challenges_parse(berth_str field, berth_arena *arena, auth_challenges *all);

/* The first of @scheme, or NULL. A Bearer challenge without a realm is no help, and is passed over. */
const auth_challenge *auth_challenges_find(const auth_challenges *all, enum auth_scheme scheme);

#endif
