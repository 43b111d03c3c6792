/* cli/login.c - `berth login HOST` and `berth logout HOST`: keep credentials as docker does, and forget them.
 */
#include <stdio.h>

#include "berth/credentials.h"
#include "cli/remote.h"

#define HELPER_MS 60000

static const struct remote_command login = {
    .name = "login",
    .operand = REMOTE_HOST,
    .asks = true,
    .help = "usage: berth login HOST [OPTION...]\n\n"
            "Asks the registry at HOST whether it takes a user name and a password, and if so keeps them as\n"
            "`docker login` does: with the helper that Docker's config.json names, else in that file, which\n"
            "only you can read. Asks for what the options do not give.\n\n" REMOTE_OPTIONS
            "\nexamples:\n  berth login registry.example\n"
            "  echo \"$PASSWORD\" | berth login registry.example --username alice --password-stdin\n",
};

static const struct remote_command logout = {
    .name = "logout",
    .operand = REMOTE_HOST,
    .help = "usage: berth logout HOST [OPTION...]\n\n"
            "Forgets the user name and the password for HOST: those in Docker's config.json, and those that\n"
            "the helper keeps which it names.\n\n" REMOTE_OPTIONS
            "\nexamples:\n  berth logout registry.example\n",
};

static int need_file(const struct remote *r, const char *command)
{
    return r->auth_file ? -1
                        : cli_usage(command, "neither --auth-file, DOCKER_CONFIG nor HOME says where to");
}

int cmd_login(int argc, char **argv)
{
    CLEANUP(remote_done) struct remote r = {0};
    berth_error err = BERTH_ERROR_INIT;
    int rc = remote_open(&login, argc, argv, &r);
    if (rc < 0)
        rc = need_file(&r, login.name);
    if (rc >= 0)
        return rc;
    berth_credential c = BERTH_CREDENTIAL_INIT;
    c.username = r.username;
    c.password = r.password;
    if (berth_ping(r.client, &err) != BERTH_OK ||
        berth_credentials_store(r.auth_file, r.host, &c, HELPER_MS, &err) != BERTH_OK)
        return remote_fail(login.name, &err);
    printf("logged in to %s as %s\n", r.host, r.username);
    return remote_printed(login.name);
}

int cmd_logout(int argc, char **argv)
{
    CLEANUP(remote_done) struct remote r = {0};
    berth_error err = BERTH_ERROR_INIT;
    int rc = remote_open(&logout, argc, argv, &r);
    if (rc < 0)
        rc = need_file(&r, logout.name);
    if (rc >= 0)
        return rc;
    if (berth_credentials_erase(r.auth_file, r.host, HELPER_MS, &err) != BERTH_OK)
        return remote_fail(logout.name, &err);
    printf("logged out of %s\n", r.host);
    return remote_printed(logout.name);
}
