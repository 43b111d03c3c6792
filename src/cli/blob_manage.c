/* cli/blob_manage.c - `berth blob head|delete|mount`. */
#include <berth/upload.h>

#include "cli/commands.h"
#include "cli/remote.h"

struct options {
    struct remote remote;
    bool absent_ok;
    const char *from;
};

static int print_head(const struct cli_command *c, const struct remote *r, const berth_content *blob)
{
    json_t *j = json_pack("{s:s, s:b, s:I}", "digest", r->reference, "present", blob != NULL, "size",
                          (json_int_t)(blob ? blob->size : 0));
    return blob ? cli_tell(c, &r->base, j, "digest  %s\nsize    %llu\n", blob->digest,
                           (unsigned long long)blob->size)
                : cli_tell(c, &r->base, j, "absent\n");
}

static int run_head(const struct cli_command *c, int argc, char **argv)
{
    struct options o = {.remote = REMOTE_INIT};
    CLEANUP(remote_donep) struct remote *r = &o.remote;
    berth_error err = BERTH_ERROR_INIT;
    berth_call *call = NULL;
    int rc = remote_open(c, argc, argv, r);
    if (rc >= 0)
        return rc;
    int result = berth_blob_head(r->client, r->repository, r->reference, &call, &err);
    if (result != BERTH_OK && !(result == BERTH_E_NOT_FOUND && o.absent_ok))
        return remote_fail(c, &err);
    rc = print_head(c, r, call ? berth_call_content(call) : NULL);
    berth_call_free(call);
    return rc;
}

static int print_done(const struct cli_command *c, const struct remote *r, const char *what)
{
    return cli_tell(c, &r->base, remote_named_json(r, "digest", r->reference), "%s  %s\n", r->reference,
                    what);
}

static int run_delete(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(remote_done) struct remote r = REMOTE_INIT;
    berth_error err = BERTH_ERROR_INIT;
    int rc = remote_open(c, argc, argv, &r);
    if (rc >= 0)
        return rc;
    int result = berth_blob_delete(r.client, r.repository, r.reference, &err);
    return result == BERTH_OK ? print_done(c, &r, "deleted") : remote_fail(c, &err);
}

static int run_mount(const struct cli_command *c, int argc, char **argv)
{
    struct options o = {.remote = REMOTE_INIT};
    CLEANUP(remote_donep) struct remote *r = &o.remote;
    berth_error err = BERTH_ERROR_INIT;
    int rc = remote_open(c, argc, argv, r);
    if (rc >= 0)
        return rc;
    int result = berth_blob_mount(r->client, r->repository, r->reference, o.from, NULL, &err);
    return result == BERTH_OK ? print_done(c, r, "mounted") : remote_refuse(c, &err);
}

#define NAMED                                                                                                \
    {"name", "string", "the repository"},                                                                    \
    {                                                                                                        \
        "digest", "string", "the blob's digest"                                                              \
    }

const struct cli_command cmd_blob_head = {
    .name = "blob head",
    .summary = "say whether a blob is there, and how large it is",
    .operands = "REF@DIGEST",
    .text =
        "Prints the digest and the size of a blob without fetching it. One that is not there is a failure, "
        "unless --absent-ok is given.",
    .options = (const struct cli_option[]){{.name = "absent-ok",
                                            .kind = CLI_FLAG,
                                            .at = offsetof(struct options, absent_ok),
                                            .help = "exit with 0 and say 'absent' where it is not there"},
                                           {0}},
    .fields = (const struct cli_field[]){{"digest", "string", "the digest that was asked for"},
                                         {"present", "boolean", "whether it is there"},
                                         {"size", "number", "its bytes; 0 where it is not there"},
                                         {0}},
    .examples =
        (const struct cli_example[]){
            {"berth blob head localhost:5000/team/app@sha256:…", NULL},
            {"berth blob head registry.example/team/app@sha256:… --absent-ok --format '{{.present}}'", NULL},
            {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT,
    .operand = CLI_OPERAND_DIGEST,
    .run = run_head,
};

const struct cli_command cmd_blob_delete = {
    .name = "blob delete",
    .summary = "delete a blob",
    .operands = "REF@DIGEST",
    .text = "Deletes a blob of a repository. Many registries allow it only when no manifest refers to it, or "
            "not at all.",
    .fields = (const struct cli_field[]){NAMED, {0}},
    .examples =
        (const struct cli_example[]){{"berth blob delete localhost:5000/team/app@sha256:…", NULL}, {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT,
    .operand = CLI_OPERAND_DIGEST,
    .run = run_delete,
};

const struct cli_command cmd_blob_mount = {
    .name = "blob mount",
    .summary = "have a registry take a blob from another of its repositories",
    .operands = "REF@DIGEST",
    .text = "Has the registry make a blob of another repository known in this one: no byte is sent. Without "
            "--from it is asked to find a repository itself. When it does not, that is a failure (exit code "
            "4), and `berth blob put` is the way.",
    .options = (const struct cli_option[]){{.name = "from",
                                            .kind = CLI_TEXT,
                                            .value = "REPOSITORY",
                                            .at = offsetof(struct options, from),
                                            .help = "where it is now; of the same registry"},
                                           {0}},
    .fields = (const struct cli_field[]){NAMED, {0}},
    .examples =
        (const struct cli_example[]){
            {"berth blob mount localhost:5000/team/app@sha256:… --from team/base", NULL}, {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT,
    .operand = CLI_OPERAND_DIGEST,
    .run = run_mount,
};
