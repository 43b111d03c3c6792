/* cli/tag_manage.c - `berth tag add|delete`. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/remote.h"

struct options {
    struct remote remote;
    bool purge;
};

static int run_add(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(remote_done) struct remote r = REMOTE_INIT;
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    berth_error err = BERTH_ERROR_INIT;
    int rc = remote_open(c, argc, argv, &r);
    if (rc >= 0)
        return rc;
    json_t *tags = json_array();
    const char *digest = "";
    for (size_t i = 1; i < r.base.n_operands; i++) {
        berth_call *call = NULL;
        int result = berth_tag_add(r.client, r.repository, r.reference, r.base.operands[i], &call, &err);
        if (result != BERTH_OK) {
            json_decref(tags);
            return remote_refuse(c, &err);
        }
        digest = berth_arena_dup(&arena, str_from(berth_call_content(call)->digest));
        berth_call_free(call);
        json_array_append_new(tags, json_string(r.base.operands[i]));
        if (cli_wants_text(&r.base))
            printf("%s:%s  %s\n", r.ref.without_tag, r.base.operands[i], digest ? digest : "");
    }
    if (!cli_wants_text(&r.base))
        return cli_print(
            c, &r.base,
            json_pack("{s:s, s:s, s:o}", "name", r.repository, "digest", digest ? digest : "", "tags", tags));
    json_decref(tags);
    return cli_printed(c);
}

static int run_delete(const struct cli_command *c, int argc, char **argv)
{
    struct options o = {.remote = REMOTE_INIT};
    CLEANUP(remote_donep) struct remote *r = &o.remote;
    berth_error err = BERTH_ERROR_INIT;
    int rc = remote_open(c, argc, argv, r);
    if (rc >= 0)
        return rc;
    const char *tag = r->ref.symbolic_tag;
    if (!tag || r->ref.digest_tag)
        return cli_usage(c->name, "'%s' names no tag alone: REF:TAG is needed", r->base.operands[0]);
    if (berth_tag_delete(r->client, r->repository, tag, o.purge, &err) != BERTH_OK)
        return remote_fail(c, &err);
    return cli_tell(c, &r->base, remote_named_json(r, "tag", tag), "%s:%s  deleted\n", r->ref.without_tag,
                    tag);
}

const struct cli_command cmd_tag_add = {
    .name = "tag add",
    .summary = "set further tags on what a reference points at",
    .operands = "REF TAG...",
    .text = "Sets each TAG on the manifest at REF, in the same repository. The manifest comes over the wire "
            "and goes back byte for byte; its blobs stay where they are.",
    .fields = (const struct cli_field[]){{"name", "string", "the repository"},
                                         {"digest", "string", "the manifest's digest"},
                                         {"tags[]", "string", "the tags that were set"},
                                         {0}},
    .examples =
        (const struct cli_example[]){{"berth tag add localhost:5000/team/app:v1.2.3 v1.2 v1 latest", NULL},
                                     {"berth tag add registry.example/team/app@sha256:… stable", NULL},
                                     {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT,
    .operand = CLI_OPERAND_REFERENCE,
    .run = run_add,
};

const struct cli_command cmd_tag_delete = {
    .name = "tag delete",
    .summary = "remove a tag, and with --purge its manifest",
    .operands = "REF:TAG",
    .text = "Removes a tag; what it points at stays. With --purge the manifest goes as well, and every other "
            "tag on it. Some registries delete manifests alone.",
    .options = (const struct cli_option[]){{.name = "purge",
                                            .kind = CLI_FLAG,
                                            .at = offsetof(struct options, purge),
                                            .help = "delete the manifest as well, with every tag on it"},
                                           {0}},
    .fields = (const struct cli_field[]){{"name", "string", "the repository"},
                                         {"tag", "string", "the tag that was removed"},
                                         {0}},
    .examples = (const struct cli_example[]){{"berth tag delete localhost:5000/team/app:old", NULL},
                                             {"berth tag delete localhost:5000/team/app:old --purge", NULL},
                                             {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT,
    .operand = CLI_OPERAND_REPOSITORY,
    .run = run_delete,
};
