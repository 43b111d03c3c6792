/* cli/connect.h - the options of commands on a registry that say who we are to it and how it is reached, and
 * where their defaults come from: the environment, and the places of Docker's and Podman's files. */
#ifndef CLI_CONNECT_H
#define CLI_CONNECT_H

#include <berth/connection.h>
#include <berth/credentials.h>

#include "cli/command.h"

/* A part of struct remote. */
struct connect {
    const char *auth_file, *bearer_file, *scope;
    int helpers; /* a berth_helpers */
    bool basic_fallback;
    uint64_t rate_reserve, at_once, per_second;
    const char *client_cert, *client_key, *proxy, *no_proxy, *unix_socket, *ns, *user_agent;
    struct cli_words certs_dirs, resolve, headers;
    bool ipv4, ipv6;
    /* made of them, in the command's arena: */
    const char **files; /* of credentials, NULL ends them; the first is what `login` writes */
    const char *bearer;
    berth_credential by_hand;
    const berth_credential *given[2];
    const char **folders, **resolves;
    berth_credentials_options credentials;
    berth_connection_options connection;
};

extern const struct cli_option connect_options[];

/* Reads what files and environment have to say. @file is the one of credentials that the environment names,
 * or NULL. BERTH_E_INVALID: the options contradict each other. */
int connect_prepare(const struct cli_command *c, struct connect *n, const char *file, berth_arena *arena,
                    berth_error *err);

/* What was made, into a client's options; lent by @n. */
void connect_apply(const struct connect *n, berth_client_options *options);

#endif
