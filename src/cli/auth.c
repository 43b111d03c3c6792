/* cli/auth.c - `berth auth whoami` and `berth auth header`: who we are to a registry, and what has to be sent
 * along, for scripts. */
#include "cli/commands.h"
#include "cli/remote.h"

struct state {
    struct remote remote;
    const char *actions;
};

/* "HOST" or "REF". -1: go on. */
static int open(const struct cli_command *c, int argc, char **argv, struct remote *r)
{
    berth_error err = BERTH_ERROR_INIT;
    int rc = remote_open(c, argc, argv, r);
    if (rc >= 0)
        return rc;
    const char *text = r->base.operands[0];
    bool is_host = !strchr(text, '/') && strncmp(text, "docker://", 9) != 0;
    if (is_host) {
        r->host = text;
    } else if (remote_parse(text, CLI_OPERAND_REPOSITORY, &r->ref, &err) != BERTH_OK) {
        return cli_usage(c->name, "'%s': %s", text, err.message);
    } else {
        r->host = r->ref.netloc;
        r->repository = r->ref.repository;
    }
    return remote_client(r, r->host, &r->client, &err) == BERTH_OK ? -1 : remote_refuse(c, &err);
}

static int run_whoami(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(remote_done) struct remote r = REMOTE_INIT;
    berth_error err = BERTH_ERROR_INIT;
    berth_call *call = NULL;
    int rc = open(c, argc, argv, &r);
    if (rc >= 0)
        return rc;
    if (berth_whoami(r.client, r.repository, BERTH_PRIVILEGE_READ, &call, &err) != BERTH_OK)
        return remote_fail(c, &err);
    const char *name = berth_call_username(call);
    rc = cli_tell(c, &r.base, json_pack("{s:s, s:s}", "host", r.host, "username", name), "%s\n",
                  *name ? name : "<token>");
    berth_call_free(call);
    return rc;
}

static int run_header(const struct cli_command *c, int argc, char **argv)
{
    struct state s = {.remote = REMOTE_INIT, .actions = "pull"};
    CLEANUP(remote_donep) struct remote *r = &s.remote;
    berth_error err = BERTH_ERROR_INIT;
    berth_call *call = NULL;
    int rc = open(c, argc, argv, r);
    if (rc >= 0)
        return rc;
    if (berth_authorize(r->client, r->repository, s.actions, &call, &err) != BERTH_OK)
        return remote_refuse(c, &err);
    const char *value = berth_call_authorization(call);
    rc = cli_tell(c, &r->base, json_pack("{s:s, s:s}", "host", r->host, "authorization", value), "%s%s%s",
                  *value ? "Authorization: " : "", value, *value ? "\n" : "");
    berth_call_free(call);
    return rc;
}

const struct cli_command cmd_auth_whoami = {
    .name = "auth whoami",
    .summary = "print the user name that is known for a registry",
    .operands = "HOST|REF",
    .text =
        "Prints the user name of the credentials that a command on the registry or repository would use, or "
        "<token>. Nothing is sent to the registry; a credential helper may be asked.",
    .fields = (const struct cli_field[]){{"host", "string", "the registry"},
                                         {"username", "string", "empty: the credentials are a token"},
                                         {0}},
    .examples = (const struct cli_example[]){{"berth auth whoami registry.example", NULL},
                                             {"berth auth whoami registry.example/team/app", NULL},
                                             {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT,
    .run = run_whoami,
};

const struct cli_command cmd_auth_header = {
    .name = "auth header",
    .summary = "print the Authorization header for a registry",
    .operands = "HOST|REF",
    .text = "Answers the registry's challenge, and prints the header that has to be sent along: a secret. "
            "Nothing is "
            "printed for a registry that asks for none.",
    .options = (const struct cli_option[]){{.name = "actions",
                                            .kind = CLI_TEXT,
                                            .value = "ACTIONS",
                                            .at = offsetof(struct state, actions),
                                            .help = "what it has to allow on the repository (pull)"},
                                           {0}},
    .fields = (const struct cli_field[]){{"host", "string", "the registry"},
                                         {"authorization", "string", "the header's value, or empty"},
                                         {0}},
    .examples =
        (const struct cli_example[]){
            {"berth auth header registry.example/team/app --actions pull,push", NULL},
            {"curl -H \"$(berth auth header localhost:5000/a)\" http://localhost:5000/v2/a/tags/list", NULL},
            {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT,
    .run = run_header,
};
