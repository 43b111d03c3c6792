/* cli/serve.c - `berth serve`. */
#include "cli/commands.h"
#include "daemon/serve.h"

static int run(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(cli_base_done) struct cli_base b = {0};
    const struct cli_settings *s = &b.settings;
    int rc = cli_read(c, argc, argv, &b);
    if (rc >= 0)
        return rc;
    struct config *config = NULL;
    berth_error err = BERTH_ERROR_INIT;
    if (config_load(s->path, s->flags, s->n_flags, &config, &err) != BERTH_OK) {
        cli_fail(c->name, &err);
        return EXIT_CONFIG;
    }
    int r = daemon_serve(config, s->path, s->flags, s->n_flags, &err);
    return r == BERTH_OK ? EXIT_OK : cli_fail(c->name, &err);
}

const struct cli_command cmd_serve = {
    .name = "serve",
    .summary = "run a registry",
    .operands = "",
    .text =
        "Runs a registry. Without options: on localhost:5000, in ./data, open to whoever reaches it. Port 0 "
        "takes a free one and prints it. SIGTERM stops, SIGHUP reloads settings and certificates.\n\n"
        "Every setting has a flag; lists take a flag per entry. `berth config document` explains them all.",
    .options =
        (const struct cli_option[]){
            {.name = "listen",
             .kind = CLI_SETTING,
             .value = "ADDR",
             .help = "host:port, :port, [v6]:port, unix:/path; may be repeated (localhost:5000)"},
            {.name = "tls-certificate",
             .kind = CLI_SETTING,
             .value = "FILE",
             .help = "PEM, with --tls-key FILE: HTTPS on the listeners given by flags"},
            {.name = "tls-key", .kind = CLI_SETTING, .value = "FILE", .help = "PEM, of that certificate"},
            {.name = "read-only", .kind = CLI_SETTING, .help = "pull works, push and delete do not"},
            {.name = "store", .kind = CLI_SETTING, .value = "memory", .help = "keeps nothing: for tests"},
            {0}},
    .examples =
        (const struct cli_example[]){
            {"berth serve", NULL},
            {"berth serve --data /var/lib/berth --listen :443 --tls-certificate c.pem --tls-key k.pem", NULL},
            {0}},
    .takes = CLI_SETTINGS | CLI_EVERY_SETTING,
    .run = run,
};
