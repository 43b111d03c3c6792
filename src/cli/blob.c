/* cli/blob.c - `berth blob get REF@DIGEST [-o FILE]`. A file has its name only when its digest was right. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/remote.h"
#include "cli/target.h"

struct options {
    struct remote remote;
    const char *file;
};

static const struct cli_option options[] = {
    {.name = "to",
     .letter = 'o',
     .kind = CLI_FILE,
     .value = "FILE",
     .at = offsetof(struct options, file),
     .help = "where to; it is replaced. - is standard output (-)"},
    {0},
};

static void options_done(struct options *o)
{
    remote_done(&o->remote);
}

static json_t *document(const berth_content *blob)
{
    return json_pack("{s:s, s:I}", "digest", blob->digest, "size", (json_int_t)blob->size);
}

static int run(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(options_done) struct options o = {.remote = REMOTE_INIT};
    CLEANUP(target_done) struct target t = TARGET_INIT;
    const struct remote *r = &o.remote;
    berth_error err = BERTH_ERROR_INIT;
    berth_call *call = NULL;
    int rc = remote_open(c, argc, argv, &o.remote);
    if (rc >= 0)
        return rc;
    const char *file = o.file && strcmp(o.file, "-") != 0 ? o.file : NULL;
    if (!file && !cli_wants_text(&r->base))
        return cli_usage(c->name, "standard output is the blob's: with --%s, -o FILE is needed",
                         r->base.format ? "format" : "output json");
    if (!file && isatty(STDOUT_FILENO))
        return cli_usage(c->name, "a blob may be binary, and this is a terminal: -o FILE, or | less");
    if (target_open(&t, file, &err) != BERTH_OK)
        return remote_fail(c, &err);
    int result = berth_blob_get(r->client, r->repository, r->reference, target_write, &t, &call, &err);
    if (result == BERTH_OK)
        result = target_finish(&t, file, &err);
    json_t *found =
        result == BERTH_OK && !cli_wants_text(&r->base) ? document(berth_call_content(call)) : NULL;
    berth_call_free(call);
    if (result != BERTH_OK)
        return remote_fail(c, t.err.code != BERTH_OK ? &t.err : &err);
    return cli_wants_text(&r->base) ? cli_printed(c) : cli_print(c, &r->base, found);
}

const struct cli_command cmd_blob_get = {
    .name = "blob get",
    .summary = "write a blob to a file or to standard output",
    .operands = "REF@DIGEST",
    .text =
        "Writes a blob to FILE, or to standard output. Its digest is computed on the way: FILE is there only "
        "if that is right; what stands on standard output is to be used only if the exit code is 0.",
    .options = options,
    .fields = (const struct cli_field[]){{"digest", "string", "the digest, computed from the bytes"},
                                         {"size", "number", "the bytes"},
                                         {0}},
    .examples =
        (const struct cli_example[]){
            {"berth blob get localhost:5000/team/app@sha256:… -o layer.tar.gz", NULL},
            {"berth blob get registry.example/team/app@sha256:… | tar tz", NULL},
            {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT | CLI_PROGRESS,
    .operand = CLI_OPERAND_DIGEST,
    .run = run,
};
