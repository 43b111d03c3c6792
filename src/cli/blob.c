/* cli/blob.c - `berth blob get REF@DIGEST [-o FILE]`. A file has its name only when its digest was right. */
#include <errno.h>
#include <stdio.h>

#include "berth/download.h"
#include "cli/commands.h"
#include "cli/remote.h"
#include "util/io.h"

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

static int write_piece(void *arg, const void *p, size_t n)
{
    berth_error *err = arg;
    int r = io_write_all(STDOUT_FILENO, p, n, err);
    if (r != BERTH_OK)
        cli_check_pipe(errno);
    return r;
}

static json_t *document(const berth_content *blob)
{
    return json_pack("{s:s, s:I}", "digest", blob->digest, "size", (json_int_t)blob->size);
}

static int run(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(options_done) struct options o = {.remote = REMOTE_INIT};
    const struct remote *r = &o.remote;
    berth_error err = BERTH_ERROR_INIT, written = BERTH_ERROR_INIT;
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
    int result =
        file ? berth_blob_get_file(r->client, r->repository, r->reference, file, &call, &err)
             : berth_blob_get(r->client, r->repository, r->reference, write_piece, &written, &call, &err);
    json_t *found =
        result == BERTH_OK && !cli_wants_text(&r->base) ? document(berth_call_content(call)) : NULL;
    berth_call_free(call);
    if (result != BERTH_OK)
        return remote_fail(c, written.code != BERTH_OK ? &written : &err);
    return cli_wants_text(&r->base) ? cli_printed(c) : cli_print(c, &r->base, found);
}

const struct cli_command cmd_blob_get = {
    .name = "blob get",
    .summary = "write a blob to a file or to standard output",
    .operands = "REF@DIGEST",
    .text =
        "Writes a blob to FILE, or to standard output. Its digest is computed on the way: FILE is there only "
        "if that is right; what stands on standard output is to be used only if the exit code is 0. What "
        "came "
        "before a failure of the network, or before the command was stopped, stays in "
        "FILE.<digits of the digest>.part, and the same command goes on from there.",
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
