/* client/call.c - one operation as a state machine: send the request of its present step, answer a challenge
 * with a token or a password, follow redirects, let the step say what comes next; call_step() goes on
 * whenever an answer is complete.
 *
 * Authorization is made anew for each request, for the registry's own origin alone: after a redirect to
 * another there is none, whatever that one asks for. */
#include "client/call_private.h"
#include "util/clock.h"

#define REDIRECTS_MAX 10

/* --- asking --- */

static int take_refusal(berth_call *call, bool *ret_done);

/* Authorized, if @ready: off it goes. A step that makes no request is the last. */
static int proceed(berth_call *call, int r, bool ready, bool *ret_done)
{
    if (r != BERTH_OK || !ready)
        return r;
    if (call->unmet)
        return take_refusal(call, ret_done);
    if (call->step->method)
        return call_send(call);
    const struct step *next = NULL;
    *ret_done = true;
    return call->step->end(call, &next);
}

/* Has a place, and it is time. */
static int send_request(berth_call *call, bool *ret_done)
{
    bool ready = false;
    int r = call->step->method ? call_authorize(call, &ready) : call_look_up(call, &ready);
    return proceed(call, r, ready, ret_done);
}

/* Now, or when its turn has come. */
static int ask_registry(berth_call *call, bool *ret_done)
{
    if (call->pause_ms) {
        limits_sleep(&call->client->limits, &call->ticket, clock_mono_ms() + call->pause_ms);
        call->pause_ms = 0;
        call->state = CALL_WAITING;
        progress_tell(call, BERTH_STEP_WAITS);
        return BERTH_OK;
    }
    if (!call->step->method || call->foreign || retry_enter(call))
        return send_request(call, ret_done);
    call->state = CALL_WAITING;
    progress_tell(call, BERTH_STEP_WAITS);
    return BERTH_OK;
}

/* --- answers --- */

