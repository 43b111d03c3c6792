/* cli/tag.c - `berth tag list REF`. Tags are printed as they come: memory does not grow with their number. */
#include <stdio.h>

#include "cli/remote.h"

static const struct remote_command list = {
    .name = "tag list",
    .operand = REMOTE_REPOSITORY,
    .help = "usage: berth tag list REF [OPTION...]\n\n"
            "Prints the tags of a repository, one a line, in the registry's order.\n\n" REMOTE_OPTIONS
            "\nexamples:\n  berth tag list localhost:5000/team/app\n"
            "  berth tag list docker://registry.example/team/app --output json\n",
};

static const char help[] = "usage: berth tag list REF [OPTION...]\n\n"
                           "  list   prints the tags of a repository\n\n"
                           "examples:\n  berth tag list localhost:5000/team/app\n  berth tag list --help\n";

struct printer {
    bool json;
    size_t n;
};

/* A tag's grammar has nothing that JSON would have to escape. */
static int print_tag(void *arg, const char *tag)
{
    struct printer *p = arg;
    if (p->json)
        printf("%s\n    \"%s\"", p->n ? "," : "", tag);
    else
        printf("%s\n", tag);
    p->n++;
    return ferror(stdout);
}

static int run_list(const struct remote_command *c, int argc, char **argv)
{
    CLEANUP(remote_done) struct remote r = {0};
    berth_error err = BERTH_ERROR_INIT;
    int rc = remote_open(c, argc, argv, &r);
    if (rc >= 0)
        return rc;
    struct printer p = {.json = r.json};
    if (r.json)
        printf("{\n  \"name\": \"%s\",\n  \"tags\": [", r.repository);
    int result = berth_tag_list(r.client, r.repository, print_tag, &p, &err);
    if (r.json && result == BERTH_OK) /* without its end nobody takes a part for the whole */
        printf("%s]\n}\n", p.n ? "\n  " : "");
    rc = remote_printed(c->name);
    return result == BERTH_OK || rc != EXIT_OK ? rc : remote_fail(c->name, &err);
}

int cmd_tag(int argc, char **argv)
{
    static const struct remote_command *const commands[] = {&list};
    static int (*const runs[])(const struct remote_command *, int, char **) = {run_list};
    return remote_family("tag", help, commands, runs, COUNT(commands), argc, argv);
}
