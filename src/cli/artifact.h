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

/* "path:type/subtype" at its last ':'; without one *@ret_type is @type. */
int artifact_split(berth_arena *a, const char *text, const char *type, const char **ret_path,
                   const char **ret_type, berth_error *err);

/* What a file is called for who pulls it: its path where that stays below a folder, else its last name.
 * BERTH_E_INVALID: it has none. */
int artifact_title(berth_arena *a, const char *path, const char **ret, berth_error *err);

/* Of all operands but the first. BERTH_E_INVALID: who pulls them would be refused one of them. */
int artifact_check_titles(struct cli_base *b, berth_error *err);

/* A folder as one file without a name: tar in gzip, each entry below @name, in the same order and with the
 * same bytes from the same files. *@ret_tar is the digest of the archive before it was packed. */
int artifact_pack(const char *path, const char *name, int *ret_fd, uint64_t *ret_size,
                  berth_digest *ret_digest, berth_digest *ret_tar, berth_error *err);

#endif
