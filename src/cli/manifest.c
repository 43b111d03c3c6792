/* cli/manifest.c - `berth manifest get REF` and `berth manifest head REF...`. The text of `get` is the
 * manifest's bytes, as they are. `head` asks for many at a time, and tells of them in the order in which they
 * were named. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/place.h"

struct options {
    struct remote remote;
    int accept; /* a berth_accept */
};

static const struct cli_option options[] = {
    {.name = "accept",
     .kind = CLI_CHOICE,
     .value = "any|image|index|schema1", /* in the order of berth_accept */
     .at = offsetof(struct options, accept),
     .help =
         "what the registry may answer with: everything; images, indexes or Docker's schema 1 alone (any)"},
    {0},
};

static json_t *document(const berth_content *m)
{
    json_t *j = remote_manifest_json(m);
    json_t *body = m->data ? json_loadb(m->data, m->size, 0, NULL) : NULL;
    if (body)
        json_object_set_new(j, "manifest", body);
    return j;
}

static int print(const struct cli_command *c, const struct cli_base *b, const berth_content *m)
{
    if (!cli_wants_text(b))
        return cli_print(c, b, document(m));
    fwrite(m->data, 1, m->size, stdout);
    return cli_printed(c);
}

static int get_from_layout(const struct cli_command *c, struct remote *r)
{
    CLEANUP(place_done) struct place p = PLACE_INIT;
    berth_error err = BERTH_ERROR_INIT;
    berth_manifest *m = NULL;
    int result = place_open_first(r, false, &p, &err);
    if (result == BERTH_OK)
        result = p.c->ops->manifest_get(p.c, p.reference, &m, &err);
    if (result != BERTH_OK)
        return remote_fail(c, &err);
    int rc = print(
        c, &r->base,
        &(berth_content){.media_type = m->media_type, .digest = m->digest, .size = m->size, .data = m->data});
    berth_manifest_free(m);
    return rc;
}

static int run_get(const struct cli_command *c, int argc, char **argv)
{
    struct options o = {.remote = REMOTE_INIT};
    CLEANUP(remote_donep) struct remote *r = &o.remote;
    berth_error err = BERTH_ERROR_INIT;
    berth_call *call = NULL;
    int rc = remote_open(c, argc, argv, r);
    if (rc >= 0)
        return rc;
    if (r->layout)
        return get_from_layout(c, r);
    if (berth_manifest_get(r->client, r->repository, r->reference, (berth_accept)o.accept, &call, &err) !=
        BERTH_OK)
        return remote_fail(c, &err);
    rc = print(c, &r->base, berth_call_content(call));
    berth_call_free(call);
    return rc;
}

/* --- head --- */

#define AT_ONCE 16 /* requests under way; a registry answers no faster to more */

struct host {
    struct host *next;
    char *name;
    berth_client *client;
};

/* One reference that was asked for. */
struct asked {
    const char *operand;
    berth_call *call; /* NULL: not asked, @err says why */
    berth_error err;
};

struct heads {
    struct host *hosts; /* further ones; the first operand's is the remote's */
    struct asked asked[AT_ONCE];
    size_t started, told;
};

static void heads_done(struct heads *h)
{
    for (; h->told < h->started; h->told++)
        berth_call_free(h->asked[h->told % AT_ONCE].call);
    while (h->hosts) {
        struct host *host = h->hosts;
        h->hosts = host->next;
        berth_client_free(host->client);
        free(host->name);
        free(host);
    }
}

static int client_of(struct remote *r, struct heads *h, const char *name, berth_client **ret,
                     berth_error *err)
{
    struct host *host = h->hosts;
    if (strcmp(name, r->host) == 0) {
        *ret = r->client;
        return BERTH_OK;
    }
    while (host && strcmp(name, host->name) != 0)
        host = host->next;
    if (!host) {
        host = calloc(1, sizeof(*host));
        if (!host || !(host->name = str_dup(str_from(name)))) {
            free(host);
            return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
        }
        host->next = h->hosts;
        h->hosts = host;
    }
    int rc = host->client ? BERTH_OK : remote_client(r, name, &host->client, err);
    *ret = host->client;
    return rc;
}