/* With its method and its body, but for 303: that would make a GET of what is no GET. */
static int follow_redirect(berth_call *call, bool *ret_done)
{
    const char *method = call->step->method;
    if (call->x.status == 303 && strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return call_fail(call, BERTH_E_INVALID, "%s redirects what is no GET with 303",
                         call_who_answers(call));
    if (++call->redirects > REDIRECTS_MAX)
        return call_fail(call, BERTH_E_INVALID, "it redirects more than %d times", REDIRECTS_MAX);
    if (!call->first_url.n)
        berth_buf_add_str(&call->first_url, berth_buf_str(&call->url));
    bool was_foreign = call->foreign;
    int r = call_follow(call, exchange_field(&call->x, STR("Location"), 0), "where it redirects to");
    call->foreign |= was_foreign;
    return r == BERTH_OK ? ask_registry(call, ret_done) : r;
}

static int go_on(berth_call *call, int r, const struct step *next, bool *ret_done)
{
    if (r == BERTH_OK && call->goes_on) {
        retry_leave(call);
        call->state = CALL_RESTING;
        *ret_done = false;
        return BERTH_OK;
    }
    *ret_done = !next;
    if (r != BERTH_OK || !next)
        return r;
    retry_leave(call);
    retry_step(call, next);
    call->redirects = call->challenges = 0;
    return ask_registry(call, ret_done);
}

/* The operation makes something of what has come, and says what is next. */
static int take(berth_call *call, int (*part)(berth_call *call, const struct step **ret_next), bool *ret_done)
{
    const struct step *next = NULL;
    int r = part(call, &next);
    return go_on(call, r, next, ret_done);
}

/* An answer that the step has to make something of, or nobody. */
static int take_refusal(berth_call *call, bool *ret_done)
{
    if (retry_is_worth(call))
        return call_fail_by_answer(call);
    if (call->step->any_answer)
        return take(call, call->step->end, ret_done);
    return call->step->refused ? take(call, call->step->refused, ret_done) : call_fail_by_answer(call);
}

static int answer_challenge(berth_call *call, bool *ret_done)
{
    bool refused = false;
    int r = call_challenged(call, &refused);
    if (r != BERTH_OK)
        return r;
    return refused ? take_refusal(call, ret_done) : ask_registry(call, ret_done);
}

bool call_is_ok(const berth_call *call)
{
    return call->x.status >= 200 && call->x.status < 300;
}

static int take_answer(berth_call *call, bool *ret_done)
{
    switch (call->x.status) {
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
        if (call->step->redirects && !call->step->redirects(call))
            break;
        return follow_redirect(call, ret_done);
    case 401:
        if (!call->foreign && !call->own_authorization)
            return answer_challenge(call, ret_done);
        break;
    default:
        break;
    }
    return call_is_ok(call) ? take(call, call->step->end, ret_done) : take_refusal(call, ret_done);
}

/* --- a rest between two requests --- */

void call_pause(berth_call *call, uint32_t ms)
{
    call->pause_ms = ms;
}

void call_rest(berth_call *call, int (*goes_on)(berth_call *call, const struct step **ret_next))
{
    call->goes_on = goes_on;
}

static int wake_up(berth_call *call, bool *ret_done)
{
    int (*goes_on)(berth_call *, const struct step **) = call->goes_on;
    call->goes_on = NULL;
    return take(call, goes_on, ret_done);
}

/* --- failures, and the end --- */

void call_finish(berth_call *call)
{
    if (call->op->ends)
        call->op->ends(call);
    sharing_leave(call);
    if (call->code == BERTH_OK || atomic_load(&call->cancelled))
        sharing_end(call);
    else
        sharing_fail(call);
    retry_leave(call);
    call->state = CALL_DONE;
    client_settle(call);
}

/* The answer didn't come, or not whole, and there is no other try; or it is one that may do after all. */
static int take_break(berth_call *call, bool *ret_done)
{
    const struct step *next = NULL;
    bool whole = call->state == CALL_ASKING && call->x.failure == FAILURE_NONE && call->err.http_status;
    if (whole && call->step->any_answer && !atomic_load(&call->cancelled)) {
        call->code = BERTH_OK;
        return take(call, call->step->end, ret_done);
    }
    bool broke = call->state == CALL_ASKING && call->x.failure != FAILURE_NONE;
    if (!broke || !call->step->broken || atomic_load(&call->cancelled))
        return call->code;
    int r = call->step->broken(call, &next);
    if (r == BERTH_OK)
        call->code = BERTH_OK;
    return go_on(call, r, next, ret_done);
}

/* It failed: for good, or it tries again later. */
static void finish_or_retry(berth_call *call)
{
    bool done = false, broken = false;
    if (retry_call(call, &broken))
        return;
    if (broken || take_break(call, &done) != BERTH_OK || done)
        call_finish(call);
}

void call_cancel(berth_call *call, int code, const char *why)
{
    transport_cancel(call->client->transport, &call->x);
    lookup_done(&call->lookup);
    sharing_end(call);
    call_fail(call, code, "%s", why);
    call_finish(call);
}

/* --- the states --- */

void call_step(berth_call *call)
{
    bool done = false, ready = false;
    int r = BERTH_OK;
    switch (call->state) {
    case CALL_NEW:
        r = ask_registry(call, &done);
        break;
    case CALL_CREDENTIALS:
        r = call_take_credentials(call, &ready);
        r = proceed(call, r, ready, &done);
        break;
    case CALL_WAITING:
        r = send_request(call, &done);
        break;
    case CALL_TOKEN:
        r = call_take_token(call, &ready);
        r = proceed(call, r, ready, &done);
        break;
    case CALL_ASKING:
        r = take_answer(call, &done);
        break;
    case CALL_RESTING:
        r = wake_up(call, &done);
        break;
    case CALL_SHARING:
    case CALL_DONE:
    case CALL_STATES_:
        return;
    }
    if (r != BERTH_OK)
        finish_or_retry(call);
    else if (done)
        call_finish(call);
}

/* Nothing speaks HTTPS there: plain HTTP from here on, for a client that was told that it may. */
static bool fall_back(berth_call *call)
{
    berth_client *c = call->client;
    if (!call->x.home || call->x.failure != FAILURE_UNREACHED)
        return false;
    if (c->plain_base) /* another call has found out */
        return str_starts(berth_buf_str(&call->url), STR("https:"));
    if (!c->may_fall_back || c->answered)
        return false;
    CLEANUP(berth_buf_done) berth_buf base = BERTH_BUF_INIT(CALL_URL_MAX);
    http_uri plain;
    berth_buf_addf(&base, "http://%s", c->session.host);
    c->plain_base = berth_buf_take(&base);
    if (!c->plain_base || !http_uri_parse(str_from(c->plain_base), &plain))
        return false;
    c->origin = plain;
    c->session.tls = false;
    return true;
}

static void fail_without_answer(berth_call *call, const berth_error *err)
{
    call_fail(call, err->code, "%s%s", call->state == CALL_TOKEN ? "asking for a token: " : "", err->message);
    call->err.http_status = err->http_status; /* a proxy's */
}

void call_on_end(struct exchange *x, int code, const berth_error *err)
{
    berth_call *call = CONTAINER_OF(x, berth_call, x);
    bool done = false;
    if (call->code == BERTH_OK && code == BERTH_E_NETWORK && call->state == CALL_ASKING && fall_back(call)) {
        if (ask_registry(call, &done) != BERTH_OK)
            call_finish(call);
        return;
    }
    if (call->code == BERTH_OK && code != BERTH_OK)
        fail_without_answer(call, err);
    if (call->code == BERTH_OK)
        call_step(call);
    else
        finish_or_retry(call);
}
