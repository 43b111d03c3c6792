/* cli/measure.h - how large a file is, and what digest it has. */
#ifndef CLI_MEASURE_H
#define CLI_MEASURE_H

#include "oci/digest.h"

/* Of a regular file, from its beginning on; its position stays. @ret_size may be NULL. */
int measure_file(int fd, enum hash_algorithm a, uint64_t *ret_size, berth_digest *ret_digest,
                 berth_error *err);

#endif
