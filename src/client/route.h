/* client/route.h - how connections are made: a client's options for them, copied and checked, and the
 * certificates of a host in a folder of certificates. */
#ifndef CLIENT_ROUTE_H
#define CLIENT_ROUTE_H

#include "berth/connection.h"
#include "util/arena.h"
#include "util/buf.h"

/* Of one host. Paths in the arena; .authorities: PEM, empty if there are none. */
struct route_certs {
    berth_buf authorities;
    const char *certificate, *key; /* NULL: none */
};

struct route {
    berth_arena arena;
    const char *certificate, *key, *proxy, *no_proxy, *unix_socket, *ns;
    const char **folders, **resolve; /* NULL ends them */
    berth_family family;
    struct route_certs own; /* the registry's */
};

/* Whether it can be read, if it is named. BERTH_E_NOT_FOUND, BERTH_E_IO. */
int route_check_file(const char *path, berth_error *err);

/* @authority is the registry's. BERTH_E_INVALID: an option that makes no sense, or a file that does not;
 * BERTH_E_NOT_FOUND: one that is not there. */
int route_init(struct route *r, const berth_connection_options *given, const char *authority,
               berth_error *err);
void route_done(struct route *r);

/* What the folders have for @authority ("registry.example:5000"). The buffer is the caller's. */
int route_find_certs(const struct route *r, berth_str authority, berth_arena *arena, struct route_certs *ret,
                     berth_error *err);

#endif
