/* client/progress.c - tells whoever wants to know at which step a call is, and how many bytes went over. */
#include "client/internal.h"

void progress_tell(const berth_call *call, berth_step step)
{
    const struct progress *p = &call->progress;
    const berth_progress now = {.step = step,
                                .tries = call->tries,
                                .done = p->done + p->sending,
                                .total = p->total,
                                .found = p->found};
    if (p->fn && !atomic_load(&call->cancelled)) /* whoever frees a call hears no more of it */
        p->fn(p->arg, call, &now);
}

void berth_call_on_progress(berth_call *call, berth_progress_fn fn, void *arg)
{
    call->progress.fn = fn;
    call->progress.arg = arg;
}
