/* client/keyring.h - where credentials come from: those that were given, then the files, and the helpers that
 * these name. A helper runs in the background: once for all calls that want the same, and what it says is
 * kept for a while. */
#ifndef CLIENT_KEYRING_H
#define CLIENT_KEYRING_H

#include "auth/credentials.h"
#include "berth/credentials.h"

struct transport;
struct keyring_given;
struct keyring_run;

/* All by whoever drives the client. */
struct keyring {
    struct transport *transport;
    berth_arena arena;           /* of what was given */
    struct keyring_given *given; /* @n_given */
    size_t n_given, n_files;
    const char **files;
    auth_credentials own; /* for the registry itself; comes before all others */
    berth_helpers helpers;
    uint32_t timeout_ms;
    void (*warn)(void *arg, const char *s);
    void *warn_arg;
    struct keyring_run *runs;
};

/* One look for credentials. */
struct lookup {
    struct keyring *keyring;
    struct lookup *next;     /* who waits for the same helper */
    struct keyring_run *run; /* NULL: it waits for none */
    void (*done)(struct lookup *l);
    auth_target target; /* lent */
    berth_arena arena;
    size_t file;            /* that is looked into */
    int in_file;            /* what its own entries say: BERTH_OK, and found; or why not */
    auth_credentials found; /* all empty: there are none */
    int code;               /* of the whole */
    berth_error err;
};

int keyring_init(struct keyring *k, const berth_client_options *opts, berth_error *err);
bool keyring_has_bearer(const struct keyring *k); /* a token was given that needs no challenge */
void keyring_forget(struct keyring *k); /* what helpers said: it is refused, or time to look again */
void keyring_done(struct keyring *k);

/* True: it is over, and l->code and l->found say how. False: @done is called when it is. @target is lent
 * until then. lookup_done() in any case. */
bool lookup_start(struct lookup *l, struct keyring *k, const auth_target *target,
                  void (*done)(struct lookup *l));
void lookup_done(struct lookup *l); /* ends it when it waits, and forgets what it found */

#endif
