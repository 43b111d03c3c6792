/* cli/artifact_push.c - `berth artifact push|attach`: files and folders as an artifact of their own, or one
 * that refers to another image. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cli/artifact.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/measure.h"

#define FILE_TYPE "application/octet-stream"

struct options {
    struct remote remote;
    const char *artifact_type, *config, *platform;
    struct cli_words annotations, tags;
};

#define AT(member) .at = offsetof(struct options, member)
#define TYPE       "media type of the artifact"

static const struct cli_option push_options[] = {
    {.name = "artifact-type",
     .kind = CLI_TEXT,
     .value = "TYPE",
     AT(artifact_type),
     .help = TYPE " (" ARTIFACT_UNKNOWN ", or that of the config)"},
    {.name = "config",
     .kind = CLI_FILE,
     .value = "FILE[:TYPE]",
     AT(config),
     .help = "a config instead of the empty one"},
    {.name = "annotation",
     .kind = CLI_WORDS,
     .value = "KEY=VALUE",
     AT(annotations),
     .help = "of the manifest"},
    {.name = "tag", .kind = CLI_WORDS, .value = "TAG", AT(tags), .help = "another tag for it"},
    {0},
};

static const struct cli_option attach_options[] = {
    {.name = "artifact-type", .kind = CLI_TEXT, .value = "TYPE", AT(artifact_type), .help = TYPE "; needed"},
    {.name = "platform",
     .kind = CLI_TEXT,
     .value = "OS/ARCH[/VARIANT]",
     AT(platform),
     .help = "attach to this image of an index (to the index)"},
    {.name = "annotation",
     .kind = CLI_WORDS,
     .value = "KEY=VALUE",
     AT(annotations),
     .help = "of the manifest"},
    {0},
};

#define AT_ONCE 16 /* blobs under way */

/* A blob on its way, with the file that it comes from; -1: from memory. */
struct sending {
    struct content_flight *flight;
    int fd;
    struct progress_item *item;
};

struct work {
    struct options o;
    struct place to;
    berth_builder *b;
    json_t *files;
    struct sending sending[AT_ONCE];
    size_t sent, landed;
};

/* Those that nobody waits for any more, and the bars that they move. */
static void give_up(struct work *w)
{
    for (; w->landed < w->sent; w->landed++) {
        content_drop(w->to.c, w->sending[w->landed % AT_ONCE].flight);
        closep(&w->sending[w->landed % AT_ONCE].fd);
    }
    remote_progress_end(&w->o.remote);
}

static void work_done(struct work *w)
{
    give_up(w);
    json_decref(w->files);
    berth_builder_free(w->b);
    place_done(&w->to);
    remote_done(&w->o.remote);
}

/* --- files --- */

/* Waits for those that were sent first, until no more than @most are under way. */
static int land(struct work *w, size_t most, berth_error *err)
{
    int r = BERTH_OK;
    while (r == BERTH_OK && w->sent - w->landed > most) {
        struct sending *s = &w->sending[w->landed++ % AT_ONCE];
        r = content_land(w->to.c, s->flight, err);
        progress_end(s->item);
        closep(&s->fd);
    }
    return r;
}

/* From @p, or from @fd, which is ours from here on. @title NULL: nobody is told of it. */
static int put(struct work *w, const void *p, int fd, const berth_descriptor *d, const char *title,
               berth_error *err)
{
    struct sending s = {.fd = fd};
    int r = land(w, AT_ONCE - 1, err);
    if (r == BERTH_OK) {
        s.item = title ? progress_add(remote_progress(&w->o.remote), title, d->size) : NULL;
        place_progress(&w->to, s.item);
        r = content_put_start(w->to.c, d, &(struct content_source){.p = p, .fd = fd}, &s.flight, err);
        place_progress(&w->to, NULL);
    }
    if (r == BERTH_OK)
        w->sending[w->sent++ % AT_ONCE] = s;
    else
        closep(&s.fd);
    return r;
}

static int add_layer(struct work *w, int fd, berth_descriptor *d, const char *title, berth_error *err)
{
    int r = put(w, NULL, fd, d, title, err);
    if (r == BERTH_OK)
        r = berth_builder_add_layer(w->b, d, err);
    if (r == BERTH_OK) {
        json_t *j = place_descriptor_json(d);
        place_set_text(j, "title", title);
        json_array_append_new(w->files, j);
    }
    return r;
}

