/* cli/artifact_tree.c - `berth artifact tree`: what refers to an image, and what refers to that. */
#include <stdio.h>

#include "cli/artifact.h"
#include "cli/commands.h"

#define DEPTH_MAX 32 /* digests can't go in circles, but a registry may say so */

struct options {
    struct remote remote;
    const char *artifact_type, *platform;
    uint64_t depth;
};

#define AT(member) .at = offsetof(struct options, member)

static const struct cli_option options[] = {
    {.name = "artifact-type",
     .kind = CLI_TEXT,
     .value = "TYPE",
     AT(artifact_type),
     .help = "only artifacts of this type (all)"},
    {.name = "platform",
     .kind = CLI_TEXT,
     .value = "OS/ARCH[/VARIANT]",
     AT(platform),
     .help = "of this image of an index (of the index)"},
    {.name = "depth",
     .kind = CLI_NUMBER,
     .value = "N",
     .max = DEPTH_MAX,
     AT(depth),
     .help = "how far: 1 is what refers to the image itself (32)"},
    {0},
};

struct work {
    struct options o;
    struct place place;
    berth_manifest *root, *image;
};

static void work_done(struct work *w)
{
    berth_manifest_free(w->image);
    berth_manifest_free(w->root);
    place_done(&w->place);
    remote_done(&w->o.remote);
}

static int add(void *arg, const berth_descriptor *d)
{
    return json_array_append_new(arg, place_descriptor_json(d));
}

/* Sets "referrers" of @node, down to @depth levels. */
static int grow(const struct work *w, json_t *node, uint64_t depth, berth_error *err)
{
    json_t *list = json_array(), *child;
    size_t i;
    const char *digest = json_string_value(json_object_get(node, "digest"));
    if (json_object_set_new(node, "referrers", list) < 0)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    int r =
        depth ? w->place.c->ops->referrers(w->place.c, digest, w->o.artifact_type, add, list, err) : BERTH_OK;
    json_array_foreach(list, i, child)
    {
        if (r != BERTH_OK)
            break;
        r = grow(w, child, depth - 1, err);
    }
    return r;
}

/* @before: what stands before each line of this level. */
static void print_branch(const json_t *node, const char *before)
{
    const json_t *list = json_object_get(node, "referrers");
    size_t n = json_array_size(list);
    for (size_t i = 0; i < n; i++) {
        const json_t *child = json_array_get(list, i), *type = json_object_get(child, "artifactType");
        CLEANUP(berth_buf_done) berth_buf next = BERTH_BUF_INIT(4 * KIB);
        berth_buf_addf(&next, "%s%s", before, i + 1 < n ? "│   " : "    ");
        printf("%s%s", before, i + 1 < n ? "├── " : "└── ");
        place_print(type ? json_string_value(type) : json_string_value(json_object_get(child, "mediaType")));
        printf("  %s\n", json_string_value(json_object_get(child, "digest")));
        const char *deeper = berth_buf_cstr(&next);
        print_branch(child, deeper ? deeper : "");
    }
}

static int print(const struct cli_command *c, const struct work *w, json_t *tree)
{
    if (!cli_wants_text(&w->o.remote.base))
        return cli_print(c, &w->o.remote.base, tree);
    printf("%s@%s\n", w->place.name, json_string_value(json_object_get(tree, "digest")));
    print_branch(tree, "");
    json_decref(tree);
    return cli_printed(c);
}

static int run(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(work_done)
    struct work w = {.o = {.remote = REMOTE_INIT, .depth = DEPTH_MAX}, .place = PLACE_INIT};
    berth_error err = BERTH_ERROR_INIT;
    berth_descriptor d;
    int rc = remote_open(c, argc, argv, &w.o.remote);
    if (rc >= 0)
        return rc;
    int r = place_open_first(&w.o.remote, false, &w.place, &err);
    if (r == BERTH_OK)
        r = w.place.c->ops->manifest_get(w.place.c, w.place.reference, &w.root, &err);
    if (r == BERTH_OK && w.o.platform)
        r = place_image(&w.place, w.root, w.o.platform, &w.image, &err);
    if (r != BERTH_OK)
        return remote_fail(c, &err);
    berth_manifest_describe(w.image ? w.image : w.root, &d);
    json_t *tree = place_descriptor_json(&d);
    r = grow(&w, tree, w.o.depth, &err);
    if (r == BERTH_OK)
        return print(c, &w, tree);
    json_decref(tree);
    return remote_fail(c, &err);
}

const struct cli_command cmd_artifact_tree = {
    .name = "artifact tree",
    .summary = "print what refers to an image",
    .operands = "REF",
    .text =
        "Prints the artifacts that refer to an image (signatures, bills of material, attestations), and what "
        "refers to those. From the referrers tag where the registry has no referrers API. REF may be "
        "oci:PATH:TAG.",
    .options = options,
    .fields = (const struct cli_field[]){{"digest", "string", "of the image; also mediaType, size"},
                                         {"referrers[]", "object",
                                          "digest, mediaType, size, artifactType, annotations, "
                                          "and its own referrers[]"},
                                         {0}},
    .examples =
        (const struct cli_example[]){{"berth artifact tree localhost:5000/team/app:v1", NULL},
                                     {"berth artifact tree localhost:5000/team/app:v1 --depth 1 --format "
                                      "'{{range .referrers}}{{.artifactType}}\\n{{end}}'",
                                      NULL},
                                     {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT | CLI_LAYOUT,
    .operand = CLI_OPERAND_REFERENCE,
    .run = run,
};
