/* cli/inspect.c - `berth inspect REF`: what an image says of itself, and what is in it. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/inspect.h"
#include "cli/target.h"

#define CONFIG_MAX (8 * MIB)

struct options {
    struct remote remote;
    const char *platform, *shared_with, *layer, *path, *file;
    bool raw, config, tags, validate, files;
};

static const struct cli_option options[] = {
    {.name = "platform",
     .kind = CLI_TEXT,
     .value = "OS/ARCH[/VARIANT]",
     .at = offsetof(struct options, platform),
     .help = "which image of an index (this machine's)"},
    {.name = "raw",
     .kind = CLI_FLAG,
     .at = offsetof(struct options, raw),
     .help = "the manifest's bytes; of an index its own, unless --platform is given"},
    {.name = "config",
     .kind = CLI_FLAG,
     .at = offsetof(struct options, config),
     .help = "the config's bytes"},
    {.name = "tags",
     .kind = CLI_FLAG,
     .at = offsetof(struct options, tags),
     .help = "list the tags of the repository too"},
    {.name = "validate",
     .kind = CLI_FLAG,
     .at = offsetof(struct options, validate),
     .help =
         "read all of it: schemas, sizes, digests of blobs and of unpacked layers; every image of an index, "
         "unless --platform is given"},
    {.name = "shared-with",
     .kind = CLI_TEXT,
     .value = "REF",
     .at = offsetof(struct options, shared_with),
     .help = "how many bytes this image has in common with another"},
    {.name = "layer",
     .kind = CLI_TEXT,
     .value = "NUMBER|DIGEST",
     .at = offsetof(struct options, layer),
     .help = "write a layer, as it is packed: 0 is the lowest, -1 the uppermost"},
    {.name = "files",
     .kind = CLI_FLAG,
     .at = offsetof(struct options, files),
     .help = "list the files in its layers"},
    {.name = "file",
     .kind = CLI_TEXT,
     .value = "PATH",
     .at = offsetof(struct options, path),
     .help =
         "write the file that a container would find at PATH; only the layers from the top down to it are "
         "read"},
    {.name = "to",
     .letter = 'o',
     .kind = CLI_FILE,
     .value = "FILE",
     .at = offsetof(struct options, file),
     .help = "where --raw, --config, --layer and --file write; it is replaced. - is standard output (-)"},
    {0},
};

static void done(struct inspected *i)
{
    berth_config_free(i->config);
    berth_manifest_free(i->image);
    berth_manifest_free(i->root);
    place_done(&i->place);
}

/* --- bytes --- */

static int finish(const struct cli_command *c, const struct cli_base *b, struct target *t, uint64_t size,
                  const char *digest)
{
    berth_error err = BERTH_ERROR_INIT;
    if (target_finish(t, &err) != BERTH_OK)
        return remote_fail(c, &err);
    if (cli_wants_text(b))
        return cli_printed(c);
    json_t *j = json_pack("{s:s, s:I}", "file", t->file, "size", (json_int_t)size);
    place_set_text(j, "digest", digest);
    return cli_print(c, b, j);
}

static int write_file(const struct options *o, const struct inspected *i, struct target *t,
                      uint64_t *ret_size, berth_error *err)
{
    CLEANUP(closep) int fd = -1;
    char piece[16384];
    int r = place_temporary(&fd, err);
    if (r == BERTH_OK)
        r = inspect_file(&i->place, i->image, o->path, fd, ret_size, err);
    ssize_t n = 0;
    for (off_t at = 0; r == BERTH_OK && (n = pread(fd, piece, sizeof(piece), at)) > 0; at += n)
        r = target_write(t, piece, (size_t)n, err);
    if (r == BERTH_OK && n < 0)
        r = berth_error_set(err, BERTH_E_IO, "reading a temporary file failed");
    return r;
}

