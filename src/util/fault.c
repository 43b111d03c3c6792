/* util/fault.c - the failing counter; see fault.h. Atomic: server threads share it. */
#include "util/fault.h"

#ifdef BERTH_FAULT
#include <stdatomic.h>

static atomic_long countdown; /* 0: disarmed; -1: fired */

void fault_arm(unsigned nth)
{
    atomic_store(&countdown, (long)nth);
}

bool fault_disarm(void)
{
    return atomic_exchange(&countdown, 0) < 0;
}

bool fault_hit(void)
{
    long left = atomic_load(&countdown);
    while (left > 0)
        if (atomic_compare_exchange_weak(&countdown, &left, left == 1 ? -1 : left - 1))
            return left == 1;
    return false;
}
#else
typedef int fault_is_compiled_out;
#endif
