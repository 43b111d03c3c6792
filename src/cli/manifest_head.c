/* cli/manifest_head.c - `berth manifest head REF...` and `berth manifest digest REF`. `head` asks for many at
 * a time, and tells of them in the order in which they were named. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/manifest.h"

#define AT_ONCE 16 /* requests under way; a registry answers no faster to more */

struct host {
    struct host *next;
    char *name;
    berth_client *client;
};

/* One reference that was asked for. */
struct asked {
    const char *operand;
    berth_call *call;         /* under way; NULL: none */
    berth_manifest *manifest; /* what was found without a call; NULL and no call: @err says why */
    berth_error err;
};

struct heads {
    struct host *hosts; /* further ones; the first operand's is the remote's */
    struct asked asked[AT_ONCE];
    size_t started, told;
};

static void asked_done(struct asked *a)
{
    berth_call_free(a->call);
    berth_manifest_free(a->manifest);
}

static void heads_done(struct heads *h)
{
    for (; h->told < h->started; h->told++)
        asked_done(&h->asked[h->told % AT_ONCE]);
    while (h->hosts) {
        struct host *host = h->hosts;
        h->hosts = host->next;
        berth_client_free(host->client);
        mem_free(host->name);
        mem_free(host);
    }
}

static int client_of(struct remote *r, struct heads *h, const char *name, berth_client **ret,
                     berth_error *err)
{
    struct host *host = h->hosts;
    if (r->host && strcmp(name, r->host) == 0) {
        *ret = r->client;
        return BERTH_OK;
    }
    while (host && strcmp(name, host->name) != 0)
        host = host->next;
    if (!host) {
        host = mem_zalloc(1, sizeof(*host));
        if (!host || !(host->name = str_dup(str_from(name)))) {
            mem_free(host);
            return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
        }
        host->next = h->hosts;
        h->hosts = host;
    }
    int rc = host->client ? BERTH_OK : remote_client(r, name, &host->client, err);
    *ret = host->client;
    return rc;
}

/* A layout, and an index that has to be looked into, are seen to at once. */
static int ask(struct manifest_options *o, struct heads *h, struct asked *a)
{
    CLEANUP(berth_ref_done) berth_ref ref = BERTH_REF_INIT;
    berth_client *client = NULL;
    const char *path, *tag, *reference;
    if (o->platform || remote_parse_layout(a->operand, &o->remote.base.arena, &path, &tag, &reference))
        return place_manifest(&o->remote, a->operand, o->platform, &a->manifest, &a->err);
    int rc = remote_parse(a->operand, CLI_OPERAND_REFERENCE, &ref, &a->err);
    if (rc == BERTH_OK)
        rc = client_of(&o->remote, h, ref.netloc, &client, &a->err);
    if (rc == BERTH_OK)
        rc = berth_manifest_head_start(client, ref.repository, ref.tag, (berth_accept)o->accept, &a->call,
                                       &a->err);
    return rc;
}

/* Those behind the first, which remote_open() has looked at. -1: go on. */
static int check_operands(const struct cli_command *c, struct remote *r)
{
    const char *path, *tag, *reference;
    for (size_t i = 1; i < r->base.n_operands; i++) {
        CLEANUP(berth_ref_done) berth_ref ref = BERTH_REF_INIT;
        berth_error err = BERTH_ERROR_INIT;
        if (!remote_parse_layout(r->base.operands[i], &r->base.arena, &path, &tag, &reference) &&
            remote_parse(r->base.operands[i], c->operand, &ref, &err) != BERTH_OK)
            return cli_usage(c->name, "'%s': %s", r->base.operands[i], err.message);
    }
    return -1;
}

/* Waits for it. */
static int find(const struct manifest_options *o, struct asked *a, berth_content *ret)
{
    int r = a->call ? berth_call_wait(a->call, &a->err) : a->err.code;
    if (r != BERTH_OK)
        return r;
    *ret = a->call ? *berth_call_content(a->call) : manifest_content(a->manifest);
    return a->call ? BERTH_OK : manifest_check_kind(o, a->operand, ret, &a->err);
}