static int write_layer(const struct options *o, const struct inspected *i, struct target *t,
                       uint64_t *ret_size, const char **ret_digest, berth_error *err)
{
    const berth_descriptor *d = inspect_layer(i->image, o->layer, err);
    if (!d)
        return err->code;
    int r = i->place.c->ops->blob_get(i->place.c, d, target_sink, t, err);
    *ret_size = d->size;
    *ret_digest = d->digest;
    return r;
}

static int write_bytes(const struct cli_command *c, const struct options *o, const struct inspected *i)
{
    CLEANUP(target_done) struct target t = TARGET_INIT;
    CLEANUP(berth_buf_done) berth_buf config = BERTH_BUF_INIT(0);
    berth_error err = BERTH_ERROR_INIT;
    const berth_manifest *raw = i->image ? i->image : i->root;
    const char *digest = NULL;
    uint64_t size = 0;
    int r = target_open(&t, o->file, !o->raw && !o->config, &err);
    if (r == BERTH_OK && o->raw) {
        r = target_write(&t, raw->data, raw->size, &err);
        size = raw->size;
        digest = raw->digest;
    } else if (r == BERTH_OK && o->config) {
        r = i->image->config ? place_blob(&i->place, i->image->config, CONFIG_MAX, &config, &err)
                             : berth_error_set(&err, BERTH_E_NOT_FOUND, "it has no config");
        if (r == BERTH_OK)
            r = target_write(&t, config.p, config.n, &err);
        size = config.n;
        digest = i->image->config ? i->image->config->digest : NULL;
    } else if (r == BERTH_OK && o->layer)
        r = write_layer(o, i, &t, &size, &digest, &err);
    else if (r == BERTH_OK)
        r = write_file(o, i, &t, &size, &err);
    if (r != BERTH_OK)
        return remote_fail(c, target_error(&t, &err));
    return finish(c, &o->remote.base, &t, size, digest);
}

/* --- a list of files --- */

struct file_list {
    json_t *files; /* NULL: printed as they come */
};

static int on_file(void *arg, const char *path, uint64_t size, const char *kind)
{
    struct file_list *l = arg;
    if (l->files)
        return json_array_append_new(
            l->files, json_pack("{s:s, s:I, s:s}", "path", path, "size", (json_int_t)size, "type", kind));
    printf("%12llu  %-8s  ", (unsigned long long)size, kind);
    place_print(path);
    printf("\n");
    return ferror(stdout);
}

static int list_files(const struct cli_command *c, const struct options *o, const struct inspected *i)
{
    struct file_list l = {.files = cli_wants_text(&o->remote.base) ? NULL : json_array()};
    berth_error err = BERTH_ERROR_INIT;
    int r = inspect_files(&i->place, i->image, on_file, &l, &err);
    int rc = cli_printed(c);
    if (r != BERTH_OK || rc != EXIT_OK) {
        json_decref(l.files);
        return rc != EXIT_OK ? rc : remote_fail(c, &err);
    }
    return l.files ? cli_print(c, &o->remote.base, json_pack("{s:o}", "files", l.files)) : rc;
}

/* --- validation --- */

static int run_validation(const struct cli_command *c, const struct options *o, const struct inspected *i)
{
    const berth_manifest *m = i->image ? i->image : i->root;
    json_t *problems = json_array();
    berth_error err = BERTH_ERROR_INIT;
    int r = inspect_validate(&i->place, m, problems, &err);
    if (r != BERTH_OK) {
        json_decref(problems);
        return remote_fail(c, &err);
    }
    size_t n = json_array_size(problems);
    if (cli_wants_text(&o->remote.base)) {
        for (size_t k = 0; k < n; k++) {
            place_print(json_string_value(json_array_get(problems, k)));
            printf("\n");
        }
        if (n == 0)
            printf("%s is whole and valid\n", m->digest);
        json_decref(problems);
        r = cli_printed(c);
    } else
        r = cli_print(
            c, &o->remote.base,
            json_pack("{s:s, s:b, s:o}", "digest", m->digest, "valid", n == 0, "problems", problems));
    return r == EXIT_OK && n ? EXIT_PROBLEMS : r;
}

