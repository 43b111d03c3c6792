/* tests/unit/client/progress.c */
#include "fixture.h"

struct seen {
    unsigned steps[BERTH_STEP_RECEIVES + 1];
    berth_step last;
    uint64_t done, total;
    unsigned tries;
};

static void watch(void *arg, const berth_call *call, const berth_progress *p)
{
    struct seen *s = arg;
    CHECK(call && p->done >= s->done && p->tries >= s->tries);
    s->steps[p->step]++;
    s->last = p->step;
    s->done = p->done;
    s->total = p->total;
    s->tries = p->tries;
}

static int nowhere(void *arg, const void *p, size_t n)
{
    (void)arg, (void)p, (void)n;
    return 0;
}

static void test_client_progress__tells_steps_and_bytes(void **state)
{
    (void)state;
    struct script s = {.answers = {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
                                   "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"},
                       .retries = true};
    struct seen seen = {0};
    script_begin(&s, NULL);
    berth_call *call = NULL;
    CHECK_OK(berth_blob_get_start(s.client, "a",
                                  "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                                  nowhere, NULL, &call, &test_err));
    berth_call_on_progress(call, watch, &seen);
    CHECK_OK(berth_call_wait(call, &test_err));
    CHECK(seen.steps[BERTH_STEP_WAITS] == 1 && seen.steps[BERTH_STEP_CONNECTS] == 2 &&
          seen.steps[BERTH_STEP_ANSWER] == 2 && seen.steps[BERTH_STEP_RECEIVES] >= 4);
    CHECK(seen.last == BERTH_STEP_RECEIVES && seen.done == 3 && seen.total == 3 && seen.tries == 1);
    berth_call_free(call);
    script_end(&s);
}

RUN_TESTS(TEST(test_client_progress__tells_steps_and_bytes))
