/* cli/manifest_manage.c - `berth manifest put|delete`. */
#include "cli/commands.h"
#include "cli/remote.h"
#include "util/io.h"

#define MANIFEST_MAX (64 * MIB) /* no registry takes as much */

struct options {
    struct remote remote;
    struct cli_words tags;
    const char *media_type;
    bool no_referrers_tag;
};

static int read_manifest(const char *file, berth_buf *out, berth_error *err)
{
    char piece[16 * KIB];
    ssize_t n;
    if (strcmp(file, "-") != 0)
        return io_read_file(file, out, err);
    while ((n = read(STDIN_FILENO, piece, sizeof(piece))) > 0)
        berth_buf_add(out, piece, (size_t)n);
    return n == 0 && !berth_buf_failed(out)
               ? BERTH_OK
               : berth_error_set(err, BERTH_E_IO, "standard input can't be read, or is too long");
}

static int run_put(const struct cli_command *c, int argc, char **argv)
{
    struct options o = {.remote = REMOTE_INIT};
    CLEANUP(remote_donep) struct remote *r = &o.remote;
    CLEANUP(berth_buf_done) berth_buf body = BERTH_BUF_INIT(MANIFEST_MAX);
    berth_error err = BERTH_ERROR_INIT;
    berth_call *call = NULL;
    int rc = remote_open(c, argc, argv, r);
    if (rc < 0)
        rc = remote_check_file(c, r, r->base.operands[1]);
    if (rc >= 0)
        return rc;
    if (read_manifest(r->base.operands[1], &body, &err) != BERTH_OK)
        return remote_fail(c, &err);
    berth_manifest_put_options how = BERTH_MANIFEST_PUT_OPTIONS_INIT;
    how.media_type = o.media_type;
    const char **tags = berth_arena_alloc(&r->base.arena, (o.tags.n + 1) * sizeof(*tags));
    if (!tags)
        return cli_usage(c->name, "out of memory");
    if (o.tags.n)
        memcpy(tags, o.tags.p, o.tags.n * sizeof(*tags));
    how.tags = tags;
    how.n_tags = o.tags.n;
    if (r->tag && r->ref.digest_tag) /* REF:TAG@DIGEST */
        tags[how.n_tags++] = r->tag;
    how.no_fallback = o.no_referrers_tag;
    berth_str bytes = berth_buf_str(&body);
    int result =
        berth_manifest_put(r->client, r->repository, r->reference, bytes.p, bytes.n, &how, &call, &err);
    if (result == BERTH_E_INVALID && !err.http_status && !strstr(err.message, r->host)) /* nobody was asked */
        berth_error_prefix(&err, "'%s'", r->base.operands[1]);
    if (result != BERTH_OK)
        return remote_fail(c, &err);
    const berth_content *m = berth_call_content(call);
    rc = cli_tell(c, &r->base, remote_manifest_json(m), "%s\n", m->digest);
    berth_call_free(call);
    return rc;
}

static int run_delete(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(remote_done) struct remote r = REMOTE_INIT;
    berth_error err = BERTH_ERROR_INIT;
    int rc = remote_open(c, argc, argv, &r);
    if (rc >= 0)
        return rc;
    if (berth_manifest_delete(r.client, r.repository, r.reference, &err) != BERTH_OK)
        return remote_fail(c, &err);
    return cli_tell(c, &r.base, remote_named_json(&r, "digest", r.reference), "%s  deleted\n", r.reference);
}

const struct cli_command cmd_manifest_put = {
    .name = "manifest put",
    .summary = "put a manifest at a tag or its digest",
    .operands = "REF FILE",
    .text = "Puts FILE (- is standard input), byte for byte, as a manifest at the tag or digest that REF "
            "names, or at its sha256 digest where it names none, and prints its digest. Of REF:TAG@DIGEST it "
            "has to "
            "have the digest, and gets the tag. What it refers to has to be there.\n\n"
            "Its media type is what it says of itself, or what its fields show. A manifest with a subject is "
            "entered in the subject's referrers tag where the registry has no referrers API.",
    .options = (const struct cli_option[]){{.name = "tag",
                                            .letter = 't',
                                            .kind = CLI_WORDS,
                                            .value = "TAG",
                                            .at = offsetof(struct options, tags),
                                            .help = "one more tag for it; may be given again"},
                                           {.name = "media-type",
                                            .kind = CLI_TEXT,
                                            .value = "TYPE",
                                            .at = offsetof(struct options, media_type),
                                            .help = "instead of the one that it says or shows"},
                                           {.name = "no-referrers-tag",
                                            .kind = CLI_FLAG,
                                            .at = offsetof(struct options, no_referrers_tag),
                                            .help = "leave the subject's referrers tag as it is"},
                                           {0}},
    .fields = (const struct cli_field[]){{"digest", "string", "the manifest's digest"},
                                         {"mediaType", "string", "the media type that it was put with"},
                                         {"size", "number", "its bytes"},
                                         {0}},
    .examples =
        (const struct cli_example[]){
            {"berth manifest put localhost:5000/team/app:v1 manifest.json --tag latest", NULL},
            {"berth manifest get localhost:5000/team/app:v1 | berth manifest put localhost:5000/team/app:v2 "
             "-",
             NULL},
            {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT,
    .operand = CLI_OPERAND_REPOSITORY,
    .run = run_put,
};

const struct cli_command cmd_manifest_delete = {
    .name = "manifest delete",
    .summary = "delete a manifest, and every tag on it",
    .operands = "REF@DIGEST",
    .text = "Deletes a manifest, and with it every tag that points at it. `berth tag delete` removes a tag "
            "alone. A manifest with a subject leaves the subject's referrers tag too, where the registry has "
            "no referrers API.",
    .fields = (const struct cli_field[]){{"name", "string", "the repository"},
                                         {"digest", "string", "the manifest's digest"},
                                         {0}},
    .examples =
        (const struct cli_example[]){{"berth manifest delete localhost:5000/team/app@sha256:…", NULL}, {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT,
    .operand = CLI_OPERAND_DIGEST,
    .run = run_delete,
};
