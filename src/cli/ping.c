/* cli/ping.c - `berth ping HOST`: is there a registry that lets us in? */
#include "cli/commands.h"
#include "cli/remote.h"

static int run(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(remote_done) struct remote r = REMOTE_INIT;
    berth_error err = BERTH_ERROR_INIT;
    int rc = remote_open(c, argc, argv, &r);
    if (rc >= 0)
        return rc;
    if (berth_ping(r.client, &err) != BERTH_OK)
        return remote_fail(c, &err);
    return cli_tell(c, &r.base, json_pack("{s:s}", "host", r.host), "the registry at %s answers\n", r.host);
}

const struct cli_command cmd_ping = {
    .name = "ping",
    .summary = "ask whether a registry is there and lets us in",
    .operands = "HOST",
    .text = "Asks the registry at HOST whether it is one, and whether it lets us in.",
    .fields = (const struct cli_field[]){{"host", "string", "the registry that answered"}, {0}},
    .examples = (const struct cli_example[]){{"berth ping localhost:5000", NULL},
                                             {"echo \"$PASSWORD\" | berth ping registry.example "
                                              "--username alice --password-stdin",
                                              NULL},
                                             {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT,
    .operand = CLI_OPERAND_HOST,
    .run = run,
};
