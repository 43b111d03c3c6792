/* client/sharing.c - one request for a token for all calls that want the same one: the first asks, the others
 * wait for what becomes of it, without a place. The token is then in the session, where each of them finds
 * it.
 *
 * Tries that fail are repeated by the one who asks, on behalf of all; its last failure is everybody's. When
 * it ends for a reason of its own (cancelled, out of time), the next one asks. */
#include "client/internal.h"

#include "util/clock.h"

static bool same(const berth_buf *a, const berth_buf *b)
{
    return str_eq(berth_buf_str(a), berth_buf_str(b));
}

/* The same secrets, the same rights, and the same to be done where there is no token. */
static bool wants_the_same(const berth_call *a, const berth_call *b)
{
    return !a->offline && !b->offline && a->basic_offered == b->basic_offered &&
           same(&a->token.url, &b->token.url) && same(&a->token.authorization, &b->token.authorization) &&
           same(&a->token.form, &b->token.form);
}

static void append(berth_call **last, berth_call **first, berth_call *call)
{
    call->sharing.prev = *last;
    call->sharing.next = NULL;
    *(*last ? &(*last)->sharing.next : first) = call;
    *last = call;
}

static void take_out(berth_call **last, berth_call **first, berth_call *call)
{
    struct sharing *s = &call->sharing;
    *(s->prev ? &s->prev->sharing.next : first) = s->next;
    *(s->next ? &s->next->sharing.prev : last) = s->prev;
    s->next = s->prev = NULL;
}

bool sharing_join(berth_call *call)
{
    berth_client *c = call->client;
    berth_call *asks = c->first_asking;
    if (call->sharing.asks)
        return false; /* once more */
    while (asks && !wants_the_same(asks, call))
        asks = asks->sharing.next;
    if (!asks) {
        call->sharing.asks = true;
        append(&c->last_asking, &c->first_asking, call);
        return false;
    }
    call->sharing.of = asks;
    append(&asks->sharing.last, &asks->sharing.first, call);
    limits_leave(&c->limits, &call->ticket, OUTCOME_OTHER);
    call->state = CALL_SHARING;
    progress_tell(call, BERTH_STEP_WAITS);
    return true;
}

void sharing_leave(berth_call *call)
{
    berth_call *of = call->sharing.of;
    if (of)
        take_out(&of->sharing.last, &of->sharing.first, call);
    call->sharing.of = NULL;
}

static void stop_asking(berth_call *call)
{
    if (call->sharing.asks)
        take_out(&call->client->last_asking, &call->client->first_asking, call);
    call->sharing.asks = false;
}

void sharing_end(berth_call *call)
{
    stop_asking(call);
    for (berth_call *other; (other = call->sharing.first);) {
        sharing_leave(other);
        other->basic_only = call->basic_only;
        other->state = CALL_WAITING;
        limits_sleep(&call->client->limits, &other->ticket, clock_mono_ms());
    }
}

static void fail_alike(berth_call *call, const berth_call *failed)
{
    const char *why = failed->err.message;
    size_t n = strlen(failed->subject);
    if (strncmp(why, failed->subject, n) == 0 && strncmp(why + n, ": ", 2) == 0)
        why += n + 2;
    call_fail(call, failed->err.code, "%s", why);
    call->err.http_status = failed->err.http_status;
    memcpy(call->err.oci_code, failed->err.oci_code, sizeof(call->err.oci_code));
}

void sharing_fail(berth_call *call)
{
    stop_asking(call);
    for (berth_call *other; (other = call->sharing.first);) {
        sharing_leave(other);
        fail_alike(other, call);
        call_finish(other);
    }
}