/* What the registry says that it still allows; false: nothing. */
static bool rate_of(const struct asked *a, berth_rate *ret)
{
    return a->call && berth_call_rate(a->call, ret);
}

static json_t *rate_json(const berth_rate *rate)
{
    return json_pack("{s:I, s:I, s:I, s:I}", "limit", (json_int_t)rate->limit, "remaining",
                     (json_int_t)rate->remaining, "windowSeconds", (json_int_t)rate->window_s, "resetSeconds",
                     (json_int_t)rate->reset_s);
}

static void print_rate(const berth_rate *rate)
{
    printf("rate        %llu of %llu requests left", (unsigned long long)rate->remaining,
           (unsigned long long)rate->limit);
    if (rate->reset_s)
        printf(", more in %llu s", (unsigned long long)rate->reset_s);
    printf("\n");
}

static json_t *document(const struct asked *a, const berth_content *m)
{
    berth_rate rate;
    json_t *j = json_pack("{s:s}", "reference", a->operand), *more = remote_manifest_json(m);
    json_object_update(j, more);
    json_decref(more);
    if (rate_of(a, &rate))
        json_object_set_new(j, "rate", rate_json(&rate));
    return j;
}

static int tell(const struct cli_command *c, const struct cli_base *b, const struct asked *a,
                const berth_content *m)
{
    if (!cli_wants_text(b))
        return cli_print(c, b, document(a, m));
    unsigned long long size = m->size;
    berth_rate rate;
    if (b->n_operands == 1)
        printf("digest      %s\nmedia type  %s\nsize        %llu\n", m->digest, m->media_type, size);
    else
        printf("%s  %s  %s  %llu\n", a->operand, m->digest, m->media_type, size);
    if (b->n_operands == 1 && rate_of(a, &rate))
        print_rate(&rate);
    return EXIT_OK;
}

/* Who reads documents in their order finds one for it; a template that knows nothing of errors would make
 * nonsense of that. */
static int tell_failure(const struct cli_command *c, const struct cli_base *b, const struct asked *a)
{
    if (cli_wants_failures(b))
        cli_print(c, b, json_pack("{s:s, s:s}", "reference", a->operand, "error", a->err.message));
    return remote_fail(c, &a->err);
}

/* One that fails leaves the others alone; the exit code is of the first. */
static int run_head(const struct cli_command *c, int argc, char **argv)
{
    struct manifest_options o = {.remote = REMOTE_INIT};
    CLEANUP(remote_donep) struct remote *r = &o.remote;
    CLEANUP(heads_done) struct heads h = {.told = 0};
    const struct cli_base *base = &r->base;
    int failed = EXIT_OK, rc = remote_open(c, argc, argv, r);
    if (rc < 0)
        rc = manifest_check_options(c, &o);
    if (rc < 0)
        rc = check_operands(c, r);
    if (rc >= 0)
        return rc;
    while (h.told < base->n_operands) {
        for (; h.started < base->n_operands && h.started < h.told + AT_ONCE; h.started++) {
            struct asked *a = &h.asked[h.started % AT_ONCE];
            *a = (struct asked){.operand = base->operands[h.started]};
            ask(&o, &h, a);
        }
        struct asked *a = &h.asked[h.told++ % AT_ONCE];
        berth_content m;
        rc = find(&o, a, &m) == BERTH_OK ? tell(c, base, a, &m) : tell_failure(c, base, a);
        asked_done(a);
        if (failed == EXIT_OK)
            failed = rc;
    }
    rc = cli_printed(c);
    return failed == EXIT_OK ? rc : failed;
}

/* --- digest --- */

