/* client/call_events.c - what the transport tells of a call's exchange: the header and the body of an answer,
 * and when it wants more of what is sent. */
#include "client/call_private.h"

static int on_head(struct exchange *x)
{
    berth_call *call = CONTAINER_OF(x, berth_call, x);
    if (atomic_load(&call->cancelled))
        return call_fail(call, BERTH_E_CANCELLED, "cancelled");
    bool registrys = !call->foreign && call->state == CALL_ASKING;
    call->client->answered |= registrys;
    if (registrys && !notices_take(call))
        return call_fail(call, BERTH_E_NOMEM, "out of memory");
    return call->state == CALL_ASKING && call_is_ok(call) && call->step->head ? call->step->head(call)
                                                                              : BERTH_OK;
}

static int on_body(struct exchange *x, const void *p, size_t n)
{
    berth_call *call = CONTAINER_OF(x, berth_call, x);
    if (atomic_load(&call->cancelled))
        return call_fail(call, BERTH_E_CANCELLED, "cancelled");
    bool content = call->state == CALL_ASKING && call_is_ok(call);
    if (content && call->step->piece)
        return call->step->piece(call, p, n);
    if (!content && call->state == CALL_ASKING && !call->step->any_answer &&
        call->body.n + n > CALL_ERROR_MAX)
        return call_fail(call, BERTH_E_TOO_BIG, "%s answered %d, and at too great a length",
                         call_who_answers(call), x->status);
    berth_buf_add(&call->body, p, n);
    if (berth_buf_exceeded(&call->body))
        return call_fail(call, BERTH_E_TOO_BIG, "the answer is too large");
    return berth_buf_failed(&call->body) ? call_fail(call, BERTH_E_NOMEM, "out of memory") : BERTH_OK;
}

static int on_send(struct exchange *x, void *p, size_t n, size_t *ret_n)
{
    berth_call *call = CONTAINER_OF(x, berth_call, x);
    struct payload *pay = &call->payload;
    berth_error err = BERTH_ERROR_INIT;
    if (atomic_load(&call->cancelled))
        return call_fail(call, BERTH_E_CANCELLED, "cancelled");
    if (pay->length >= 0)
        n = (size_t)MIN((uint64_t)n, (uint64_t)pay->length - pay->sent);
    int r = n ? source_read(pay->source, p, n, ret_n, &err) : BERTH_OK;
    if (r == BERTH_PAUSE)
        return BERTH_PAUSE;
    if (r != BERTH_OK)
        return call_fail_with(call, &err);
    pay->sent += *ret_n;
    return BERTH_OK;
}

static bool on_rewind(struct exchange *x)
{
    struct payload *p = &CONTAINER_OF(x, berth_call, x)->payload;
    if (!source_seek(p->source, p->offset))
        return false;
    p->sent = 0;
    return true;
}

static void on_passed(struct exchange *x, size_t n)
{
    struct payload *p = &CONTAINER_OF(x, berth_call, x)->payload;
    p->sent += n;
    p->source->at += n;
}

static void on_moved(struct exchange *x)
{
    static const berth_step steps[] = {[EXCHANGE_CONNECTS] = BERTH_STEP_CONNECTS,
                                       [EXCHANGE_SENDS] = BERTH_STEP_SENDS,
                                       [EXCHANGE_WAITS] = BERTH_STEP_ANSWER,
                                       [EXCHANGE_RECEIVES] = BERTH_STEP_RECEIVES};
    berth_call *call = CONTAINER_OF(x, berth_call, x);
    if (call->state == CALL_ASKING && call->payload.present)
        call->progress.sending = x->streams && x->body_length < 0 ? call->payload.sent : x->sent;
    progress_tell(call, steps[x->step]);
}

const struct exchange_events call_events = {.head = on_head,
                                            .body = on_body,
                                            .send = on_send,
                                            .rewind = on_rewind,
                                            .passed = on_passed,
                                            .end = call_on_end,
                                            .moved = on_moved};
