/* client/notices.c - what a registry says beside its answers: warnings, handed on once each, and how much it
 * still allows. */
#include "client/internal.h"

#include "http/throttle.h"
#include "http/warning.h"
#include "util/clock.h"

#define TEXT_MAX (4 * KIB)

static bool is_new(struct notices *n, berth_str text)
{
    uint64_t key;
    unsigned char digest[HASH_MAX_SIZE];
    berth_hash hash;
    hash_init(&hash, HASH_SHA256);
    hash_update(&hash, text.p, text.n);
    hash_final(&hash, digest);
    memcpy(&key, digest, sizeof(key));
    key |= 1;
    for (size_t i = 0; i < NOTICES_MAX; i++)
        if (n->seen[i] == key)
            return false;
    n->seen[n->n++ % NOTICES_MAX] = key;
    return true;
}

/* Too little is left: all calls wait for more of it. */
static void keep_reserve(const berth_call *call, bool told, int64_t reset_ms)
{
    berth_client *c = call->client;
    int64_t wait_ms = told ? MIN(reset_ms, (int64_t)c->rate_wait_ms) : c->rate_wait_ms;
    if (call->rate.remaining >= c->rate_reserve)
        return;
    limits_pause(&c->limits, clock_mono_ms() + wait_ms);
    limits_narrow(&c->limits);
}

static void take_rate(berth_call *call)
{
    berth_str limit = exchange_field(&call->x, STR("RateLimit-Limit"), 0);
    berth_str remaining = exchange_field(&call->x, STR("RateLimit-Remaining"), 0);
    berth_str reset = exchange_field(&call->x, STR("RateLimit-Reset"), 0);
    berth_rate rate = {0};
    uint64_t window;
    int64_t reset_ms = 0;
    call->has_rate = limit.p && remaining.p && http_rate_parse(limit, &rate.limit, &rate.window_s) &&
                     http_rate_parse(remaining, &rate.remaining, &window);
    if (!call->has_rate)
        return;
    bool told = reset.p && http_rate_reset_parse(reset, clock_wall_ms(), &reset_ms);
    rate.reset_s = ((uint64_t)reset_ms + 999) / 1000;
    call->rate = rate;
    keep_reserve(call, told, reset_ms);
}

bool notices_take(berth_call *call)
{
    struct notices *n = &call->client->notices;
    CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(TEXT_MAX);
    berth_str field;
    take_rate(call);
    for (size_t i = 0; n->fn && (field = exchange_field(&call->x, STR("Warning"), i)).p; i++) {
        berth_buf_reset(&text);
        if (!http_warning_parse(field, &text) || !is_new(n, berth_buf_str(&text)))
            continue;
        const char *words = berth_buf_cstr(&text);
        if (!words)
            return false;
        n->fn(n->arg, words);
    }
    return true;
}
