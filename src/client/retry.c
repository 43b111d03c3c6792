/* client/retry.c - after a failure that may pass: whether and when a call asks again, and what its answer
 * means for all the others of this host. */
#include "client/internal.h"

#include <stdio.h>

#include "http/throttle.h"
#include "util/clock.h"
#include "util/io.h"

uint32_t retry_wait_ms(const struct retry_policy *p, unsigned tries, uint32_t random)
{
    uint64_t wait = p->first_wait_ms;
    for (unsigned i = 1; i < tries && wait < p->longest_wait_ms; i++)
        wait *= 2;
    wait = MIN(wait, p->longest_wait_ms);
    return (uint32_t)(wait / 2 + (wait - wait / 2) * random / UINT32_MAX);
}

static bool status_may_pass(int status)
{
    static const int passing[] = {408, 429, 500, 502, 503, 504};
    for (size_t i = 0; i < COUNT(passing); i++)
        if (status == passing[i])
            return true;
    return false;
}

static bool may_pass(const berth_call *call)
{
    switch (call->x.failure) {
    case FAILURE_BROKEN:
        return call->code == BERTH_E_NETWORK; /* and not a callback's wish */
    case FAILURE_UNREACHED:
        return call->client->answered;
    case FAILURE_NONE:
        return call->err.http_status && status_may_pass(call->x.status);
    case FAILURE_LASTING:
        break;
    }
    return false;
}

bool retry_is_worth(const berth_call *call)
{
    return !call->alone && status_may_pass(call->x.status) && call->tries < call->client->retry.retries;
}

/* --- places --- */

bool retry_enter(berth_call *call)
{
    struct limits *l = &call->client->limits;
    const char *method = call->step->method;
    bool reads = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    if (call->ticket.place != PLACE_INSIDE)
        call->ticket.lane = reads ? LANE_READ : LANE_WRITE;
    return limits_enter(l, &call->ticket, clock_mono_ms());
}

/* --- what an answer means for the host --- */

static bool is_the_registrys(const berth_call *call)
{
    http_uri u;
    return call->state == CALL_TOKEN ? call->x.url && http_uri_parse(str_from(call->x.url), &u) &&
                                           http_uri_same_origin(&u, &call->client->origin)
                                     : !call->foreign;
}

static bool asks_to_wait(const berth_call *call, int64_t *ret_ms)
{
    berth_str field = exchange_field(&call->x, STR("Retry-After"), 0);
    return status_may_pass(call->x.status) && call->x.header_complete && field.p &&
           http_retry_after_parse(field, clock_wall_ms(), ret_ms);
}

static enum limits_outcome outcome_of(const berth_call *call)
{
    int status = call->x.status;
    if (call->x.failure != FAILURE_NONE || !is_the_registrys(call))
        return OUTCOME_OTHER;
    return status == 429                   ? OUTCOME_THROTTLED
           : status >= 200 && status < 500 ? OUTCOME_SUCCESS
                                           : OUTCOME_OTHER;
}

void retry_leave(berth_call *call)
{
    if (call->ticket.place != PLACE_NONE)
        limits_leave(&call->client->limits, &call->ticket,
                     call->ticket.place == PLACE_INSIDE ? outcome_of(call) : OUTCOME_OTHER);
}

/* --- another try --- */

#define FURTHER (64 * KIB) /* who got so far since the last failure begins to count anew */

static bool is_further(const berth_call *call)
{
    return call->progress.done >= call->broke_at + FURTHER;
}

void retry_step(berth_call *call, const struct step *next)
{
    berth_buf_reset(&call->first_url);
    call->recovers &= !is_further(call);
    if (!call->recovers)
        call->tries = 0;
    call->step = next;
}

static void forget_redirects(berth_call *call)
{
    http_uri u;
    if (call->first_url.n) {
        berth_buf was = call->url;
        call->url = call->first_url;
        call->first_url = was;
        berth_buf_reset(&call->first_url);
        call->foreign =
            http_uri_parse(berth_buf_str(&call->url), &u) && !http_uri_same_origin(&u, &call->client->origin);
    }
    call->redirects = call->challenges = 0;
}

