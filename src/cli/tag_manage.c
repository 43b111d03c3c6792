/* cli/tag_manage.c - `berth tag add|delete`. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/forms.h"
#include "cli/place.h"

struct options {
    struct remote remote;
    bool purge;
};

/* In a layout the manifest is brought in once more, under another name. */
static int add_to_layout(const struct cli_command *c, struct remote *r)
{
    CLEANUP(place_done) struct place p = PLACE_INIT;
    berth_error err = BERTH_ERROR_INIT;
    berth_manifest *m = NULL;
    json_t *tags = json_array();
    int result = place_open_first(r, false, &p, &err);
    if (result == BERTH_OK)
        result = p.c->ops->manifest_get(p.c, r->reference, &m, &err);
    for (size_t i = 1; result == BERTH_OK && i < r->base.n_operands; i++) {
        const char *tag = r->base.operands[i];
        result = p.c->ops->manifest_put(p.c, tag, m, &err);
        json_array_append_new(tags, json_string(tag));
        if (result == BERTH_OK && cli_wants_text(&r->base))
            printf("%s:%s  %s\n", p.name, tag, m->digest);
    }
    int rc = result != BERTH_OK ? remote_fail(c, &err)
             : cli_wants_text(&r->base)
                 ? cli_printed(c)
                 : cli_print(c, &r->base,
                             json_pack("{s:s, s:s, s:O}", "name", p.name, "digest", m->digest, "tags", tags));
    json_decref(tags);
    berth_manifest_free(m);
    return rc;
}

static int run_add(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(remote_done) struct remote r = REMOTE_INIT;
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    berth_error err = BERTH_ERROR_INIT;
    int rc = remote_open(c, argc, argv, &r);
    for (size_t i = 1; rc < 0 && i < r.base.n_operands; i++)
        if (form_check("TAG", r.base.operands[i], &err) != BERTH_OK)
            rc = cli_usage(c->name, "%s", err.message);
    if (rc >= 0)
        return rc;
    if (r.layout)
        return add_to_layout(c, &r);
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
    CLEANUP(place_done) struct place p = PLACE_INIT;
    int rc = remote_open(c, argc, argv, r);
    if (rc >= 0)
        return rc;
    const char *tag = r->tag;
    if (!tag || strcmp(tag, r->reference) != 0)
        return cli_usage(c->name, "'%s' names no tag alone: REF:TAG is needed", r->base.operands[0]);
    int result = place_open_first(r, false, &p, &err);
    if (result == BERTH_OK)
        result = p.c->ops->tag_delete(p.c, tag, o.purge, &err);
    if (result != BERTH_OK)
        return remote_fail(c, &err);
    return cli_tell(c, &r->base,
                    json_pack("{s:s, s:s}", "name", r->layout ? p.name : r->repository, "tag", tag),
                    "%s:%s  deleted\n", p.name, tag);
}

const struct cli_command cmd_tag_add = {
    .name = "tag add",
    .summary = "set further tags on what a reference points at",
    .operands = "REF TAG...",
    .text = "Sets each TAG on the manifest at REF, in the same repository. The manifest comes over the wire "
            "and goes back byte for byte; its blobs stay where they are. REF may be oci:PATH:TAG, an image "
            "layout on "
            "disk.",
    .fields = (const struct cli_field[]){{"name", "string", "the repository or layout"},
                                         {"digest", "string", "the manifest's digest"},
                                         {"tags[]", "string", "the tags that were set"},
                                         {0}},
    .examples =
        (const struct cli_example[]){{"berth tag add localhost:5000/team/app:v1.2.3 v1.2 v1 latest", NULL},
                                     {"berth tag add registry.example/team/app@sha256:… stable", NULL},
                                     {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT | CLI_LAYOUT,
    .operand = CLI_OPERAND_REFERENCE,
    .run = run_add,
};

const struct cli_command cmd_tag_delete = {
    .name = "tag delete",
    .summary = "remove a tag, and with --purge its manifest",
    .operands = "REF:TAG",
    .text = "Removes a tag; what it points at stays. With --purge the manifest goes as well, and every other "
            "tag on it. Some registries delete manifests alone. REF may be oci:PATH, an image layout on "
            "disk, whose "
            "blobs stay in any case.",
    .options = (const struct cli_option[]){{.name = "purge",
                                            .kind = CLI_FLAG,
                                            .at = offsetof(struct options, purge),
                                            .help = "delete the manifest as well, with every tag on it"},
                                           {0}},
    .fields = (const struct cli_field[]){{"name", "string", "the repository or layout"},
                                         {"tag", "string", "the tag that was removed"},
                                         {0}},
    .examples = (const struct cli_example[]){{"berth tag delete localhost:5000/team/app:old", NULL},
                                             {"berth tag delete localhost:5000/team/app:old --purge", NULL},
                                             {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT | CLI_LAYOUT,
    .operand = CLI_OPERAND_REPOSITORY,
    .run = run_delete,
};
