/* examples/loop_poll.c - a thousand calls at once on one thread, in a loop of one's own around poll().
 *
 *   cc loop_poll.c $(pkg-config --cflags --libs berth) -o loop_poll
 *   ./loop_poll localhost:5000 team/app v1 */
#include <berth/client.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define CALLS 1000

static int running, good;

static void on_done(berth_call *call, void *arg)
{
    berth_error err;
    (void)arg;
    if (berth_call_result(call, &err) == BERTH_OK)
        good++;
    else
        fprintf(stderr, "%s\n", err.message);
    berth_call_free(call); /* a callback may */
    running--;
}

int main(int argc, char **argv)
{
    berth_client *registry;
    berth_error err;
    if (argc != 4 || berth_client_new(argv[1], NULL, &registry, &err) != BERTH_OK) {
        fprintf(stderr, "%s\n", argc == 4 ? err.message : "usage: loop_poll HOST REPOSITORY REFERENCE");
        return 1;
    }
    for (int i = 0; i < CALLS; i++) {
        berth_call *call;
        if (berth_manifest_head_start(registry, argv[2], argv[3], BERTH_ACCEPT_ANY, &call, &err) !=
            BERTH_OK) {
            fprintf(stderr, "%s\n", err.message);
            return 1;
        }
        running++;
        berth_call_on_done(call, on_done, NULL);
    }
    printf("%d calls are under way\n", running);
    struct pollfd fds[] = {{.fd = berth_client_fd(registry), .events = POLLIN}}; /* and yours beside it */
    while (running) {
        poll(fds, 1, -1);
        if (fds[0].revents)
            berth_client_process(registry);
    }
    printf("%d of them have ended well\n", good);
    berth_client_free(registry);
    return good == CALLS ? 0 : 1;
}
