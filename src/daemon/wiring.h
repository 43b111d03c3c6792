/* daemon/wiring.h - puts a registry together from a configuration: the data folder with its lock, the
 * metadata, the store and the rules. The server and the offline commands open it alike; one process at a time
 * owns a folder. */
#ifndef DAEMON_WIRING_H
#define DAEMON_WIRING_H

#include "daemon/config.h"
#include "metadata/meta.h"
#include "registry/registry.h"
#include "storage/store.h"

struct instance {
    char *data; /* the folder's path; NULL: none */
    int data_fd, lock_fd;
    meta *m;
    blob_store *store;
    repo *repo;
    bool alone;                         /* no server has it: damaged tables may be salvaged */
    struct repo_salvage_result salvage; /* what that has found */
};

/* BERTH_E_BUSY when another process owns the folder. @create makes a folder that is absent. */
int instance_open(const struct config *c, bool create, struct instance *ret, berth_error *err);
void instance_close(struct instance *in);
/* The two halves of it: the folder and its lock, whatever is in it; then what it holds. After a failure
 * instance_close() is the caller's. */
int instance_lock(const struct config *c, bool create, struct instance *in, berth_error *err);
int instance_fill(const struct config *c, struct instance *in, berth_error *err);
/* A new database of what can be read of the folder's, which is damaged (repo_salvage()). Nothing has it open.
 */
int instance_salvage(const struct config *c, const struct repo_salvage_options *o,
                     struct repo_salvage_result *ret, berth_error *err);

/* In a data folder that `berth restore` is making, or did not finish: the backup's path. */
#define RESTORING "restoring"
/* Whether the folder @dir_fd, @path in messages, has @name. What can't be looked for is not absent. */
int wiring_has(int dir_fd, const char *path, const char *name, bool *ret, berth_error *err);

/* The file `format`, made if absent; refuses one of a newer program. */
int wiring_check_format(int data_fd, const char *path, berth_error *err);

/* The parts of a configuration that the rules and the API take; the views live as long as @c and @a. */
int wiring_repo_policy(const struct config *c, struct repo_policy *ret, berth_error *err);
int wiring_registry_policy(const struct config *c, berth_arena *a, struct registry_policy *ret,
                           berth_error *err);
int wiring_http_options(const struct config *c, struct http_options *ret);
void wiring_log(const struct config *c);

#endif
