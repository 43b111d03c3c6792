/* berth/credentials.h - where user names, passwords and tokens come from, and where a login keeps them.
 *
 * Files are Docker's config.json and what has its form (podman's auth.json): "auths", "credsStore" and
 * "credHelpers". They are read again at each look-up, since another program may have written them. No
 * function here reads the environment; a helper ("docker-credential-<name>") is found as execvp(3) finds a
 * program, inherits the environment, and its standard error is the caller's. */
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
#define BERTH_CREDENTIAL_INIT                                                                                \
    {                                                                                                        \
        sizeof(berth_credential), NULL, NULL, NULL, NULL, NULL, BERTH_PRIVILEGE_ALL                          \
    }

/* --- login and logout --- */

/**
 * Keeps @credential for @place ("registry.example:5000", perhaps with a path) as `docker login` does: with
 * the helper that @file names for it, else in @file, which is replaced as a whole, by one that only its owner
 * can read, and keeps whatever else it says. Blocks, also while a helper runs.
 * Failures: BERTH_E_INVALID, the file or the input makes no sense; BERTH_E_IO; BERTH_E_NOT_FOUND, no such
 * helper.
 */
BERTH_API int berth_credentials_store(const char *file, const char *place, const berth_credential *credential,
                                      uint32_t helper_timeout_ms, berth_error *err);

/** Forgets what is kept for @place, as `docker logout` does, with helper and file. BERTH_E_NOT_FOUND: nothing
 * was. */
BERTH_API int berth_credentials_erase(const char *file, const char *place, uint32_t helper_timeout_ms,
                                      berth_error *err);

#ifdef __cplusplus
}
#endif
#endif
