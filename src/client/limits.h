/* client/limits.h - who may send now: requests at once (fewer after a 429, more after a success; reads and
 * writes apart), requests per second, a pause of the whole host, and the sleep before another try.
 *
 * Pure: times are given, and whoever drives the client asks limits_next() when limits_due() has come. */
#ifndef CLIENT_LIMITS_H
#define CLIENT_LIMITS_H

#include "util/base.h"

enum limits_lane { LANE_READ, LANE_WRITE, LANES_ };

enum limits_place {
    PLACE_NONE,
    PLACE_ASLEEP, /* until @due_ms */
    PLACE_QUEUED,
    PLACE_INSIDE, /* may have one request under way */
};

/* One for each call; zeroed at first. */
struct limits_ticket {
    enum limits_lane lane;
    enum limits_place place;
    int64_t due_ms;
    struct limits_ticket *next, *prev;
};

struct limits_queue {
    struct limits_ticket *first, *last;
};

struct limits {
    struct {
        unsigned limit, most; /* 0: none */
        unsigned inside;
        struct limits_queue queue;
    } lanes[LANES_];
    struct limits_queue asleep; /* who wakes first stands first */
    int64_t paused_until_ms, next_send_us;
    unsigned per_second; /* 0: no limit */
    unsigned turn;       /* the lane that is asked first */
    bool narrow;         /* since limits_narrow(): nobody has gone in */
};

enum limits_outcome { OUTCOME_SUCCESS, OUTCOME_THROTTLED, OUTCOME_OTHER };

void limits_init(struct limits *l, unsigned reads, unsigned writes, unsigned per_second);

/* True: the ticket is inside, and its request is to be sent now. False: it stands in the queue; one that was
 * inside gave its place up, and is at the head. */
bool limits_enter(struct limits *l, struct limits_ticket *t, int64_t now_ms);

/* From wherever it is. */
void limits_leave(struct limits *l, struct limits_ticket *t, enum limits_outcome outcome);

/* Out, and back at the head of the queue when @until_ms has come. */
void limits_sleep(struct limits *l, struct limits_ticket *t, int64_t until_ms);

/* Nobody sends before. */
void limits_pause(struct limits *l, int64_t until_ms);

/* The next request of a lane goes alone, and so on, one more with each success: where there was no limit,
 * there is none again after the first. What is inside now has no say in that. */
void limits_narrow(struct limits *l);

/* One that may send now and is inside from here on; NULL: none. */
struct limits_ticket *limits_next(struct limits *l, int64_t now_ms);

/* When limits_next() may find one though nobody has left; INT64_MAX: never. */
int64_t limits_due(const struct limits *l, int64_t now_ms);

#endif