static int print_digest(const struct cli_command *c, struct remote *r, const char *digest)
{
    const char *name = r->layout ? berth_arena_printf(&r->base.arena, "oci:%s", r->layout) : r->repository;
    return cli_tell(c, &r->base, json_pack("{s:s, s:s}", "name", name ? name : "", "digest", digest), "%s\n",
                    digest);
}

static int run_digest(const struct cli_command *c, int argc, char **argv)
{
    struct manifest_options o = {.remote = REMOTE_INIT};
    CLEANUP(remote_donep) struct remote *r = &o.remote;
    berth_error err = BERTH_ERROR_INIT;
    berth_call *call = NULL;
    berth_manifest *m = NULL;
    int rc = remote_open(c, argc, argv, r);
    if (rc >= 0)
        return rc;
    int result = r->layout || o.platform
                     ? place_manifest(r, r->base.operands[0], o.platform, &m, &err)
                     : berth_manifest_digest(r->client, r->repository, r->reference, &call, &err);
    rc = result == BERTH_OK ? print_digest(c, r, m ? m->digest : berth_call_content(call)->digest)
                            : remote_fail(c, &err);
    berth_manifest_free(m);
    berth_call_free(call);
    return rc;
}

static const struct cli_option head_options[] = {MANIFEST_ACCEPT, MANIFEST_PLATFORM, {0}};
static const struct cli_option digest_options[] = {MANIFEST_PLATFORM, {0}};

const struct cli_command cmd_manifest_head = {
    .name = "manifest head",
    .summary = "print a manifest's digest, media type and size",
    .operands = "REF...",
    .text =
        "Prints a manifest's digest, media type and size without fetching it, and how many requests the "
        "registry still allows, where it says. Several are asked for at "
        "once, of one registry or more; each has a line, or a document, in the order in which they are "
        "named. One that fails leaves the others alone, and the exit code is of the first that did. REF may "
        "be oci:PATH:TAG, an image layout on disk.",
    .options = head_options,
    .fields =
        (const struct cli_field[]){
            {"reference", "string", "REF as it was given"},
            {"error", "string",
             "what went wrong: then there is nothing else but 'reference'. A template has such documents "
             "only if it asks for this field"},
            MANIFEST_FIELDS,
            {"rate", "object",
             "limit, remaining, windowSeconds, resetSeconds of the requests that the registry allows, where "
             "it "
             "says (RateLimit-Limit)"},
            {0}},
    .examples =
        (const struct cli_example[]){
            {"berth manifest head localhost:5000/team/app:v1", NULL},
            {"berth manifest head docker://registry.example/team/app --output json", NULL},
            {"berth manifest head localhost:5000/team/app:v1 --format '{{.digest}}'", NULL},
            {"berth manifest head localhost:5000/team/app:v1 --platform linux/arm64", NULL},
            {"berth manifest head localhost:5000/team/app:v1 localhost:5000/team/app:v2", NULL},
            {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT | CLI_LAYOUT,
    .operand = CLI_OPERAND_REFERENCE,
    .run = run_head,
};

const struct cli_command cmd_manifest_digest = {
    .name = "manifest digest",
    .summary = "print the digest that a tag points at",
    .operands = "REF",
    .text = "Prints the digest of a manifest as the registry names it; where it does not, the manifest is "
            "fetched and hashed. REF may be oci:PATH:TAG, an image layout on disk.",
    .options = digest_options,
    .fields = (const struct cli_field[]){{"name", "string", "the repository or layout"},
                                         {"digest", "string", "the manifest's digest"},
                                         {0}},
    .examples =
        (const struct cli_example[]){
            {"berth manifest digest localhost:5000/team/app:v1", NULL},
            {"berth manifest digest localhost:5000/team/app:v1 --platform linux/arm64",
             "of the image in an index"},
            {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT | CLI_LAYOUT,
    .operand = CLI_OPERAND_REFERENCE,
    .run = run_digest,
};
