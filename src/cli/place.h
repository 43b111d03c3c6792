/* cli/place.h - where the images of a command are: a repository of a registry, or an image layout on the
 * disk ("oci:PATH:TAG"). What works on images is written once, for content/content.h. */
#ifndef CLI_PLACE_H
#define CLI_PLACE_H

#include <berth/config.h>

#include "cli/progress.h"
#include "cli/remote.h"
#include "content/content.h"

#define PLACE_NESTING_MAX 16 /* of indexes; a stranger's may go on */

struct place {
    content *c;
    const char *reference; /* a tag or a digest; NULL: none, in a layout */
    const char *name;      /* without what follows it: "localhost:5000/team/app", "oci:folder" */
    berth_client *client;  /* its own; NULL: the command's */
    berth_ref ref;         /* of a registry; holds the strings above */
};
#define PLACE_INIT                                                                                           \
    {                                                                                                        \
        .ref = BERTH_REF_INIT                                                                                \
    }

/* Of the first operand, which remote_open() has read. @create: a layout that is not there is made. */
int place_open_first(struct remote *r, bool create, struct place *ret, berth_error *err);

/* Of another operand. Strings live as long as @r. */
int place_open(struct remote *r, const char *text, bool create, struct place *ret, berth_error *err);
void place_done(struct place *p);

/* The manifest that an operand names, the first or another; with @platform the image of an index for it. */
int place_manifest(struct remote *r, const char *text, const char *platform, berth_manifest **ret,
                   berth_error *err);

/* The image that is meant: a manifest that is an index is followed to the one for @platform; with @platform
 * NULL to that for this machine, if there is more than one. BERTH_E_NOT_FOUND: there is none, or a single
 * image is for another. */
int place_image(const struct place *p, const berth_manifest *m, const char *platform, berth_manifest **ret,
                berth_error *err);

/* The config of an image. BERTH_E_INVALID: it has none that is an image's. */
int place_config(const struct place *p, const berth_manifest *image, berth_config **ret, berth_error *err);

/* The bytes of a blob, of at most @max. */
int place_blob(const struct place *p, const berth_descriptor *blob, size_t max, berth_buf *out,
               berth_error *err);

/* A blob as a file without a name, whose digest was right. */
int place_blob_file(const struct place *p, const berth_descriptor *blob, int *ret_fd, berth_error *err);
int place_temporary(int *ret_fd, berth_error *err); /* such a file, empty */

/* Brings @m, and whatever it refers to, from one place to the other; with its own bytes last. Under
 * @reference as in content.h. Each blob that moves has an item of @progress. */
int place_copy(const struct place *from, const struct place *to, const berth_manifest *m,
               const char *reference, struct progress *progress, berth_error *err);

/* --- what is built --- */

/* Sets annotations, each "key=value"; with @removes, "key=" takes one away. BERTH_E_INVALID. */
int place_annotate(berth_builder *b, const struct cli_words *words, bool removes, berth_arena *arena,
                   berth_error *err);

/* The subject: the manifest at @reference; with @platform the image for it, if that is an index. */
int place_set_subject(const struct place *p, const char *reference, const char *platform, berth_builder *b,
                      berth_error *err);

/* Puts what was built, under @reference and under each of @tags. */
int place_put(const struct place *to, const char *reference, const struct cli_words *tags,
              const berth_manifest *m, berth_error *err);

/* While @item is not NULL, what is put into or got from @p moves it. */
void place_progress(struct place *p, struct progress_item *item);

/* Prints a stranger's text with what could act on a terminal replaced. */
void place_print(const char *text);

/* For documents: "linux/arm64/v8" as a string, or null. */
json_t *place_platform_json(const berth_platform *p);
/* {"digest":…,"mediaType":…,"size":…}, with platform, artifact type and annotations where there are some. */
json_t *place_descriptor_json(const berth_descriptor *d);
json_t *place_pairs_json(const berth_annotation *pairs, size_t n);

/* The member, unless @value is NULL. */
void place_set_text(json_t *object, const char *key, const char *value);

#endif