/* What is sent after the wait; a negative code: nothing can be. */
static int choose_next(berth_call *call, bool *ret_broken)
{
    const struct step *step = call->step, *next = NULL;
    const struct source *source = call->payload.source;
    if (call->state == CALL_TOKEN) /* the request itself was not sent, or refused */
        return BERTH_OK;
    if (step->broken) {
        *ret_broken = call->may_retry = true;
        int r = step->broken(call, &next);
        call->may_retry = false;
        if (r != BERTH_OK)
            return r;
        call->recovers |= next && next != step;
        call->step = next ? next : step;
        return BERTH_OK;
    }
    bool again = !step->piece && strcmp(step->method, "PATCH") != 0 && (!source || source->rewindable);
    return again ? BERTH_OK : BERTH_E_NETWORK;
}

static bool wants_another(berth_call *call, uint32_t wait_ms)
{
    const struct retry_policy *p = &call->client->retry;
    berth_retry_fn fn = call->retry ? call->retry : p->fn;
    berth_error why = call->err;
    const berth_retry retry = {.tries = call->tries, .wait_ms = wait_ms, .why = &why};
    return !fn || fn(call->retry ? call->retry_arg : p->arg, call, &retry) == 0;
}

static void say_how_long(berth_call *call, int64_t asked_ms)
{
    berth_error was = call->err;
    call_fail(call, BERTH_E_BUSY, "it asks to come again in %lld seconds, which is longer than is waited for",
              (long long)asked_ms / 1000);
    call->err.http_status = was.http_status;
    memcpy(call->err.oci_code, was.oci_code, sizeof(was.oci_code));
}

static void say_how_often(berth_call *call)
{
    char *m = call->err.message;
    size_t n = strlen(m);
    snprintf(m + n, sizeof(call->err.message) - n, " (tried %u times)", call->tries);
}

bool retry_call(berth_call *call, bool *ret_broken)
{
    berth_client *c = call->client;
    uint32_t random;
    int64_t asked_ms = 0, now_ms = clock_mono_ms();
    if (call->alone || atomic_load(&call->cancelled) || !may_pass(call))
        return false;
    if (is_further(call))
        call->tries = 0;
    call->broke_at = MAX(call->broke_at, call->progress.done);
    call->tries++;
    io_random(&random, sizeof(random));
    int64_t wait_ms = retry_wait_ms(&c->retry, call->tries, random);
    bool told = asks_to_wait(call, &asked_ms), too_long = asked_ms > c->retry.longest_wait_ms;
    /* All who wait for the same moment shall not come at once: a little later each. */
    if (told)
        wait_ms =
            MAX(wait_ms, asked_ms + (int64_t)((uint64_t)c->retry.first_wait_ms / 4 * random / UINT32_MAX));
    if (!too_long && is_the_registrys(call) && (call->x.status == 429 || (call->x.status == 503 && told)))
        limits_pause(&c->limits, now_ms + wait_ms);
    if (call->tries > c->retry.retries || too_long) {
        if (too_long)
            say_how_long(call, asked_ms);
        else if (call->tries > 1)
            say_how_often(call);
        return false;
    }
    if (!wants_another(call, (uint32_t)wait_ms))
        return false;
    retry_leave(call);
    forget_redirects(call);
    if (choose_next(call, ret_broken) != BERTH_OK)
        return false;
    call->code = BERTH_OK;
    call->err = (berth_error)BERTH_ERROR_INIT;
    call->state = CALL_WAITING;
    limits_sleep(&c->limits, &call->ticket, now_ms + wait_ms);
    progress_tell(call, BERTH_STEP_WAITS);
    return true;
}

void berth_call_on_retry(berth_call *call, berth_retry_fn fn, void *arg)
{
    call->retry = fn;
    call->retry_arg = arg;
}
