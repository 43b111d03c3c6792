/* cli/manifest.c - `berth manifest get REF`. Its text is the manifest's bytes, as they are. */
#include "cli/manifest.h"

#include <stdio.h>

#include "cli/commands.h"
#include "cli/target.h"

static const struct cli_option options[] = {
    MANIFEST_ACCEPT,
    MANIFEST_PLATFORM,
    {.name = "to",
     .letter = 'o',
     .kind = CLI_FILE,
     .value = "FILE",
     .at = offsetof(struct manifest_options, file),
     .help = "where to; it is replaced. - is standard output (-)"},
    {0},
};

int manifest_check_options(const struct cli_command *c, const struct manifest_options *o)
{
    return o->platform && o->accept != BERTH_ACCEPT_ANY
               ? cli_usage(c->name, "--platform chooses an image of whatever comes: leave out --accept")
               : -1;
}

int manifest_check_kind(const struct manifest_options *o, const char *text, const berth_content *m,
                        berth_error *err)
{
    berth_manifest_kind kind = berth_media_type_kind(m->media_type);
    bool index = kind == BERTH_KIND_INDEX;
    if (o->accept == BERTH_ACCEPT_SCHEMA1)
        return kind == BERTH_KIND_SCHEMA1 ? BERTH_OK
                                          : berth_error_set(err, BERTH_E_NOT_FOUND,
                                                            "'%s' is no manifest of Docker's schema 1", text);
    if (o->accept == BERTH_ACCEPT_ANY || index == (o->accept == BERTH_ACCEPT_INDEX))
        return BERTH_OK;
    return berth_error_set(err, BERTH_E_NOT_FOUND, "'%s' is %s", text,
                           index ? "an index; --platform names an image of it" : "no index");
}

berth_content manifest_content(const berth_manifest *m)
{
    return (berth_content){
        .media_type = m->media_type, .digest = m->digest, .size = m->size, .data = m->data};
}

static json_t *document(const berth_content *m)
{
    json_t *j = remote_manifest_json(m), *body = json_loadb(m->data, m->size, 0, NULL);
    if (body)
        json_object_set_new(j, "manifest", body);
    return j;
}

static int print(const struct cli_command *c, const struct manifest_options *o, const berth_content *m)
{
    CLEANUP(target_done) struct target t = TARGET_INIT;
    const struct cli_base *b = &o->remote.base;
    berth_error err = BERTH_ERROR_INIT;
    int r = BERTH_OK;
    bool to_file = o->file && strcmp(o->file, "-") != 0;
    if ((to_file || cli_wants_text(b))) {
        r = target_open(&t, o->file, false, &err);
        if (r == BERTH_OK)
            r = target_write(&t, m->data, m->size, &err);
        if (r == BERTH_OK)
            r = target_finish(&t, &err);
    }
    if (r != BERTH_OK)
        return remote_fail(c, &err);
    return cli_wants_text(b) ? cli_printed(c) : cli_print(c, b, document(m));
}

/* From a layout, or one of an index. */
static int get_from_place(const struct cli_command *c, struct manifest_options *o)
{
    berth_error err = BERTH_ERROR_INIT;
    berth_manifest *m = NULL;
    if (place_manifest(&o->remote, o->remote.base.operands[0], o->platform, &m, &err) != BERTH_OK)
        return remote_fail(c, &err);
    berth_content found = manifest_content(m);
    int r = manifest_check_kind(o, o->remote.base.operands[0], &found, &err);
    int rc = r == BERTH_OK ? print(c, o, &found) : remote_fail(c, &err);
    berth_manifest_free(m);
    return rc;
}

static int run(const struct cli_command *c, int argc, char **argv)
{
    struct manifest_options o = {.remote = REMOTE_INIT};
    CLEANUP(remote_donep) struct remote *r = &o.remote;
    berth_error err = BERTH_ERROR_INIT;
    berth_call *call = NULL;
    int rc = remote_open(c, argc, argv, r);
    if (rc < 0)
        rc = manifest_check_options(c, &o);
    if (rc >= 0)
        return rc;
    if (r->layout || o.platform)
        return get_from_place(c, &o);
    if (berth_manifest_get(r->client, r->repository, r->reference, (berth_accept)o.accept, &call, &err) !=
        BERTH_OK)
        return remote_fail(c, &err);
    rc = print(c, &o, berth_call_content(call));
    berth_call_free(call);
    return rc;
}

const struct cli_command cmd_manifest_get = {
    .name = "manifest get",
    .summary = "print a manifest",
    .operands = "REF",
    .text =
        "Prints a manifest byte for byte, when its digest is right, or writes it to FILE. With --output json "
        "it stands in an object, beside its digest, its media type and its size. REF may be oci:PATH:TAG, an "
        "image layout on disk.",
    .options = options,
    .fields = (const struct cli_field[]){MANIFEST_FIELDS,
                                         {"manifest", "object", "the manifest; absent if it is no JSON"},
                                         {0}},
    .examples =
        (const struct cli_example[]){
            {"berth manifest get localhost:5000/team/app:v1", NULL},
            {"berth manifest get registry.example/team/app@sha256:… | sha256sum", NULL},
            {"berth manifest get localhost:5000/team/app:v1 --platform linux/arm64 -o manifest.json", NULL},
            {"berth manifest get localhost:5000/team/app:v1 --format "
             "'{{range .manifest.layers}}{{.size}}\\n{{end}}'",
             "the sizes of its layers"},
            {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT | CLI_LAYOUT,
    .operand = CLI_OPERAND_REFERENCE,
    .run = run,
};
