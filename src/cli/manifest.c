/* cli/manifest.c - `berth manifest get|head REF`. The text of `get` is the manifest's bytes, as they are. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/remote.h"

struct options {
    struct remote remote;
    int accept; /* a berth_accept */
};

static const struct cli_option options[] = {
    {.name = "accept",
     .kind = CLI_CHOICE,
     .value = "any|image|index", /* in the order of berth_accept */
     .at = offsetof(struct options, accept),
     .help = "what the registry may answer with (any)"},
    {0},
};

static json_t *document(const berth_content *m)
{
    json_t *j = json_pack("{s:s, s:s, s:I}", "digest", m->digest, "mediaType", m->media_type, "size",
                          (json_int_t)m->size);
    json_t *body = m->data ? json_loadb(m->data, m->size, 0, NULL) : NULL;
    if (body)
        json_object_set_new(j, "manifest", body);
    return j;
}

static void options_done(struct options *o)
{
    remote_done(&o->remote);
}

static int run(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(options_done) struct options o = {.remote = REMOTE_INIT};
    const struct remote *r = &o.remote;
    berth_error err = BERTH_ERROR_INIT;
    berth_call *call = NULL;
    int rc = remote_open(c, argc, argv, &o.remote);
    if (rc >= 0)
        return rc;
    berth_accept accept = (berth_accept)o.accept;
    int result = c == &cmd_manifest_get
                     ? berth_manifest_get(r->client, r->repository, r->reference, accept, &call, &err)
                     : berth_manifest_head(r->client, r->repository, r->reference, accept, &call, &err);
    if (result != BERTH_OK)
        return remote_fail(c, &err);
    const berth_content *m = berth_call_content(call);
    if (!cli_wants_text(&r->base)) {
        rc = cli_print(c, &r->base, document(m));
        berth_call_free(call);
        return rc;
    }
    if (m->data)
        fwrite(m->data, 1, m->size, stdout);
    else
        printf("digest      %s\nmedia type  %s\nsize        %llu\n", m->digest, m->media_type,
               (unsigned long long)m->size);
    berth_call_free(call);
    return cli_printed(c);
}

#define DESCRIPTOR                                                                                           \
    {"digest", "string", "digest of the manifest's bytes; empty when a HEAD by tag does not say"},           \
        {"mediaType", "string", "its media type, as the registry names it"},                                 \
    {                                                                                                        \
        "size", "number", "its bytes"                                                                        \
    }

const struct cli_command cmd_manifest_get = {
    .name = "manifest get",
    .summary = "print a manifest",
    .operands = "REF",
    .text = "Prints a manifest byte for byte, when its digest is right. With --output json it stands in an "
            "object, beside its digest, its media type and its size.",
    .options = options,
    .fields = (const struct cli_field[]){DESCRIPTOR,
                                         {"manifest", "object", "the manifest; absent if it is no JSON"},
                                         {0}},
    .examples =
        (const struct cli_example[]){
            {"berth manifest get localhost:5000/team/app:v1", NULL},
            {"berth manifest get registry.example/team/app@sha256:… | sha256sum", NULL},
            {"berth manifest get localhost:5000/team/app:v1 --format "
             "'{{range .manifest.layers}}{{.size}}\\n{{end}}'",
             "the sizes of its layers"},
            {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT,
    .operand = CLI_OPERAND_REFERENCE,
    .run = run,
};

const struct cli_command cmd_manifest_head = {
    .name = "manifest head",
    .summary = "print a manifest's digest, media type and size",
    .operands = "REF",
    .text = "Prints a manifest's digest, media type and size without fetching it.",
    .options = options,
    .fields = (const struct cli_field[]){DESCRIPTOR, {0}},
    .examples =
        (const struct cli_example[]){
            {"berth manifest head localhost:5000/team/app:v1", NULL},
            {"berth manifest head docker://registry.example/team/app --output json", NULL},
            {"berth manifest head localhost:5000/team/app:v1 --format '{{.digest}}'", NULL},
            {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT,
    .operand = CLI_OPERAND_REFERENCE,
    .run = run,
};
