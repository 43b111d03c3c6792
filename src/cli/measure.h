/* cli/measure.h - how large a file is, and what digest it has. */
#ifndef CLI_MEASURE_H
#define CLI_MEASURE_H

#include "oci/digest.h"

/* Of a regular file, from its beginning on; its position stays. @ret_size may be NULL. */
int measure_file(int fd, enum hash_algorithm a, uint64_t *ret_size, berth_digest *ret_digest,
                 berth_error *err);

/* The digest of its first @size bytes, with @beside called after each MiB: what else is under way goes on
 * meanwhile. BERTH_E_CANCELLED: it said no; @err is untouched. */
int measure_beside(int fd, uint64_t size, enum hash_algorithm a, bool (*beside)(void *arg), void *arg,
                   berth_digest *ret_digest, berth_error *err);

#endif