static int ask(struct options *o, struct heads *h, const char *operand, berth_call **ret_call,
               berth_error *err)
{
    CLEANUP(berth_ref_done) berth_ref ref = BERTH_REF_INIT;
    berth_client *client = NULL;
    int rc = remote_parse(operand, CLI_OPERAND_REFERENCE, &ref, err);
    if (rc == BERTH_OK)
        rc = client_of(&o->remote, h, ref.netloc, &client, err);
    if (rc == BERTH_OK)
        rc = berth_manifest_head_start(client, ref.repository, ref.tag, (berth_accept)o->accept, ret_call,
                                       err);
    return rc;
}

/* Those behind the first, which remote_open() has looked at. -1: go on. */
static int check_operands(const struct cli_command *c, struct remote *r)
{
    const char *path, *reference;
    for (size_t i = 1; i < r->base.n_operands; i++) {
        CLEANUP(berth_ref_done) berth_ref ref = BERTH_REF_INIT;
        berth_error err = BERTH_ERROR_INIT;
        if (remote_parse_layout(r->base.operands[i], &r->base.arena, &path, &reference))
            return cli_usage(c->name, "'%s' is an image layout on disk, and this asks a registry",
                             r->base.operands[i]);
        if (remote_parse(r->base.operands[i], c->operand, &ref, &err) != BERTH_OK)
            return cli_usage(c->name, "'%s': %s", r->base.operands[i], err.message);
    }
    return -1;
}

static int tell(const struct cli_command *c, const struct remote *r, const struct asked *a)
{
    const berth_content *m = berth_call_content(a->call);
    if (!cli_wants_text(&r->base))
        return cli_print(c, &r->base, document(m));
    unsigned long long size = m->size;
    if (r->base.n_operands == 1)
        printf("digest      %s\nmedia type  %s\nsize        %llu\n", m->digest, m->media_type, size);
    else
        printf("%s  %s  %s  %llu\n", a->operand, m->digest, m->media_type, size);
    return EXIT_OK;
}

/* One that fails leaves the others alone; the exit code is of the first. */
static int run_head(const struct cli_command *c, int argc, char **argv)
{
    struct options o = {.remote = REMOTE_INIT};
    CLEANUP(remote_donep) struct remote *r = &o.remote;
    CLEANUP(heads_done) struct heads h = {.told = 0};
    const struct cli_base *base = &r->base;
    int failed = EXIT_OK, rc = remote_open(c, argc, argv, r);
    if (rc < 0)
        rc = check_operands(c, r);
    if (rc >= 0)
        return rc;
    while (h.told < base->n_operands) {
        for (; h.started < base->n_operands && h.started < h.told + AT_ONCE; h.started++) {
            struct asked *a = &h.asked[h.started % AT_ONCE];
            *a = (struct asked){.operand = base->operands[h.started]};
            ask(&o, &h, a->operand, &a->call, &a->err);
        }
        struct asked *a = &h.asked[h.told++ % AT_ONCE];
        int result = a->call ? berth_call_wait(a->call, &a->err) : a->err.code;
        rc = result == BERTH_OK ? tell(c, r, a) : remote_fail(c, &a->err);
        berth_call_free(a->call);
        if (failed == EXIT_OK)
            failed = rc;
    }
    rc = cli_printed(c);
    return failed == EXIT_OK ? rc : failed;
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
    .takes = CLI_REGISTRY | CLI_OUTPUT | CLI_LAYOUT,
    .operand = CLI_OPERAND_REFERENCE,
    .run = run_get,
};

const struct cli_command cmd_manifest_head = {
    .name = "manifest head",
    .summary = "print a manifest's digest, media type and size",
    .operands = "REF...",
    .text = "Prints a manifest's digest, media type and size without fetching it. Several are asked for at "
            "once, of one registry or more; each has a line, or a document, in the order in which they are "
            "named. One that fails leaves the others alone, and the exit code is of the first that did.",
    .options = options,
    .fields = (const struct cli_field[]){DESCRIPTOR, {0}},
    .examples =
        (const struct cli_example[]){
            {"berth manifest head localhost:5000/team/app:v1", NULL},
            {"berth manifest head docker://registry.example/team/app --output json", NULL},
            {"berth manifest head localhost:5000/team/app:v1 --format '{{.digest}}'", NULL},
            {"berth manifest head localhost:5000/team/app:v1 localhost:5000/team/app:v2", NULL},
            {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT,
    .operand = CLI_OPERAND_REFERENCE,
    .run = run_head,
};
