/* cli/tag.c - `berth tag list REF`. Tags are printed as they come: memory does not grow with their number,
 * unless a template wants them all at once. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/remote.h"

struct printer {
    bool json;
    json_t *tags; /* all of them, for a template; else NULL */
    size_t n;
};

/* A tag's grammar has nothing that JSON would have to escape. */
static int print_tag(void *arg, const char *tag)
{
    struct printer *p = arg;
    if (p->tags)
        return json_array_append_new(p->tags, json_string(tag));
    if (p->json)
        printf("%s\n    \"%s\"", p->n ? "," : "", tag);
    else
        printf("%s\n", tag);
    p->n++;
    return ferror(stdout);
}

static int run_list(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(remote_done) struct remote r = REMOTE_INIT;
    berth_error err = BERTH_ERROR_INIT;
    int rc = remote_open(c, argc, argv, &r);
    if (rc >= 0)
        return rc;
    struct printer p = {.json = !cli_wants_text(&r.base), .tags = r.base.format ? json_array() : NULL};
    if (p.json && !p.tags)
        printf("{\n  \"name\": \"%s\",\n  \"tags\": [", r.repository);
    int result = berth_tag_list(r.client, r.repository, print_tag, &p, &err);
    if (p.tags && result == BERTH_OK)
        return cli_print(c, &r.base, json_pack("{s:s, s:o}", "name", r.repository, "tags", p.tags));
    json_decref(p.tags);
    if (p.json && !p.tags && result == BERTH_OK) /* without its end nobody takes a part for the whole */
        printf("%s]\n}\n", p.n ? "\n  " : "");
    rc = cli_printed(c);
    return result == BERTH_OK || rc != EXIT_OK ? rc : remote_fail(c, &err);
}

const struct cli_command cmd_tag_list = {
    .name = "tag list",
    .summary = "print the tags of a repository",
    .operands = "REF",
    .text = "Prints the tags of a repository, one a line, in the registry's order.",
    .fields = (const struct cli_field[]){{"name", "string", "the repository"},
                                         {"tags[]", "string", "its tags, in the registry's order"},
                                         {0}},
    .examples =
        (const struct cli_example[]){
            {"berth tag list localhost:5000/team/app", NULL},
            {"berth tag list docker://registry.example/team/app --output json", NULL},
            {"berth tag list registry.example/team/app --format '{{len .tags}}'", NULL},
            {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT,
    .operand = CLI_OPERAND_REPOSITORY,
    .run = run_list,
};
