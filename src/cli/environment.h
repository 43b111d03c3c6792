/* cli/environment.h - the variables BERTH_… of commands on registries. What the command line says comes
 * before them. The library reads none. */
#ifndef CLI_ENVIRONMENT_H
#define CLI_ENVIRONMENT_H

#include "berth/client.h"

struct environment {
    const char *registry, *namespace, *tag; /* of references without one; NULL: not set */
    const char *ca_file, *credentials;      /* files; NULL: not set */
    berth_transport transport;
    uint64_t chunk_size; /* in bytes; 0: not set */
    const char *chunk_size_text;
    bool debug; /* tell of each exchange on standard error */
};

/* An empty variable counts as unset. BERTH_E_INVALID: @err names the variable and what is wrong with it. */
int environment_read(struct environment *ret, berth_error *err);
/* A reference was not understood: if a default is why, @err names the variable too. Returns its code. */
int environment_blame(const struct environment *e, berth_error *err);

/* Says on standard error which variables BERTH_… nobody reads, and what they may have been meant to be. */
void environment_warn(const char *command);

/* What each is for, for documents: its name, what else it may be called or NULL, the equivalent of DRCA. */
struct environment_variable {
    const char *name, *other, *drca, *about;
};
extern const struct environment_variable environment_variables[]; /* a name of NULL ends them */

#endif
