/* util/fault.h - one counter over allocations, system calls and database I/O, so that a test can fail the
 * n-th of them. Without -DBERTH_FAULT the question costs nothing. */
#ifndef UTIL_FAULT_H
#define UTIL_FAULT_H

#include <errno.h>
#include <stdbool.h>

#ifdef BERTH_FAULT
void fault_arm(unsigned nth); /* the @nth call of fault_hit() from now on answers true, once; 1 is the next */
bool fault_disarm(void);      /* whether it fired */
bool fault_hit(void);         /* true: pretend that the call you are about to make failed */
#else
static inline bool fault_hit(void)
{
    return false;
}
#endif

/* For a system call: `if (fault_io() || fchmod(…) < 0)`. */
static inline bool fault_io(void)
{
    if (!fault_hit())
        return false;
    errno = EIO;
    return true;
}

#endif
