/* cli/index.c - `berth index create|add|remove`: makes one index of several images, and changes it. What the
 * images consist of is copied where the target does not have it. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/place.h"

struct options {
    struct remote remote;
    struct cli_words platforms, annotations, digests, tags;
    const char *artifact_type, *subject;
    bool dry_run;
};

#define AT(member) .at = offsetof(struct options, member)

#define DRY_RUN                                                                                              \
    {                                                                                                        \
        .name = "dry-run", .kind = CLI_FLAG, AT(dry_run),                                                    \
        .help = "print the index that would be written, byte for byte, and write nothing"                    \
    }
#define TAGS                                                                                                 \
    {                                                                                                        \
        .name = "tag", .kind = CLI_WORDS, .value = "TAG", AT(tags), .help = "another tag for the index"      \
    }
#define COMMON                                                                                               \
    {.name = "annotation",                                                                                   \
     .kind = CLI_WORDS,                                                                                      \
     .value = "KEY=VALUE",                                                                                   \
     AT(annotations),                                                                                        \
     .help = "of the index; KEY= with nothing behind it removes it"},                                        \
        {.name = "artifact-type",                                                                            \
         .kind = CLI_TEXT,                                                                                   \
         .value = "TYPE",                                                                                    \
         AT(artifact_type),                                                                                  \
         .help = "what the index is, as a media type"},                                                      \
    {                                                                                                        \
        .name = "subject", .kind = CLI_TEXT, .value = "TAG|DIGEST", AT(subject),                             \
        .help = "what the index refers to, in the same repository"                                           \
    }

static const struct cli_option create_options[] = {
    {.name = "platform",
     .kind = CLI_WORDS,
     .value = "OS/ARCH[/VARIANT]",
     AT(platforms),
     .help = "of images that are indexes themselves, take these platforms alone (all)"},
    COMMON,
    TAGS,
    DRY_RUN,
    {0},
};

static const struct cli_option remove_options[] = {
    {.name = "platform",
     .kind = CLI_WORDS,
     .value = "OS/ARCH[/VARIANT]",
     AT(platforms),
     .help = "remove the images for it"},
    {.name = "digest", .kind = CLI_WORDS, .value = "DIGEST", AT(digests), .help = "remove this manifest"},
    COMMON,
    TAGS,
    DRY_RUN,
    {0},
};

struct work {
    struct options o;
    struct place to;
    berth_builder *b;
    const char *media_type; /* of what is built */
};

static void work_done(struct work *w)
{
    berth_builder_free(w->b);
    place_done(&w->to);
    remote_done(&w->o.remote);
}

/* --- images --- */

/* Whether one of the platforms that were asked for is this one. */
static int is_wanted(const struct cli_words *platforms, const berth_platform *have, bool *ret,
                     berth_error *err)
{
    *ret = platforms->n == 0;
    for (size_t i = 0; i < platforms->n && !*ret; i++) {
        berth_platform *want = NULL;
        int r = berth_platform_parse(platforms->p[i], &want, err);
        if (r != BERTH_OK)
            return r;
        *ret = have && berth_platform_matches(have, want);
        berth_platform_free(want);
    }
    return BERTH_OK;
}

/* The manifest itself is written with what it consists of; the index names it. */
static int copy(struct work *w, const struct place *from, const berth_manifest *m, berth_error *err)
{
    bool same = strcmp(from->name, w->to.name) == 0;
    return same || w->o.dry_run ? BERTH_OK
                                : place_copy(from, &w->to, m, NULL, remote_progress(&w->o.remote), err);
}

static int add_image(struct work *w, const struct place *from, const berth_manifest *m, berth_error *err)
{
    berth_config *config = NULL;
    berth_error why = BERTH_ERROR_INIT;
    if (place_config(from, m, &config, &why) != BERTH_OK && why.code != BERTH_E_INVALID)
        return berth_error_set(err, why.code, "%s", why.message); /* an artifact has no platform */
    int r = copy(w, from, m, err);
    if (r == BERTH_OK)
        r = berth_builder_add_image(w->b, m, config, err);
    berth_config_free(config);
    return r;
}

static int add_children(struct work *w, const struct place *from, const berth_manifest *index,
                        berth_error *err)
{
    int r = BERTH_OK;
    for (size_t i = 0; r == BERTH_OK && i < index->n_manifests; i++) {
        berth_manifest *m = NULL;
        bool wanted = false;
        r = is_wanted(&w->o.platforms, index->manifests[i].platform, &wanted, err);
        if (r != BERTH_OK || !wanted)
            continue;
        r = from->c->ops->manifest_get(from->c, index->manifests[i].digest, &m, err);
        if (r == BERTH_OK)
            r = copy(w, from, m, err);
        if (r == BERTH_OK)
            r = berth_builder_add_manifest(w->b, &index->manifests[i], err);
        berth_manifest_free(m);
    }
    return r;
}

