/* cli/serve.c - `berth serve`. */
#include <stdio.h>

#include "cli/cli.h"
#include "daemon/serve.h"

static int help(void)
{
    CLEANUP(berth_buf_done) berth_buf flags = BERTH_BUF_INIT(1 * MIB);
    config_document_flags(&flags);
    printf(
        "usage: berth serve [--data DIR] [--listen ADDR:PORT] [--config FILE] [SETTING...]\n\n"
        "Runs a registry. Without options: on localhost:5000, in ./data, open to whoever reaches it.\n"
        "Port 0 takes a free one and prints it. SIGTERM stops, SIGHUP reloads settings and certificates.\n\n"
        "  --config FILE            YAML; see `berth config document` (also BERTH_CONFIG)\n"
        "  --data DIR               folder of metadata and content\n"
        "  --listen ADDR            host:port, :port, [v6]:port, unix:/path; may be repeated\n"
        "  --tls-certificate FILE   PEM, with --tls-key FILE: HTTPS on the listeners given by flags\n"
        "  --read-only              pull works, push and delete do not\n"
        "  --store memory           keeps nothing: for tests\n\n"
        "every setting has a flag; lists take a flag per entry:\n" STR_FMT "\n"
        "examples:\n"
        "  berth serve\n"
        "  berth serve --data /var/lib/berth --listen :443 --tls-certificate c.pem --tls-key k.pem\n",
        STR_ARG(berth_buf_str(&flags)));
    return EXIT_OK;
}

int cmd_serve(int argc, char **argv)
{
    CLEANUP(cli_settings_done) struct cli_settings s = {.path = getenv("BERTH_CONFIG")};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return help();
        int took = cli_take_setting(&s, "serve", argc, argv, &i);
        if (took < 0)
            return EXIT_USAGE;
        if (took == 0)
            return cli_usage("serve", "'%s' is not an option", argv[i]);
    }
    struct config *c = NULL;
    berth_error err = BERTH_ERROR_INIT;
    if (config_load(s.path, s.flags, s.n_flags, &c, &err) != BERTH_OK) {
        cli_fail("serve", &err);
        return EXIT_CONFIG;
    }
    return daemon_serve(c, s.path, s.flags, s.n_flags, &err) == BERTH_OK ? EXIT_OK : cli_fail("serve", &err);
}
