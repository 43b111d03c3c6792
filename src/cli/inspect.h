/* cli/inspect.h - what the files of `berth inspect` share. */
#ifndef CLI_INSPECT_H
#define CLI_INSPECT_H

#include "cli/place.h"

/* What was asked about. */
struct inspected {
    struct place place;
    berth_manifest *root;  /* what the reference names */
    berth_manifest *image; /* the same, or the one of its images that is meant; NULL: not asked for yet */
    berth_config *config;  /* NULL: not asked for, or of an artifact */
};
#define INSPECTED_INIT                                                                                       \
    {                                                                                                        \
        .place = PLACE_INIT                                                                                  \
    }

/* --- inspect_print.c --- */

json_t *inspect_document(const struct inspected *i); /* without sizes and tags */
void inspect_print(json_t *document);                /* for people */

/* --- inspect_sizes.c --- */

/* Adds every blob and manifest of @m to @set, an object of digests and sizes; children of an index too. */
int inspect_collect(const struct place *p, const berth_manifest *m, json_t *set, berth_error *err);
uint64_t inspect_total(const json_t *set);
/* Of what is in both. */
uint64_t inspect_shared(const json_t *a, const json_t *b);

/* --- inspect_validate.c --- */

/* Appends a sentence to @problems for each thing that is wrong with @m and what it refers to. Fails only with
 * what ends the checking: a network that is gone. */
int inspect_validate(const struct place *p, const berth_manifest *m, json_t *problems, berth_error *err);

/* --- inspect_files.c --- */

/* "0" is the lowest layer, "-1" the uppermost, or a digest. NULL: there is no such one; @err says so. */
const berth_descriptor *inspect_layer(const berth_manifest *image, const char *which, berth_error *err);

/* Calls @fn for each file that a container of @image would see in its layers, as they are written; a path
 * that an upper layer removes or replaces is told of the upper layer alone. */
typedef int (*inspect_file_fn)(void *arg, const char *path, uint64_t size, const char *kind);
int inspect_files(const struct place *p, const berth_manifest *image, inspect_file_fn fn, void *arg,
                  berth_error *err);

/* Writes the file that stands at @path to @fd; links are followed within the image. Layers are read from the
 * uppermost down, as far as needed, each of them whole: its digest is right. BERTH_E_NOT_FOUND. */
int inspect_file(const struct place *p, const berth_manifest *image, const char *path, int fd,
                 uint64_t *ret_size, berth_error *err);

#endif