/* The first one decides whether this is an OCI index or Docker's list. */
static int begin(struct work *w, const berth_manifest *first, berth_error *err)
{
    if (w->b)
        return BERTH_OK;
    w->media_type =
        berth_media_type_is_docker(first->media_type) ? BERTH_TYPE_DOCKER_LIST : BERTH_TYPE_OCI_INDEX;
    return berth_builder_new(w->media_type, &w->b, err);
}

static int add(struct work *w, const char *text, berth_error *err)
{
    struct place from = PLACE_INIT;
    berth_manifest *m = NULL;
    int r = place_open(&w->o.remote, text, false, &from, err);
    if (r == BERTH_OK)
        r = from.c->ops->manifest_get(from.c, from.reference, &m, err);
    if (r == BERTH_OK)
        r = begin(w, m, err);
    if (r == BERTH_OK)
        r = m->kind == BERTH_KIND_INDEX ? add_children(w, &from, m, err) : add_image(w, &from, m, err);
    berth_manifest_free(m);
    place_done(&from);
    return r == BERTH_OK || strstr(err->message, text) ? r : berth_error_prefix(err, "'%s'", text);
}

/* --- what the index says of itself --- */

static int describe(struct work *w, berth_error *err)
{
    int r = place_annotate(w->b, &w->o.annotations, true, &w->o.remote.base.arena, err);
    if (r == BERTH_OK && w->o.artifact_type)
        r = berth_builder_set_artifact_type(w->b, w->o.artifact_type, err);
    if (r == BERTH_OK && w->o.subject &&
        (r = place_set_subject(&w->to, w->o.subject, NULL, w->b, err)) != BERTH_OK)
        berth_error_prefix(err, "subject '%s'", w->o.subject);
    return r;
}

/* --- writing --- */

/* What is made under a digest has to have it; of what is changed, the digest said where to begin. */
static int write_index(struct work *w, const berth_manifest *m, bool creates, berth_error *err)
{
    const char *reference = w->to.reference, *tag = w->o.remote.tag;
    bool by_digest = reference && strchr(reference, ':');
    if (creates && by_digest && strcmp(reference, m->digest) != 0)
        return berth_error_set(err, BERTH_E_DIGEST,
                               "the index has the digest %s, not the %.20s... that was named", m->digest,
                               reference);
    return place_put(&w->to, tag ? tag : m->digest, &w->o.tags, m, err);
}

static int print(const struct cli_command *c, const struct work *w, const berth_manifest *m)
{
    const struct cli_base *b = &w->o.remote.base;
    if (cli_wants_text(b) && w->o.dry_run) {
        fwrite(m->data, 1, m->size, stdout);
        return cli_printed(c);
    }
    if (cli_wants_text(b)) {
        printf("%s\n", m->digest);
        return cli_printed(c);
    }
    json_t *manifests = json_array();
    for (size_t i = 0; i < m->n_manifests; i++)
        json_array_append_new(manifests, place_descriptor_json(&m->manifests[i]));
    return cli_print(c, b,
                     json_pack("{s:s, s:s, s:s, s:I, s:b, s:o}", "name", w->to.name, "digest", m->digest,
                               "mediaType", m->media_type, "size", (json_int_t)m->size, "written",
                               !w->o.dry_run, "manifests", manifests));
}

static int finish(const struct cli_command *c, struct work *w)
{
    berth_error err = BERTH_ERROR_INIT;
    berth_manifest *m = NULL;
    int r = describe(w, &err);
    if (r == BERTH_OK)
        r = berth_builder_finish(w->b, &m, &err);
    if (r == BERTH_OK && !w->o.dry_run)
        r = write_index(w, m, c == &cmd_index_create, &err);
    int rc = r == BERTH_OK ? print(c, w, m) : remote_fail(c, &err);
    berth_manifest_free(m);
    return rc;
}

/* --- the commands --- */

/* The index at the target, to go on with. */
static int load(struct work *w, berth_error *err)
{
    berth_manifest *m = NULL;
    int r = w->to.c->ops->manifest_get(w->to.c, w->to.reference, &m, err);
    if (r == BERTH_OK && m->kind != BERTH_KIND_INDEX)
        r = berth_error_set(err, BERTH_E_INVALID, "%s is a single image, not an index: berth index create",
                            w->o.remote.base.operands[0]);
    if (r == BERTH_OK)
        r = berth_builder_from(m, &w->b, err);
    berth_manifest_free(m);
    return r;
}

