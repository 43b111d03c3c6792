/* cli/artifact.h - what the files of `berth artifact` share: names and rules that oras gave (its "push" and
 * "pull", docs of image-spec manifest.md "Guidelines for Artifact Usage"). */
#ifndef CLI_ARTIFACT_H
#define CLI_ARTIFACT_H

#include <berth/digest.h>

#include "cli/place.h"

#define ARTIFACT_TITLE   "org.opencontainers.image.title"
#define ARTIFACT_UNPACK  "io.deis.oras.content.unpack" /* "true": a folder, packed */
#define ARTIFACT_TAR     "io.deis.oras.content.digest" /* of the archive, unpacked */
#define ARTIFACT_UNKNOWN "application/vnd.unknown.artifact.v1"

/* A folder as one file without a name: tar in gzip, each entry below @name, in the same order and with the
 * same bytes from the same files. *@ret_tar is the digest of the archive before it was packed. */
int artifact_pack(const char *path, const char *name, int *ret_fd, uint64_t *ret_size,
                  berth_digest *ret_digest, berth_digest *ret_tar, berth_error *err);

#endif
