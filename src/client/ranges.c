/* client/ranges.c - see ranges.h. */
#include "client/ranges.h"

#include "http/range.h"

struct range {
    struct ranges *of;
    berth_call *call;
    struct gap *gap;
    uint64_t from; /* where the present request began */
    struct range *next;
};

/* --- what all ranges have in common --- */

void ranges_aim(berth_call *call, const struct gap *gap)
{
    call_prepare(call);
    call->foreign = false;
    berth_buf_reset(&call->url);
    berth_buf_addf(&call->url, "%s/v2/%s/blobs/%s", call->client->base, call->repository, call->digest.text);
    call_field(call, "Range: bytes=%llu-%llu", (unsigned long long)gap->at, (unsigned long long)gap->end - 1);
}

int ranges_check(berth_call *call, uint64_t from, uint64_t end, uint64_t size)
{
    struct http_range r;
    uint64_t said = HTTP_SIZE_UNKNOWN;
    berth_str field = exchange_field(&call->x, STR("Content-Range"), 0);
    if (!http_content_range_answer_parse(field, &r, &said) || r.first != from || r.last >= end ||
        (call->x.length >= 0 && (uint64_t)call->x.length != r.last - r.first + 1))
        return call_fail(call, BERTH_E_INVALID, "the answer holds another range than was asked for");
    return said == size ? BERTH_OK
                        : call_fail(call, BERTH_E_INVALID, "the blob has another size than before");
}

int ranges_take(struct ranges *r, struct gap *gap, const void *p, size_t n, berth_error *err)
{
    n = (size_t)MIN((uint64_t)n, gap->end - gap->at); /* who goes on to the end was asked for less */
    int rc = partial_fill(r->file, gap, p, n, err);
    if (rc == BERTH_OK) /* faster than more can come */
        rc = partial_follow(r->file, 4 * n + 64 * KIB, err);
    if (rc != BERTH_OK)
        return rc;
    r->call->progress.done += n;
    progress_tell(r->call, BERTH_STEP_RECEIVES);
    return BERTH_OK;
}

/* --- one of them --- */

static const struct step fetching;

static void aim(struct range *x)
{
    x->from = x->gap->at;
    ranges_aim(x->call, x->gap);
}

static int on_head(berth_call *call)
{
    const struct range *x = call->own;
    if (call->x.status != 206)
        return call_fail(call, BERTH_E_UNSUPPORTED, "the registry sends no ranges");
    return ranges_check(call, x->from, x->gap->end, x->of->file->size);
}

static int on_piece(berth_call *call, const void *p, size_t n)
{
    struct range *x = call->own;
    berth_error err = BERTH_ERROR_INIT;
    if (atomic_load(&x->of->call->cancelled))
        return call_fail(call, BERTH_E_CANCELLED, "cancelled");
    if (ranges_take(x->of, x->gap, p, n, &err) != BERTH_OK)
        return call_fail_with(call, &err);
    call->progress.done += n;
    return BERTH_OK;
}

static int on_end(berth_call *call, const struct step **ret_next)
{
    struct range *x = call->own;
    struct gaps *gaps = &x->of->file->gaps;
    if (x->gap->at == x->from)
        return call_fail(call, BERTH_E_NETWORK, "the body ended early");
    if (x->gap->at == x->gap->end) {
        gaps_give(gaps, x->gap);
        x->gap = gaps_take(gaps, x->of->step);
    }
    if (!x->gap)
        return BERTH_OK;
    aim(x);
    *ret_next = &fetching;
    return BERTH_OK;
}

static int on_broken(berth_call *call, const struct step **ret_next)
{
    if (!call->may_retry)
        return call->code;
    aim(call->own);
    *ret_next = &fetching;
    return BERTH_OK;
}

static const struct step fetching = {.method = "GET",
                                     .large = true,
                                     .apart = true,
                                     .head = on_head,
                                     .piece = on_piece,
                                     .end = on_end,
                                     .broken = on_broken};
static const struct operation operation = {.actions = "pull", .first = &fetching};

/* --- all of them --- */

/* Whoever wants a say in further tries knows the download alone. */
static int on_retry(void *arg, berth_call *call, const berth_retry *retry)
{
    berth_call *of = arg;
    const struct retry_policy *p = &of->client->retry;
    (void)call;
    return of->retry ? of->retry(of->retry_arg, of, retry) : p->fn ? p->fn(p->arg, of, retry) : 0;
}

static void on_done(berth_call *call, void *arg)
{
    struct range *x = arg, **at = &x->of->first;
    struct ranges *r = x->of;
    while (*at != x)
        at = &(*at)->next;
    *at = x->next;
    r->n--;
    if (x->gap) { /* it failed; the others go on without it */
        gaps_give(&r->file->gaps, x->gap);
        r->at_once = MAX(r->at_once - 1, 1u);
    }
    call_attend(r->call);
    berth_call_free(call);
}

static bool begin_one(struct ranges *r)
{
    berth_call *call = NULL, *of = r->call;
    if (call_new_blob(of->client, &operation, of->repository, of->digest.text, &call, NULL) != BERTH_OK)
        return false;
    struct range *x = berth_arena_alloc(&call->arena, sizeof(*x));
    struct gap *gap = x ? gaps_take(&r->file->gaps, r->step) : NULL;
    if (!gap) {
        call_destroy(call);
        return false;
    }
    *x = (struct range){.of = r, .call = call, .gap = gap, .next = r->first};
    call->own = x;
    r->first = x;
    r->n++;
    aim(x);
    berth_call_on_retry(call, on_retry, of);
    berth_call_on_done(call, on_done, x);
    call_start(call);
    return true;
}

void ranges_begin(struct ranges *r)
{
    while (r->n + 1 < r->at_once && begin_one(r))
        ;
}

void ranges_stop(struct ranges *r)
{
    while (r->first)
        call_cancel(r->first->call, BERTH_E_CANCELLED, "cancelled");
}
