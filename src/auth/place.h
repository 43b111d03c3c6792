/* auth/place.h - where credentials are good: "registry.example:5000/team", "https://index.docker.io/v1/",
 * "*.example", "*". Pure.
 *
 * Foreign input: fuzzed by tests/fuzz/credentials.c. */
#ifndef AUTH_PLACE_H
#define AUTH_PLACE_H

#include "util/str.h"

/* What credentials allow, and what a request needs; each has all before it. */
enum auth_privilege { AUTH_READ = 1, AUTH_WRITE, AUTH_ALL };

/* What credentials are looked for. */
typedef struct auth_target {
    berth_str host,
        repository;            /* "registry.example:5000", "team/app"; an empty repository: the host itself */
    enum auth_privilege needs; /* 0: AUTH_READ */
} auth_target;

/* How well credentials for @place, which allow @may, fit: 0, not at all; of several the largest counts. A
 * host's own name is better than a pattern, and that than "*" or "", which are any host; then the longest
 * path that leads to the repository; then the least privilege that is enough.
 *
 * Letter case is ignored, a scheme and a path of API ("https://host/v1/") are passed over, and the names of
 * Docker Hub are one. A path ends at its border: "team" leads to "team/app", not to "teams". A '*' stands for
 * any characters but a dot: "*.example" is neither "example" nor "a.b.example". */
uint64_t auth_place_rank(berth_str place, enum auth_privilege may, const auth_target *target);

/* The same host and the same path, by these rules, without patterns. */
bool auth_place_same(berth_str a, berth_str b);

/* How Docker's file and helpers call @host: "https://index.docker.io/v1/" for Docker Hub, else @host. */
berth_str auth_place_of(berth_str host);

#endif
