/* examples/embedded.c - a registry inside a program: prints where it listens, serves until a line comes in.
 *
 *   cc embedded.c $(pkg-config --cflags --libs berth-server) */
#include <berth/server.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    berth_server_options options = BERTH_SERVER_OPTIONS_INIT;
    berth_server *server;
    berth_error err;
    if (argc > 1)
        options.data = argv[1]; /* else in memory */
    if (berth_server_start(&options, &server, &err) != BERTH_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    printf("%s\n", berth_server_url(server));
    fflush(stdout);
    getchar();
    berth_server_stop(server);
    return 0;
}