static int add_packed(struct work *w, const char *path, const char *title, const char *type, berth_error *err)
{
    CLEANUP(closep) int fd = -1;
    berth_digest digest, tar;
    berth_descriptor d = BERTH_DESCRIPTOR_INIT;
    const berth_annotation notes[] = {
        {ARTIFACT_TAR, tar.text}, {ARTIFACT_UNPACK, "true"}, {ARTIFACT_TITLE, title}};
    int r = artifact_pack(path, title, &fd, &d.size, &digest, &tar, err);
    if (r != BERTH_OK)
        return r;
    d.media_type = type ? type : BERTH_TYPE_OCI_LAYER_GZIP;
    d.digest = digest.text;
    d.annotations = notes;
    d.n_annotations = COUNT(notes);
    return add_layer(w, steal_fd(&fd), &d, title, err);
}

static int open_regular(const char *path, int *ret_fd, bool *ret_folder, berth_error *err)
{
    struct stat st;
    CLEANUP(closep) int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return berth_error_set(err, errno == ENOENT ? BERTH_E_NOT_FOUND : BERTH_E_IO, "opening '%s': %s",
                               path, strerror(errno));
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return berth_error_set(err, BERTH_E_INVALID, "'%s' is neither a file nor a folder", path);
    *ret_folder = S_ISDIR(st.st_mode);
    *ret_fd = steal_fd(&fd);
    return BERTH_OK;
}

static int add_file(struct work *w, const char *text, berth_error *err)
{
    CLEANUP(closep) int fd = -1;
    const char *path, *type;
    const char *title;
    bool folder = false;
    berth_digest digest;
    berth_descriptor d = BERTH_DESCRIPTOR_INIT;
    int r = artifact_split(&w->o.remote.base.arena, text, NULL, &path, &type, err);
    if (r == BERTH_OK)
        r = artifact_title(&w->o.remote.base.arena, path, &title, err);
    if (r == BERTH_OK)
        r = open_regular(path, &fd, &folder, err);
    if (r != BERTH_OK)
        return r;
    if (folder)
        return add_packed(w, path, title, type, err);
    const berth_annotation note = {ARTIFACT_TITLE, title};
    r = measure_file(fd, HASH_SHA256, &d.size, &digest, err);
    d.media_type = type ? type : FILE_TYPE;
    d.digest = digest.text;
    d.annotations = &note;
    d.n_annotations = 1;
    return r == BERTH_OK ? add_layer(w, steal_fd(&fd), &d, title, err) : r;
}

/* --- the manifest --- */

/* "{}" (image-spec, manifest.md "Guidance for an Empty Descriptor"). */
static const berth_descriptor empty = {
    .media_type = BERTH_TYPE_OCI_EMPTY,
    .digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
    .size = 2,
    .data = "{}",
    .n_data = 2,
};

static int put_empty(struct work *w, berth_error *err)
{
    return put(w, empty.data, -1, &empty, NULL, err);
}

static int set_config(struct work *w, berth_error *err)
{
    CLEANUP(closep) int fd = -1;
    const char *path, *type;
    bool folder = false;
    berth_digest digest;
    berth_descriptor d = BERTH_DESCRIPTOR_INIT;
    if (!w->o.config) {
        int r = put_empty(w, err);
        return r == BERTH_OK ? berth_builder_set_config(w->b, &empty, err) : r;
    }
    int r = artifact_split(&w->o.remote.base.arena, w->o.config, "application/vnd.unknown.config.v1+json",
                           &path, &type, err);
    if (r == BERTH_OK)
        r = open_regular(path, &fd, &folder, err);
    if (r == BERTH_OK && folder)
        r = berth_error_set(err, BERTH_E_INVALID, "'%s' is a folder, and a config is a file", path);
    if (r == BERTH_OK)
        r = measure_file(fd, HASH_SHA256, &d.size, &digest, err);
    if (r != BERTH_OK)
        return r;
    d.media_type = type;
    d.digest = digest.text;
    r = put(w, NULL, steal_fd(&fd), &d, NULL, err);
    return r == BERTH_OK ? berth_builder_set_config(w->b, &d, err) : r;
}

static int describe(struct work *w, berth_error *err)
{
    const char *type = w->o.artifact_type ? w->o.artifact_type : w->o.config ? NULL : ARTIFACT_UNKNOWN;
    int r = type ? berth_builder_set_artifact_type(w->b, type, err) : BERTH_OK;
    return r == BERTH_OK ? place_annotate(w->b, &w->o.annotations, false, &w->o.remote.base.arena, err) : r;
}

static int build(struct work *w, bool attaches, berth_manifest **ret, berth_error *err)
{
    const struct cli_base *b = &w->o.remote.base;
    int r = berth_builder_new(BERTH_TYPE_OCI_MANIFEST, &w->b, err);
    if (r == BERTH_OK)
        r = describe(w, err);
    if (r == BERTH_OK && attaches)
        r = place_set_subject(&w->to, w->to.reference, w->o.platform, w->b, err);
    if (r == BERTH_OK)
        r = set_config(w, err);
    for (size_t i = 1; r == BERTH_OK && i < b->n_operands; i++)
        r = add_file(w, b->operands[i], err);
    if (r == BERTH_OK && b->n_operands == 1) { /* layers must not be empty */
        r = put_empty(w, err);
        if (r == BERTH_OK)
            r = berth_builder_add_layer(w->b, &empty, err);
    }
    if (r == BERTH_OK)
        r = land(w, 0, err);
    return r == BERTH_OK ? berth_builder_finish(w->b, ret, err) : r;
}

