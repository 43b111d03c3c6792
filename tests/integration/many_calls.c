/* tests/integration/many_calls.c - HEADs of one manifest, or of one in each of two repositories ("a,b"), all
 * at once: in a loop of one thread, or by as many threads that wait. With "cancel" the loop frees each tenth
 * call, one a round. */
#include <berth/client.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static berth_client *registry;
static const char *repositories[2], *reference;
static int running, good;

static void on_done(berth_call *call, void *arg)
{
    berth_error err;
    (void)arg;
    running--;
    if (berth_call_result(call, &err) == BERTH_OK)
        good++;
    else
        fprintf(stderr, "%d %s\n", err.http_status, err.message);
    berth_call_free(call);
}

static int loop(int calls, int cancels)
{
    berth_error err;
    berth_call **all = calloc((size_t)calls, sizeof(*all));
    for (int i = 0; i < calls; i++) {
        if (berth_manifest_head_start(registry, repositories[i % 2], reference, BERTH_ACCEPT_ANY, &all[i],
                                      &err) != BERTH_OK)
            return 1;
        if (!cancels || i % 10)
            berth_call_on_done(all[i], on_done, NULL);
        running += !cancels || i % 10;
    }
    struct pollfd p = {.fd = berth_client_fd(registry), .events = POLLIN};
    for (int round = 0; running; round++) {
        poll(&p, 1, -1);
        berth_client_process(registry);
        if (cancels && round < calls / 10)
            berth_call_free(all[round * 10]); /* at whatever it is by now */
        if (cancels && round < calls / 10)
            all[round * 10] = NULL;
    }
    for (int i = 0; cancels && i < calls; i += 10)
        berth_call_free(all[i]);
    free(all);
    return 0;
}

static void *wait_for_one(void *arg)
{
    berth_error err;
    berth_call *call = NULL;
    int r = berth_manifest_head(registry, repositories[0], reference, BERTH_ACCEPT_ANY, &call, &err);
    if (r != BERTH_OK)
        fprintf(stderr, "%d %s\n", err.http_status, err.message);
    berth_call_free(call);
    return r == BERTH_OK ? arg : NULL;
}

static int threads(int calls)
{
    pthread_t *all = calloc((size_t)calls, sizeof(*all));
    for (int i = 0; i < calls; i++)
        if (pthread_create(&all[i], NULL, wait_for_one, &good) != 0)
            return 1;
    for (int i = 0; i < calls; i++) {
        void *ended;
        pthread_join(all[i], &ended);
        good += ended != NULL;
    }
    free(all);
    return 0;
}

int main(int argc, char **argv)
{
    berth_error err;
    berth_client_options options = BERTH_CLIENT_OPTIONS_INIT;
    if (argc < 6)
        return 2;
    options.reads_at_once = 0;
    options.username = argc > 7 ? argv[6] : NULL;
    options.password = argc > 7 ? argv[7] : NULL;
    char *comma = strchr(argv[2], ',');
    repositories[0] = argv[2];
    repositories[1] = comma ? comma + 1 : argv[2];
    if (comma)
        *comma = '\0';
    reference = argv[3];
    if (berth_client_new(argv[1], &options, &registry, &err) != BERTH_OK)
        return 2;
    int calls = (int)strtol(argv[5], NULL, 10);
    int failed =
        strcmp(argv[4], "threads") == 0 ? threads(calls) : loop(calls, strcmp(argv[4], "cancel") == 0);
    printf("%d\n", good);
    berth_client_free(registry);
    return failed;
}
