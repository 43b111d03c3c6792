/* berth/credentials.h - where user names, passwords and tokens come from, and where a login keeps them.
 *
 * Files are Docker's config.json and what has its form (podman's auth.json): "auths", "credsStore" and
 * "credHelpers". They are read again at each look-up, since another program may have written them. No
 * function here reads the environment; a helper ("docker-credential-<name>") is found as execvp(3) finds a
 * program, inherits the environment, and its standard error is the caller's.
 *
 * Calls of one client that need the same token (the same endpoint, service, scope and credentials) while it
 * is being asked for wait for that one request: its token is for all, and so is its last failure. When the
 * call that asks is cancelled or out of time, another one asks. A token is for one repository, and for the
 * two of a mount: its size does not grow with what a client does. */
#ifndef BERTH_CREDENTIALS_H
#define BERTH_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <berth/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What credentials are good for; each allows what stands before it. Of several that lead to a repository,
 * those with the least privilege that is enough are taken. */
typedef enum berth_privilege {
    BERTH_PRIVILEGE_ALL = 0, /* also to delete */
    BERTH_PRIVILEGE_READ = 1,
    BERTH_PRIVILEGE_WRITE = 2,
} berth_privilege;

/* A user name with its password, or a token. */
typedef struct berth_credential {
    size_t size;                /* sizeof(berth_credential) */
    const char *place;          /* "registry.example:5000", "registry.example/team" (and what is below it),
                                 * "*.example", NULL: any host that has no others */
    const char *username;       /* NULL: none */
    const char *password;       /* NULL: empty */
    const char *identity_token; /* an OAuth2 refresh token; NULL: none */
    const char *bearer_token;   /* sent as it is; NULL: none */
    berth_privilege privilege;
} berth_credential;
#define BERTH_CREDENTIAL_INIT BERTH_INIT(berth_credential, BERTH_SET(size, sizeof(berth_credential)))

/* What becomes of the helpers that a file names. */
typedef enum berth_helpers {
    BERTH_HELPERS_FAIL = 0,         /* asked before the file's own entries; one that fails ends the call */
    BERTH_HELPERS_WARN = 1,         /* the same, but one that fails is told to @warn and passed over */
    BERTH_HELPERS_STATIC_FIRST = 2, /* asked where the file has no entry; one that fails ends the call */
    BERTH_HELPERS_OFF = 3,          /* never run */
} berth_helpers;

/* A token for what @scope says ("repository:team/app:pull"), got elsewhere. */
typedef struct berth_token {
    const char *scope, *token;
} berth_token;

/* Where a client's credentials come from: those given here, then the files in their order. */
typedef struct berth_credentials_options {
    size_t size;                            /* set by the initialiser; lets old callers keep working */
    const berth_credential *const *given;   /* NULL ends them; NULL: none */
    const char *const *files;               /* the same; one that isn't there is fine */
    berth_helpers helpers;                  /* what becomes of those that a file names */
    uint32_t helper_timeout_ms;             /* then it is ended, with what it has started; 0: wait for ever */
    const berth_token *const *tokens;       /* NULL ends them; NULL: none */
    const char *scope;                      /* asked for in the place of any other; NULL: what a call needs */
    bool fall_back_to_basic;                /* where no token is to be had, try the password itself with a
                                             * registry that did not ask for one */
    void (*warn)(void *arg, const char *s); /* one sentence, without secrets; NULL: nobody wants to know */
    void *warn_arg;
} berth_credentials_options;
#define BERTH_CREDENTIALS_OPTIONS_INIT                                                                       \
    BERTH_INIT(berth_credentials_options, BERTH_SET(size, sizeof(berth_credentials_options)),                \
               BERTH_SET(helper_timeout_ms, 60000))

/* --- login and logout --- */

/**
 * Asks the registry whether it takes the client's credentials; what it asks for is answered as in any call.
 * @offline: also for an identity token, which a login can keep in the place of the password.
 * On success *@ret_call is the caller's: berth_call_free(). Fails as berth_ping() does.
 */
BERTH_API int berth_login(berth_client *client, bool offline, berth_call **ret_call, berth_error *err);
BERTH_API int berth_login_start(berth_client *client, bool offline, berth_call **ret_call, berth_error *err);

/** The identity token that the registry gave, lent until berth_call_free(); NULL: none. */
BERTH_API const char *berth_call_identity_token(const berth_call *call);

/**
 * Keeps @credential for @place ("registry.example:5000", perhaps with a path) as `docker login` does: with
 * the helper that @file names for it, else in @file, which is replaced as a whole, by one that only its owner
 * can read, and keeps whatever else it says. Blocks, also while a helper runs.
 * Failures: BERTH_E_INVALID, the file or the input makes no sense; BERTH_E_IO; BERTH_E_NOT_FOUND, no such
 * helper; BERTH_E_UNSUPPORTED, a path on a host whose credentials a helper keeps.
 */
BERTH_API int berth_credentials_store(const char *file, const char *place, const berth_credential *credential,
                                      uint32_t helper_timeout_ms, berth_error *err);

/** Forgets what is kept for @place, as `docker logout` does, with helper and file. BERTH_E_NOT_FOUND: nothing
 * was. */
BERTH_API int berth_credentials_erase(const char *file, const char *place, uint32_t helper_timeout_ms,
                                      berth_error *err);

/* --- what would be sent --- */

/**
 * Whom the registry takes the client for at @repository (NULL: at the host itself); nothing is sent to it,
 * but a helper may be asked. berth_call_username() has the answer. BERTH_E_NOT_FOUND: no credentials.
 */
BERTH_API int berth_whoami(berth_client *client, const char *repository, berth_privilege privilege,
                           berth_call **ret_call, berth_error *err);
BERTH_API int berth_whoami_start(berth_client *client, const char *repository, berth_privilege privilege,
                                 berth_call **ret_call, berth_error *err);

/** Lent until berth_call_free(). "": they are a token, which does not say. */
BERTH_API const char *berth_call_username(const berth_call *call);

/**
 * Answers the registry's challenge for @actions ("pull", "pull,push") on @repository, and keeps what has to
 * be sent along: berth_call_authorization(). NULL, NULL: for the registry itself.
 */
BERTH_API int berth_authorize(berth_client *client, const char *repository, const char *actions,
                              berth_call **ret_call, berth_error *err);
BERTH_API int berth_authorize_start(berth_client *client, const char *repository, const char *actions,
                                    berth_call **ret_call, berth_error *err);

/** "Bearer …" or "Basic …": the value of Authorization, a secret. "": the registry asks for none. Lent until
 * berth_call_free(). */
BERTH_API const char *berth_call_authorization(const berth_call *call);

#ifdef __cplusplus
}
#endif
#endif
