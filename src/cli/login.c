/* cli/login.c - `berth login HOST` and `berth logout HOST`: keep credentials as docker does, and forget them.
 */
#include "cli/commands.h"
#include "cli/remote.h"

static int need_file(const struct cli_command *c, const struct remote *r)
{
    return r->connect.files[0] ? -1
                               : cli_usage(c->name, "--auth-file, DOCKER_CONFIG or HOME has to say where");
}

static int keep(const struct cli_command *c, const struct remote *r, berth_call *call)
{
    berth_error err = BERTH_ERROR_INIT;
    berth_credential kept = BERTH_CREDENTIAL_INIT;
    kept.username = r->username;
    kept.identity_token = berth_call_identity_token(call);
    kept.password = kept.identity_token ? NULL : r->password;
    if (berth_credentials_store(r->connect.files[0], r->place, &kept,
                                r->connect.credentials.helper_timeout_ms, &err) != BERTH_OK)
        return remote_fail(c, &err);
    return cli_tell(c, &r->base, json_pack("{s:s, s:s}", "host", r->place, "username", r->username),
                    "logged in to %s as %s\n", r->place, r->username);
}

static int run_login(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(remote_done) struct remote r = REMOTE_INIT;
    berth_error err = BERTH_ERROR_INIT;
    berth_call *call = NULL;
    int rc = remote_open(c, argc, argv, &r);
    if (rc < 0)
        rc = need_file(c, &r);
    if (rc >= 0)
        return rc;
    if (berth_login(r.client, true, &call, &err) != BERTH_OK) {
        if (err.code == BERTH_E_UNAUTH && err.http_status == 401)
            berth_error_prefix(&err, "the registry does not take this name and password");
        return remote_fail(c, &err);
    }
    rc = keep(c, &r, call);
    berth_call_free(call);
    return rc;
}

static int run_logout(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(remote_done) struct remote r = REMOTE_INIT;
    berth_error err = BERTH_ERROR_INIT;
    int rc = remote_open(c, argc, argv, &r);
    if (rc < 0)
        rc = need_file(c, &r);
    if (rc >= 0)
        return rc;
    if (berth_credentials_erase(r.connect.files[0], r.place, r.connect.credentials.helper_timeout_ms, &err) !=
        BERTH_OK)
        return remote_fail(c, &err);
    return cli_tell(c, &r.base, json_pack("{s:s}", "host", r.place), "logged out of %s\n", r.place);
}

const struct cli_command cmd_login = {
    .name = "login",
    .summary = "keep the password for a registry, when it is right",
    .operands = "HOST[/PATH]",
    .text =
        "Asks the registry at HOST whether it takes a user name and a password, and if so keeps them as "
        "`docker login` does: with the helper that the file of credentials names, else in that file, which "
        "only "
        "you can read. With a PATH they are for the repositories below it alone. A registry's identity token "
        "is kept in the place of the password. Asks for what the "
        "options do not give.",
    .fields = (const struct cli_field[]){{"host", "string", "the registry, and the path"},
                                         {"username", "string", "whom it takes us for"},
                                         {0}},
    .examples = (const struct cli_example[]){{"berth login registry.example", NULL},
                                             {"echo \"$PASSWORD\" | berth login registry.example "
                                              "--username alice --password-stdin",
                                              NULL},
                                             {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT | CLI_ASKS,
    .operand = CLI_OPERAND_PLACE,
    .run = run_login,
};

const struct cli_command cmd_logout = {
    .name = "logout",
    .summary = "forget the password for a registry",
    .operands = "HOST[/PATH]",
    .text =
        "Forgets what `berth login` or `docker login` kept for HOST, in the file of credentials and with the "
        "helper that it names.",
    .fields = (const struct cli_field[]){{"host", "string", "the registry, and the path"}, {0}},
    .examples = (const struct cli_example[]){{"berth logout registry.example", NULL}, {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT,
    .operand = CLI_OPERAND_PLACE,
    .run = run_logout,
};
