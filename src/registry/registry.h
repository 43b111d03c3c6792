/* registry/registry.h - the distribution API over HTTP: translation between requests and the rules in repo/.
 *
 * One registry answers for one repo. It is the application of an http_server. */
#ifndef REGISTRY_REGISTRY_H
#define REGISTRY_REGISTRY_H

#include "http/server.h"
#include "repo/repo.h"

typedef struct registry registry;

struct registry_warning {         /* Warning: 299 - "text" (distribution-spec, "Warnings") */
    const char *repository, *tag; /* patterns with '*'; NULL: all */
    const char *text;
};

/* All strings are copied. */
struct registry_policy {
    bool relative_urls;  /* Location without scheme and host */
    bool access_log;     /* one line per request */
    bool metrics;        /* GET /metrics */
    bool per_repository; /* with series per repository */
    uint64_t max_manifest_size;
    uint32_t page_size;                    /* largest page of a listing */
    const char *default_platform;          /* for clients that accept no index; NULL: off */
    const char *const *blob_content_types; /* else 415; none: all */
    size_t n_blob_content_types;
    const struct registry_warning *warnings;
    size_t n_warnings;
};

int registry_new(repo *r, const struct registry_policy *policy, registry **ret_reg, berth_error *err);
void registry_free(registry *reg); /* NULL is fine */
int registry_set_policy(registry *reg, const struct registry_policy *policy, berth_error *err); /* any time */

/* To be given to http_server_new(); lives as long as @reg. */
const struct http_app *registry_app(registry *reg);

/* For /metrics and /readyz; before the server starts. */
void registry_set_server(registry *reg, http_server *server);
void registry_set_stopping(registry *reg);      /* /readyz answers 503 from now on */
void registry_set_audit(registry *reg, int fd); /* every write is appended to @fd as a JSON line; -1: none */

#endif
