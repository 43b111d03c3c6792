/* client/call_private.h - what the files of a call share: call_new.c makes it, call.c moves it from state to
 * state, call_request.c makes and sends its requests, call_events.c takes what the transport tells, and
 * call_fail.c words its failures. */
#ifndef CLIENT_CALL_PRIVATE_H
#define CLIENT_CALL_PRIVATE_H

#include "client/internal.h"

#define CALL_URL_MAX    (16 * KIB)
#define CALL_ERROR_MAX  (64 * KIB)
#define CALL_FIELDS_MAX (256 * KIB)

/* --- call.c --- */

/* The event: the call goes on, or has failed. */
void call_on_end(struct exchange *x, int code, const berth_error *err);

/* --- call_request.c --- */

int call_send(berth_call *call); /* what call->step asks, with call->authorization */

/* --- call_events.c --- */

extern const struct exchange_events call_events;

/* --- call_fail.c --- */

const char *call_who_answers(const berth_call *call); /* "the registry" */

#endif
