/* examples/loop_uv.c - the same in libuv's loop, beside a timer that stands for the rest of a program.
 *
 *   cc loop_uv.c $(pkg-config --cflags --libs berth libuv) -o loop_uv
 *   ./loop_uv localhost:5000 team/app v1 */
#include <berth/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#define CALLS 1000

static uv_poll_t watcher;
static uv_timer_t timer;
static int running, good, ticks;

static void on_ready(uv_poll_t *handle, int status, int events)
{
    (void)status, (void)events;
    berth_client_process(handle->data);
}

static void on_tick(uv_timer_t *handle)
{
    (void)handle;
    ticks++;
}

static void on_done(berth_call *call, void *arg)
{
    berth_error err;
    (void)arg;
    if (berth_call_result(call, &err) == BERTH_OK)
        good++;
    else
        fprintf(stderr, "%s\n", err.message);
    berth_call_free(call);
    if (--running)
        return;
    uv_close((uv_handle_t *)&watcher, NULL); /* nothing is left to wait for: uv_run() returns */
    uv_close((uv_handle_t *)&timer, NULL);
}

int main(int argc, char **argv)
{
    berth_client *registry;
    berth_error err;
    if (argc != 4 || berth_client_new(argv[1], NULL, &registry, &err) != BERTH_OK) {
        fprintf(stderr, "%s\n", argc == 4 ? err.message : "usage: loop_uv HOST REPOSITORY REFERENCE");
        return 1;
    }
    uv_loop_t *loop = uv_default_loop();
    uv_poll_init(loop, &watcher, berth_client_fd(registry));
    watcher.data = registry;
    uv_poll_start(&watcher, UV_READABLE, on_ready);
    uv_timer_init(loop, &timer);
    uv_timer_start(&timer, on_tick, 1, 1);
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
    uv_run(loop, UV_RUN_DEFAULT);
    printf("%d of %d calls have ended well, the loop has ticked %s\n", good, CALLS,
           ticks ? "meanwhile" : "never");
    berth_client_free(registry);
    uv_loop_close(loop);
    return good == CALLS ? 0 : 1;
}