/* --- what it says of itself --- */

static int add_tag(void *arg, const char *tag)
{
    return json_array_append_new(arg, json_string(tag));
}

/* Sizes: of the image alone, or of all images where the reference names an index. */
static int add_sizes(struct options *o, const struct inspected *i, json_t *j, berth_error *err)
{
    struct place other = PLACE_INIT;
    berth_manifest *m = NULL, *image = NULL;
    json_t *own = json_object(), *others = json_object();
    int r = inspect_collect(&i->place, i->image, own, err);
    if (r == BERTH_OK)
        json_object_set_new(j, "size", json_integer((json_int_t)inspect_total(own)));
    if (r == BERTH_OK && o->shared_with) {
        r = place_open(&o->remote, o->shared_with, false, &other, err);
        if (r == BERTH_OK)
            r = other.c->ops->manifest_get(other.c, other.reference, &m, err);
        if (r == BERTH_OK)
            r = place_image(&other, m, o->platform, &image, err);
        if (r == BERTH_OK)
            r = inspect_collect(&other, image, others, err);
        if (r == BERTH_OK)
            json_object_set_new(j, "sharedWith",
                                json_pack("{s:s, s:s, s:I, s:I}", "reference", o->shared_with, "digest",
                                          image->digest, "size", (json_int_t)inspect_total(others),
                                          "sharedSize", (json_int_t)inspect_shared(own, others)));
    }
    json_decref(own);
    json_decref(others);
    berth_manifest_free(image);
    berth_manifest_free(m);
    place_done(&other);
    return r;
}

static int print_all(const struct cli_command *c, struct options *o, const struct inspected *i)
{
    berth_error err = BERTH_ERROR_INIT;
    json_t *j = inspect_document(i), *tags = o->tags ? json_array() : NULL;
    int r = add_sizes(o, i, j, &err);
    if (r == BERTH_OK && tags)
        r = i->place.c->ops->tags(i->place.c, add_tag, tags, &err);
    if (tags)
        json_object_set_new(j, "tags", tags);
    if (r != BERTH_OK) {
        json_decref(j);
        return remote_fail(c, &err);
    }
    if (!cli_wants_text(&o->remote.base))
        return cli_print(c, &o->remote.base, j);
    inspect_print(j);
    json_decref(j);
    return cli_printed(c);
}

/* --- the command --- */

static int check_options(const struct cli_command *c, const struct options *o)
{
    int modes = o->raw + o->config + o->validate + o->files + !!o->layer + !!o->path;
    bool writes = o->raw || o->config || o->layer || o->path;
    if (modes > 1)
        return cli_usage(c->name,
                         "of --raw, --config, --validate, --layer, --files and --file one is enough");
    if (modes && (o->tags || o->shared_with))
        return cli_usage(c->name, "--tags and --shared-with belong to what is printed without other options");
    if (o->file && !writes)
        return cli_usage(c->name, "-o is for --raw, --config, --layer and --file");
    if (writes && (!o->file || strcmp(o->file, "-") == 0) && !cli_wants_text(&o->remote.base))
        return cli_usage(c->name, "standard output is the content's: with --%s, -o FILE is needed",
                         o->remote.base.format ? "format" : "output json");
    return -1;
}

static int load(struct options *o, struct inspected *i, berth_error *err)
{
    bool whole = (o->raw || o->validate) && !o->platform;
    int r = place_open_first(&o->remote, false, &i->place, err);
    if (r == BERTH_OK)
        r = i->place.c->ops->manifest_get(i->place.c, i->place.reference, &i->root, err);
    if (r == BERTH_OK && !whole)
        r = place_image(&i->place, i->root, o->platform, &i->image, err);
    bool describes = !whole && !o->raw && !o->config && !o->layer && !o->path && !o->files && !o->validate;
    berth_error why = BERTH_ERROR_INIT;
    if (r == BERTH_OK && describes && place_config(&i->place, i->image, &i->config, &why) != BERTH_OK &&
        why.code != BERTH_E_INVALID) /* an artifact has none */
        r = berth_error_set(err, why.code, "its config: %s", why.message);
    return r;
}

