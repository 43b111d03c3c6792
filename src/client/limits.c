/* client/limits.c - see limits.h. */
#include "client/limits.h"

void limits_init(struct limits *l, unsigned reads, unsigned writes, unsigned per_second)
{
    *l = (struct limits){.per_second = per_second};
    l->lanes[LANE_READ].limit = l->lanes[LANE_READ].most = reads;
    l->lanes[LANE_WRITE].limit = l->lanes[LANE_WRITE].most = writes;
}

/* --- lists --- */

static void insert_after(struct limits_queue *q, struct limits_ticket *before, struct limits_ticket *t)
{
    t->prev = before;
    t->next = before ? before->next : q->first;
    *(before ? &before->next : &q->first) = t;
    *(t->next ? &t->next->prev : &q->last) = t;
}

static void unlink_ticket(struct limits_queue *q, struct limits_ticket *t)
{
    *(t->prev ? &t->prev->next : &q->first) = t->next;
    *(t->next ? &t->next->prev : &q->last) = t->prev;
    t->next = t->prev = NULL;
}

static void take_out(struct limits *l, struct limits_ticket *t)
{
    if (t->place == PLACE_ASLEEP)
        unlink_ticket(&l->asleep, t);
    else if (t->place == PLACE_QUEUED)
        unlink_ticket(&l->lanes[t->lane].queue, t);
    else if (t->place == PLACE_INSIDE)
        l->lanes[t->lane].inside--;
    t->place = PLACE_NONE;
}

/* --- places --- */

/* A request of the host, not of this lane, may be sent. */
static bool may_send(const struct limits *l, int64_t now_ms)
{
    return now_ms >= l->paused_until_ms && (!l->per_second || l->next_send_us / 1000 <= now_ms);
}

static bool has_room(const struct limits *l, enum limits_lane lane)
{
    return !l->lanes[lane].limit || l->lanes[lane].inside < l->lanes[lane].limit;
}

static void go_inside(struct limits *l, struct limits_ticket *t, int64_t now_ms)
{
    t->place = PLACE_INSIDE;
    l->narrow = false;
    l->lanes[t->lane].inside++;
    if (l->per_second) /* a rate, not a burst once a second */
        l->next_send_us = MAX(l->next_send_us, now_ms * 1000) + 1000000 / l->per_second;
}

bool limits_enter(struct limits *l, struct limits_ticket *t, int64_t now_ms)
{
    struct limits_queue *q = &l->lanes[t->lane].queue;
    bool was_inside = t->place == PLACE_INSIDE;
    take_out(l, t);
    if (may_send(l, now_ms) && has_room(l, t->lane) && (was_inside || !q->first)) {
        go_inside(l, t, now_ms);
        return true;
    }
    insert_after(q, was_inside ? NULL : q->last, t);
    t->place = PLACE_QUEUED;
    return false;
}

void limits_leave(struct limits *l, struct limits_ticket *t, enum limits_outcome outcome)
{
    unsigned *limit = &l->lanes[t->lane].limit, most = l->lanes[t->lane].most;
    if (outcome == OUTCOME_THROTTLED)
        *limit = *limit ? MAX(*limit / 2, 1u) : 0;
    else if (outcome == OUTCOME_SUCCESS && !l->narrow)
        *limit = MIN(*limit + (*limit > 0), most);
    take_out(l, t);
}

void limits_sleep(struct limits *l, struct limits_ticket *t, int64_t until_ms)
{
    take_out(l, t);
    struct limits_ticket *before = l->asleep.last;
    while (before && before->due_ms > until_ms)
        before = before->prev;
    t->due_ms = until_ms;
    insert_after(&l->asleep, before, t);
    t->place = PLACE_ASLEEP;
}

void limits_pause(struct limits *l, int64_t until_ms)
{
    l->paused_until_ms = MAX(l->paused_until_ms, until_ms);
}

void limits_narrow(struct limits *l)
{
    l->narrow = true;
    for (int lane = 0; lane < LANES_; lane++)
        l->lanes[lane].limit = 1;
}

/* --- whose turn it is --- */

static void wake(struct limits *l, int64_t now_ms)
{
    struct limits_ticket *t;
    while ((t = l->asleep.first) && t->due_ms <= now_ms) {
        unlink_ticket(&l->asleep, t);
        insert_after(&l->lanes[t->lane].queue, NULL, t);
        t->place = PLACE_QUEUED;
    }
}

struct limits_ticket *limits_next(struct limits *l, int64_t now_ms)
{
    wake(l, now_ms);
    if (!may_send(l, now_ms))
        return NULL;
    for (unsigned i = 0; i < LANES_; i++) {
        enum limits_lane lane = (l->turn + i) % LANES_;
        struct limits_ticket *t = l->lanes[lane].queue.first;
        if (!t || !has_room(l, lane))
            continue;
        l->turn = lane + 1u; /* where requests are few a second, both get some */
        unlink_ticket(&l->lanes[lane].queue, t);
        go_inside(l, t, now_ms);
        return t;
    }
    return NULL;
}

int64_t limits_due(const struct limits *l, int64_t now_ms)
{
    int64_t due = l->asleep.first ? l->asleep.first->due_ms : INT64_MAX;
    int64_t send_ms = l->per_second ? l->next_send_us / 1000 : now_ms;
    for (int lane = 0; lane < LANES_; lane++)
        if (l->lanes[lane].queue.first && has_room(l, (enum limits_lane)lane))
            due = MIN(due, MAX(MAX(l->paused_until_ms, send_ms), now_ms));
    return due;
}
