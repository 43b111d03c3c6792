/* cli/ping.c - `berth ping HOST`: is there a registry that lets us in? */
#include <jansson.h>
#include <stdio.h>

#include "cli/remote.h"

static const struct remote_command ping = {
    .name = "ping",
    .operand = REMOTE_HOST,
    .help = "usage: berth ping HOST [OPTION...]\n\n"
            "Asks the registry at HOST whether it is one, and whether it lets us in.\n\n" REMOTE_OPTIONS
            "\nexamples:\n  berth ping localhost:5000\n"
            "  echo \"$PASSWORD\" | berth ping registry.example --username alice --password-stdin\n",
};

int cmd_ping(int argc, char **argv)
{
    CLEANUP(remote_done) struct remote r = {0};
    berth_error err = BERTH_ERROR_INIT;
    int rc = remote_open(&ping, argc, argv, &r);
    if (rc >= 0)
        return rc;
    if (berth_ping(r.client, &err) != BERTH_OK)
        return remote_fail(ping.name, &err);
    if (r.json) {
        json_t *j = json_pack("{s:s}", "host", r.host);
        json_dumpf(j, stdout, JSON_INDENT(2));
        json_decref(j);
        printf("\n");
    } else {
        printf("the registry at %s answers\n", r.host);
    }
    return remote_printed(ping.name);
}