static int run(const struct cli_command *c, int argc, char **argv)
{
    struct options o = {.remote = REMOTE_INIT};
    CLEANUP(remote_donep) struct remote *r = &o.remote;
    CLEANUP(done) struct inspected i = INSPECTED_INIT;
    berth_error err = BERTH_ERROR_INIT;
    int rc = remote_open(c, argc, argv, r);
    if (rc < 0)
        rc = check_options(c, &o);
    if (rc >= 0)
        return rc;
    if (load(&o, &i, &err) != BERTH_OK)
        return remote_fail(c, &err);
    if (o.raw || o.config || o.layer || o.path)
        return write_bytes(c, &o, &i);
    if (o.files)
        return list_files(c, &o, &i);
    return o.validate ? run_validation(c, &o, &i) : print_all(c, &o, &i);
}

const struct cli_command cmd_inspect = {
    .name = "inspect",
    .summary = "print what an image says of itself, or take a part out of it",
    .operands = "REF",
    .text =
        "Prints what an image says of itself: digests, sizes, platform, labels, what it runs, its layers. Of "
        "an index it is the image for this machine, unless --platform names another.\n\n"
        "With --layer or --file a part of it is written, with --files its files are listed, with --validate "
        "it is read whole and compared with all that it says; the exit code is 6 when something is wrong. "
        "Digests are checked in any case. REF may be oci:PATH:TAG, an image layout on disk.",
    .options = options,
    .fields =
        (const struct cli_field[]){
            {"name", "string", "repository, with its registry; or the layout"},
            {"reference", "string", "the tag or digest that was asked for"},
            {"digest", "string", "of what the reference names"},
            {"mediaType", "string", "its media type"},
            {"manifests[]", "object", "of an index: digest, mediaType, size, platform of each"},
            {"imageDigest", "string",
             "of an index: the image that the rest is about; imageMediaType likewise"},
            {"created", "string",
             "RFC 3339; also author, os, osVersion, architecture, variant, user, workingDir, "
             "stopSignal, each if the config has it"},
            {"labels", "object", "of the config"},
            {"annotations", "object", "of the manifest"},
            {"env[]", "string", "KEY=VALUE; also entrypoint[], cmd[], exposedPorts[], volumes[]"},
            {"config", "object", "digest, mediaType and size"},
            {"layers[]", "object", "digest, mediaType, size, diffID; the lowest first"},
            {"artifactType", "string", "of an artifact; also subject"},
            {"size", "number", "bytes of manifest, config and layers, each counted once"},
            {"tags[]", "string", "with --tags"},
            {"sharedWith", "object", "with --shared-with: reference, digest, size, sharedSize"},
            {"files[]", "object", "with --files: path, size, type"},
            {"valid", "boolean", "with --validate; and problems[], a sentence each"},
            {0}},
    .examples =
        (const struct cli_example[]){
            {"berth inspect localhost:5000/team/app:v1", NULL},
            {"berth inspect registry.example/team/app --platform linux/arm64 --format '{{.created}}'", NULL},
            {"berth inspect localhost:5000/team/app:v2 --shared-with localhost:5000/team/app:v1",
             "how much of v2 is there already when v1 is"},
            {"berth inspect localhost:5000/team/app:v1 --file /etc/os-release", NULL},
            {"berth inspect oci:folder:v1 --validate", NULL},
            {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT | CLI_LAYOUT,
    .operand = CLI_OPERAND_REFERENCE,
    .run = run,
};
