/* berth/connection.h - how a client reaches its registry: certificates, proxies, addresses.
 *
 * What concerns the registry alone (client certificate, socket) goes to its own origin and to no
 * other: not to a token endpoint elsewhere, nor along with a redirect. */
#ifndef BERTH_CONNECTION_H
#define BERTH_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>

#include <berth/client.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum berth_family {
    BERTH_FAMILY_ANY = 0, /* IPv6 and IPv4, whichever connects first (RFC 8305) */
    BERTH_FAMILY_IPV4 = 4,
    BERTH_FAMILY_IPV6 = 6,
} berth_family;

typedef struct berth_connection_options {
    size_t size;                    /* set by the initialiser; lets old callers keep working */
    const char *client_certificate; /* a file in PEM; NULL: none */
    const char *client_key;         /* NULL: in the same file */
    const char *const
        *certs_folders;         /* NULL ends them. As docker has them in /etc/docker/certs.d: of each
                                 * host's folder in it ("registry.example:5000"), *.crt are trusted
                                 * beside the system's, and the first *.cert is a client certificate
                                 * with the *.key of its name. NULL: none; one that isn't there is fine */
    const char *proxy;          /* "http://user:password@proxy.example:3128", "https://…", "socks5h://…";
                                 * NULL: as libcurl finds it; "": none */
    const char *no_proxy;       /* hosts without it: "localhost,.example"; NULL: as libcurl finds it */
    const char *const *resolve; /* NULL ends them: "registry.example:443:192.0.2.1"; NULL: none */
    const char *unix_socket;    /* where the registry listens; NULL: on TCP */
    const char *ns;             /* the registry that a mirror shall answer for, told it by "?ns=" when
                                 * it is read from; NULL: not told */
    berth_family family;
} berth_connection_options;
#define BERTH_CONNECTION_OPTIONS_INIT                                                                        \
    BERTH_INIT(berth_connection_options, BERTH_SET(size, sizeof(berth_connection_options)))

#ifdef __cplusplus
}
#endif
#endif