static int write_manifest(struct work *w, const berth_manifest *m, bool attaches, berth_error *err)
{
    const char *reference = attaches || !w->to.reference ? m->digest : w->to.reference;
    return place_put(&w->to, reference, &w->o.tags, m, err);
}

static int print(const struct cli_command *c, const struct work *w, const berth_manifest *m)
{
    const struct cli_base *b = &w->o.remote.base;
    if (cli_wants_text(b)) {
        printf("%s\n", m->digest);
        return cli_printed(c);
    }
    json_t *j = json_pack("{s:s, s:s, s:s, s:I, s:O}", "name", w->to.name, "digest", m->digest, "mediaType",
                          m->media_type, "size", (json_int_t)m->size, "files", w->files);
    place_set_text(j, "artifactType", m->artifact_type);
    if (m->subject)
        json_object_set_new(j, "subject", place_descriptor_json(m->subject));
    return cli_print(c, b, j);
}

static int run(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(work_done) struct work w = {.o.remote = REMOTE_INIT, .to = PLACE_INIT, .files = json_array()};
    berth_error err = BERTH_ERROR_INIT;
    berth_manifest *m = NULL;
    bool attaches = c == &cmd_artifact_attach;
    int rc = remote_open(c, argc, argv, &w.o.remote);
    if (rc >= 0)
        return rc;
    if (attaches && !w.o.artifact_type)
        return cli_usage(c->name, "say what it is: --artifact-type");
    if (artifact_check_titles(&w.o.remote.base, &err) != BERTH_OK)
        return remote_refuse(c, &err);
    int r = place_open_first(&w.o.remote, !attaches, &w.to, &err);
    interrupt_begin(w.o.remote.client);
    if (r == BERTH_OK)
        r = build(&w, attaches, &m, &err);
    if (r == BERTH_OK)
        r = write_manifest(&w, m, attaches, &err);
    give_up(&w); /* its bars must not stand in what is printed */
    rc = r == BERTH_OK ? print(c, &w, m) : remote_fail(c, &err);
    berth_manifest_free(m);
    return rc;
}

static const struct cli_field fields[] = {
    {"name", "string", "the repository or layout"},
    {"digest", "string", "of the artifact's manifest"},
    {"mediaType", "string", "its media type"},
    {"size", "number", "its bytes"},
    {"artifactType", "string", "what it is"},
    {"files[]", "object", "title, digest, mediaType, size, annotations of each"},
    {"subject", "object", "of attach: digest, mediaType, size"},
    {0},
};

#define FILES                                                                                                \
    "A FILE may have a media type behind it, file.json:application/json. Its path is its title, which is "   \
    "its "                                                                                                   \
    "name when it is pulled; of a path that leads elsewhere the last name is. No title may be another's, "   \
    "or "                                                                                                    \
    "below it. A folder becomes one packed archive, as oras makes them. "

const struct cli_command cmd_artifact_push = {
    .name = "artifact push",
    .summary = "put files into a registry as an artifact",
    .operands = "REF [FILE...]",
    .text = "Puts files into a repository as an artifact: a manifest whose layers they are. " FILES
            "Prints the digest of the manifest. REF may be oci:PATH:TAG.",
    .options = push_options,
    .fields = fields,
    .examples =
        (const struct cli_example[]){
            {"berth artifact push localhost:5000/team/files:v1 readme.md:text/markdown folder", NULL},
            {"berth artifact push localhost:5000/team/sbom:v1 sbom.json --artifact-type "
             "application/spdx+json",
             NULL},
            {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT | CLI_LAYOUT,
    .operand = CLI_OPERAND_REFERENCE,
    .run = run,
};

const struct cli_command cmd_artifact_attach = {
    .name = "artifact attach",
    .summary = "put files into a registry as an artifact that refers to an image",
    .operands = "REF [FILE...]",
    .text = "Puts files beside the image at REF, as an artifact whose subject that is: `berth artifact tree` "
            "shows "
            "it. " FILES "Prints the digest of the new manifest. REF may be oci:PATH:TAG.",
    .options = attach_options,
    .fields = fields,
    .examples = (const struct cli_example[]){{"berth artifact attach localhost:5000/team/app:v1 sbom.json "
                                              "--artifact-type application/spdx+json",
                                              NULL},
                                             {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT | CLI_LAYOUT,
    .operand = CLI_OPERAND_REFERENCE,
    .run = run,
};