static int take_out(struct work *w, berth_error *err)
{
    size_t removed = 0;
    for (size_t i = 0; i < w->o.platforms.n; i++) {
        berth_platform *p = NULL;
        int r = berth_platform_parse(w->o.platforms.p[i], &p, err);
        if (r != BERTH_OK)
            return r;
        removed += berth_builder_remove(w->b, NULL, p);
        berth_platform_free(p);
    }
    for (size_t i = 0; i < w->o.digests.n; i++)
        removed += berth_builder_remove(w->b, w->o.digests.p[i], NULL);
    return removed ? BERTH_OK : berth_error_set(err, BERTH_E_NOT_FOUND, "the index has none of these");
}

static int run(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(work_done) struct work w = {.o.remote = REMOTE_INIT, .to = PLACE_INIT};
    berth_error err = BERTH_ERROR_INIT;
    int rc = remote_open(c, argc, argv, &w.o.remote);
    if (rc >= 0)
        return rc;
    bool creates = c == &cmd_index_create, removes = c == &cmd_index_remove;
    if (removes && !w.o.platforms.n && !w.o.digests.n)
        return cli_usage(c->name, "say what to remove: --platform or --digest");
    int r = place_open_first(&w.o.remote, creates && !w.o.dry_run, &w.to, &err);
    if (r == BERTH_E_NOT_FOUND && creates && w.o.dry_run && !w.o.subject)
        r = BERTH_OK; /* a layout that would be made, and nothing of it is asked for */
    interrupt_begin(w.o.remote.client);
    if (r == BERTH_OK && !creates)
        r = load(&w, &err);
    if (r == BERTH_OK && removes)
        r = take_out(&w, &err);
    for (size_t i = 1; r == BERTH_OK && i < w.o.remote.base.n_operands; i++)
        r = add(&w, w.o.remote.base.operands[i], &err);
    remote_progress_end(&w.o.remote); /* its bars must not stand in what is printed */
    return r == BERTH_OK ? finish(c, &w) : remote_fail(c, &err);
}

static const struct cli_field fields[] = {
    {"name", "string", "the repository or layout of the index"},
    {"digest", "string", "of the index"},
    {"mediaType", "string", "OCI's index, or Docker's list"},
    {"size", "number", "its bytes"},
    {"written", "boolean", "false with --dry-run"},
    {"manifests[]", "object", "digest, mediaType, size, platform, artifactType, annotations of each"},
    {0},
};

const struct cli_command cmd_index_create = {
    .name = "index create",
    .summary = "make one index of several images",
    .operands = "REF IMAGE...",
    .text =
        "Makes an index of images, each with the platform that its config names; the manifests of an IMAGE "
        "that is an index itself are taken over. What comes from another repository of the same registry is "
        "mounted where "
        "the registry does that, and else copied; what comes from elsewhere is copied. The first "
        "image decides whether this becomes an OCI index or Docker's list: they are not mixed. Prints the "
        "digest of the index. REF and IMAGE may be oci:PATH:TAG.",
    .options = create_options,
    .fields = fields,
    .examples =
        (const struct cli_example[]){
            {"berth index create localhost:5000/team/app:v1 localhost:5000/team/app:v1-amd64 "
             "localhost:5000/team/app:v1-arm64",
             NULL},
            {"berth index create localhost:5000/team/app:small localhost:5000/team/app:v1 --platform "
             "linux/amd64",
             NULL},
            {"berth index create oci:folder:v1 registry.example/team/app:v1 --dry-run", NULL},
            {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT | CLI_LAYOUT,
    .operand = CLI_OPERAND_REFERENCE,
    .run = run,
};

const struct cli_command cmd_index_add = {
    .name = "index add",
    .summary = "add images to an index",
    .operands = "REF IMAGE...",
    .text =
        "Adds images to the index at REF, and sets its tag on the new one. The same rules hold as for `index "
        "create`. An image that is there for the same platform with the same digest is replaced.",
    .options = create_options,
    .fields = fields,
    .examples = (const struct cli_example[]){{"berth index add localhost:5000/team/app:v1 "
                                              "localhost:5000/team/app:v1-riscv64",
                                              NULL},
                                             {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT | CLI_LAYOUT,
    .operand = CLI_OPERAND_REFERENCE,
    .run = run,
};

const struct cli_command cmd_index_remove = {
    .name = "index remove",
    .summary = "remove images from an index",
    .operands = "REF",
    .text =
        "Removes images from the index at REF by platform or digest, and sets its tag on the new one. The "
        "manifests themselves stay in the repository.",
    .options = remove_options,
    .fields = fields,
    .examples =
        (const struct cli_example[]){
            {"berth index remove localhost:5000/team/app:v1 --platform linux/arm/v6", NULL}, {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT | CLI_LAYOUT,
    .operand = CLI_OPERAND_REFERENCE,
    .run = run,
};
