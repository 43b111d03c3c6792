/* cli/manifest.h - what `berth manifest get|head|digest` share. */
#ifndef CLI_MANIFEST_H
#define CLI_MANIFEST_H

#include "cli/place.h"

/* Of a command whose state begins with it. */
struct manifest_options {
    struct remote remote;
    int accept;           /* a berth_accept */
    const char *platform; /* NULL: an index itself */
    const char *file;     /* NULL: standard output */
};

#define MANIFEST_ACCEPT                                                                                      \
    {                                                                                                        \
        .name = "accept", .kind = CLI_CHOICE,                                                                \
        .value = "any|image|index|schema1", /* in the order of berth_accept */                               \
            .at = offsetof(struct manifest_options, accept),                                                 \
        .help = "what it may be; anything else is a failure (any)"                                           \
    }
#define MANIFEST_PLATFORM                                                                                    \
    {                                                                                                        \
        .name = "platform", .kind = CLI_TEXT, .value = "OS/ARCH[/VARIANT]",                                  \
        .at = offsetof(struct manifest_options, platform),                                                   \
        .help = "of an index, the image for it; a single image has to be for it (the index itself)"          \
    }
#define MANIFEST_FIELDS                                                                                      \
    {"digest", "string", "digest of the manifest's bytes; empty when a HEAD by tag does not say"},           \
        {"mediaType", "string", "its media type, as the registry names it"},                                 \
    {                                                                                                        \
        "size", "number", "its bytes"                                                                        \
    }

/* --accept and --platform exclude each other. -1: go on. */
int manifest_check_options(const struct cli_command *c, const struct manifest_options *o);

/* Of a manifest in a layout, what the library sees to of others. BERTH_E_NOT_FOUND: @m is of another kind;
 * @text names it. */
int manifest_check_kind(const struct manifest_options *o, const char *text, const berth_content *m,
                        berth_error *err);

/* Lent by @m. */
berth_content manifest_content(const berth_manifest *m);

#endif
